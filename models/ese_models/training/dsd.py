# SPDX-License-Identifier: Apache-2.0
"""Dense-sparse-dense training (DSD: Han et al., ICLR'17, 1607.04381) of a network, by `train.fit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ese_host.errors import UnsupportedError
from ese_host.image import Interleave
from ese_models.data import Dataset
from ese_models.masking import Masks, Matrices, Pruner
from ese_models.networks import kernels
from ese_models.pruning import magnitude
from ese_models.training.train import Progress, Recipe, fit


@dataclass(frozen=True)
class DenseSparseDense:
    """Plan of dense-sparse-dense training (DSD: Han et al., ICLR'17, 1607.04381).

    A trained network is pruned and retrained; then the masks are released and the network is retrained at a tenth of
    the rate.

    Attributes:
        sparse: recipe of the stage under the masks.
        density: share of each kernel's weights that the masks keep, between 0 and 1; the paper keeps 0.5 to 0.7.
        dense: recipe of the stage without masks; None for `sparse` at a tenth of the rate.

    Raises:
        UnsupportedError: if the density is not between 0 and 1.
    """

    sparse: Recipe
    density: float = 0.6
    dense: Recipe | None = None

    def __post_init__(self) -> None:
        if not 0 < self.density < 1:
            raise UnsupportedError(f"density of the sparse stage is {self.density}; it must be above 0 and below 1")

    @property
    def last(self) -> Recipe:
        """Recipe of the last stage, without masks."""
        return self.dense or replace(self.sparse, rate=self.sparse.rate / 10)


def dense_sparse_dense(pruner: Pruner, plan: DenseSparseDense, fit: Callable[[str, Recipe], None]) -> Masks:
    """Run dense-sparse-dense training on a trained model.

    Args:
        pruner: of the model.
        plan: density and recipes.
        fit: called with a stage's name, "sparse" or "dense", and its recipe; trains the model with a new optimizer.

    Returns:
        Kernel name -> (outputs, inputs) mask of the sparse stage.
    """
    pruner.prune(plan.density)
    fit("sparse", plan.sparse)
    masks = pruner.masks
    pruner.release()
    fit("dense", plan.last)
    return masks


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
