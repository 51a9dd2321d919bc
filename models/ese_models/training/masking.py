"""The Keras side of pruning: masks of a model's kernels, chosen anew while it trains, held by their constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_models.networks import MaskConstraint
from ese_models.pruning import Schedule, density_of_round, round_of
from ese_models.training.train import Recipe

Matrices = Mapping[str, npt.NDArray[np.float32]]
Masks = dict[str, npt.NDArray[np.bool_]]
Choose = Callable[[Matrices, float], Masks]
"""(kernel name -> (outputs, inputs) weights, density) -> kernel name -> mask of the weights' shape."""


class Pruner:
    """Masks of a model that trains.

    Args:
        kernels: name -> Keras variable, (inputs, outputs), with a `MaskConstraint`.
        choose: gives the masks for a density.

    Raises:
        UnsupportedError: a kernel has no `MaskConstraint`.
    """

    def __init__(self, kernels: Mapping[str, Any], choose: Choose) -> None:
        for name, variable in kernels.items():
            if not isinstance(variable.constraint, MaskConstraint):
                raise UnsupportedError(
                    f"kernel {name!r} has constraint {type(variable.constraint).__name__}; a MaskConstraint holds "
                    "masks: make the layer with one"
                )
        self._kernels, self._choose = dict(kernels), choose

    @property
    def weights(self) -> Matrices:
        """Kernel name -> (outputs, inputs) weights."""
        return {name: keras.ops.convert_to_numpy(variable).T for name, variable in self._kernels.items()}

    @property
    def masks(self) -> Masks:
        """Kernel name -> (outputs, inputs) mask that is held."""
        return {name: variable.constraint.mask.T for name, variable in self._kernels.items()}

    def prune(self, density: float) -> None:
        """Choose masks for the weights as they are, hold them, and set to zero what they drop."""
        masks = self._choose(self.weights, density)
        for name, variable in self._kernels.items():
            variable.constraint.assign(masks[name].T)
            variable.assign(variable.constraint(variable))

    def release(self) -> None:
        """Hold nothing any more: weights that were dropped start from zero and train again."""
        for variable in self._kernels.values():
            variable.constraint.assign(np.ones(variable.shape, dtype=bool))

    def gradual(
        self, schedule: Schedule, target: float, finished: float, rounds: int, start: float = 1.0
    ) -> Callable[[float], None]:
        """What to call before each step with the share of steps done: density falls from `start` to `target`."""
        reached = -1

        def before_step(done: float) -> None:
            nonlocal reached
            due = round_of(done, finished, rounds)
            if due != reached:
                reached = due
                self.prune(density_of_round(schedule, due, rounds, target, start))

        return before_step


@dataclass(frozen=True)
class DenseSparseDense:
    """DSD (Han et al., ICLR'17): prune a trained network, retrain, release the masks, retrain at a tenth of the rate.

    Attributes:
        sparse: recipe under the masks. density: share of each kernel that they keep (the paper's 50 to 70%).
        dense: recipe after they are released; the sparse one at a tenth of the rate where none is given.
    """

    sparse: Recipe
    density: float = 0.6
    dense: Recipe | None = None

    def __post_init__(self) -> None:
        if not 0 < self.density < 1:
            raise UnsupportedError(f"density is {self.density}; DSD needs one between 0 and 1")

    @property
    def last(self) -> Recipe:
        """Recipe of the last, dense stage."""
        return self.dense or replace(self.sparse, rate=self.sparse.rate / 10)


def dense_sparse_dense(pruner: Pruner, plan: DenseSparseDense, fit: Callable[[str, Recipe], None]) -> Masks:
    """Run DSD on a trained model.

    Args:
        pruner: of the model.
        plan: densities and recipes.
        fit: trains the model by a recipe, with an optimizer of its own; its name, sparse or dense, comes first.

    Returns:
        The masks of the sparse stage.
    """
    pruner.prune(plan.density)
    fit("sparse", plan.sparse)
    masks = pruner.masks
    pruner.release()
    fit("dense", plan.last)
    return masks
