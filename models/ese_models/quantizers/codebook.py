"""Shared weights: every kept weight is one of 2**bits - 1 values (Deep Compression, 1510.00149, section 3).

Which weight has which value is settled by k-means (`fit`) and stays; the values are trained on: the gradient of a value
is the sum of the gradients of its weights (equation 3). Index 0 is zero and no value's.
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
from ese_models.quantizers.learned import LearnedQuantizer
from ese_models.quantizers.masked import MAX_FRAC, step_of

LEVEL_BITS = 15
"""Bits of a level without its sign."""
ENGINE_BITS = 4
"""Index bits that the engine holds."""


@keras.saving.register_keras_serializable(package="ese4ml")
class Codebook(LearnedQuantizer):
    """A codebook of 16-bit values with one scale, a power of two.

    Args:
        shape: of the kernel, (inputs, outputs).
        bits: of an index, 2 to 8; the engine holds up to 4, more serve storage reports.
        max_frac: fractional bits of the values at most; fewer where the largest needs integer bits.
        centroids, index: state of a saved quantizer.
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
            raise ValueError(f"an index is {places.max()}; the codebook has {count} values")
        self.centroids = self.own("centroids", values, trainable=True)
        self._index = self.own("index", places)

    @property
    def kind(self) -> str:
        """codebook4, which the engine holds, or codebook5 to codebook8."""
        return f"codebook{max(ENGINE_BITS, self.bits)}"

    @property
    def index(self) -> npt.NDArray[np.uint8]:
        """(inputs, outputs) indices, zero where there is no weight."""
        found: npt.NDArray[np.uint8] = ops.convert_to_numpy(self._index)
        return found

    def fit(self, weights: npt.ArrayLike, start: Start = "linear", seed: int = 0) -> None:
        """Cluster the non-zero weights and take over centroids and indices.

        Args:
            weights: (inputs, outputs).
            start: how the centroids begin: linear, density or random.
            seed: of the random start.

        Raises:
            FormatError: a weight is not finite. MismatchError: the shape is another. UnsupportedError: no such start.
        """
        array = self.checked(weights)
        places = np.zeros(self.shape, dtype=np.uint8)
        if array.any():
            values, found = cluster(array[array != 0], self.centroids.shape[0], start, seed)
            places[array != 0] = found + 1
            self.centroids.assign(values.astype(np.float32))
        self._index.assign(places)

    def call(self, x: Any) -> Any:
        """The shared values in their places. `x` gets a zero gradient, which optimizers take better than none."""
        centroids = ops.convert_to_tensor(self.centroids)
        levels, step = self._levels(ops.cast(centroids, "float64"), ops)
        rounded = ops.cast(levels * step, x.dtype)
        values = ops.stop_gradient(rounded) + (centroids - ops.stop_gradient(centroids))
        return _placed(values, ops.cast(self._index, "int32")) + 0 * (x - ops.stop_gradient(x))

    @property
    def codebook(self) -> Codes:
        """(2**bits,) 16-bit levels, padded with zeros to 16; level 0 is zero."""
        levels, _ = self._levels(self._values(), np)
        book = np.zeros(max(16, 1 << self.bits), dtype=np.int64)
        book[1 : 1 + len(levels)] = levels.astype(np.int64)
        return book

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Integer form: (inputs, outputs) indices, (outputs,) scales of 1, and the fractional bits of `codebook`.

        Raises:
            FormatError: a weight is not finite.
            MismatchError: the shape is another, or other weights are zero than when the quantizer was fitted.
        """
        array = self.checked(weights)
        index = self.index.astype(np.int64)
        if ((array != 0) != (index != 0)).any():
            where = tuple(int(i) for i in np.argwhere((array != 0) != (index != 0))[0])
            raise MismatchError(
                f"weight at {where} is {array[where]}, its index {index[where]}; the mask has changed since the "
                "clustering: call fit(weights) again"
            )
        _, step = self._levels(self._values(), np)
        return index, np.ones(self.shape[1], dtype=np.int64), int(-np.log2(step))

    def _values(self) -> npt.NDArray[np.float64]:
        return np.asarray(ops.convert_to_numpy(self.centroids), dtype=np.float64)

    def _levels(self, centroids: Any, xp: Any) -> tuple[Any, Any]:
        """Integral levels, none of them zero, and their step."""
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
    """The value at each index, zero at index 0; a value's gradient is the sum of those of its weights."""

    @ops.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
    def place(values: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            # XLA fuses this into one sum a value; the scatter of take's own gradient goes weight by weight
            own = ops.equal(index[None], ops.arange(1, values.shape[0] + 1)[:, None, None])
            return ops.sum(ops.where(own, upstream[None], 0.0), axis=(1, 2))

        return ops.take(ops.concatenate([ops.zeros((1,), values.dtype), values]), index, axis=0), gradient

    return place(values)
