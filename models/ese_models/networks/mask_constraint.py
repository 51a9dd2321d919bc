# SPDX-License-Identifier: Apache-2.0
"""Keras constraint that keeps pruned weights at zero during retraining (Han et al., NIPS'15)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ese_host.errors import MismatchError

SMALLEST_KEPT = 2.0**-20
"""Smallest magnitude of a kept weight: the optimizer cannot make it zero, so that the balance stays exact."""


@dataclass(frozen=True)
class MaskGoal:
    """Sizes of the engine that masks were made for; conversion takes them by default.

    Attributes:
        pes: number of PEs.
        gap_bits: width of the relative index in bits.
    """

    pes: int
    gap_bits: int


@keras.saving.register_keras_serializable(package="ese4ml")
class MaskConstraint(keras.constraints.Constraint):  # type: ignore[misc,unused-ignore]
    """Constraint under which pruned weights are zero and kept weights are not.

    `assign` changes the mask of a model that is already compiled. The mask is saved with the model.

    Args:
        mask: boolean, of the weight's shape, (inputs, outputs) in Keras layout; true for kept weights.
        pes: number of PEs that the mask was made for, or None if it is not known.
        gap_bits: width of the relative index in bits that the mask was made for, or None.
        before: another constraint, which is applied before the mask, or None.
    """

    def __init__(
        self, mask: npt.ArrayLike, pes: int | None = None, gap_bits: int | None = None, before: Any = None
    ) -> None:
        self._mask = keras.Variable(np.asarray(mask, dtype=np.float32), trainable=False, name="mask")
        self.pes, self.gap_bits, self.before = pes, gap_bits, keras.constraints.get(before)

    @property
    def variable(self) -> Any:
        """The Keras variable that holds the mask, 1 for kept weights and 0 for pruned ones."""
        return self._mask

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
        if self.before is not None:
            w = self.before(w)
        size = ops.maximum(ops.abs(w), SMALLEST_KEPT)
        return ops.where(w < 0, -size, size) * ops.cast(self._mask, w.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the mask as its shape and its bits in row-major order, packed and in base 64."""
        mask = self.mask
        config: dict[str, Any] = {
            "shape": list(mask.shape),
            "bits": base64.b64encode(np.packbits(mask).tobytes()).decode(),
            "pes": self.pes,
            "gap_bits": self.gap_bits,
            "before": None if self.before is None else keras.constraints.serialize(self.before),
        }
        return {name: value for name, value in config.items() if value is not None}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MaskConstraint:
        """Inverse of `get_config`."""
        config = dict(config)
        shape, packed = tuple(config.pop("shape")), base64.b64decode(config.pop("bits"))
        bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=int(np.prod(shape)))
        return cls(bits.reshape(shape), **config)


def under_mask(constraint: Any, mask: npt.NDArray[np.bool_], goal: MaskGoal | None = None) -> MaskConstraint:
    """A mask in the place of a constraint that a weight has; a constraint that is no mask is applied before it.

    Args:
        constraint: the present constraint, or None.
        mask: of the weight's shape, (inputs, outputs).
        goal: what the mask was made for; by default what the present mask was made for.
    """
    if goal is None and isinstance(constraint, MaskConstraint) and constraint.pes and constraint.gap_bits:
        goal = MaskGoal(constraint.pes, constraint.gap_bits)
    pes, gap_bits = (None, None) if goal is None else (goal.pes, goal.gap_bits)
    return MaskConstraint(mask, pes, gap_bits, before=without_mask(constraint))


def without_mask(constraint: Any) -> Any:
    """The constraint that a weight has besides its mask, or None."""
    return constraint.before if isinstance(constraint, MaskConstraint) else constraint
