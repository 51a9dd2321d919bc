# SPDX-License-Identifier: Apache-2.0
"""Steps of a program that move values on the host without changing them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir.fixed import Codes
from ese_host.ir.program.tensor import Tensor, Value, check_range
from ese_host.ir.sequences import Lengths

Fill = Literal["zero", "last"]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class OneSource:
    """A step that reads the tensor named `source` and makes the tensor named `target`.

    In every step `infer` derives the properties of the target from those of the sources, before a run; `apply` computes
    the target's values in a run.
    """

    source: str
    target: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read."""
        return (self.source,)


@dataclass(frozen=True)
class Reverse(OneSource):
    """Reverse the order of each sample's steps; frames beyond its length stay where they are."""

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result."""
        return source

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        return Value(source.tensor, reverse(source), source.steps)


@dataclass(frozen=True)
class Last(OneSource):
    """Take the last step of each sample, as a vector."""

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result."""
        return replace(source, kind="vector", steps=1)

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        codes = np.take_along_axis(source.codes, (source.steps - 1)[:, None, None], axis=1)
        return Value(self.infer(source.tensor), codes, np.ones_like(source.steps))


@dataclass(frozen=True)
class Mask(OneSource):
    """Drop the steps in which every element equals `code`: the steps that layers behind Keras's Masking skip.

    Attributes:
        code: the code.
        by: name of the tensor whose elements are compared; None for those of the source itself.
    """

    code: int
    by: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read."""
        return (self.source,) if self.by is None else (self.source, self.by)

    def infer(self, source: Tensor, by: Tensor | None = None) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if an input is a vector, or the two have different lengths.
        """
        if "vector" in (source.kind, (by or source).kind):
            raise FormatError("it reads a sequence; a vector arrives")
        common_steps((source, by or source))
        return replace(source, steps=None)

    def apply(self, source: Value, by: Value | None = None) -> Value:
        """Compute the result.

        Raises:
            FormatError: if a sample has no step left, or other numbers of steps in the two tensors.
        """
        if by is not None:
            check_steps((source, by))
        kept = unmasked_steps(by or source, self.code)
        steps = kept.sum(axis=1).astype(np.int64)
        if not steps.all():
            raise FormatError(
                f"sample {int(np.flatnonzero(steps == 0)[0])} has only masked steps; at least one other is needed: "
                "remove the sample"
            )
        codes = kept_frames(source.codes, kept, int(steps.max()))
        inside = np.arange(steps.max())[:, None] < steps[:, None, None]
        return Value(self.infer(source.tensor, None if by is None else by.tensor), np.where(inside, codes, 0), steps)


