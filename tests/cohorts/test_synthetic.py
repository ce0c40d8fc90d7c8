import numpy as np
import pytest
from scipy.stats import spearmanr

from glioma_os.cohorts.overlap import same_people
from glioma_os.cohorts.phantom import Scanner, Tumour, acquire, anatomy, grow_tumour
from glioma_os.cohorts.synthetic import draw_patient, synthetic_cohort
from glioma_os.errors import ConfigError
from glioma_os.records import Modality
from glioma_os.volumes.checks import check_case
from glioma_os.volumes.conventions import coding
from glioma_os.volumes.nifti import read_nifti


def drawn(signal, n=3000):
    patients = [draw_patient(k, signal, 5) for k in range(n)]
    log_days = np.log([p.time_days / (1 if p.event else 0.675) for p in patients])
    volume = [p.tumour.necrosis_ml + p.tumour.enhancing_ml + p.tumour.oedema_ml for p in patients]
    share = [p.tumour.necrosis_ml / (p.tumour.necrosis_ml + p.tumour.enhancing_ml) for p in patients]
    return log_days, [p.age_years for p in patients], volume, share


def test_survival_follows_the_stated_law():
    log_days, age, volume, share = drawn(0.7)
    assert log_days.mean() == pytest.approx(5.74, abs=0.06) and log_days.std() == pytest.approx(0.96, abs=0.06)
    assert spearmanr(age, log_days)[0] == pytest.approx(-0.35, abs=0.05)
    assert spearmanr(volume, log_days)[0] == pytest.approx(-0.7 * 0.95, abs=0.05)
    assert spearmanr(share, log_days)[0] == pytest.approx(-0.7 * 0.31, abs=0.05)


def test_without_signal_images_know_nothing_and_age_knows_the_same():
    log_days, age, volume, share = drawn(0.0)
    assert abs(spearmanr(volume, log_days)[0]) < 0.05 and abs(spearmanr(share, log_days)[0]) < 0.05
    assert spearmanr(age, log_days)[0] == pytest.approx(-0.35, abs=0.05)


def test_tumours_have_real_volumes():
    volumes = np.array([sum(vars(draw_patient(k, 0.7, 1).tumour).values()) for k in range(2000)])
    assert np.percentile(volumes, [25, 50, 75]) == pytest.approx([46, 84, 130], rel=0.25)


def test_the_phantom_holds_what_was_asked_for():
    rng = np.random.default_rng(0)
    tissue, mask = anatomy(4.0, rng)
    assert 1.1 < mask.sum() * 0.064 / 1000 < 1.9  # litres
    label = grow_tumour(tissue, mask, Tumour(12, 25, 48), 4.0, rng)
    assert [(label == k).sum() * 0.064 for k in (1, 4, 2)] == pytest.approx([12, 25, 48], abs=0.1)
    t1c, flair = (acquire(tissue, mask, label, m, Scanner(), 4.0, rng) for m in (Modality.T1C, Modality.FLAIR))
    normal = mask & (label == 0)
    assert t1c[label == 4].mean() > t1c[normal].mean() > 0 and flair[label == 2].mean() > flair[normal].mean()
    assert not t1c[~mask].any() and (t1c[mask] > 0).all()


def test_sets_share_patients_as_the_real_ones_do(cohorts):
    old, new, besta = cohorts["brats2018"], cohorts["brats2020"], cohorts["besta"]
    shared = same_people(new, old)
    assert len(shared) == 6 and len(new.cases()) == len(old.cases()) == len(besta.cases()) == 12
    assert not same_people(new, besta)
    one = sorted(shared)[0]
    twin = next(iter(new.aliases()[one] & {case.patient_id for case in old.cases()}))
    pick = {case.patient_id: case for case in [*new.cases(), *old.cases()]}
    same = [read_nifti(pick[name].images[Modality.T2]).data for name in (one, twin)]
    assert np.array_equal(*same)


def test_what_is_drawn_goes_through_the_real_door_without_a_finding(cohorts):
    for cohort in cohorts.values():
        scheme = coding(cohort.label_coding)
        findings = [f for case in cohort.cases() for f in check_case(case, scheme, cohort.modalities)]
        assert [f for f in findings if f.level == "error"] == []
    assert all(case.label is None for case in cohorts["besta"].cases())


def test_the_same_recipe_is_drawn_once(cohorts, synthetic_root):
    before = sorted(path.name for path in synthetic_root.iterdir())
    again = synthetic_cohort("brats2020", synthetic_root, patients=12, signal=0.7, spacing_mm=8.0)
    assert again.fingerprint() == cohorts["brats2020"].fingerprint()
    assert sorted(path.name for path in synthetic_root.iterdir()) == before


def test_impossible_signals_and_kinds(tmp_path):
    with pytest.raises(ConfigError, match="signal"):
        synthetic_cohort("brats2020", tmp_path, 4, signal=0.97)
    with pytest.raises(ConfigError, match="brats2020"):
        synthetic_cohort("brats2016", tmp_path, 4, signal=0.0)
