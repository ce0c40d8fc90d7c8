"""Values that no study can be made of: one sentence that names the key, before any work."""

import pytest

from glioma_os.errors import ConfigError
from glioma_os.stages.assemble import arms_of
from tests.pipeline.composed import Composed

WRONG = {
    "+foo=1": "foo", "settings=3": "settings", "channels=[t1c,t1c]": "channels",
    "pretraining.channels=[t1c]": "pretraining.channels", "trainer.precision=foo": "trainer.precision",
    "network.dropout=1.5": "network", "network.init_filters=7": "network", "network.blocks_down=[1,2]": "network",
    "pretraining.schedule.objective.smooth_nr=foo": "pretraining.schedule.objective",
    "pretraining.schedule.lr=.inf": "pretraining.schedule.lr", "head.cox.l2=[-1]": "head.cox.l2",
    "head.cox.l2=[.nan]": "head.cox.l2", "head.xgboost.rounds=0": "head.xgboost.rounds",
    "head.random_forest.max_features=foo": "head.random_forest.max_features",
    "head.mlp.accelerator=tpu": "head.mlp.accelerator", "finetuning.schedule.augmentation.flip=2": "augmentation",
    "eligibility.resection=[]": "eligibility.resection", "validation.components=[2,2]": "validation.components",
}  # fmt: skip


@pytest.mark.parametrize(("word", "where"), WRONG.items())
def test_it_is_one_sentence_before_any_work(word, where, tmp_path):
    small = ["synthetic.patients=12", "synthetic.spacing_mm=8", "validation.folds=2", f"paths.root={tmp_path}"]
    with pytest.raises(ConfigError) as caught:
        study = Composed(*small, word)
        arms_of(study.cfg)
        study.check()
    assert caught.value.where.startswith(where) and not list(tmp_path.glob("runs/*"))
    assert "\n" not in str(caught.value)
