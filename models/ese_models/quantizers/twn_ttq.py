# SPDX-License-Identifier: Apache-2.0
"""Ternary quantizers that group weights into positive, zero and negative ones during training: TWN and TTQ.

The groups come either from a threshold, as in the papers, or from a load-balanced mask that the training chooses
repeatedly from the latent weights (`ese_models.masking.regrouping`). In both cases the layer's kernel keeps the latent
weights: a weight in the zero group has the code zero, and can join another group later.
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
from ese_models.quantizers.learned_quantizer import LearnedQuantizer
from ese_models.quantizers.masked import GRID, MAX_FRAC, SMALLEST, MaskedTernary, finite_floats, integral_scales

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class _Grouped(LearnedQuantizer):
    """A ternary quantizer whose groups are given by a threshold, a mask or both."""

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
            raise UnsupportedError(f"{type(self).__name__}: threshold is {threshold}; None, 0 or more is allowed")
        self.per_channel, self.power_of_two, self.threshold = bool(per_channel), bool(power_of_two), threshold
        start = np.ones(self.shape, dtype=np.uint8) if mask is None else from_text(mask, np.uint8, self.shape)
        self._mask = self.new_variable("mask", start.astype(np.float32))

    @property
    def mask(self) -> Bools:
        """(inputs, outputs) mask, true for weights that may be positive or negative."""
        mask: Bools = ops.convert_to_numpy(self._mask) > 0
        return mask

    def assign(self, mask: Bools) -> None:
        """Replace the mask by another (inputs, outputs) mask.

        Raises:
            MismatchError: if the mask does not have the shape of the weights.
        """
        if mask.shape != self.shape:
            raise MismatchError(f"mask has shape {mask.shape}; the weight's is {self.shape}")
        self._mask.assign(mask.astype(np.float32))

    def _members(self, w: Any, mask: Any, xp: Any) -> Any:
        """The weights of the positive and the negative group; the others are zero."""
        size = xp.abs(w)
        kept = (size >= SMALLEST) & (mask > 0)
        if self.threshold is not None:
            kept = kept & (size > self._limit(size, xp) * self.threshold)
        return xp.where(kept, w, xp.zeros_like(w))

    def _limit(self, size: Any, xp: Any) -> Any:
        """The magnitude that `threshold` multiplies; a weight must exceed the product to be kept."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the mask's bits included."""
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
    """Ternary weight networks (TWN: Li et al., 1605.04711): sign(w) * scale, scale = mean `|w|` of the kept weights.

    Args:
        shape: of the kernel, (inputs, outputs).
        per_channel: whether each output channel has a scale; otherwise the tensor has one, as in the paper.
        power_of_two: whether scales are rounded to powers of two.
        max_frac: largest number of fractional bits of the scales; there are fewer if the largest scale needs integer
            bits.
        threshold: weights with `|w|` > threshold * mean `|w|` are kept (0.7 in the paper); None leaves the choice to
            the mask.
        mask: state of a saved quantizer, its mask as text.

    Raises:
        UnsupportedError: if the shape, `max_frac` or `threshold` is not allowed.
    """

    def call(self, x: Any) -> Any:
        """Quantized weights; the straight-through gradient reaches all latent weights."""
        members = self._members(ops.cast(x, "float64"), ops.convert_to_tensor(self._mask), ops)
        codes, scale, step = self._rule()._quantize(members, ops)
        values = ops.cast(codes * (scale * step), x.dtype)
        return ops.stop_gradient(values) + (x - ops.stop_gradient(x))

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Integer form of weights in Keras layout; see `MaskedTernary.codes_and_scale`.

        Raises:
            FormatError: if a weight is not finite.
            MismatchError: if the weights do not have the quantizer's shape.
        """
        members = self._members(self.checked(weights).astype(np.float64), self.mask, np)
        return self._rule().codes_and_scale(members)

    def _rule(self) -> MaskedTernary:
        return MaskedTernary(self.per_channel, self.power_of_two, self.max_frac)

    def _limit(self, size: Any, xp: Any) -> Any:
        return xp.sum(xp.round(size * GRID)) / (self.shape[0] * self.shape[1]) / GRID


@keras.saving.register_keras_serializable(package="ese4ml")
class Ttq(_Grouped):
    """Trained ternary quantization (TTQ: Zhu et al., 1612.01064): weights -Wn, 0 or Wp, with trained scales Wn and Wp.

    Let g be the gradient of the loss with respect to a ternary weight. The gradient of Wp is the sum of g over the
    positive group, that of Wn the sum of -g over the negative group (equation 7, which omits the sign of the
    derivative). The gradient of a latent weight is g times the scale of its group, and g itself in the zero group
    (equation 8). The optimizer of the kernel trains the scales too.

    Args:
        shape: of the kernel, (inputs, outputs).
        per_channel: whether each output channel has its Wp and Wn; otherwise the tensor has one pair, as in the paper.
        power_of_two: whether scales are rounded to powers of two.
        max_frac: largest number of fractional bits of the scales; there are fewer if the largest scale needs integer
            bits.
        threshold: weights with `|w|` > threshold * max `|w|` are kept (0.05 in the paper); None leaves the choice to
            the mask.
        mask: state of a saved quantizer, its mask as text.
        scales: state of a saved quantizer, Wp and Wn as text.

    Raises:
        UnsupportedError: if the shape, `max_frac` or `threshold` is not allowed.
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
        # until `start` is called, the standard deviation of He's initialization
        start = np.full((2, *size), (2 / self.shape[0]) ** 0.5, dtype=np.float32)
        if scales is not None:
            start = from_text(scales, np.float32, start.shape)
        self.positive = self.new_variable("positive", start[0], trainable=True)
        self.negative = self.new_variable("negative", start[1], trainable=True)

    def start(self, weights: npt.ArrayLike) -> None:
        """Set each scale to the mean `|w|` of its group, or of both groups if its group is empty.

        Raises:
            FormatError: if a weight is not finite.
            MismatchError: if the weights do not have the quantizer's shape.
        """
        members = self._members(self.checked(weights), self.mask, np)
        axis = 0 if self.per_channel else (0, 1)
        count = np.maximum((members != 0).sum(axis=axis, keepdims=True), 1)
        both = np.abs(members).sum(axis=axis, keepdims=True) / count
        for variable, group in ((self.positive, members > 0), (self.negative, members < 0)):
            size = group.sum(axis=axis, keepdims=True)
            mean = np.abs(members * group).sum(axis=axis, keepdims=True) / np.maximum(size, 1)
            variable.assign(np.where(size > 0, mean, both).reshape(variable.shape))

    def call(self, x: Any) -> Any:
        """Quantized weights; the class describes their gradients."""
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

        Args:
            weights: (inputs, outputs).

        Returns:
            (inputs, outputs) codes -1, 0 and 1, (2, outputs) unsigned 16-bit scales Wp and Wn, and the fractional bits
            of the scales.

        Raises:
            FormatError: if a weight or a scale is not finite.
            MismatchError: if the weights do not have the quantizer's shape.
        """
        members = self._members(self.checked(weights).astype(np.float64), self.mask, np)
        variables = np.concatenate([ops.convert_to_numpy(self.positive), ops.convert_to_numpy(self.negative)])
        codes = np.sign(members).astype(np.int64)
        scale, step = self._scales(finite_floats(variables)[:, None, :].astype(np.float64), np)
        pair = np.broadcast_to(scale[:, 0], (2, self.shape[1]))
        return codes, pair.astype(np.int64), int(-np.log2(step))

    def _scales(self, variables: Any, xp: Any) -> tuple[Any, Any]:
        """The 64-bit `variables` as whole numbers of a step, 1 or more, and the step, a power of two."""
        ideal = xp.maximum(variables, xp.zeros_like(variables))
        return integral_scales(ideal, xp.ones_like(ideal), self.power_of_two, self.max_frac, xp)

    def _limit(self, size: Any, xp: Any) -> Any:
        return xp.max(size)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the mask's bits and the scales included."""
        pair = np.stack([ops.convert_to_numpy(self.positive), ops.convert_to_numpy(self.negative)])
        return {**super().get_config(), "scales": to_text(pair)}
