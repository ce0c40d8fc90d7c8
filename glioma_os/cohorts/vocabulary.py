"""The words of outcomes and clinical variables in tables, and where they are used. Every reader of tables uses these.

Sources: BraTS 2017-2020 survival tables (ALIVE, GTR, STR), UPENN-GBM clinical info v2.1 (Deceased, Lost to Follow-up,
NOS/NEC, Not Available), UCSF-PDGM metadata v2 and v5 (positive, indeterminate, protein changes in HGVS nomenclature,
den Dunnen 2016), LUMIERE (WT, not methylated, "R132H mut", weeks), RHUH-GBM (right_censored yes or no, eor_category),
CFB-GBM (weeks), cBioPortal and TCGA (0:LIVING, 1:DECEASED, [Not Available]), spreadsheets (#N/A), pandas (NaN, <NA>).
Extents between gross total and biopsy (near total, subtotal, partial) are one class, as BraTS and UCSF-PDGM have it.
"""

from __future__ import annotations

import re
from unicodedata import category

from glioma_os.records import Extent

BLANK = frozenset({
    "", ".", "-", "--", "?", "na", "n/a", "#n/a", "#na", "#n/a n/a", "<na>", "n.a.", "nan", "-nan", "none", "null",
    "nil", "nd", "unk", "unknown", "[unknown]", "missing", "not available", "[not available]", "not recorded",
    "not reported", "not evaluated", "[not evaluated]", "not known", "no data", "(null)",
})  # fmt: skip
DIED, CENSORED = "died", "censored"
EVENTS = {
    **dict.fromkeys(("dead", "deceased", "died", "death", "expired", "exitus", "event"), DIED),
    **dict.fromkeys(
        ("alive", "living", "censored", "right censored", "lost to follow up", "lost", "no event", "not dead"),
        CENSORED,
    ),
}  # fmt: skip
FLAGS = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False, "y": True, "n": False}
# What 1, yes or true says in a column of such a name; any other name leaves it open.
DIED_NAME = re.compile(
    r"(os |overall survival )?(event|events|died|dead|death|deceased|mortality)( (status|indicator|event))?"
)
CENSORED_NAME = re.compile(r"((is|right|os) )*(censored|alive|living)( (status|indicator))?")
CODED_NAME = re.compile(r"\b([01]) ?[-=:] ?(dead|died|deceased|death|event|alive|living|censored)\b")
DAYS_OF = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
UNIT_NAMES = {
    word: unit
    for unit, words in {
        "days": "day days tag tage tagen jour jours dia dias día días giorno giorni",
        "weeks": "week weeks wk wks woche wochen semaine semaines semana semanas settimana settimane",
        "months": "month months mo mos mon mons mth mths monat monate monaten mois mes meses mese mesi",
        "years": "year years yr yrs jahr jahre jahren année années annee annees año años anno anni",
    }.items()
    for word in words.split()
}
# OSmonths: what names put before a unit without a blank.
JOINED = re.compile(rf"(?:os|survival|time|followup|fu)({'|'.join(UNIT_NAMES)})")
SEXES = {"f": "F", "m": "M", "female": "F", "male": "M", "woman": "F", "man": "M"}
EXTENTS = {
    **dict.fromkeys(
        ("gtr", "gross total", "gross total resection", "complete resection", "total resection"), Extent.GTR
    ),
    **dict.fromkeys(
        ("str", "ntr", "pr", "subtotal", "sub total", "near total", "partial", "subtotal resection",
         "sub total resection", "near total resection", "partial resection"), Extent.STR,
    ),
    **dict.fromkeys(
        ("biopsy", "bx", "biopsy only", "stereotactic biopsy", "needle biopsy", "open biopsy"), Extent.BIOPSY
    ),
}  # fmt: skip
UNDETERMINED = dict.fromkeys(
    ("indeterminate", "undetermined", "inconclusive", "equivocal", "nos", "nec", "nos/nec", "not tested",
     "not performed", "not done", "not applicable", "not assessed"), None,
)  # fmt: skip
IDH: dict[str, bool | None] = {
    **UNDETERMINED,
    **dict.fromkeys(("1", "true", "mutant", "mutated", "mut", "mutation", "idh mutant", "mutated (nos)"), True),
    **dict.fromkeys(
        ("0", "false", "wildtype", "wild type", "wt", "idh wildtype", "idh wild type", "not mutated"), False
    ),
}
MGMT: dict[str, bool | None] = {
    **UNDETERMINED,
    **dict.fromkeys(("1", "true", "methylated", "meth", "positive"), True),
    **dict.fromkeys(("0", "false", "unmethylated", "not methylated", "non methylated", "unmeth", "negative"), False),
}
UPENN_STATUS = {**EVENTS, "deceased uncertain date of death": "date of death uncertain"}
UPENN_RESECTED = {"y": Extent.GTR, "n": Extent.STR, "not applicable": None}

