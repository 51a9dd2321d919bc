# SPDX-License-Identifier: Apache-2.0
"""Weight sharing: every kept weight takes one of 2**bits - 1 shared values (Deep Compression, 1510.00149, section 3).

K-means (`Codebook.fit`) fixes which weight takes which value. The values are then trained: the gradient of a value is
the sum of the gradients of its weights (equation 3 of the paper). Index 0 is reserved for pruned weights.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir import Codes
from ese_models.quantizers.array_text import from_text, to_text
from ese_models.quantizers.kmeans import Start, cluster
from ese_models.quantizers.learned_quantizer import LearnedQuantizer
from ese_models.quantizers.masked import MAX_FRAC, step_of

LEVEL_BITS = 15
"""Bits of a level, the sign not counted."""
ENGINE_BITS = 4
"""Index bits that the engine supports."""


@keras.saving.register_keras_serializable(package="ese4ml")
class Codebook(LearnedQuantizer):
    """A codebook of 16-bit fixed-point values.

    Args:
        shape: of the kernel, (inputs, outputs).
        bits: width of an index, 2 to 8 bits. The engine supports up to 4; wider ones serve storage reports.
        max_frac: largest number of fractional bits of the values; there are fewer if the largest value needs integer
            bits.
        centroids: state of a saved quantizer, its values as text.
        index: state of a saved quantizer, its indices as text.

    Raises:
        UnsupportedError: if `bits`, `max_frac` or the shape is not allowed.
        ValueError: if the saved state does not fit the shape or the bits.
    """

    state_names = ("centroids", "index")

    def __init__(
        self,
        shape: tuple[int, int],
        bits: int = 4,
        max_frac: int = MAX_FRAC,
        centroids: str | None = None,
        index: str | None = None,
    ) -> None:
        super().__init__(shape, max_frac)
        if not 2 <= bits <= 8:
            raise UnsupportedError(f"Codebook: bits is {bits}; 2 to 8 are allowed")
        self.bits = int(bits)
        count = (1 << self.bits) - 1
        values = np.linspace(-1, 1, count, dtype=np.float32)
        places = np.zeros(self.shape, dtype=np.uint8)
        if centroids is not None and index is not None:
            values, places = from_text(centroids, np.float32, (count,)), from_text(index, np.uint8, self.shape)
        if places.max() > count:
            raise ValueError(f"the largest index is {places.max()}; the codebook has {count} values")
        self.centroids = self.new_variable("centroids", values, trainable=True)
        self._index = self.new_variable("index", places)

    @property
    def kind(self) -> str:
        """Kind of weight code: codebook4, which the engine supports, or codebook5 to codebook8."""
        return f"codebook{max(ENGINE_BITS, self.bits)}"

    @property
    def index(self) -> npt.NDArray[np.uint8]:
        """(inputs, outputs) indices into the codebook, zero for pruned weights."""
        index: npt.NDArray[np.uint8] = ops.convert_to_numpy(self._index)
        return index

    def fit(self, weights: npt.ArrayLike, start: Start = "linear", seed: int = 0) -> None:
        """Cluster the non-zero weights by k-means and store the centroids and each weight's index.

        Args:
            weights: (inputs, outputs).
            start: initial centroids: "linear", "density" or "random"; see `kmeans.starts`.
            seed: of the random start.

        Raises:
            FormatError: if a weight is not finite.
            MismatchError: if the weights do not have the quantizer's shape.
            UnsupportedError: if there is no such start.
        """
        array = self.checked(weights)
        places = np.zeros(self.shape, dtype=np.uint8)
        if array.any():
            values, clusters = cluster(array[array != 0], self.centroids.shape[0], start, seed)
            places[array != 0] = clusters + 1
            self.centroids.assign(values.astype(np.float32))
        self._index.assign(places)

    def call(self, x: Any) -> Any:
        """The shared value of each weight.

        The gradient with respect to `x` is zero, because some optimizers reject a missing gradient.
        """
        centroids = ops.convert_to_tensor(self.centroids)
        levels, step = self._levels(ops.cast(centroids, "float64"), ops)
        rounded = ops.cast(levels * step, x.dtype)
        values = ops.stop_gradient(rounded) + (centroids - ops.stop_gradient(centroids))
        return _placed(values, ops.cast(self._index, "int32")) + 0 * (x - ops.stop_gradient(x))

    @property
    def codebook(self) -> Codes:
        """(2**bits,) signed 16-bit levels, or (16,) with zeros at the end if bits is below 4; level 0 is zero."""
        levels, _ = self._levels(self._values(), np)
        book = np.zeros(max(16, 1 << self.bits), dtype=np.int64)
        book[1 : 1 + len(levels)] = levels.astype(np.int64)
        return book

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Integer form of weights in Keras layout.

        Args:
            weights: (inputs, outputs).

        Returns:
            (inputs, outputs) indices, (outputs,) scales, all of them 1, and the fractional bits of `codebook`.

        Raises:
            FormatError: if a weight is not finite.
            MismatchError: if the weights do not have the quantizer's shape, or if they are not zero at the same
                positions as those to which the quantizer was fitted.
        """
        array = self.checked(weights)
        index = self.index.astype(np.int64)
        if ((array != 0) != (index != 0)).any():
            where = tuple(int(i) for i in np.argwhere((array != 0) != (index != 0))[0])
            raise MismatchError(
                f"weight at {where} is {array[where]}, but its codebook index is {index[where]}; the mask has changed "
                "since the clustering: call fit(weights) again"
            )
        _, step = self._levels(self._values(), np)
        return index, np.ones(self.shape[1], dtype=np.int64), int(-np.log2(step))

    def _values(self) -> npt.NDArray[np.float64]:
        return np.asarray(ops.convert_to_numpy(self.centroids), dtype=np.float64)

    def _levels(self, centroids: Any, xp: Any) -> tuple[Any, Any]:
        """The centroids as whole numbers of a step, none of them zero, and the step, a power of two."""
        step = step_of(xp.max(xp.abs(centroids)), LEVEL_BITS, self.max_frac, xp)
        most = xp.ones_like(centroids) * (2.0**LEVEL_BITS - 1)
        size = xp.minimum(xp.maximum(xp.round(xp.abs(centroids) / step), xp.ones_like(centroids)), most)
        return xp.where(centroids < 0, -size, size), step

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, centroids and indices among them."""
        return {
            "shape": list(self.shape),
            "bits": self.bits,
            "max_frac": self.max_frac,
            "centroids": to_text(ops.convert_to_numpy(self.centroids)),
            "index": to_text(self.index),
        }


def _placed(values: Any, index: Any) -> Any:
    """The value of each index, zero for index 0; the gradient of a value is the sum of those of its weights."""

    @ops.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
    def place(values: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            # XLA fuses this into one sum per value; the gradient of `take` is a scatter, which goes weight by weight.
            members = ops.equal(index[None], ops.arange(1, values.shape[0] + 1)[:, None, None])
            return ops.sum(ops.where(members, upstream[None], 0.0), axis=(1, 2))

        return ops.take(ops.concatenate([ops.zeros((1,), values.dtype), values]), index, axis=0), gradient

    return place(values)
