# SPDX-License-Identifier: Apache-2.0
"""Steps of a program whose results depend on several elements: softmax, standardized frames, windows of steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isqrt
from typing import Literal

import numpy as np

from ese_host.errors import CapacityError, FormatError
from ese_host.ir.fixed import Codes, round_half_even
from ese_host.ir.program.order import OneSource
from ese_host.ir.program.tensor import MAX_CODE_BITS, MAX_STEPS, Tensor, Value, check_range

POWER_ENTRIES = 2048
POWER_FRAC = 30
"""Fractional bits of an exponential."""
COARSE_FRAC = 6
"""Fractional bits of a distance that the first row of the table of exponentials resolves."""
FINE_FRAC = 17
"""Fractional bits of a distance that both rows resolve together; the distance is below 32."""
SHARE_FRAC = 15
"""Fractional bits of a softmax."""
MEAN_FRAC = 16
"""Fractional bits that the mean of a window has more than its elements."""
CENTRE_FRAC = 8
"""Fractional bits that a frame's mean, and the distances from it, have more than its elements."""
ROOT_FRAC = 5
"""Fractional bits that a standard deviation has more than the distances."""
STANDARD_FRAC = 16
"""Fractional bits of a standardized frame."""
PoolKind = Literal["maximum", "sum", "mean"]
Subtract = Literal["everywhere", "variance", "nowhere"]


def power_table() -> Codes:
    """(2, 2048) exponentials: exp(-k / 2**6) and exp(-k / 2**17)."""
    distances = np.arange(POWER_ENTRIES) / np.array([[1 << COARSE_FRAC], [1 << FINE_FRAC]])
    powers: Codes = np.rint(np.ldexp(np.exp(-distances), POWER_FRAC)).astype(np.int64)
    return powers


@dataclass(frozen=True, eq=False)
class Softmax(OneSource):
    """The exponential of each element of a frame, divided by the sum of all.

    Attributes:
        powers: (2, 2048) table of exponentials.
    """

    powers: Codes = field(default_factory=power_table)

    def __post_init__(self) -> None:
        one = 1 << POWER_FRAC
        if self.powers.shape != (2, POWER_ENTRIES) or (self.powers[:, 0] != one).any():
            raise FormatError(
                f"a table of exponentials has shape {self.powers.shape}; {(2, POWER_ENTRIES)} is expected, each row "
                f"from {one} on"
            )
        if self.powers.min() < 0 or self.powers.max() > one:
            raise FormatError(f"exponentials span {self.powers.min()}..{self.powers.max()}; 0..{one} are allowed")

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            CapacityError: if the input has too many fractional bits.
        """
        if source.frac > FINE_FRAC + MAX_CODE_BITS:
            raise CapacityError(
                f"it reads {source.frac} fractional bits; at most {FINE_FRAC + MAX_CODE_BITS} are allowed: quantize "
                "its input"
            )
        return replace(source, frac=SHARE_FRAC, low=0, high=1 << SHARE_FRAC)

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        tensor, frac = self.infer(source.tensor), source.tensor.frac
        distance = source.codes.max(axis=2, keepdims=True) - source.codes
        far = POWER_ENTRIES >> COARSE_FRAC  # exponentials beyond it count as zero
        limit = max(1, far << frac if 0 <= frac < MAX_CODE_BITS - 6 else far >> -frac if frac < 0 else 1 << 62)
        near = round_half_even(np.minimum(distance, limit - 1), max(frac - FINE_FRAC, -FINE_FRAC - 5))
        end = far << FINE_FRAC
        kept = (distance < limit) & (near < end)
        near = np.minimum(near, end - 1)
        coarse, fine = near >> (FINE_FRAC - COARSE_FRAC), near & (POWER_ENTRIES - 1)
        power = round_half_even(self.powers[0][coarse] * self.powers[1][fine], POWER_FRAC)
        power = np.where(kept, power, 0)
        return source.with_codes(tensor, divided(power << SHARE_FRAC, power.sum(axis=2, keepdims=True)))


@dataclass(frozen=True)
class Standardize(OneSource):
    """Each frame divided by its standard deviation, with its mean subtracted before: Keras's LayerNormalization.

    Attributes:
        epsilon: what is added to the variance, a code of twice the input's fractional bits and 16 more.
        subtract: where the mean is subtracted: "everywhere", only for the "variance", or "nowhere", so that a frame is
            divided by its root mean square.
    """

    epsilon: int
    subtract: Subtract = "everywhere"

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < 1 << MAX_CODE_BITS - 2 * ROOT_FRAC - 2:
            raise FormatError(
                f"a Standardize has epsilon code {self.epsilon}; 0 to {(1 << MAX_CODE_BITS - 2 * ROOT_FRAC - 2) - 1} "
                "are allowed: quantize its input to fewer fractional bits"
            )

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            CapacityError: if a sum of squares may need too many bits.
        """
        span = source.high - source.low if self.subtract != "nowhere" else max(abs(source.low), abs(source.high))
        widest = (span << CENTRE_FRAC) + 1
        check_range(0, widest * widest * source.width)
        check_range(0, (widest * widest + self.epsilon) << 2 * ROOT_FRAC)
        limit = self._limit(source)
        return replace(source, frac=STANDARD_FRAC, low=-limit, high=limit)

    def _limit(self, source: Tensor) -> int:
        """Largest magnitude of the result's codes."""
        largest = max(abs(source.low), abs(source.high), source.high - source.low) << CENTRE_FRAC
        limit = (largest << ROOT_FRAC + STANDARD_FRAC) // max(isqrt(self.epsilon << 2 * ROOT_FRAC), 1) + 1
        if self.subtract != "variance":  # no element is farther from the mean than this, but for roundings
            limit = min(limit, isqrt(source.width) + 1 << STANDARD_FRAC)
        check_range(-limit, limit)
        return limit

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        tensor, codes = self.infer(source.tensor), np.left_shift(source.codes, CENTRE_FRAC)
        width = source.tensor.width
        centred = codes - divided(codes.sum(axis=2, keepdims=True), width)
        distance = codes if self.subtract == "nowhere" else centred
        variance = divided((distance * distance).sum(axis=2, keepdims=True), width) + self.epsilon
        root = np.maximum(square_root(variance << 2 * ROOT_FRAC), 1)
        given = centred if self.subtract == "everywhere" else codes
        result = divided(given << (ROOT_FRAC + STANDARD_FRAC), root)
        return source.with_codes(tensor, np.clip(result, tensor.low, tensor.high))


