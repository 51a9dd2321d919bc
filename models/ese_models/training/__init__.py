# SPDX-License-Identifier: Apache-2.0
"""Training, pruning during training, quantization-aware fine-tuning, and the tasks for which networks are trained."""

from ese_models.training import own_model
from ese_models.training.compression import Compressed, Plan, compress, prune, quantize
from ese_models.training.dsd import DenseSparseDense
from ese_models.training.fit_data import classifies, score
from ese_models.training.metrics import accuracy
from ese_models.training.tasks import Task, resized, task_named
from ese_models.training.train import DENSE, Recipe, fit, predict, shortened, train_dense

__all__ = [
    "DENSE",
    "Compressed",
    "DenseSparseDense",
    "Plan",
    "Recipe",
    "Task",
    "accuracy",
    "classifies",
    "compress",
    "fit",
    "own_model",
    "predict",
    "prune",
    "quantize",
    "resized",
    "score",
    "shortened",
    "task_named",
    "train_dense",
]
