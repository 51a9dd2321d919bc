# SPDX-License-Identifier: Apache-2.0
"""Steps of a program that pick elements by an index: any order of elements, and rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir.fixed import Codes
from ese_host.ir.program.order import OneSource, aligned_codes, aligned_ranges, common_steps
from ese_host.ir.program.tensor import Tensor, Value, check_frac, check_range

Scope = Literal["frame", "sequence", "vector"]


@dataclass(frozen=True, eq=False)
class Gather:
    """Each element of the result is an element of the sources, or zero, whatever their order was.

    Attributes:
        sources: names of the tensors read. Their elements are numbered from 0 on: those of the first tensor come first,
            frame by frame.
        target: name of the tensor made.
        index: (steps, width) numbers of the elements; -1 for a zero.
        scope: "frame" if the elements of each frame are numbered by themselves, and `index` has one row; otherwise the
            kind of the result, whose elements are numbered through all frames of a sample.
    """

    sources: tuple[str, ...]
    target: str
    index: Codes
    scope: Scope

    def __post_init__(self) -> None:
        rows = None if self.scope == "sequence" else 1
        if self.index.ndim != 2 or not self.index.size or len(self.index) != (rows or len(self.index)):
            raise FormatError(
                f"a Gather has an index of shape {self.index.shape}; "
                f"{'(steps, width)' if rows is None else '(1, width)'} is expected"
            )
        if self.index.min() < -1:
            raise FormatError(f"a Gather has the index {self.index.min()}; numbers from -1 on are expected")

    def infer(self, *sources: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the index has more elements than the sources.
            UnsupportedError: if elements of all frames are numbered, and the number of frames varies.
            CapacityError: if codes become too wide.
        """
        lows, highs, frac = aligned_ranges(sources)
        low, high = min(lows), max(highs)
        if (self.index < 0).any():
            low, high = min(low, 0), max(high, 0)
        if self.scope == "frame":
            steps = common_steps(sources)
            elements = sum(source.width for source in sources)
            made = Tensor(self.index.shape[1], frac, low, high, sources[0].kind, steps)
        else:
            lengths = [source.steps for source in sources]
            if None in lengths:
                raise UnsupportedError(
                    "it moves elements between steps of one known length; lengths vary here: give the model's input a "
                    "fixed length"
                )
            elements = sum(source.width * (source.steps or 1) for source in sources)
            made = Tensor(self.index.shape[1], frac, low, high, self.scope, len(self.index))
        if self.index.max() >= elements:
            raise FormatError(f"it takes element {self.index.max()}; {elements} elements arrive")
        return made

    def apply(self, *sources: Value) -> Value:
        """Compute the result.

        Raises:
            FormatError: if a sample has different numbers of steps in two tensors whose frames are joined.
        """
        tensor = self.infer(*(source.tensor for source in sources))
        samples = len(sources[0].steps)
        if self.scope == "frame":
            elements = np.concatenate(aligned_codes(sources), axis=2)
            steps = sources[0].steps
        else:
            frac = tensor.frac
            flat = [np.left_shift(v.codes, frac - v.tensor.frac).reshape(samples, -1) for v in sources]
            elements = np.concatenate(flat, axis=1)[:, None, :]
            steps = np.full(samples, len(self.index), dtype=np.int64)
        index = self.index.reshape(-1)
        codes = np.where(index < 0, 0, elements[:, :, np.maximum(index, 0)])
        return Value(tensor, codes if self.scope == "frame" else codes.reshape(samples, *self.index.shape), steps)


@dataclass(frozen=True, eq=False)
class Embedding(OneSource):
    """A frame for each element, which is its number in a table: Keras's Embedding.

    Attributes:
        rows: (numbers, width) codes.
        frac: fractional bits of the rows.
    """

    rows: Codes
    frac: int

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or not self.rows.size:
            raise FormatError(f"an Embedding has rows of shape {self.rows.shape}; (numbers, width) is expected")
        check_range(int(self.rows.min()), int(self.rows.max()))
        check_frac(self.frac)

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the input has no integers.
            UnsupportedError: if it has several elements in each frame of sequences of varying length.
        """
        if source.frac:
            raise FormatError(f"it reads integers; codes with {source.frac} fractional bits arrive: quantize them")
        if source.steps is None and source.width > 1:
            raise UnsupportedError(
                f"it reads one number in each step; {source.width} arrive: give the model's input a fixed length"
            )
        steps = None if source.steps is None else source.steps * source.width
        low, high = int(self.rows.min()), int(self.rows.max())
        return Tensor(self.rows.shape[1], self.frac, low, high, "sequence", steps)

    def apply(self, source: Value) -> Value:
        """Compute the result.

        Raises:
            FormatError: if there is no row of a number.
        """
        numbers, width = source.codes, source.tensor.width
        outside = (numbers < 0) | (numbers >= len(self.rows))
        if outside.any():
            sample, step, place = (int(part) for part in np.argwhere(outside)[0])
            raise FormatError(
                f"sample {sample} has the number {int(numbers[sample, step, place])}; the table has rows for 0 to "
                f"{len(self.rows) - 1}: check the data"
            )
        steps = source.steps * width
        tensor = self.infer(source.tensor)
        made = Value(tensor, self.rows[numbers.reshape(len(steps), -1)], steps)
        return made.with_codes(tensor, made.codes)
