"""Steps of a program that move values and change none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir.fixed import Codes
from ese_host.ir.program.tensor import Tensor, Value, check_range

Fill = Literal["zero", "last"]


@dataclass(frozen=True)
class OneSource:
    """A step that reads one tensor and makes one."""

    source: str
    target: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True)
class Reverse(OneSource):
    """Each sample's own steps, last one first."""

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        return source

    def apply(self, source: Value) -> Value:
        """Its values."""
        return Value(source.tensor, reverse(source), source.steps)


@dataclass(frozen=True)
class Last(OneSource):
    """The last own step of each sample."""

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        return replace(source, kind="vector", steps=1)

    def apply(self, source: Value) -> Value:
        """Its values."""
        codes = np.take_along_axis(source.codes, (source.steps - 1)[:, None, None], axis=1)
        return Value(self.infer(source.tensor), codes, np.ones_like(source.steps))


@dataclass(frozen=True)
class Mask(OneSource):
    """The steps in which any element differs from `code`: Keras's Masking, and what layers behind it skip."""

    code: int

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        if source.kind == "vector":
            raise FormatError("it reads a sequence; a vector arrives")
        return replace(source, steps=None)

    def apply(self, source: Value) -> Value:
        """Its values.

        Raises:
            FormatError: nothing is left of a sample.
        """
        kept = left(source, self.code)
        steps = kept.sum(axis=1).astype(np.int64)
        if not steps.all():
            raise FormatError(
                f"sample {int(np.flatnonzero(steps == 0)[0])} has only steps that the mask leaves out; one is needed: "
                "leave the sample out"
            )
        order = np.argsort(~kept, axis=1, kind="stable")[:, : steps.max(), None]
        codes = np.take_along_axis(source.codes, order, axis=1)
        inside = np.arange(steps.max())[:, None] < steps[:, None, None]
        return Value(self.infer(source.tensor), np.where(inside, codes, 0), steps)


@dataclass(frozen=True)
class Unmask:
    """Every step again, where a `Mask` had left some out: what Keras has there.

    Attributes:
        sources: values of the steps that are left, and the tensor that was masked.
        code: of the mask. fill: what a step left out has, zero or the values of the last step before it that was not.
    """

    sources: tuple[str, ...]
    target: str
    code: int
    fill: Fill = "zero"

    def infer(self, *sources: Tensor) -> Tensor:
        """The tensor made."""
        if len(sources) != 2 or "vector" in (sources[0].kind, sources[1].kind):
            raise FormatError(f"it reads {len(sources)} tensors; two sequences are expected")
        values, original = sources
        return replace(values, low=min(values.low, 0), high=max(values.high, 0), steps=original.steps)

    def apply(self, values: Value, original: Value) -> Value:
        """Its values.

        Raises:
            FormatError: the mask leaves other steps than there are values.
        """
        kept = left(original, self.code)
        if not np.array_equal(kept.sum(axis=1), values.steps):
            raise FormatError(
                f"the mask leaves {kept.sum(axis=1).tolist()[:5]} steps where {values.steps.tolist()[:5]} arrive; "
                "expected the same: read the tensor that was masked"
            )
        before = np.cumsum(kept, axis=1) - 1
        codes = np.take_along_axis(values.codes, np.maximum(before, 0)[:, :, None], axis=1)
        there = kept if self.fill == "zero" else before >= 0
        tensor = self.infer(values.tensor, original.tensor)
        return Value(tensor, np.where(there[:, :, None] & original.inside, codes, 0), original.steps)


@dataclass(frozen=True)
class Repeat(OneSource):
    """A vector as every step of a sequence: Keras's RepeatVector."""

    steps: int

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        if source.kind != "vector":
            raise FormatError("it repeats a vector; a sequence arrives")
        return replace(source, kind="sequence", steps=self.steps)

    def apply(self, source: Value) -> Value:
        """Its values."""
        codes = np.repeat(source.codes, self.steps, axis=1)
        return Value(self.infer(source.tensor), codes, np.full_like(source.steps, self.steps))


