# SPDX-License-Identifier: Apache-2.0
"""Steps of a program that compute a function of each element by itself: piecewise linear ones, and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ese_host.errors import FormatError
from ese_host.ir.fixed import Codes
from ese_host.ir.program.order import OneSource
from ese_host.ir.program.tensor import Tensor, Value, check_frac, check_range

MAX_ENTRIES = 1 << 16
"""Most entries of a table: one for each code of a vector element."""


@dataclass(frozen=True, eq=False)
class Piecewise(OneSource):
    """slope * x + offset, with a slope and an offset for each piece of the range of x.

    Piece p holds the codes from bounds[p - 1] on that are below bounds[p]; the first piece has no lower end and the
    last one no upper end. A function that changes behind a value, and not at it, has the next code as its bound.

    Attributes:
        bounds: (pieces - 1, columns) codes of the source in ascending order; one column for all elements of a frame, or
            one for each.
        slopes: (pieces, columns) codes.
        slope_frac: fractional bits of the slopes.
        offsets: (pieces, columns) codes.
        offset_frac: fractional bits of the offsets.
    """

    bounds: Codes
    slopes: Codes
    slope_frac: int
    offsets: Codes
    offset_frac: int

    def __post_init__(self) -> None:
        shape = self.slopes.shape
        if self.slopes.ndim != 2 or not self.slopes.size or self.offsets.shape != shape:
            raise FormatError(
                f"a Piecewise has slopes of shape {shape} and offsets of shape {self.offsets.shape}; both have shape "
                "(pieces, columns)"
            )
        if self.bounds.shape != (shape[0] - 1, shape[1]) or (self.bounds[1:] < self.bounds[:-1]).any():
            raise FormatError(
                f"a Piecewise of {shape[0]} pieces has bounds of shape {self.bounds.shape}; {shape[0] - 1} for each of "
                f"{shape[1]} columns are expected, in ascending order"
            )
        for codes in (self.bounds, self.slopes, self.offsets):
            if codes.size:
                check_range(int(codes.min()), int(codes.max()))
        check_frac(self.slope_frac)
        check_frac(self.offset_frac)

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the input's width is not the number of columns.
            CapacityError: if the result may need too many bits.
        """
        pieces, columns = self.slopes.shape
        if columns not in (1, source.width):
            raise FormatError(f"it has pieces for {columns} elements; {source.width} arrive")
        check_frac(source.frac + self.slope_frac)
        frac = max(source.frac + self.slope_frac, self.offset_frac)
        ends = []
        for piece in range(pieces):
            first = source.low if not piece else np.maximum(self.bounds[piece - 1], source.low)
            last = source.high if piece + 1 == pieces else np.minimum(self.bounds[piece] - 1, source.high)
            used = np.broadcast_to(np.asarray(first <= last), (columns,))
            slope = self.slopes[piece].astype(object) << (frac - source.frac - self.slope_frac)
            offset = self.offsets[piece].astype(object) << (frac - self.offset_frac)
            for end in (first, last):
                scaled = slope * np.broadcast_to(np.asarray(end), (columns,)).astype(object)
                ends += [*zip(scaled[used], offset[used], strict=True)]
        for parts in zip(*ends, strict=True):
            check_range(int(min(parts)), int(max(parts)))
        sums = [int(scaled + offset) for scaled, offset in ends]
        return replace(source, frac=frac, low=min(sums), high=max(sums))

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        tensor = self.infer(source.tensor)
        piece = np.zeros(source.codes.shape, dtype=np.int64)
        for bound in self.bounds:
            piece += source.codes >= bound
        column = np.arange(self.slopes.shape[1])
        scaled = np.left_shift(
            source.codes * self.slopes[piece, column], tensor.frac - source.tensor.frac - self.slope_frac
        )
        offset = np.left_shift(self.offsets[piece, column], tensor.frac - self.offset_frac)
        return source.with_codes(tensor, scaled + offset)


@dataclass(frozen=True, eq=False)
class Lookup(OneSource):
    """Any function of one element: the result for every code that the element may have.

    Attributes:
        first: the code that the first entry belongs to; the other entries belong to the codes behind it.
        codes: (entries,) codes of the results.
        frac: fractional bits of the results.
    """

    first: int
    codes: Codes
    frac: int

    def __post_init__(self) -> None:
        if self.codes.ndim != 1 or not 1 <= len(self.codes) <= MAX_ENTRIES:
            raise FormatError(f"a Lookup has entries of shape {self.codes.shape}; 1 to {MAX_ENTRIES} are allowed")
        check_range(self.first, self.first + len(self.codes))
        check_range(int(self.codes.min()), int(self.codes.max()))
        check_frac(self.frac)

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the input may have a code without entry.
        """
        last = self.first + len(self.codes) - 1
        if source.low < self.first or source.high > last:
            raise FormatError(
                f"its table has entries for codes {self.first}..{last}; codes {source.low}..{source.high} arrive: put "
                "a Quantize before it"
            )
        entries = self.codes[source.low - self.first : source.high - self.first + 1]
        return replace(source, frac=self.frac, low=int(entries.min()), high=int(entries.max()))

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        # codes beyond the steps of a sample are zero, which need not have an entry
        index = np.clip(source.codes - self.first, 0, len(self.codes) - 1)
        return source.with_codes(self.infer(source.tensor), self.codes[index])