@dataclass(frozen=True)
class Unmask:
    """Put back the steps that a `Mask` dropped, with the values that Keras has in them.

    Attributes:
        sources: name of the tensor with the remaining steps, and of the tensor that was masked.
        target: name of the tensor made.
        code: the code of the mask.
        fill: values of a masked step: "zero", or "last" for those of the last unmasked step before it.
    """

    sources: tuple[str, ...]
    target: str
    code: int
    fill: Fill = "zero"

    def infer(self, *sources: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if there are not two tensors, or one is a vector.
        """
        if len(sources) != 2 or "vector" in (sources[0].kind, sources[1].kind):
            raise FormatError(f"it reads {len(sources)} tensors; two sequences are expected")
        values, original = sources
        return replace(values, low=min(values.low, 0), high=max(values.high, 0), steps=original.steps)

    def apply(self, values: Value, original: Value) -> Value:
        """Compute the result.

        Raises:
            FormatError: if the mask leaves another number of steps than there are values.
        """
        kept = unmasked_steps(original, self.code)
        if not np.array_equal(kept.sum(axis=1), values.steps):
            raise FormatError(
                f"the mask leaves {kept.sum(axis=1).tolist()[:5]} steps, but {values.steps.tolist()[:5]} arrive; "
                "expected the same: read the tensor that was masked"
            )
        latest = np.cumsum(kept, axis=1) - 1  # (N, T) number of the last unmasked step so far, or -1
        codes = np.take_along_axis(values.codes, np.maximum(latest, 0)[:, :, None], axis=1)
        filled = kept if self.fill == "zero" else latest >= 0
        tensor = self.infer(values.tensor, original.tensor)
        return Value(tensor, np.where(filled[:, :, None] & original.inside, codes, 0), original.steps)


@dataclass(frozen=True)
class Repeat(OneSource):
    """Repeat a vector as every step of a sequence: Keras's RepeatVector."""

    steps: int

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the input is a sequence.
        """
        if source.kind != "vector":
            raise FormatError("it repeats a vector; a sequence arrives")
        return replace(source, kind="sequence", steps=self.steps)

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        codes = np.repeat(source.codes, self.steps, axis=1)
        return Value(self.infer(source.tensor), codes, np.full_like(source.steps, self.steps))


@dataclass(frozen=True)
class Reshape(OneSource):
    """Regroup the elements into other frames, in row-major order: Keras's Reshape, or Flatten if `steps` is None.

    Attributes:
        steps: number of frames of the result; None to make a vector.
        width: elements of a frame of the result.
    """

    steps: int | None
    width: int

    def infer(self, source: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            UnsupportedError: if the length of the input's sequences varies.
            FormatError: if the numbers of elements differ.
        """
        if source.steps is None:
            raise UnsupportedError(
                "it reshapes sequences of one known length; lengths vary here: give the model's input a fixed length"
            )
        steps = 1 if self.steps is None else self.steps
        if source.steps * source.width != steps * self.width:
            raise FormatError(f"it makes {steps} x {self.width} elements; {source.steps} x {source.width} arrive")
        return replace(source, width=self.width, kind="vector" if self.steps is None else "sequence", steps=steps)

    def apply(self, source: Value) -> Value:
        """Compute the result."""
        steps = 1 if self.steps is None else self.steps
        codes = source.codes.reshape(len(source.codes), steps, self.width)
        return Value(self.infer(source.tensor), codes, np.full_like(source.steps, steps))


@dataclass(frozen=True)
class Concatenate:
    """Join the frames of several tensors, with the most fractional bits that any of them has.

    Attributes:
        sources: names of the tensors read.
        target: name of the tensor made.
    """

    sources: tuple[str, ...]
    target: str

    def infer(self, *sources: Tensor) -> Tensor:
        """Describe the result.

        Raises:
            FormatError: if the tensors differ in kind or length.
            CapacityError: if codes become too wide.
        """
        steps = common_steps(sources)
        lows, highs, frac = aligned_ranges(sources)
        width = sum(source.width for source in sources)
        return Tensor(width, frac, min(lows), max(highs), sources[0].kind, steps)

    def apply(self, *sources: Value) -> Value:
        """Compute the result.

        Raises:
            FormatError: if a sample has different numbers of steps in two tensors.
        """
        codes = np.concatenate(aligned_codes(sources), axis=2)
        return Value(self.infer(*(source.tensor for source in sources)), codes, sources[0].steps)


def unmasked_steps(value: Value, code: int) -> npt.NDArray[np.bool_]:
    """(N, T) whether a step belongs to its sample and has an element that differs from a mask's code."""
    return ((value.codes != code) & value.inside).any(axis=2)  # type: ignore[no-any-return]


def reverse(value: Value) -> Codes:
    """Codes of a value with the steps of each sample reversed."""
    return turned(value.codes, value.steps)


def turned(frames: npt.NDArray[Number], steps: Lengths) -> npt.NDArray[Number]:
    """Frames (N, T, width) with the first `steps` of each sample in reverse order."""
    order = np.arange(frames.shape[1])
    order = np.where(order < steps[:, None], steps[:, None] - 1 - order, order)
    return np.take_along_axis(frames, order[:, :, None], axis=1)


def kept_frames(frames: npt.NDArray[Number], kept: npt.NDArray[np.bool_], count: int) -> npt.NDArray[Number]:
    """The kept ones of the frames (N, T, width) of each sample in their order, with others behind them up to `count`.

    Args:
        frames: the frames.
        kept: (N, T) whether a frame is kept.
        count: frames of each sample in the result.
    """
    order = np.argsort(~kept, axis=1, kind="stable")[:, :count, None]
    return np.take_along_axis(frames, order, axis=1)


def common_steps(sources: tuple[Tensor, ...]) -> int | None:
    """The number of steps that all tensors have; None if it is not fixed for any of them.

    Raises:
        FormatError: if there is no tensor, or they differ in kind or length.
    """
    if not sources:
        raise FormatError("it reads no tensor; at least one is needed")
    kinds, known = {source.kind for source in sources}, {source.steps for source in sources} - {None}
    if len(kinds) > 1:
        raise FormatError(
            "a sequence and a vector arrive; all must be of one kind: repeat the vector, or take the last step"
        )
    if len(known) > 1:
        raise FormatError(
            f"sequences of {sorted(step for step in known if step)} steps arrive; all must have the same length"
        )
    return known.pop() if known else None


def aligned_ranges(sources: tuple[Tensor, ...]) -> tuple[list[int], list[int], int]:
    """Ranges of several tensors after all are given the most fractional bits that any of them has.

    Returns:
        The smallest code of each tensor, the largest code of each, and the fractional bits.

    Raises:
        CapacityError: if codes become too wide.
    """
    frac = max(source.frac for source in sources)
    lows = [source.low << (frac - source.frac) for source in sources]
    highs = [source.high << (frac - source.frac) for source in sources]
    check_range(min(lows), max(highs))
    return lows, highs, frac


def aligned_codes(sources: tuple[Value, ...]) -> list[Codes]:
    """Codes of several values, all with the most fractional bits that any of them has.

    Raises:
        FormatError: if a sample has different numbers of steps in two values.
    """
    check_steps(sources)
    frac = max(source.tensor.frac for source in sources)
    return [np.left_shift(source.codes, frac - source.tensor.frac) for source in sources]


def check_steps(sources: tuple[Value, ...]) -> None:
    """Refuse values that are combined and have different numbers of steps.

    Raises:
        FormatError: if a sample has different numbers of steps in two values.
    """
    first = sources[0].steps
    for source in sources[1:]:
        if not np.array_equal(source.steps, first):
            raise FormatError(
                f"samples have {first.tolist()[:5]} steps in one tensor and {source.steps.tolist()[:5]} in another "
                "with which it is combined; expected the same: give all inputs of a sample the same length"
            )
