# SPDX-License-Identifier: Apache-2.0
"""Host operations of a program, one sample at a time, in Python's integers (docs/reference/numerics.md, "Programs")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

from support.second_decoder.arithmetic import LoadedActivation, frac_of, quantized, rounded

Step = Mapping[str, Any]
"""A step as in the JSON text of golden.npz, with lists in place of its arrays."""


@dataclass(frozen=True)
class SampleFrames:
    """A tensor's values for one sample.

    Attributes:
        frac: fractional bits of the codes.
        codes: codes of each frame.
    """

    frac: int
    codes: list[list[int]]

    def map(self, frac: int, function: Callable[[int, int], int]) -> SampleFrames:
        """SampleFrames whose codes a function computes from a code and its place within the frame."""
        return SampleFrames(frac, [[function(code, place) for place, code in enumerate(frame)] for frame in self.codes])

    def widened(self, frac: int) -> SampleFrames:
        """The same values with more fractional bits."""
        return self.map(frac, lambda code, _: code << frac - self.frac)

    @property
    def flat(self) -> list[int]:
        """All codes, frame by frame."""
        return [code for frame in self.codes for code in frame]


def apply(step: Step, *sources: SampleFrames) -> SampleFrames:
    """Compute a step for one sample."""
    return STEPS[step["class"]](step, *sources)


def _aligned(sources: tuple[SampleFrames, ...]) -> list[SampleFrames]:
    frac = max(source.frac for source in sources)
    return [source.widened(frac) for source in sources]


def _concatenate(_step: Step, *sources: SampleFrames) -> SampleFrames:
    aligned = _aligned(sources)
    frames = zip(*(source.codes for source in aligned), strict=True)
    return SampleFrames(aligned[0].frac, [[code for part in frame for code in part] for frame in frames])


def _merge(step: Step, *sources: SampleFrames) -> SampleFrames:
    kind = step["kind"]
    parts = list(sources) if kind == "multiply" else _aligned(sources)
    frac = sum(part.frac for part in parts) if kind == "multiply" else parts[0].frac
    if kind == "average":
        frac += (len(parts) - 1).bit_length()

    def combined(items: tuple[int, ...]) -> int:
        if kind == "multiply":
            product = 1
            for item in items:
                product *= item
            return product
        if kind in ("maximum", "minimum"):
            return max(items) if kind == "maximum" else min(items)
        return items[0] - items[1] if kind == "subtract" else sum(items)

    frames = zip(*(part.codes for part in parts), strict=True)
    return SampleFrames(frac, [[combined(items) for items in zip(*frame, strict=True)] for frame in frames])


def _affine(step: Step, x: SampleFrames) -> SampleFrames:
    frac = max(x.frac + step["scale_frac"], step["offset_frac"])
    up, more = frac - x.frac - step["scale_frac"], frac - step["offset_frac"]
    return x.map(frac, lambda code, at: (code * step["scale"][at] << up) + (step["offset"][at] << more))


def _apply(step: Step, x: SampleFrames) -> SampleFrames:
    form = step["activation"]
    line = form["slope"] | form["offset"] << 16
    table = list(zip(*step["table"], strict=True))
    function = LoadedActivation(form["kind"], form["out"], line, table)
    frac = max(0, x.frac)
    return x.map(frac_of(form["out"]), lambda code, _: function.of(code << frac - x.frac, frac))


def _quantize(step: Step, x: SampleFrames) -> SampleFrames:
    return x.map(frac_of(step["format"]), lambda code, _: quantized(code, x.frac, step["format"]))


def _piecewise(step: Step, x: SampleFrames) -> SampleFrames:
    frac = max(x.frac + step["slope_frac"], step["offset_frac"])
    columns = len(step["slopes"][0])

    def line(code: int, place: int) -> int:
        column = place % columns
        piece = sum(code >= bound[column] for bound in step["bounds"])
        scaled: int = code * step["slopes"][piece][column] << frac - x.frac - step["slope_frac"]
        offset: int = step["offsets"][piece][column] << frac - step["offset_frac"]
        return scaled + offset

    return x.map(frac, line)


def _table(step: Step, x: SampleFrames) -> SampleFrames:
    return x.map(step["frac"], lambda code, _: step["codes"][code - step["first"]])


def _mask(step: Step, x: SampleFrames, by: SampleFrames | None = None) -> SampleFrames:
    pairs = zip(x.codes, (by or x).codes, strict=True)
    return SampleFrames(x.frac, [frame for frame, told in pairs if any(code != step["code"] for code in told)])


def _unmask(step: Step, values: SampleFrames, original: SampleFrames) -> SampleFrames:
    left, width = iter(values.codes), len(values.codes[0])
    frames, before = [], [0] * width
    for frame in original.codes:
        kept = any(code != step["code"] for code in frame)
        before = next(left) if kept else before if step["fill"] == "last" else [0] * width
        frames.append(before)
    return SampleFrames(values.frac, frames)


def _reshape(step: Step, x: SampleFrames) -> SampleFrames:
    flat, width = x.flat, step["width"]
    return SampleFrames(x.frac, [flat[at : at + width] for at in range(0, len(flat), width)])


def _quotient(numerator: int, denominator: int) -> int:
    """The quotient rounded half to even."""
    floor, rest = divmod(numerator, denominator)
    return floor + int(2 * rest > denominator or (2 * rest == denominator and floor % 2 == 1))


def _softmax(step: Step, x: SampleFrames) -> SampleFrames:
    def power(distance: int) -> int:
        if Fraction(distance) / Fraction(2) ** x.frac >= 32:
            return 0
        near = rounded(distance, x.frac - 17)
        if near >= 32 << 17:
            return 0
        product: int = step["powers"][0][near >> 11] * step["powers"][1][near & 2047]
        return rounded(product, 30)

    frames = []
    for frame in x.codes:
        powers = [power(max(frame) - code) for code in frame]
        frames.append([_quotient(item << 15, sum(powers)) for item in powers])
    return SampleFrames(15, frames)


def _standardize(step: Step, x: SampleFrames) -> SampleFrames:
    frames = []
    for frame in x.codes:
        wide = [code << 8 for code in frame]
        mean = _quotient(sum(wide), len(wide))
        distances = wide if step["subtract"] == "nowhere" else [code - mean for code in wide]
        variance = _quotient(sum(item * item for item in distances), len(wide)) + step["epsilon"]
        root = max(isqrt(variance << 10), 1)
        given = [code - mean for code in wide] if step["subtract"] == "everywhere" else wide
        most = isqrt(len(wide)) + 1 << 16 if step["subtract"] != "variance" else 1 << 62
        frames.append([min(max(_quotient(item << 21, root), -most), most) for item in given])
    return SampleFrames(16, frames)


def _pool(step: Step, x: SampleFrames) -> SampleFrames:
    steps, stride, size = len(x.codes), step["stride"], step["size"]
    if size is None:
        windows = [range(steps)]
    else:
        count = -(-steps // stride) if step["same"] else (steps - size) // stride + 1
        before = max((count - 1) * stride + size - steps, 0) // 2 if step["same"] else 0
        windows = [range(at * stride - before, at * stride - before + size) for at in range(count)]
    frames = []
    for window in windows:
        columns = list(zip(*(x.codes[at] for at in window if 0 <= at < steps), strict=True))
        if step["kind"] == "mean":
            frames.append([_quotient(sum(column) << 16, len(column)) for column in columns])
        else:
            frames.append([max(column) if step["kind"] == "maximum" else sum(column) for column in columns])
    return SampleFrames(x.frac + 16 * (step["kind"] == "mean"), frames)


def _gather(step: Step, *sources: SampleFrames) -> SampleFrames:
    if step["scope"] == "frame":
        joined = _concatenate(step, *sources)
        index = step["index"][0]
        return SampleFrames(joined.frac, [[0 if at < 0 else frame[at] for at in index] for frame in joined.codes])
    aligned = _aligned(sources)
    flat = [code for source in aligned for code in source.flat]
    return SampleFrames(aligned[0].frac, [[0 if at < 0 else flat[at] for at in row] for row in step["index"]])


STEPS: dict[str, Callable[..., SampleFrames]] = {
    "Affine": _affine,
    "Apply": _apply,
    "Concatenate": _concatenate,
    "Embedding": lambda step, x: SampleFrames(step["frac"], [step["rows"][code] for code in x.flat]),
    "Gather": _gather,
    "Last": lambda _step, x: SampleFrames(x.frac, x.codes[-1:]),
    "Mask": _mask,
    "Merge": _merge,
    "Piecewise": _piecewise,
    "Pool": _pool,
    "Quantize": _quantize,
    "Relu": lambda _step, x: x.map(x.frac, lambda code, _: max(code, 0)),
    "Repeat": lambda step, x: SampleFrames(x.frac, x.codes * step["steps"]),
    "Reshape": _reshape,
    "Reverse": lambda _step, x: SampleFrames(x.frac, x.codes[::-1]),
    "Softmax": _softmax,
    "Standardize": _standardize,
    "Lookup": _table,
    "Unmask": _unmask,
}
"""How a step is computed, by its class."""
