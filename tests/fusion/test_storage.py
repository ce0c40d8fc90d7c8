"""A stored pipeline gives the same bits again. Every head's own model: tests/contracts/test_heads.py."""

import hashlib
import json

import numpy as np
import pytest

from glioma_os.errors import IntegrityError
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.heads.random_forest import RandomForest
from glioma_os.fusion.heads.survival_forest import SurvivalForest
from glioma_os.fusion.pipeline import NewRows
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.rows import clinical_variables
from glioma_os.fusion.storage import ARRAYS, STRUCTURE, _digest, load_pipeline, save_pipeline
from glioma_os.fusion.validation import develop_on
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import cohort, table
from tests.fusion.test_heads import all_heads

ENDPOINTS = (Endpoint("binary", cuts_days=(300,)), Endpoint("three", cuts_days=(200, 450)), Endpoint("os", kind="time"))
DAYS = np.array([100.0, 300.0])


def fitted(endpoint, how=None, n=80):
    rows, values = cohort(n, seed=5)
    heads = [head for head in (Logistic(), RandomForest(8), Cox(), SurvivalForest(8)) if endpoint.kind in head.kinds]
    how = how or Preparation((2, 4), scaling="normal_scores")
    return rows, values, develop_on(rows, clinical_variables("clinical"), table(rows, values), heads, endpoint, 2, how)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_configuration_predicts_the_same_bits_after_a_round_trip(endpoint, tmp_path):
    _, _, pipeline = fitted(endpoint)
    save_pipeline(pipeline, tmp_path, {"cohort": "drawn"})
    again, provenance = load_pipeline(tmp_path)
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    assert provenance == {"cohort": "drawn"} and again.endpoint == endpoint
    others, values = cohort(30, seed=9)
    new = [NewRows(others.clinical, values, others.sites) for _ in range(2)]
    names = [(row.head, row.block.name) for row in pipeline.rows]
    assert len(names) > 10 and ("ensemble", "fused") in names
    for name, one, two in zip(names, pipeline.predict(new[0], DAYS), again.predict(new[1], DAYS), strict=True):
        assert one.risk.tobytes() == two.risk.tobytes(), name
        assert one.curves.tobytes() == two.curves.tobytes(), name
        assert one.probabilities is None or one.probabilities.tobytes() == two.probabilities.tobytes(), name


def test_combat_and_rows_without_features_are_stored_too(tmp_path):
    rows, values, _ = fitted(ENDPOINTS[2], n=40)
    sites = tuple("ab"[k % 2] for k in range(40))
    values[3] = np.nan
    from dataclasses import replace

    rows, how = replace(rows, sites=sites), Preparation((3,), combat=True)
    heads = [head for head in all_heads() if head.name == "cox"]
    pipeline = develop_on(rows, ("age",), table(rows, values), heads, ENDPOINTS[2], 2, how)
    save_pipeline(pipeline, tmp_path, {})
    again, _ = load_pipeline(tmp_path)
    new = [NewRows(rows.clinical, values, sites) for _ in range(2)]
    for one, two in zip(pipeline.predict(new[0], DAYS), again.predict(new[1], DAYS), strict=True):
        assert one.risk.tobytes() == two.risk.tobytes()


def test_damaged_or_foreign_files_are_one_sentence(tmp_path):
    with pytest.raises(IntegrityError, match="no readable pipeline"):
        load_pipeline(tmp_path / "nothing")
    _, _, pipeline = fitted(ENDPOINTS[2], n=40)
    save_pipeline(pipeline, tmp_path, {})
    content = bytearray((tmp_path / ARRAYS).read_bytes())
    content[-1] ^= 1
    (tmp_path / ARRAYS).write_bytes(content)
    with pytest.raises(IntegrityError, match="sha256"):
        load_pipeline(tmp_path)
    told = json.loads((tmp_path / STRUCTURE).read_text())
    told["pipeline"]["class"] = "Popen"
    told["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / STRUCTURE).write_text(json.dumps(told))
    with pytest.raises(IntegrityError, match="changed since"):
        load_pipeline(tmp_path)
    (tmp_path / STRUCTURE).write_text(json.dumps(told | {"own_sha256": _digest(told)}))
    with pytest.raises(IntegrityError, match="Popen"):
        load_pipeline(tmp_path)
