"""Steps of a program that compute on the host: exact, but for the quantizers that the model itself has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import product
from typing import Literal

import numpy as np

from ese_host.errors import CapacityError, FormatError
from ese_host.ir.activations import LIMIT_BITS, SLOPE, Activation, activate
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.program.order import OneSource, aligned, common, shifted
from ese_host.ir.program.tensor import MAX_CODE_BITS, Tensor, Value, check_frac, check_range
from ese_host.ir.tables import INPUT_FRAC, TABLE_SIZE, tanh_table

MergeKind = Literal["add", "subtract", "multiply", "maximum", "minimum", "average"]


@dataclass(frozen=True)
class Merge:
    """Element by element: Keras's Add, Subtract, Multiply, Maximum, Minimum; Average of 2, 4, 8 ... tensors."""

    kind: MergeKind
    sources: tuple[str, ...]
    target: str

    def infer(self, *sources: Tensor) -> Tensor:
        """The tensor made.

        Raises:
            FormatError: the tensors do not fit each other. CapacityError: the result may need too many bits.
        """
        steps, count = common(sources), len(sources)
        widths = sorted({source.width for source in sources})
        if len(widths) > 1:
            raise FormatError(f"tensors of {widths} elements arrive; all have one width")
        if count != 2 if self.kind == "subtract" else count < 2:
            raise FormatError(
                f"{self.kind} reads {count} tensors; it takes two{'' if self.kind == 'subtract' else ' or more'}"
            )
        if self.kind == "average" and count & (count - 1):
            raise FormatError(
                f"average reads {count} tensors; a power of two is exact: add them, and scale by an Affine"
            )
        if self.kind == "multiply":
            low, high, frac = reduce(_times, ((s.low, s.high, s.frac) for s in sources))
        else:
            low, high, frac = self._linear(sources)
        return Tensor(widths[0], frac, low, high, sources[0].kind, steps)

    def _linear(self, sources: tuple[Tensor, ...]) -> tuple[int, int, int]:
        lows, highs, frac = aligned(sources)
        if self.kind in ("maximum", "minimum"):
            choose = max if self.kind == "maximum" else min
            return choose(lows), choose(highs), frac
        if self.kind == "subtract":
            return lows[0] - highs[1], highs[0] - lows[1], frac
        return sum(lows), sum(highs), frac + (self.kind == "average") * (len(sources) - 1).bit_length()

    def apply(self, *sources: Value) -> Value:
        """Its values."""
        tensor = self.infer(*(source.tensor for source in sources))
        aligned_codes = shifted(sources)
        if self.kind == "multiply":
            codes = reduce(np.multiply, (source.codes for source in sources))
        elif self.kind in ("maximum", "minimum"):
            codes = reduce(np.maximum if self.kind == "maximum" else np.minimum, aligned_codes)
        else:
            codes = reduce(np.subtract if self.kind == "subtract" else np.add, aligned_codes)
        return sources[0].with_codes(tensor, codes)


