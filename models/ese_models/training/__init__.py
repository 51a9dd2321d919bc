"""Training, pruning during training, quantization-aware fine-tuning, and the tasks for which networks are trained."""

from ese_models.training.compression import (
    Compressed,
    Plan,
    compress,
    interleave,
    kind_of,
    masks_for,
    matrices,
    prune,
    quantize,
)
from ese_models.training.masking import DenseSparseDense
from ese_models.training.metrics import accuracy
from ese_models.training.tasks import Task, resized, task_named
from ese_models.training.train import DENSE, fit, predict, shortened, train_dense

__all__ = [
    "DENSE",
    "Compressed",
    "DenseSparseDense",
    "Plan",
    "Task",
    "accuracy",
    "compress",
    "fit",
    "interleave",
    "kind_of",
    "masks_for",
    "matrices",
    "predict",
    "prune",
    "quantize",
    "resized",
    "shortened",
    "task_named",
    "train_dense",
]
