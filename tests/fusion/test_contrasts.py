"""One definition of the leading row and of what it is compared with."""

from glioma_os.fusion.contrasts import leading_row, reference_row, verdict

AGE = ("logistic", "age")
FUSED = [("majority", "none"), AGE, ("cox", "age"), ("cox", "latents"), ("cox", "fused"), ("ensemble", "fused")]
CLINICAL = [*FUSED, ("cox", "clinical"), ("ensemble", "clinical")]


def test_the_leading_row_has_the_most_inputs_and_is_the_ensemble():
    assert leading_row(FUSED) == ("ensemble", "fused") and leading_row(FUSED[:5]) == ("cox", "fused")
    assert leading_row([("majority", "none"), AGE, ("cox", "clinical")]) == ("cox", "clinical")
    assert leading_row([("majority", "none"), AGE, ("cox", "age")]) == AGE


def test_fused_rows_are_compared_with_the_same_model_on_the_same_clinical_variables():
    assert reference_row(("ensemble", "fused"), FUSED, AGE) == AGE
    assert reference_row(("cox", "fused"), CLINICAL, AGE) == ("cox", "clinical")
    assert reference_row(("ensemble", "fused"), CLINICAL, AGE) == ("ensemble", "clinical")
    one_head = [key for key in CLINICAL if key != ("ensemble", "clinical")]
    assert reference_row(("ensemble", "fused"), one_head, AGE) == ("cox", "clinical")
    assert reference_row(("cox", "clinical"), CLINICAL, AGE) is None
    assert reference_row(("cox", "latents"), CLINICAL, AGE) is None and reference_row(AGE, CLINICAL, AGE) is None


def test_a_gain_is_an_interval_above_zero():
    assert [verdict(*bounds) for bounds in ((0.01, 0.2), (-0.2, -0.01), (0.0, 0.2), (0.0, 0.0))] == [
        "gain", "loss", "none shown", "none shown",
    ]  # fmt: skip