@dataclass(frozen=True)
class Pool(OneSource):
    """The maximum, the sum or the mean of each window of steps, for each element of a frame.

    Attributes:
        kind: "maximum", "sum" or "mean"; steps before the first and behind the last do not count.
        size: steps of a window; None for all steps of a sample, which makes a vector.
        stride: steps from a window to the next.
        same: whether windows may reach beyond the steps, so that there is one for each `stride` steps (Keras's
            padding="same"); otherwise only whole windows count.
    """

    kind: PoolKind
    size: int | None
    stride: int
    same: bool

    def __post_init__(self) -> None:
        for what, value in (("size", self.size), ("stride", self.stride)):
            if value is not None and not 1 <= value <= MAX_STEPS:
                raise FormatError(f"a Pool has {what} {value}; 1 to {MAX_STEPS} are allowed")

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the input is a vector, or its sequences are shorter than a window.
            CapacityError: if a sum may need too many bits.
        """
        if source.kind == "vector":
            raise FormatError("it reads a sequence; a vector arrives")
        shape: tuple[Literal["sequence", "vector"], int | None] = ("vector", 1)
        if self.size is not None:
            shape = "sequence", None if source.steps is None else self._windows(source.steps)
            if shape[1] == 0:
                raise FormatError(f"its windows have {self.size} steps; sequences of {source.steps} steps arrive")
        low, high, frac = source.low, source.high, source.frac
        if self.kind != "maximum":
            most = min(self.size or MAX_STEPS, source.steps or MAX_STEPS)
            more = MEAN_FRAC if self.kind == "mean" else 0
            check_range(min(low, most * low) << more, max(high, most * high) << more)
            if self.kind == "sum":
                low, high = min(low, most * low), max(high, most * high)
            low, high, frac = low << more, high << more, frac + more
        return Tensor(source.width, frac, low, high, *shape)

    def _windows(self, steps: int) -> int:
        size = self.size or steps
        return -(-steps // self.stride) if self.same else max(0, (steps - size) // self.stride + 1)

    def apply(self, source: Value) -> Value:
        """Compute the result.

        Raises:
            FormatError: if a sample has fewer steps than a window.
        """
        tensor, steps = self.infer(source.tensor), source.steps
        counts = np.array([1 if self.size is None else self._windows(int(count)) for count in steps], np.int64)
        if not counts.all():
            raise FormatError(
                f"sample {int(np.flatnonzero(counts == 0)[0])} has fewer steps than a window of {self.size}: remove it"
            )
        size = self.size or int(steps.max())
        beyond = np.maximum((counts - 1) * self.stride + size - steps, 0) // 2 if self.same and self.size else 0
        first = np.arange(counts.max(), dtype=np.int64) * self.stride - np.broadcast_to(beyond, steps.shape)[:, None]
        empty = source.tensor.low if self.kind == "maximum" else 0
        total = np.full((*first.shape, source.tensor.width), empty, dtype=np.int64)
        members = np.zeros((*first.shape, 1), dtype=np.int64)
        for place in range(size):
            at = first + place
            inside = ((at >= 0) & (at < steps[:, None]))[:, :, None]
            codes = np.take_along_axis(source.codes, np.clip(at, 0, source.codes.shape[1] - 1)[:, :, None], axis=1)
            codes = np.where(inside, codes, empty)
            total = np.maximum(total, codes) if self.kind == "maximum" else total + codes
            members += inside
        if self.kind == "mean":
            total = divided(total << MEAN_FRAC, np.maximum(members, 1))
        made = Value(tensor, total, counts)
        return made.with_codes(tensor, total)


def divided(numerator: Codes, denominator: Codes | int) -> Codes:
    """Quotients of integers, rounded half to even; denominators are positive.

    >>> divided(np.array([5, 7, -5, 3]), 2).tolist()
    [2, 4, -2, 2]
    """
    floor = np.floor_divide(numerator, denominator)
    rest = 2 * (numerator - floor * denominator)
    up = (rest > denominator) | ((rest == denominator) & ((floor & 1) == 1))
    return np.add(floor, up, dtype=np.int64)


def square_root(values: Codes) -> Codes:
    """The largest integers whose squares are not above `values`, which are at least 0 and below 2**62.

    >>> square_root(np.array([0, 3, 4, (1 << 60) - 1])).tolist()
    [0, 1, 2, 1073741823]
    """
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)
    root -= root * root > values
    return root + ((root + 1) * (root + 1) <= values)
