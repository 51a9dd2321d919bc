# SPDX-License-Identifier: Apache-2.0
"""Steps of a program that compute on the host, exactly except for the model's own quantizers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import product
from typing import Literal

import numpy as np

from ese_host.errors import CapacityError, FormatError
from ese_host.ir.activations import LIMIT_BITS, SLOPE, Activation, activate
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.program.order import OneSource, aligned_codes, aligned_ranges, common_steps
from ese_host.ir.program.tensor import MAX_CODE_BITS, Tensor, Value, check_frac, check_range
from ese_host.ir.tables import INPUT_FRAC, TABLE_SIZE, tanh_table

MergeKind = Literal["add", "subtract", "multiply", "maximum", "minimum", "average"]


@dataclass(frozen=True)
class Merge:
    """Combine tensors element by element: Keras's Add, Subtract, Multiply, Maximum, Minimum and Average.

    Attributes:
        kind: the operation; "average" takes 2, 4, 8, ... tensors, so that the division is exact.
        sources: names of the tensors read.
        target: name of the tensor made.
    """

    kind: MergeKind
    sources: tuple[str, ...]
    target: str

    def infer(self, *sources: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the tensors differ in kind, width or length, or their number is wrong.
            CapacityError: if the result may need too many bits.
        """
        steps, count = common_steps(sources), len(sources)
        widths = sorted({source.width for source in sources})
        if len(widths) > 1:
            raise FormatError(f"tensors of {widths} elements arrive; all must have the same width")
        if count != 2 if self.kind == "subtract" else count < 2:
            raise FormatError(
                f"{self.kind} reads {count} tensors; it takes two{'' if self.kind == 'subtract' else ' or more'}"
            )
        if self.kind == "average" and count & (count - 1):
            raise FormatError(
                f"average reads {count} tensors; only a power of two is exact: add them, and scale by an Affine"
            )
        if self.kind == "multiply":
            low, high, frac = reduce(_times, ((s.low, s.high, s.frac) for s in sources))
        else:
            low, high, frac = self._linear(sources)
        return Tensor(widths[0], frac, low, high, sources[0].kind, steps)

    def _linear(self, sources: tuple[Tensor, ...]) -> tuple[int, int, int]:
        lows, highs, frac = aligned_ranges(sources)
        if self.kind in ("maximum", "minimum"):
            choose = max if self.kind == "maximum" else min
            return choose(lows), choose(highs), frac
        if self.kind == "subtract":
            return lows[0] - highs[1], highs[0] - lows[1], frac
        return sum(lows), sum(highs), frac + (self.kind == "average") * (len(sources) - 1).bit_length()

    def apply(self, *sources: Value) -> Value:
        """Compute the result.

        Raises:
            FormatError: if a sample has different numbers of steps in two tensors.
        """
        tensor = self.infer(*(source.tensor for source in sources))
        aligned = aligned_codes(sources)
        if self.kind == "multiply":
            codes = reduce(np.multiply, (source.codes for source in sources))
        elif self.kind in ("maximum", "minimum"):
            codes = reduce(np.maximum if self.kind == "maximum" else np.minimum, aligned)
        else:
            codes = reduce(np.subtract if self.kind == "subtract" else np.add, aligned)
        return sources[0].with_codes(tensor, codes)


def _times(first: tuple[int, int, int], second: tuple[int, int, int]) -> tuple[int, int, int]:
    """Smallest code, largest code and fractional bits of a product, from those of its factors."""
    corners = [a * b for a, b in product(first[:2], second[:2])]
    check_range(min(corners), max(corners))
    return min(corners), max(corners), first[2] + second[2]


