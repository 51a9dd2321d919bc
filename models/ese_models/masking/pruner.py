# SPDX-License-Identifier: Apache-2.0
"""Pruning of a Keras model during training: masks are chosen for its kernels and kept by their constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_models.networks import MaskConstraint
from ese_models.pruning import Schedule, density_of_round, round_of

Matrices = Mapping[str, npt.NDArray[np.float32]]
"""Kernel name -> (outputs, inputs) weights, in the order of computation."""
Masks = dict[str, npt.NDArray[np.bool_]]
Choose = Callable[[Matrices, float], Masks]
"""Function from (kernel name -> (outputs, inputs) weights, density) to kernel name -> mask of the weights' shape."""


class Pruner:
    """Prunes the kernels of a model while it trains.

    Args:
        kernels: kernel name -> Keras variable, (inputs, outputs), with a `MaskConstraint`.
        choose: gives the masks for weights and a density.

    Raises:
        UnsupportedError: if a kernel has no `MaskConstraint`.
    """

    def __init__(self, kernels: Mapping[str, Any], choose: Choose) -> None:
        for name, variable in kernels.items():
            if not isinstance(variable.constraint, MaskConstraint):
                raise UnsupportedError(
                    f"kernel {name!r} has constraint {type(variable.constraint).__name__}; pruning needs a "
                    "MaskConstraint: build the layer with one"
                )
        self._kernels, self._choose = dict(kernels), choose

    @property
    def weights(self) -> Matrices:
        """Kernel name -> (outputs, inputs) weights."""
        return {name: keras.ops.convert_to_numpy(variable).T for name, variable in self._kernels.items()}

    @property
    def masks(self) -> Masks:
        """Kernel name -> (outputs, inputs) mask that its constraint keeps."""
        return {name: variable.constraint.mask.T for name, variable in self._kernels.items()}

    def prune(self, density: float) -> None:
        """Choose masks of a density for the present weights, and set the weights that they drop to zero."""
        masks = self._choose(self.weights, density)
        for name, variable in self._kernels.items():
            variable.constraint.assign(masks[name].T)
            variable.assign(variable.constraint(variable))

    def release(self) -> None:
        """Make the masks keep all weights; pruned weights start from zero and train again."""
        for variable in self._kernels.values():
            variable.constraint.assign(np.ones(variable.shape, dtype=bool))

    def gradual(
        self, schedule: Schedule, target: float, finished: float, rounds: int, start: float = 1.0
    ) -> Callable[[float], None]:
        """A function to call before each training step with the share of steps done, which prunes when a round is due.

        Args:
            schedule: by which the density falls, "cubic" or "geometric".
            target: density after the last round.
            finished: share of the steps at which the last round is due.
            rounds: number of rounds.
            start: density before the first round.
        """
        reached = -1

        def before_step(done: float) -> None:
            nonlocal reached
            due = round_of(done, finished, rounds)
            if due != reached:
                reached = due
                self.prune(density_of_round(schedule, due, rounds, target, start))

        return before_step