def _times(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    corners = [a * b for a, b in product(one[:2], other[:2])]
    check_range(min(corners), max(corners))
    return min(corners), max(corners), one[2] + other[2]


@dataclass(frozen=True, eq=False)
class Affine(OneSource):
    """scale * x + offset for each element of a frame: a BatchNormalization, or a scale that stands alone.

    Attributes:
        scale, offset: (width,) codes. scale_frac, offset_frac: their fractional bits.
    """

    scale: Codes
    scale_frac: int
    offset: Codes
    offset_frac: int

    def __post_init__(self) -> None:
        if self.scale.ndim != 1 or self.scale.shape != self.offset.shape or not self.scale.size:
            raise FormatError(
                f"an Affine has scales {self.scale.shape} and offsets {self.offset.shape}; one of each for an element"
            )
        for codes, frac in ((self.scale, self.scale_frac), (self.offset, self.offset_frac)):
            check_range(int(codes.min()), int(codes.max()))
            check_frac(frac)

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made.

        Raises:
            FormatError: frames have another width. CapacityError: the result may need too many bits.
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
        """Its values."""
        tensor = self.infer(source.tensor)
        scaled = np.left_shift(source.codes * self.scale, tensor.frac - source.tensor.frac - self.scale_frac)
        return source.with_codes(tensor, scaled + np.left_shift(self.offset, tensor.frac - self.offset_frac))


@dataclass(frozen=True)
class Relu(OneSource):
    """Zero in place of what is negative."""

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        return replace(source, low=max(source.low, 0), high=max(source.high, 0))

    def apply(self, source: Value) -> Value:
        """Its values."""
        return source.with_codes(self.infer(source.tensor), np.maximum(source.codes, 0))


@dataclass(frozen=True)
class Quantize(OneSource):
    """A quantizer: half to even, saturated."""

    format: Fixed

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made; no wider than what arrives.

        Raises:
            CapacityError: the binary points are too far apart.
        """
        shift = self.format.frac - source.frac
        if -shift > MAX_CODE_BITS:
            raise CapacityError(f"it rounds {-shift} bits away; at most {MAX_CODE_BITS} are held: quantize earlier")
        if shift > 0:
            check_range(source.low << shift, source.high << shift)
        low, high = (int(self.format.quantize(code, source.frac)) for code in (source.low, source.high))
        return replace(source, frac=self.format.frac, low=low, high=high)

    def apply(self, source: Value) -> Value:
        """Its values."""
        return source.with_codes(self.infer(source.tensor), self.format.quantize(source.codes, source.tensor.frac))


@dataclass(frozen=True)
class Ternary(OneSource):
    """The sign of what reaches a threshold in size, zero of what does not (QKeras's `ternary`).

    Attributes:
        threshold, threshold_frac: a positive code and its fractional bits.
        frac: fractional bits of what is made, whose codes are -1, 0 and 1.
    """

    threshold: int
    threshold_frac: int
    frac: int

    def __post_init__(self) -> None:
        if not 1 <= self.threshold < 1 << MAX_CODE_BITS:
            raise FormatError(
                f"a Ternary has threshold code {self.threshold}; 1 to {(1 << MAX_CODE_BITS) - 1} are allowed"
            )
        check_frac(self.threshold_frac)
        check_frac(self.frac)

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        low, high = (int(self._of(code, source.frac)) for code in (source.low, source.high))
        return replace(source, frac=self.frac, low=low, high=high)

    def apply(self, source: Value) -> Value:
        """Its values."""
        return source.with_codes(self.infer(source.tensor), self._of(source.codes, source.tensor.frac))

    def _of(self, codes: Codes | int, frac: int) -> Codes:
        shift = frac - self.threshold_frac
        least = self.threshold << shift if shift >= 0 else -(-self.threshold >> -shift)
        return np.where(np.abs(codes) >= min(least, 1 << MAX_CODE_BITS), np.sign(codes), 0)


@dataclass(frozen=True, eq=False)
class Apply(OneSource):
    """An activation: the same hard forms and the same table as within an LSTM (docs/numerics.md, "Activations")."""

    activation: Activation
    table: Codes = field(default_factory=tanh_table)

    def __post_init__(self) -> None:
        if self.table.shape != (2, TABLE_SIZE):
            raise FormatError(f"the tanh table has shape {self.table.shape}; expected {(2, TABLE_SIZE)}")

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made.

        Raises:
            CapacityError: the input has too many bits, or too few for the binary point.
        """
        if self.activation.hard:
            most = MAX_CODE_BITS - LIMIT_BITS - SLOPE.bits - 1
            if source.frac > most:
                raise CapacityError(
                    f"a hard activation reads {source.frac} fractional bits; {most} are held: quantize before"
                )
        spare = max(0, INPUT_FRAC - source.frac) if not self.activation.hard else max(0, -source.frac)
        check_range(source.low << spare, source.high << spare)
        return Tensor.of(self.activation.out, source.width, source.kind, source.steps)

    def apply(self, source: Value) -> Value:
        """Its values."""
        tensor, frac = self.infer(source.tensor), source.tensor.frac
        codes = np.left_shift(source.codes, max(0, -frac))
        return source.with_codes(tensor, activate(codes, max(0, frac), self.activation, self.table))
