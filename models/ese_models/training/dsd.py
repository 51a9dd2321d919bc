"""Dense-sparse-dense training (DSD: Han et al., ICLR'17, 1607.04381) of a network, by `train.fit`."""

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
    """Train a dense `network` further, in place, by DSD.

    Args:
        model: trained network with float kernels.
        data: data set, of which only the training split is used.
        plan: density and recipes.
        seed: of the order of samples and their augmentation.
        progress: called after each epoch.

    Returns:
        Kernel name -> (outputs, inputs) mask of the sparse stage, by magnitude as in the paper.
    """
    rng = np.random.default_rng((seed, 3))

    def choose(weights: Matrices, density: float) -> Masks:
        return {name: magnitude(matrix, density, Interleave(len(matrix), 1)) for name, matrix in weights.items()}

    def stage(_name: str, recipe: Recipe) -> None:
        fit(model, data.train, recipe, rng, progress=progress)

    return dense_sparse_dense(Pruner(kernels(model), choose), plan, stage)
