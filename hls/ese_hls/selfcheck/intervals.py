# SPDX-License-Identifier: Apache-2.0
"""Interval arithmetic on float64 arrays: the values that rounding, of formats and of float32, may leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ese_hls.quantize import Doubles
from ese_host.ir import Fixed

FLOAT32 = 2.0**-23
"""Relative error that one or two operations in float32 may leave."""
SIGNIFICAND = 24
"""Bits of the significand of a float32: a sum of fewer bits is exact in any order."""


@dataclass(frozen=True, eq=False)
class Interval:
    """Element by element, the smallest and the largest value that rounding explains.

    Attributes:
        low: lower ends.
        high: upper ends, of the same shape.
    """

    low: Doubles
    high: Doubles

    @classmethod
    def point(cls, values: Doubles) -> Interval:
        """The interval that holds only `values`."""
        return cls(values, values)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Interval) -> Interval:
        corners = (self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high)
        return Interval(np.minimum.reduce(corners), np.maximum.reduce(corners))

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.low[index], self.high[index])

    @property
    def largest(self) -> Doubles:
        """The largest magnitude within each interval."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def middle(self) -> Doubles:
        """The middle of each interval."""
        return self.low if self.is_point else (self.low + self.high) / 2

    @property
    def radius(self) -> Doubles:
        """Half of the width of each interval."""
        return (self.high - self.low) / 2

    @property
    def is_point(self) -> bool:
        """Whether each interval holds one value only."""
        return self.low is self.high or bool((self.low == self.high).all())

    def widened(self, by: Doubles | float) -> Interval:
        """The interval with both ends moved outwards."""
        return Interval(self.low - by, self.high + by)

    def hull(self, values: Doubles) -> Interval:
        """The smallest interval that holds this one and `values`."""
        return Interval(np.minimum(self.low, values), np.maximum(self.high, values))

    def within(self, other: Interval) -> Interval:
        """Each interval that lies within that of `other`; elsewhere, that of `other`."""
        inside = (other.low <= self.low) & (self.high <= other.high)
        return Interval(np.where(inside, self.low, other.low), np.where(inside, self.high, other.high))

    def rising(self, function: Callable[[Doubles], Doubles]) -> Interval:
        """The interval of a function that never falls."""
        return Interval(function(self.low), function(self.high))

    def rounded(self, form: Fixed) -> Interval:
        """The interval of the values after a quantizer of the model.

        QKeras computes the rounded value q of x as x + (q - x) in float32, which may differ from q in the last bit.
        """
        codes = self.rising(lambda values: form.to_float(form.from_float(values)))
        ends = ((self.low, codes.low), (self.high, codes.high))
        low, high = (x.astype(np.float32) + (q.astype(np.float32) - x.astype(np.float32)) for x, q in ends)
        return Interval(np.minimum(codes.low, low), np.maximum(codes.high, high))

    def about_rounded(self, form: Fixed) -> Interval:
        """The interval of values that Keras leaves as they are and the engine rounds to `form`."""
        rounded = self.rising(lambda values: form.to_float(form.from_float(values)))
        return Interval(np.minimum(self.low, rounded.low), np.maximum(self.high, rounded.high))

    def in_float32(self) -> Interval:
        """The interval of results of one operation, which float32 rounds unless it holds them exactly."""
        exact = (self.low == self.high) & (self.low.astype(np.float32) == self.low)
        return self.widened(np.where(exact, 0.0, FLOAT32 * self.largest))


def stack(intervals: list[Interval]) -> Interval:
    """Intervals of several steps (N, width) as one of shape (N, steps, width)."""
    return Interval(np.stack([item.low for item in intervals], 1), np.stack([item.high for item in intervals], 1))


def last_bit(values: Doubles) -> float:
    """Exponent of the largest power of two that divides all values; infinity if all are zero.

    >>> last_bit(np.array([0.75, 2.0, 0.0]))
    -2.0
    """
    mantissa, exponent = np.frexp(values[values != 0])
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = exponent - 53 + np.log2((whole & -whole).astype(np.float64))
    return float(lowest.min(initial=np.inf))


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a sum as Keras has them.

    Attributes:
        values: (rows, columns) weights.
        deviation: (rows, columns) by how much the engine's weights may differ from them.
    """

    values: Doubles
    deviation: Doubles

    @cached_property
    def magnitudes(self) -> Doubles:
        """(columns, rows) magnitudes of the weights."""
        return np.abs(self.values).T

    @cached_property
    def last_bit(self) -> float:
        """`last_bit` of the weights."""
        return last_bit(self.values)

    @cached_property
    def exact(self) -> bool:
        """Whether the engine has the very weights that Keras has."""
        return not self.deviation.any()

    def sums(self, x: Interval, bias: Doubles | float = 0.0) -> Interval:
        """The intervals (..., rows) of weights @ x + bias, in Keras in float32, in the engine with its own weights.

        A sum of float32 products is exact, in any order, if no partial sum needs more than 24 bits. Otherwise its error
        grows with the square root of the number of terms, as errors of both signs occur.

        Args:
            x: (..., columns) inputs.
            bias: (rows,) values.
        """
        total = x.middle @ self.values.T + bias
        largest = x.largest @ self.magnitudes + np.abs(bias)
        ends = last_bit(np.concatenate([x.low.ravel(), x.high.ravel()]))
        lowest = min(self.last_bit + ends, last_bit(np.asarray(bias)))
        exact = largest < (np.ldexp(1.0, SIGNIFICAND + int(lowest)) if np.isfinite(lowest) else np.inf)
        radius = np.where(exact, 0.0, FLOAT32 * (2 + np.sqrt(self.values.shape[1]) / 2) * largest)
        if not x.is_point:
            radius = radius + x.radius @ self.magnitudes
        if not self.exact:
            radius = radius + x.largest @ self.deviation.T
        return Interval.point(total).widened(radius)
