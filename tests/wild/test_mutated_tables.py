"""Mutated tables: the right values, or one sentence that says where, what was found and what to do. Never a traceback,
never another value than the one that was written."""

import random
import re

import numpy as np
import pytest

from glioma_os.cohorts.besta import BestaCohort
from glioma_os.cohorts.brats import BratsTableCohort
from glioma_os.cohorts.crosswalk import mapped_names
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.table_reader import decode
from glioma_os.cohorts.ucsf import UcsfCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.errors import GliomaError

N = 14
NUMBERS = [(f"{40 + 3.25 * k:g}", 180 + 37 * k, k % 3 > 0) for k in range(N)]
TABLES = {
    "table": ("patient_id,age,os_days,event,sex,kps,eor,idh,note\n" + "".join(
        f'P{k},{a},{d},{int(e)},{"FM"[k % 2]},{60 + 10 * (k % 4)},{["GTR", "STR", ""][k % 3]},{["wt", "R132H"][k % 2]},'
        f'"left, {k}"\n' for k, (a, d, e) in enumerate(NUMBERS)), TableCohort),
    "brats": ("Brats20ID,Age,Survival_days,Extent_of_Resection\n" + "".join(
        f"BraTS20_Training_{k:03d},{a},{d if e else f'ALIVE ({d} days later)'},{['GTR', 'NA'][k % 2]}\n"
        for k, (a, d, e) in enumerate(NUMBERS)), BratsTableCohort),
    "upenn": ("ID,Gender,Age_at_scan_years,Survival_from_surgery_days,Survival_Status,Survival_Censor,IDH1,MGMT\n"
              + "".join(f"UPENN-GBM-{k:05d}_11,F,{a},{d if e else 'Not Available'},{'Deceased' if e else 'Alive'},"
                        f"{'Not Available' if e else d},Wildtype,Methylated\n"
                        for k, (a, d, e) in enumerate(NUMBERS)), UpennCohort),
    "ucsf": ("ID,Sex,Age at MRI,WHO CNS Grade,MGMT status,IDH,1-dead 0-alive,OS,EOR\n" + "".join(
        f"UCSF-PDGM-{k:04d},M,{a},4,positive,wildtype,{int(e)},{d},GTR\n"
        for k, (a, d, e) in enumerate(NUMBERS)), UcsfCohort),
    "besta": ("patient_id,age,os_days,event,t1c,flair\n" + "".join(
        f"BESTA-{k:04d},{a},{d},{int(e)},t.csv,t.csv\n" for k, (a, d, e) in enumerate(NUMBERS)), BestaCohort),
}  # fmt: skip
JUNK = ["", " ", ",", ";", "\t", '"', "'", "#", "\n", "\r", "\0", "-", ".", "0", "9", "e", "NaN", "é", "\ufeff", "1,5",
        "1.234", "=1", "\u2028", "²", "٣", "x" * 300]  # fmt: skip
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-le"]


def mutate(text, rng):
    """The bytes of a table after some accidents: to characters, lines, columns, dialect, encoding, bytes."""
    for _ in range(rng.randint(1, 3)):
        lines = text.split("\n")
        kind = rng.randrange(9)
        place, line = rng.randrange(len(text) + 1), rng.randrange(len(lines))
        if kind < 2:
            text = text[:place] + rng.choice(JUNK) + text[place + rng.randint(0, 2) :]
        elif kind == 2:
            cells = lines[line].split(",")
            cells[rng.randrange(len(cells))] = rng.choice(JUNK)
            text = "\n".join([*lines[:line], ",".join(cells), *lines[line + 1 :]])
        elif kind == 3:
            text = "\n".join([*lines[:line], *lines[line + 1 :]])
        elif kind == 4:
            text = "\n".join([*lines[:line], lines[line], *lines[line:]])
        elif kind == 5:
            text = text.replace(",", rng.choice([";", "\t", "|", ", ", " ,"]))
        elif kind == 6:
            text = text.replace(".", ",").replace("\n", "\r\n" if rng.random() < 0.5 else "\r")
        elif kind == 7:
            text = text[:place]
        else:
            text = "\n".join([lines[line], *lines])
    raw = text.encode(rng.choice(ENCODINGS), errors="replace")
    if rng.random() < 0.1 and raw:
        place = rng.randrange(len(raw))
        raw = raw[:place] + bytes([rng.randrange(256)]) + raw[place + 1 :]
    return raw


def outcome_of(read):
    """What `read` gives, or None where it fails in one sentence."""
    try:
        return read()
    except GliomaError as fault:
        assert fault.where and fault.remedy and "found" in str(fault), fault
        return None


