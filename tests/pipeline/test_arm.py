import pytest

from glioma_os.errors import ConfigError, DataError
from tests.pipeline.composed import Composed

HOSPITAL = "patient_id,age,os_days,event,t1c,flair\n" + "".join(
    f"BESTA-{number:04d},60,{100 + number},{number % 2},x.nii.gz,x.nii.gz\n" for number in range(12)
)
TWO = "channels=[t1c,flair]"
ALONE = "patient_id,age,os_days,event\n" + "".join(f"P{n},60,{100 + n},{n % 2}\n" for n in range(12))


def check(tmp_path, table, *words):
    (tmp_path / "x.nii.gz").touch()
    (tmp_path / "t.csv").write_text(table)
    Composed(*words, f"cohort.table={tmp_path / 't.csv'}").check()


def test_what_needs_images_or_masks_says_so_before_anything_is_trained(tmp_path):
    with pytest.raises(ConfigError, match="latents of table, a cohort without images"):
        check(tmp_path, ALONE, "cohort=table")
    with pytest.raises(ConfigError, match="besta has no mask"):
        check(tmp_path, HOSPITAL, "cohort=besta", TWO)
    with pytest.raises(DataError, match="no t1 and no t2 image"):
        check(tmp_path, HOSPITAL, "cohort=besta")
    check(tmp_path, ALONE, "cohort=table", "features=none")
    check(tmp_path, HOSPITAL, "cohort=besta", TWO, "finetuning.source=none")
    masked = HOSPITAL.replace("flair\n", "flair,seg\n").replace("x.nii.gz\n", "x.nii.gz,x.nii.gz\n")
    check(tmp_path, masked, "cohort=besta", TWO)
