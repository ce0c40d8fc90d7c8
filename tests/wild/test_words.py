"""Words of clinical variables as published tables and hospitals write them."""

import pytest

from glioma_os.cohorts.clinical import parse_age, parse_extent, parse_idh, parse_number, parse_points, parse_word
from glioma_os.cohorts.vocabulary import BLANK, MGMT, SEXES, is_blank
from glioma_os.errors import DataError
from glioma_os.records import Extent


@pytest.mark.parametrize(
    ("text", "extent"),
    [("GTR", Extent.GTR), (" gross-total resection ", Extent.GTR), ("Gross Total Resection", Extent.GTR),
     ("gross_total", Extent.GTR), ("NTR", Extent.STR), ("near-total resection", Extent.STR), ("PR", Extent.STR),
     ("Partial Resection", Extent.STR), ("sub-total resection", Extent.STR), ("STR", Extent.STR),
     ("Biopsy", Extent.BIOPSY), ("biopsy only", Extent.BIOPSY), ("stereotactic biopsy", Extent.BIOPSY),
     ("NA", None), ("not applicable", None)],
)  # fmt: skip
def test_extents_of_resection(text, extent):
    assert parse_extent(text, "row 2") is extent


@pytest.mark.parametrize(
    ("text", "mutant"),
    [("wt", False), ("WT", False), ("wildtype", False), ("wild-type", False), ("Wild Type", False),
     ("IDH-wildtype", False), ("IDH1 wildtype", False), ("0.0", False), ("mut", True), ("Mutant", True),
     ("mutated (NOS)", True), ("1.0", True), ("IDH-mutant", True), ("R132H", True), ("R132H mut", True),
     ("IDH1 p.R132C", True), ("IDH1 p.Arg132His", True), ("IDH2 p.Arg172Trp", True), ("IDH2 p.R172K", True),
     ("p.(Arg132Ser)", True), ("IDH1: p.R132G", True), ("NOS", None), ("NOS/NEC", None), ("Indeterminate", None),
     ("#N/A", None), ("", None)],
)  # fmt: skip
def test_idh_status(text, mutant):
    assert parse_idh(text, "row 2") is mutant


@pytest.mark.parametrize(
    "text",
    ["R132H negative", "no R132H", "wildtype R132H", "p.Arg132Arg", "R132R", "p.G105G", "R132", "R13H", "2", "perhaps",
     "wildtype?", "p.Arg132Xyz", "not tested for IDH2"],
)  # fmt: skip
def test_an_idh_status_of_two_readings_is_refused(text):
    with pytest.raises(DataError, match="row 2: IDH status"):
        parse_idh(text, "row 2")


@pytest.mark.parametrize(
    ("text", "value"),
    [("methylated", True), ("Positive", True), ("1.0", True), ("unmethylated", False), ("not methylated", False),
     ("non-methylated", False), ("negative", False), ("indeterminate", None), ("na", None), ("[Not Available]", None)],
)  # fmt: skip
def test_mgmt_status(text, value):
    assert parse_word(text, "row 2", "MGMT", MGMT) is value


@pytest.mark.parametrize(
    ("text", "age"),
    [("60.463", 60.463), ("60.", 60), ("90+", 90), ("> 89", 90), (">=90", 90), ("≥ 90", 90), ("90 or older", 90),
     ("over 89", 90), ("#N/A", None), (".", None), ("[Not Available]", None)],
)  # fmt: skip
def test_ages(text, age):
    assert parse_age(text, "row 2") == age


@pytest.mark.parametrize("text", ["22279", "600", "-3", "6O", "60-70", "<18", "1e1", "60 61", "٦٠", "inf"])
def test_ages_that_are_none_are_refused(text):
    with pytest.raises(DataError, match="row 2: age"):
        parse_age(text, "row 2")


@pytest.mark.parametrize(
    ("text", "points"), [("80", 80), ("80.0", 80), ("80%", 80), ("90 %", 90), ("100", 100), ("", None)]
)
def test_karnofsky_points(text, points):
    assert parse_points(text, "row 2") == points


@pytest.mark.parametrize("text", ["0", "1", "2", "4.0", "0.8", "110", "70-80", "ECOG 1"])
def test_an_ecog_grade_is_no_karnofsky_status(text):
    with pytest.raises(DataError, match="row 2: KPS"):
        parse_points(text, "row 2")


@pytest.mark.parametrize("text", ["1", "2", "0", "x"])
def test_a_code_without_a_key_is_no_sex(text):
    with pytest.raises(DataError, match="row 2: sex"):
        parse_word(text, "row 2", "sex", SEXES)


@pytest.mark.parametrize("text", sorted(BLANK))
def test_every_blank_is_blank_in_any_case_and_a_number_never(text):
    assert is_blank(text.upper()) and is_blank(f" {text} ") and parse_idh(text.title(), "x") is None
    with pytest.raises(DataError):
        parse_number(text, "row 2", "days", -1, 100)
