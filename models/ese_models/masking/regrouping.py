# SPDX-License-Identifier: Apache-2.0
"""Learned grouping: the masks of a TWN or TTQ network are chosen repeatedly from its latent weights while it trains.

TWN and TTQ assign a weight to a group by a threshold. Here a mask family replaces the threshold, so that each PE keeps
exactly k weights and the result stays balanced. At the end the grouping is fixed, and the constraints of the kernels
take over the masks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_models.pruning import round_of
from ese_models.quantizers import Codebook, Start, Ttq, Twn

LEARNED = ("twn", "ttq")
"""Kinds of weights for which the grouping is learned."""
Choose = Callable[[Mapping[str, npt.NDArray[np.float32]]], Mapping[str, npt.NDArray[np.bool_]]]
"""Function from kernel name -> (outputs, inputs) latent weights to kernel name -> mask of the same shape."""


def begin(
    kernels: Mapping[str, Any],
    quantizers: Mapping[str, Any],
    masks: Mapping[str, npt.NDArray[np.bool_]],
    start: Start = "linear",
    seed: int = 0,
) -> None:
    """Initialize the state of the quantizers from the pruned weights: groups, Wp and Wn, codebooks.

    Args:
        kernels: kernel name -> Keras variable, (inputs, outputs).
        quantizers: kernel name -> its quantizer.
        masks: kernel name -> (outputs, inputs) mask of the pruned network.
        start: initial centroids of codebooks, "linear", "density" or "random".
        seed: of random centroids.
    """
    for name, quantizer in quantizers.items():
        if isinstance(quantizer, (Twn, Ttq)):
            quantizer.assign(masks[name].T)
        if isinstance(quantizer, Ttq):
            quantizer.start(kernels[name])
        if isinstance(quantizer, Codebook):
            quantizer.fit(kernels[name], start, seed)


def finish(kernels: Mapping[str, Any], quantizers: Mapping[str, Any]) -> None:
    """Make the kernels agree with their codes, in place.

    Under TWN and TTQ, weights outside the groups become zero and their constraints keep them so. Under a codebook,
    weights become the shared values.

    Args:
        kernels: kernel name -> Keras variable, (inputs, outputs), with a `MaskConstraint`.
        quantizers: kernel name -> its quantizer.
    """
    for name, quantizer in quantizers.items():
        variable = kernels[name]
        if isinstance(quantizer, (Twn, Ttq)):
            variable.constraint.assign(quantizer.mask)
            variable.assign(variable.constraint(variable))
        if isinstance(quantizer, Codebook):
            variable.assign(quantizer(variable))


class Regrouping:
    """Chooses the groups of a network again while it trains.

    Args:
        kernels: kernel name -> Keras variable, (inputs, outputs), with a `MaskConstraint` that keeps all weights.
        quantizers: kernel name -> its `Twn` or `Ttq` without a threshold; empty if the grouping is not learned.
        choose: gives the masks for latent weights.
    """

    def __init__(self, kernels: Mapping[str, Any], quantizers: Mapping[str, Any], choose: Choose) -> None:
        self._kernels, self._quantizers, self._choose = dict(kernels), dict(quantizers), choose
        self._fixed = not self._quantizers

    def regroup(self) -> None:
        """Choose the masks from the present latent weights."""
        latent = {name: keras.ops.convert_to_numpy(self._kernels[name]).T for name in self._quantizers}
        masks = self._choose(latent)
        for name, quantizer in self._quantizers.items():
            quantizer.assign(masks[name].T)

    def until(self, finished: float, rounds: int) -> Callable[[float], None]:
        """A function to call before each training step with the share of steps done, which regroups when it is due.

        Args:
            finished: share of the steps after which the grouping is fixed.
            rounds: number of regroupings until then.
        """
        reached = 0

        def before_step(done: float) -> None:
            nonlocal reached
            due = round_of(done, finished, rounds)
            if self._fixed or due == reached:
                return
            reached = due
            self.regroup()
            if due == rounds:
                finish(self._kernels, self._quantizers)
                self._fixed = True

        return before_step