ID = r"P\d+|BraTS20_Training_\d{3}|UPENN-GBM-\d{5}_11|UCSF-PDGM-\d{4}|BESTA-\d{4}"
ROW = re.compile(rf'\s*"?({ID})\s*"?\s*[,;\t|]')


def numbers_in(line):
    """Every number that a line can be read to hold, decimal points or commas."""
    whole = re.findall(r"\d+(?:[.,]\d*)?(?:[eE]\d+)?", line) + re.findall(r"\d+(?:\.\d*)?", line)
    return {float(one.replace(",", ".")) for one in whole + re.findall(r"\d+|\.\d+", line)}


def check_cohort(name, path, rng):
    """Every row that stands there is a case or left out by name, and has the age and days of its own row."""
    text, cohort = TABLES[name]
    path.write_bytes(mutate(text, rng))
    found = cohort(table=path)
    cases = outcome_of(found.cases)
    if cases is None:
        return 0
    rows = {match[1]: line for line in re.split(r"\r\n|\n|\r", decode(path)) if (match := ROW.match(line))}
    known = [*(case.case_id for case in cases), *(name for name, _ in found.excluded())]
    assert not [name for name in rows if not any(one.startswith(name) for one in known)]
    for case in (case for case in cases if case.case_id in rows):
        numbers = numbers_in(rows[case.case_id])
        assert case.clinical.age_years is None or case.clinical.age_years in numbers, case
        assert case.outcome is None or case.outcome.time_days in {*numbers, 0.5}, case
    return len(cases)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("count", "seed"), [(120, 0), pytest.param(4000, 1, marks=pytest.mark.slow)])
def test_mutated_cohort_tables(tmp_path, name, count, seed):
    rng = random.Random(f"{name}{seed}")
    read = [check_cohort(name, tmp_path / "t.csv", rng) for _ in range(count)]
    assert sum(n > 0 for n in read) > count / 20, "hardly a mutation that can still be read: the test says nothing"


FEATURES = "case_id,a,b,c\n" + "".join(f"C{k},{k + 0.25},{-k * 3.5e-3},{k * k}\n" for k in range(8))


def check_features(path, rng):
    path.write_bytes(mutate(FEATURES, rng))
    table = outcome_of(lambda: read_feature_csv(path))
    if table is not None:
        assert len(set(table.case_ids)) == len(table.case_ids) and table.values.shape[1] == len(table.names)
        assert not np.isinf(table.values).any()
    names = outcome_of(lambda: mapped_names(path))
    return table is not None and names is not None


@pytest.mark.parametrize(("count", "seed"), [(200, 0), pytest.param(20_000, 1, marks=pytest.mark.slow)])
def test_mutated_feature_tables(tmp_path, count, seed):
    rng = random.Random(seed)
    assert sum(check_features(tmp_path / "f.csv", rng) for _ in range(count)) > count / 20


DIALECTS = {
    "delimiter": [",", ";", "\t", "|"],
    "end": ["\n", "\r\n", "\r"],
    "encoding": ENCODINGS[:4],
    "quoted": [False, True],
    "comment": ["", "# export, of today\n"],
}


@pytest.mark.parametrize("seed", range(40))
def test_a_change_of_dialect_never_changes_a_value(tmp_path, seed):
    """Not a mutation but another spelling of the same table: it must be read, and alike."""
    rng = random.Random(seed)
    choice = {name: rng.choice(options) for name, options in DIALECTS.items()}
    comma = choice["delimiter"] != "," and rng.random() < 0.5
    header = ["patient_id", "age", "os_days", "event"]
    rows = [[f"P{k}", a.replace(".", ",") if comma else a, str(d), str(int(e))] for k, (a, d, e) in enumerate(NUMBERS)]
    lines = [choice["delimiter"].join(f'"{c}"' if choice["quoted"] else c for c in row) for row in [header, *rows]]
    text = choice["comment"] + "\n".join(lines) + "\n"
    (tmp_path / "t.csv").write_bytes(text.replace("\n", choice["end"]).encode(choice["encoding"]))
    found = {case.case_id: (case.clinical.age_years, case.outcome) for case in TableCohort(tmp_path / "t.csv").cases()}
    assert {
        name: (age, outcome.time_days, outcome.event) for name, (age, outcome) in found.items()
    } == {f"P{k}": (float(a), d, e) for k, (a, d, e) in enumerate(NUMBERS)}  # fmt: skip