@dataclass(frozen=True)
class Reshape(OneSource):
    """The same elements in other frames, in order of rows: Keras's Reshape, and Flatten where `steps` is None.

    Attributes:
        steps: of the new sequence; None where it becomes a vector. width: of a new frame.
    """

    steps: int | None
    width: int

    def infer(self, source: Tensor) -> Tensor:
        """The tensor made."""
        if source.steps is None:
            raise UnsupportedError(
                "it reshapes sequences of one known length; lengths vary here: give the model's input a fixed length"
            )
        steps = 1 if self.steps is None else self.steps
        if source.steps * source.width != steps * self.width:
            raise FormatError(f"it makes {steps} x {self.width} elements; {source.steps} x {source.width} arrive")
        return replace(source, width=self.width, kind="vector" if self.steps is None else "sequence", steps=steps)

    def apply(self, source: Value) -> Value:
        """Its values."""
        steps = 1 if self.steps is None else self.steps
        codes = source.codes.reshape(len(source.codes), steps, self.width)
        return Value(self.infer(source.tensor), codes, np.full_like(source.steps, steps))


@dataclass(frozen=True)
class Concatenate:
    """Frames side by side, aligned exactly to the finest of their binary points."""

    sources: tuple[str, ...]
    target: str

    def infer(self, *sources: Tensor) -> Tensor:
        """The tensor made."""
        steps = common(sources)
        lows, highs, frac = aligned(sources)
        width = sum(source.width for source in sources)
        return Tensor(width, frac, min(lows), max(highs), sources[0].kind, steps)

    def apply(self, *sources: Value) -> Value:
        """Its values."""
        codes = np.concatenate(shifted(sources), axis=2)
        return Value(self.infer(*(source.tensor for source in sources)), codes, sources[0].steps)


def left(value: Value, code: int) -> npt.NDArray[np.bool_]:
    """(N, T) whether a mask leaves a step."""
    return ((value.codes != code) & value.inside).any(axis=2)  # type: ignore[no-any-return]


def reverse(value: Value) -> Codes:
    """Codes of a value with each sample's own steps last one first."""
    order = np.arange(value.codes.shape[1])
    back = np.where(order < value.steps[:, None], value.steps[:, None] - 1 - order, order)
    return np.take_along_axis(value.codes, back[:, :, None], axis=1)


def common(sources: tuple[Tensor, ...]) -> int | None:
    """Steps that several tensors have together; None where they vary.

    Raises:
        FormatError: there are none, or they differ in kind or length.
    """
    if not sources:
        raise FormatError("it reads no tensor; at least one is needed")
    kinds, known = {source.kind for source in sources}, {source.steps for source in sources} - {None}
    if len(kinds) > 1:
        raise FormatError(
            "a sequence and a vector arrive; all are of one kind: repeat the vector, or take the last step"
        )
    if len(known) > 1:
        raise FormatError(f"sequences of {sorted(step for step in known if step)} steps arrive; all have one length")
    return known.pop() if known else None


def aligned(sources: tuple[Tensor, ...]) -> tuple[list[int], list[int], int]:
    """Smallest and largest codes of tensors with the finest of their binary points, which is the third.

    Raises:
        CapacityError: the codes become too wide.
    """
    frac = max(source.frac for source in sources)
    lows = [source.low << (frac - source.frac) for source in sources]
    highs = [source.high << (frac - source.frac) for source in sources]
    check_range(min(lows), max(highs))
    return lows, highs, frac


def shifted(sources: tuple[Value, ...]) -> list[Codes]:
    """Codes of values, all with the finest binary point.

    Raises:
        FormatError: samples have other steps in one value than in another.
    """
    first = sources[0].steps
    for source in sources[1:]:
        if not np.array_equal(source.steps, first):
            raise FormatError(
                f"samples have {first.tolist()[:5]} and {source.steps.tolist()[:5]} steps where they meet; expected "
                "the same: give all inputs of a sample one length"
            )
    frac = max(source.tensor.frac for source in sources)
    return [np.left_shift(source.codes, frac - source.tensor.frac) for source in sources]
