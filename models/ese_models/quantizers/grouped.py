"""Ternary quantizers that choose their own groups of positive, zero and negative weights: TWN and TTQ.

The groups come from a threshold, as in the papers, or from a mask that the training chooses anew from the latent
weights, with as many entries in each PE (`ese_models.training.grouping`): the layer's kernel stays latent, and what
the mask leaves out is zero in the codes and can come back.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir import Codes, WeightKind
from ese_models.quantizers.array_text import from_text, to_text
from ese_models.quantizers.learned import LearnedQuantizer
from ese_models.quantizers.masked import GRID, MAX_FRAC, SMALLEST, MaskedTernary, finite_floats, integral_scales

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class _Grouped(LearnedQuantizer):
    """Groups by threshold or mask."""

    kind: WeightKind = "ternary"
    bits = 2
    state_names: tuple[str, ...] = ("mask",)

    def __init__(
        self,
        shape: tuple[int, int],
        per_channel: bool = True,
        power_of_two: bool = False,
        max_frac: int = MAX_FRAC,
        threshold: float | None = None,
        mask: str | None = None,
    ) -> None:
        super().__init__(shape, max_frac)
        if threshold is not None and not threshold >= 0:
            raise UnsupportedError(f"{type(self).__name__}: threshold is {threshold}; None, zero or more is allowed")
        self.per_channel, self.power_of_two, self.threshold = bool(per_channel), bool(power_of_two), threshold
        start = np.ones(self.shape, dtype=np.uint8) if mask is None else from_text(mask, np.uint8, self.shape)
        self._mask = self.own("mask", start.astype(np.float32))

    @property
    def mask(self) -> Bools:
        """(inputs, outputs) weights that are in a group."""
        found: Bools = ops.convert_to_numpy(self._mask) > 0
        return found

    def assign(self, mask: Bools) -> None:
        """Replace the mask.

        Raises:
            MismatchError: its shape differs.
        """
        if mask.shape != self.shape:
            raise MismatchError(f"mask has shape {mask.shape}; the weight's is {self.shape}")
        self._mask.assign(mask.astype(np.float32))

    def _members(self, w: Any, mask: Any, xp: Any) -> Any:
        """The weights, those outside of the groups zero."""
        size = xp.abs(w)
        kept = (size >= SMALLEST) & (mask > 0)
        if self.threshold is not None:
            kept = kept & (size > self._limit(size, xp) * self.threshold)
        return xp.where(kept, w, xp.zeros_like(w))

    def _limit(self, size: Any, xp: Any) -> Any:
        """What the threshold is a part of."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the mask's bits among them."""
        return {
            "shape": list(self.shape),
            "per_channel": self.per_channel,
            "power_of_two": self.power_of_two,
            "max_frac": self.max_frac,
            "threshold": self.threshold,
            "mask": to_text(self.mask.astype(np.uint8)),
        }


@keras.saving.register_keras_serializable(package="ese4ml")
class Twn(_Grouped):
    """Ternary weight networks (Li et al., 1605.04711): sign(w) * scale, scale = mean |w| of the weights in a group.

    Args:
        shape: of the kernel, (inputs, outputs).
        per_channel: a scale for each output channel, or one for the tensor (the paper).
        power_of_two: round the scales to powers of two.
        max_frac: fractional bits of the scales at most; fewer where the largest scale needs integer bits.
        threshold: weights above threshold * mean |w| are kept (the paper: 0.7); None leaves it to the mask.
        mask: state of a saved quantizer.
    """

    def call(self, x: Any) -> Any:
        """Quantized weights; gradients pass straight through to all latent weights."""
        members = self._members(ops.cast(x, "float64"), ops.convert_to_tensor(self._mask), ops)
        codes, scale, step = self._rule()._quantize(members, ops)
        values = ops.cast(codes * (scale * step), x.dtype)
        return ops.stop_gradient(values) + (x - ops.stop_gradient(x))

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """As `MaskedTernary.codes_and_scale`, of the weights in a group."""
        members = self._members(self.checked(weights).astype(np.float64), self.mask, np)
        return self._rule().codes_and_scale(members)

    def _rule(self) -> MaskedTernary:
        return MaskedTernary(self.per_channel, self.power_of_two, self.max_frac)

    def _limit(self, size: Any, xp: Any) -> Any:
        return xp.sum(xp.round(size * GRID)) / (self.shape[0] * self.shape[1]) / GRID


