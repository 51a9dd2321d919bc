"""Learned grouping: the masks of a quantized network are chosen again while it trains, from its latent weights.

TWN and TTQ put a weight into a group by a threshold; here the threshold of each PE is what leaves it exactly k entries,
by any mask family, so that what is learned stays balanced. In the end the grouping is fixed and the mask's constraint
takes over.
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
"""Kinds of weights whose grouping is learned."""
Choose = Callable[[Mapping[str, npt.NDArray[np.float32]]], Mapping[str, npt.NDArray[np.bool_]]]
"""Kernel name -> (outputs, inputs) latent weights to kernel name -> mask of the same shape."""


def begin(
    kernels: Mapping[str, Any],
    quantizers: Mapping[str, Any],
    masks: Mapping[str, npt.NDArray[np.bool_]],
    start: Start = "linear",
    seed: int = 0,
) -> None:
    """Set the quantizers that have state to what pruned weights give: groups, Wp and Wn, centroids.

    Args:
        kernels: name -> Keras variable, (inputs, outputs).
        quantizers: name -> its quantizer.
        masks: name -> (outputs, inputs) mask of the pruned network.
        start: how a codebook's centroids begin.
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
    """Make kernels what their codes are: latent weights outside of the groups zero and held so, others shared values.

    Args:
        kernels: name -> Keras variable, (inputs, outputs), with a `MaskConstraint`.
        quantizers: name -> its quantizer.
    """
    for name, quantizer in quantizers.items():
        variable = kernels[name]
        if isinstance(quantizer, (Twn, Ttq)):
            variable.constraint.assign(quantizer.mask)
            variable.assign(variable.constraint(variable))
        if isinstance(quantizer, Codebook):
            variable.assign(quantizer(variable))


class Regrouping:
    """Groups that change while a network trains.

    Args:
        kernels: name -> Keras variable, (inputs, outputs), with a `MaskConstraint` that keeps everything.
        quantizers: name -> its `Twn` or `Ttq` without a threshold; no names where the grouping is not learned.
        choose: gives the masks.
    """

    def __init__(self, kernels: Mapping[str, Any], quantizers: Mapping[str, Any], choose: Choose) -> None:
        self._kernels, self._quantizers, self._choose = dict(kernels), dict(quantizers), choose
        self._fixed = not self._quantizers

    def regroup(self) -> None:
        """Choose the masks from the latent weights as they are."""
        latent = {name: keras.ops.convert_to_numpy(self._kernels[name]).T for name in self._quantizers}
        masks = self._choose(latent)
        for name, quantizer in self._quantizers.items():
            quantizer.assign(masks[name].T)

    def until(self, finished: float, rounds: int) -> Callable[[float], None]:
        """What to call before each step with the share of steps done: `rounds` groupings until `finished`."""
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
