"""Dense-sparse-dense training of this project's networks (DSD, ICLR'17), with its `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_host.image import Interleave
from ese_models.data import Dataset
from ese_models.networks import kernels
from ese_models.pruning import magnitude
from ese_models.training.masking import DenseSparseDense, Masks, Matrices, Pruner, dense_sparse_dense
from ese_models.training.train import Progress, Recipe, fit


def train(model: Any, data: Dataset, plan: DenseSparseDense, seed: int, progress: Progress | None = None) -> Masks:
    """Train a dense `network` further, in place.

    Args:
        model: trained, with float kernels.
        data: its training split is used alone.
        plan: densities and recipes.
        seed: of order and augmentation.
        progress: called after each epoch.

    Returns:
        The masks of the sparse stage, each kernel's by magnitude as in the paper, outputs first.
    """
    rng = np.random.default_rng((seed, 3))

    def choose(weights: Matrices, density: float) -> Masks:
        return {name: magnitude(matrix, density, Interleave(len(matrix), 1)) for name, matrix in weights.items()}

    def stage(_name: str, recipe: Recipe) -> None:
        fit(model, data.train, recipe, rng, progress=progress)

    return dense_sparse_dense(Pruner(kernels(model), choose), plan, stage)
