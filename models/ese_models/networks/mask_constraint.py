"""Keras constraint that keeps pruned weights at zero during retraining (Han et al., NIPS'15)."""

from __future__ import annotations

import base64
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ese_host.errors import MismatchError

SMALLEST_KEPT = 2.0**-20
"""Smallest magnitude of a kept weight: the optimizer cannot make it zero, so that the balance stays exact."""


@keras.saving.register_keras_serializable(package="ese4ml")
class MaskConstraint(keras.constraints.Constraint):  # type: ignore[misc,unused-ignore]
    """Constraint under which pruned weights are zero and kept weights are not.

    `assign` changes the mask of a model that is already compiled. The mask is saved with the model.

    Args:
        mask: boolean, of the weight's shape, (inputs, outputs) in Keras layout; true for kept weights.
    """

    def __init__(self, mask: npt.ArrayLike) -> None:
        self._mask = keras.Variable(np.asarray(mask, dtype=np.float32), trainable=False, name="mask")

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(inputs, outputs) mask, true for kept weights."""
        array: npt.NDArray[np.float32] = ops.convert_to_numpy(self._mask)
        return array > 0

    def assign(self, mask: npt.NDArray[np.bool_]) -> None:
        """Replace the mask by another (inputs, outputs) mask.

        Raises:
            MismatchError: if the mask does not have the shape of the weight.
        """
        if mask.shape != tuple(self._mask.shape):
            raise MismatchError(f"mask has shape {mask.shape}; the weight's is {tuple(self._mask.shape)}")
        self._mask.assign(mask.astype(np.float32))

    def __call__(self, w: Any) -> Any:
        """The weight with the mask applied."""
        size = ops.maximum(ops.abs(w), SMALLEST_KEPT)
        return ops.where(w < 0, -size, size) * ops.cast(self._mask, w.dtype)

    def get_config(self) -> dict[str, Any]:
        """The shape of the mask, and its bits in row-major order, packed and in base 64."""
        mask = self.mask
        return {"shape": list(mask.shape), "bits": base64.b64encode(np.packbits(mask).tobytes()).decode()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MaskConstraint:
        """Inverse of `get_config`."""
        shape = tuple(config["shape"])
        bits = np.frombuffer(base64.b64decode(config["bits"]), dtype=np.uint8)
        return cls(np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape))