RESIDUES = "ala arg asn asp cys gln glu gly his ile leu lys met phe pro ser thr trp tyr val".split()
LETTERS = "arndcqeghilkmfpstwyv"
# R132H, IDH1 p.R132H mutated, IDH2 p.(Arg172Trp): arginine of a hot spot becomes another residue.
PROTEIN_CHANGE = re.compile(
    r"(idh[12]?[ :,]*)?\(?(p\.)?\(?(r|arg)(100|132|140|172)"
    rf"(?!r\b|arg\b)([{LETTERS}]|{'|'.join(RESIDUES)})\)?\)?( (mut|mutant|mutated|mutation))?"
)


def visible(text: str) -> str:
    """Without characters that nothing shows, such as U+200B."""
    return text if text.isascii() else "".join(mark for mark in text if category(mark) != "Cf")


def column_key(name: str) -> str:
    """A column's name as names are compared: lower case, without invisible characters and blanks around it."""
    return visible(name).strip().lower()


def plain(text: str) -> str:
    """Lower case; blanks, underscores and hyphens between words as one blank."""
    text = re.sub(r"(?<=[^\W\d_])\s*[-–]\s*(?=[^\W\d_])", " ", text.strip().lower())
    return " ".join(re.split(r"[\s_]+", text)).strip()


def is_blank(text: str) -> bool:
    """Whether a cell says that nothing was recorded."""
    return " ".join(text.lower().split()) in BLANK


def as_code(text: str) -> str:
    """A whole number without the decimals that programs give it (1.0, 0.00); other text as it is."""
    return re.sub(r"^([0-9]+)\.0+$", r"\1", text.strip())


def units_in(column: str) -> set[str]:
    """The units of time that a column's name has, as `OS (weeks)` and `os_months` do."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", visible(column)).lower())
    words = [joined[1] if (joined := JOINED.fullmatch(word)) else word for word in words]
    return {UNIT_NAMES[word] for word in words if word in UNIT_NAMES}


def one_means(column: str) -> str | None:
    """What 1 says in a column of this name: `died` or `censored`; None where the name leaves it open."""
    name = plain(re.sub(r"[.,()\[\]?]", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", visible(column))))
    opposite = {DIED: CENSORED, CENSORED: DIED}
    spelt = CODED_NAME.findall(name)
    coded = {EVENTS[word] if digit == "1" else opposite[EVENTS[word]] for digit, word in spelt}
    if coded:
        return coded.pop() if len(coded) == 1 else None
    if DIED_NAME.fullmatch(name):
        return DIED
    return CENSORED if CENSORED_NAME.fullmatch(name) else None


def idh_mutant(text: str) -> bool | None:
    """Mutant, wild type, or None for undetermined; KeyError for text that is neither a word nor a protein change."""
    word = plain(as_code(text))
    if PROTEIN_CHANGE.fullmatch(word):
        return True
    gene = re.fullmatch(r"idh ?(1|2|1/2)? (\S.*)", word)
    return IDH[word if word in IDH else gene[2] if gene else word]
