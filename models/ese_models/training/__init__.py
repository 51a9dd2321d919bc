"""Training, pruning during training, quantization-aware fine-tuning, and the tasks for which networks are trained."""

from ese_models.training import own_model
from ese_models.training.callbacks import GroupingSchedule, PruningSchedule
from ese_models.training.compression import Compressed, Plan, compress, prune, quantize
from ese_models.training.mask_plan import MaskPlan, interleaves, kind_of, masks_for, matrices
from ese_models.training.masking import DenseSparseDense
from ese_models.training.metrics import accuracy
from ese_models.training.sparsity import Sparsity, sparsity, stored_codes
from ese_models.training.tasks import Task, resized, task_named
from ese_models.training.train import DENSE, Recipe, fit, predict, shortened, train_dense

__all__ = [
    "DENSE",
    "Compressed",
    "DenseSparseDense",
    "GroupingSchedule",
    "MaskPlan",
    "Plan",
    "PruningSchedule",
    "Recipe",
    "Sparsity",
    "Task",
    "accuracy",
    "compress",
    "fit",
    "interleaves",
    "kind_of",
    "masks_for",
    "matrices",
    "own_model",
    "predict",
    "prune",
    "quantize",
    "resized",
    "shortened",
    "sparsity",
    "stored_codes",
    "task_named",
    "train_dense",
]
