"""Many small fits and many bootstrap samples: one after the other, and ours."""

import logging

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from glioma_os.networks.fast.memory_retention import retain_freed_memory

FITS, ROWS, COLUMNS, STEPS = 500, 118, 12, 150


def _tasks(count):
    from glioma_os.fusion.heads.contract import Task

    rng = np.random.default_rng(0)
    tasks = []
    for seed in range(count):
        inputs = rng.standard_normal((ROWS, COLUMNS))
        time = rng.exponential(400, ROWS)
        classes = (time > np.median(time)).astype(int)
        tasks.append(Task(inputs, time, np.ones(ROWS, bool), classes, inputs[:24], {"weight_decay": 0.1}, seed, 2))
    return tasks


class _Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        layers = torch.nn.Linear(COLUMNS, 16), torch.nn.SiLU(), torch.nn.Dropout(0.1), torch.nn.Linear(16, 2)
        self.network = torch.nn.Sequential(*layers)

    def training_step(self, batch, batch_idx):
        inputs, classes = batch
        return torch.nn.functional.cross_entropy(self.network(inputs), classes)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.02, weight_decay=0.1)


def lightning_fits(fits):
    """The usual script: a Trainer per fold and setting, a full-batch DataLoader, an epoch a step; nothing logged."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)

    def fit(task):
        inputs = torch.from_numpy(task.inputs).float()
        rows = TensorDataset(inputs, torch.from_numpy(task.classes))
        module = _Classifier()
        pl.Trainer(max_epochs=STEPS, accelerator="cpu", devices=1, **quiet).fit(module, DataLoader(rows, ROWS))
        return module.eval().network(torch.from_numpy(task.test_inputs).float()).softmax(-1)

    tasks = _tasks(fits)
    return lambda: [fit(task) for task in tasks]


def one_by_one(fits):
    """Our own head, called for each task alone."""
    from glioma_os.fusion.heads.mlp import MLP

    retain_freed_memory()
    head, tasks = MLP(), _tasks(fits)
    return lambda: [head.fit_predict([task]) for task in tasks]


def batched(fits):
    """As stage=survival does: every stage keeps its pages."""
    from glioma_os.fusion.heads.mlp import MLP

    retain_freed_memory()
    head, tasks = MLP(), _tasks(fits)
    return lambda: head.fit_predict(tasks)


def _sample(n):
    rng = np.random.default_rng(0)
    time, event, risk = rng.exponential(400, n), rng.random(n) < 0.8, rng.standard_normal(n)
    days = np.array([90.0, 180, 270, 365, 450, 545, 730])
    curves = np.exp(-np.outer(np.exp(0.3 * risk), days) / 500)
    chances = np.column_stack([1 / (1 + np.exp(-risk)), 1 / (1 + np.exp(risk))])
    return time, event, risk, (time > np.median(time)).astype(int), chances, curves, days


def scikit_survival(n, replicates):
    from sklearn.metrics import roc_auc_score
    from sksurv.metrics import concordance_index_censored, integrated_brier_score
    from sksurv.util import Surv

    time, event, risk, classes, _, curves, days = _sample(n)

    def arm():
        for draw in np.random.default_rng(0).integers(n, size=(replicates, n)):
            concordance_index_censored(event[draw], time[draw], risk[draw])
            roc_auc_score(classes[draw] == 0, risk[draw])
            y = Surv.from_arrays(event[draw], time[draw])
            integrated_brier_score(y, y, curves[draw], days)

    return arm


def vectorised(n, replicates):
    from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights

    time, event, risk, classes, chances, curves, days = _sample(n)
    sample = Sample(time, event, risk, classes, chances, curves, days)
    weights = bootstrap_weights(n, replicates, 0)
    return lambda: [METRICS[name](sample, weights) for name in ("c_index", "auc", "ibs")]