@keras.saving.register_keras_serializable(package="ese4ml")
class Ttq(_Grouped):
    """Trained ternary quantization (Zhu et al., 1612.01064): -Wn, 0 or Wp, both learned by gradient.

    With g the gradient of the loss by a ternary weight: dL/dWp is the sum of g over the positive group, dL/dWn that of
    -g over the negative one (the derivative; equation 7 has no sign), and a latent weight gets g times the scale of its
    group, g itself outside of the groups (equation 8). The kernel's optimizer trains the scales too.

    Args:
        shape: of the kernel, (inputs, outputs).
        per_channel: Wp and Wn for each output channel, or one pair for the tensor (the paper).
        power_of_two: round the scales to powers of two.
        max_frac: fractional bits of the scales at most; fewer where the largest scale needs integer bits.
        threshold: weights above threshold * max |w| are kept (the paper: 0.05); None leaves it to the mask.
        mask, scales: state of a saved quantizer.
    """

    state_names = ("mask", "scales")

    def __init__(
        self,
        shape: tuple[int, int],
        per_channel: bool = True,
        power_of_two: bool = False,
        max_frac: int = MAX_FRAC,
        threshold: float | None = None,
        mask: str | None = None,
        scales: str | None = None,
    ) -> None:
        super().__init__(shape, per_channel, power_of_two, max_frac, threshold, mask)
        size = (1, self.shape[1] if per_channel else 1)
        start = np.full((2, *size), (2 / self.shape[0]) ** 0.5, dtype=np.float32)  # He's deviation
        if scales is not None:
            start = from_text(scales, np.float32, start.shape)
        self.positive = self.own("positive", start[0], trainable=True)
        self.negative = self.own("negative", start[1], trainable=True)

    def start(self, weights: npt.ArrayLike) -> None:
        """Set both scales to the mean |w| of their groups; to that of both where one is empty."""
        members = self._members(self.checked(weights), self.mask, np)
        axis = 0 if self.per_channel else (0, 1)
        count = np.maximum((members != 0).sum(axis=axis, keepdims=True), 1)
        both = np.abs(members).sum(axis=axis, keepdims=True) / count
        for variable, group in ((self.positive, members > 0), (self.negative, members < 0)):
            size = group.sum(axis=axis, keepdims=True)
            mean = np.abs(members * group).sum(axis=axis, keepdims=True) / np.maximum(size, 1)
            variable.assign(np.where(size > 0, mean, both).reshape(variable.shape))

    def call(self, x: Any) -> Any:
        """Quantized weights; for the gradients see the class."""
        members = self._members(ops.cast(x, "float64"), ops.convert_to_tensor(self._mask), ops)
        pair = [ops.cast(variable, "float64") for variable in (self.positive, self.negative)]
        scale, step = self._scales(ops.stack(pair), ops)
        high, low = ops.cast(scale * step, x.dtype)[0], ops.cast(scale * step, x.dtype)[1]
        plus, minus = ops.cast(members > 0, x.dtype), ops.cast(members < 0, x.dtype)
        values = ops.stop_gradient(plus * high - minus * low)
        learned = plus * self.positive - minus * self.negative
        factor = ops.stop_gradient(plus * high + minus * low + (1 - plus - minus))
        return values + (learned - ops.stop_gradient(learned)) + factor * (x - ops.stop_gradient(x))

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Integer form of weights in Keras layout.

        Returns:
            (inputs, outputs) codes -1, 0, 1; (2, outputs) unsigned 16-bit scales Wp and Wn; their fractional bits.

        Raises:
            FormatError: a weight or a scale is not finite. MismatchError: the shape is not the quantizer's.
        """
        members = self._members(self.checked(weights).astype(np.float64), self.mask, np)
        variables = np.concatenate([ops.convert_to_numpy(self.positive), ops.convert_to_numpy(self.negative)])
        codes = np.sign(members).astype(np.int64)
        scale, step = self._scales(finite_floats(variables)[:, None, :].astype(np.float64), np)
        pair = np.broadcast_to(scale[:, 0], (2, self.shape[1]))
        return codes, pair.astype(np.int64), int(-np.log2(step))

    def _scales(self, variables: Any, xp: Any) -> tuple[Any, Any]:
        """Integral scales, from 1 on, of the shape of the 64-bit `variables`, and their step."""
        ideal = xp.maximum(variables, xp.zeros_like(variables))
        return integral_scales(ideal, xp.ones_like(ideal), self.power_of_two, self.max_frac, xp)

    def _limit(self, size: Any, xp: Any) -> Any:
        return xp.max(size)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the mask's bits and the scales among them."""
        pair = np.stack([ops.convert_to_numpy(self.positive), ops.convert_to_numpy(self.negative)])
        return {**super().get_config(), "scales": to_text(pair)}