@dataclass(frozen=True, eq=False)
class Affine(OneSource):
    """scale * x + offset for each element of a frame: a BatchNormalization, or a scale between two layers.

    Attributes:
        scale: (width,) codes.
        scale_frac: fractional bits of the scale.
        offset: (width,) codes.
        offset_frac: fractional bits of the offset.
    """

    scale: Codes
    scale_frac: int
    offset: Codes
    offset_frac: int

    def __post_init__(self) -> None:
        if self.scale.ndim != 1 or self.scale.shape != self.offset.shape or not self.scale.size:
            raise FormatError(
                f"an Affine has scales of shape {self.scale.shape} and offsets of shape {self.offset.shape}; "
                "both have shape (width,)"
            )
        for codes, frac in ((self.scale, self.scale_frac), (self.offset, self.offset_frac)):
            check_range(int(codes.min()), int(codes.max()))
            check_frac(frac)

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the input's width is not that of the scale.
            CapacityError: if the result may need too many bits.
        """
        if source.width != len(self.scale):
            raise FormatError(f"it scales {len(self.scale)} elements; {source.width} arrive")
        check_frac(source.frac + self.scale_frac)
        frac = max(source.frac + self.scale_frac, self.offset_frac)
        scale = self.scale.astype(object) * (1 << (frac - source.frac - self.scale_frac))
        offset = self.offset.astype(object) * (1 << (frac - self.offset_frac))
        ends = (scale * source.low, scale * source.high)
        for low, high in (ends, (offset, offset)):
            check_range(int(min(*low, *high)), int(max(*low, *high)))
        low, high = np.minimum(*ends) + offset, np.maximum(*ends) + offset
        return replace(source, frac=frac, low=int(min(low)), high=int(max(high)))

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        tensor = self.infer(source.tensor)
        scaled = np.left_shift(source.codes * self.scale, tensor.frac - source.tensor.frac - self.scale_frac)
        return source.with_codes(tensor, scaled + np.left_shift(self.offset, tensor.frac - self.offset_frac))


@dataclass(frozen=True)
class Relu(OneSource):
    """Replace negative values by zero."""

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result."""
        return replace(source, low=max(source.low, 0), high=max(source.high, 0))

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        return source.with_codes(self.infer(source.tensor), np.maximum(source.codes, 0))


@dataclass(frozen=True)
class Quantize(OneSource):
    """Round to a fixed-point format, half to even, and saturate."""

    format: Fixed

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result, whose range is no larger than the input's range needs.

        Raises:
            CapacityError: if the binary points of input and format are too far apart.
        """
        shift = self.format.frac - source.frac
        if -shift > MAX_CODE_BITS:
            raise CapacityError(f"it rounds {-shift} bits away; at most {MAX_CODE_BITS} are allowed: quantize earlier")
        if shift > 0:
            check_range(source.low << shift, source.high << shift)
        low, high = (int(self.format.quantize(code, source.frac)) for code in (source.low, source.high))
        return replace(source, frac=self.format.frac, low=low, high=high)

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        return source.with_codes(self.infer(source.tensor), self.format.quantize(source.codes, source.tensor.frac))


@dataclass(frozen=True, eq=False)
class Apply(OneSource):
    """A quantized activation, computed as within an LSTM (docs/reference/numerics.md, "Activations").

    Attributes:
        activation: the function and the format of its result.
        table: (2, 1024) tanh table.
    """

    activation: Activation
    table: Codes = field(default_factory=tanh_table)

    def __post_init__(self) -> None:
        if self.table.shape != (2, TABLE_SIZE):
            raise FormatError(f"the tanh table has shape {self.table.shape}; expected {(2, TABLE_SIZE)}")

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            CapacityError: if the input has too many fractional bits, or needs too many bits once it is shifted.
        """
        if self.activation.hard:
            most = MAX_CODE_BITS - LIMIT_BITS - SLOPE.bits - 1
            if source.frac > most:
                raise CapacityError(
                    f"a hard activation reads {source.frac} fractional bits; at most {most} are allowed: quantize its "
                    "input"
                )
        # `activate` shifts codes left: for the table to its fractional bits, for a hard activation to the binary point
        shift = max(0, INPUT_FRAC - source.frac) if not self.activation.hard else max(0, -source.frac)
        check_range(source.low << shift, source.high << shift)
        return Tensor.of(self.activation.out, source.width, source.kind, source.steps)

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        tensor, frac = self.infer(source.tensor), source.tensor.frac
        codes = np.left_shift(source.codes, max(0, -frac))
        return source.with_codes(tensor, activate(codes, max(0, frac), self.activation, self.table))
