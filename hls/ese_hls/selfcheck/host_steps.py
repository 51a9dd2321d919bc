# SPDX-License-Identifier: Apache-2.0
"""Intervals of what Keras may compute in a host operation; the operations themselves are exact on integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from ese_hls.quantize import Doubles, evaluate
from ese_hls.selfcheck.engine_layers import Function
from ese_hls.selfcheck.intervals import FLOAT32, Interval
from ese_host.ir import ELEMENT_BITS
from ese_host.ir.program import CENTRE_FRAC, Value, kept_frames, unmasked_steps


@dataclass(frozen=True, eq=False)
class CheckedStep:
    """A host operation and what is known about it.

    Attributes:
        step: the operation.
        node: the graph node that it was made for, or None if it is a part of what a node computes.
        sources: intervals of the tensors that it reads, (N, T, width) each.
        values: the golden program's values of these tensors.
        target: the golden program's value of its result.
    """

    step: Any
    node: Any
    sources: tuple[Interval, ...]
    values: tuple[Value, ...]
    target: Value

    @property
    def result(self) -> Doubles:
        """(N, T, width) real values of the golden program's result."""
        return real(self.target)


def real(value: Value) -> Doubles:
    """(N, T, width) real values of a tensor."""
    return np.ldexp(value.codes.astype(np.float64), -value.tensor.frac)


def interval_of(item: CheckedStep) -> Interval:
    """The interval of the results of a host operation."""
    rule = RULES.get(type(item.step).__name__, _rounded)
    return rule(item)


def _moved(item: CheckedStep) -> Interval:
    """An operation that only moves values, or chooses among them: applied to both ends."""
    step = item.step

    def ends(which: str) -> Doubles:
        reals = [
            replace(value, codes=getattr(source, which))
            for source, value in zip(item.sources, item.values, strict=True)
        ]
        if type(step).__name__ == "Unmask":
            reals[1] = item.values[1]  # whose codes tell which frames are masked
        return np.asarray(step.apply(*reals).codes, dtype=np.float64)

    return Interval(ends("low"), ends("high"))


def _masked(item: CheckedStep) -> Interval:
    """The frames that remain, which the codes tell."""
    kept = unmasked_steps(item.values[-1], item.step.code)
    count = item.target.codes.shape[1]
    low, high = (kept_frames(ends, kept, count) for ends in (item.sources[0].low, item.sources[0].high))
    return Interval(low, high)


def _concatenated(item: CheckedStep) -> Interval:
    ends = (np.concatenate([getattr(source, end) for source in item.sources], axis=2) for end in ("low", "high"))
    return Interval(*ends)


def _merged(item: CheckedStep) -> Interval:
    step = item.step
    first, *others = item.sources
    if step.kind == "multiply":
        return reduce(lambda a, b: (a * b).in_float32(), others, first)
    if step.kind in ("maximum", "minimum"):
        choose = np.maximum if step.kind == "maximum" else np.minimum
        low, high = (reduce(choose, [getattr(s, end) for s in item.sources]) for end in ("low", "high"))
        return Interval(low, high)
    if step.kind == "subtract":
        others = [Interval(-other.high, -other.low) for other in others]
    total = reduce(lambda a, b: (a + b).in_float32(), others, first)
    if step.kind != "average":
        return total
    return Interval(total.low / len(item.sources), total.high / len(item.sources)).in_float32()


def _affine(item: CheckedStep) -> Interval:
    step = item.step
    scale, offset = (
        np.ldexp(codes.astype(np.float64), -frac)
        for codes, frac in ((step.scale, step.scale_frac), (step.offset, step.offset_frac))
    )
    source = item.sources[0]
    exact = item.node is not None and item.node.get_attr("operation") == "affine"
    factor = np.broadcast_to(item.node.get_attr("factor"), scale.shape) if exact else scale
    shift = np.broadcast_to(item.node.get_attr("offset"), scale.shape) if exact else offset
    error = (
        np.minimum(np.abs(factor - scale), np.ldexp(0.5, -step.scale_frac))
        if exact
        else np.ldexp(0.5, -step.scale_frac)
    )
    lost = (
        np.minimum(np.abs(shift - offset), np.ldexp(0.5, -step.offset_frac))
        if exact
        else np.ldexp(0.5, -step.offset_frac)
    )
    result = Interval.point(factor) * source + Interval.point(shift)
    lost = np.where(step.offset == 0, np.abs(shift), lost)
    noise = 4 * FLOAT32 * (source.largest * np.abs(factor) + np.abs(shift) + result.largest)
    return result.widened(source.largest * error + lost + noise)


def _applied(item: CheckedStep) -> Interval:
    step, node = item.step, item.node
    if node is None or node.get_attr("function") is None:
        return _rounded(item)
    rounds = node.get_attr("output") is not None
    return Function.of(node.get_attr("function"), f"layer {node.name!r}", step.activation, rounds)(item.sources[0])


def _quantized(item: CheckedStep) -> Interval:
    """A quantizer of the model rounds in Keras too; any other rounding is the conversion's own."""
    step = item.step
    source = item.sources[0].in_float32() if item.node is not None else item.sources[0]
    return source.rounded(step.format) if item.node is not None else source.about_rounded(step.format)


def _pieces(item: CheckedStep) -> Interval:
    """Slopes and offsets are rounded, bounds are not."""
    step, node = item.step, item.node
    slopes = np.ldexp(step.slopes.astype(np.float64), -step.slope_frac)
    offsets = np.ldexp(step.offsets.astype(np.float64), -step.offset_frac)
    steepness, lost = np.zeros_like(slopes), np.zeros_like(offsets)
    if node is not None and node.get_attr("slopes") is not None:
        steepness = np.minimum(np.abs(node.get_attr("slopes") - slopes), np.ldexp(0.5, -step.slope_frac))
        lost = np.minimum(np.abs(node.get_attr("offsets") - offsets), np.ldexp(0.5, -step.offset_frac))
    source, ends = item.sources[0], []
    for values in (source.low, source.high):
        codes = np.ceil(np.ldexp(values, item.values[0].tensor.frac))
        piece = (codes[..., None, :] >= step.bounds).sum(axis=-2)
        column = np.arange(values.shape[-1]) % slopes.shape[1]
        error = steepness[piece, column] * np.abs(values) + lost[piece, column]
        value = slopes[piece, column] * values + offsets[piece, column]
        ends += [value - error, value + error]
    result = Interval(np.minimum.reduce(ends), np.maximum.reduce(ends))
    return result.widened(2 * FLOAT32 * result.largest)


def _looked_up(item: CheckedStep) -> Interval:
    """Keras's own values, rounded to the last bit unless a quantizer of the model rounds them."""
    step, source, frac = item.step, item.sources[0], item.values[0].tensor.frac
    first, last = (
        np.clip(way(np.ldexp(ends, frac)).astype(np.int64) - step.first, 0, len(step.codes) - 1)
        for way, ends in ((np.floor, source.low), (np.ceil, source.high))
    )
    low, high = step.codes[first], step.codes[first]
    for ahead in range(1, int((last - first).max(initial=0)) + 1):
        value = step.codes[np.minimum(first + ahead, last)]
        low, high = np.minimum(low, value), np.maximum(high, value)
    rounds = item.node is not None and item.node.get_attr("output") is not None
    ends = [np.ldexp(end.astype(np.float64), -step.frac) for end in (low, high)]
    if not rounds:  # where the table has the last code of an element, Keras's value may lie beyond
        ends = [
            np.where(end == limit, np.sign(limit) * FAR, real)
            for end, limit, real in zip((low, high), LIMITS, ends, strict=True)
        ]
    result = Interval(*ends)
    reach = [np.ldexp(float(code), -frac) for code in (step.first, step.first + len(step.codes) - 1)]
    function = None if item.node is None else item.node.get_attr("function")
    if function is not None:  # Keras's function also has values beyond the format to which its argument is saturated
        for values in (source.low, source.high):
            beyond = (values < reach[0]) | (values > reach[1])
            result = result.hull(np.where(beyond, evaluate(function, values.astype(np.float32)), result.low))
    return result.widened(0.0 if rounds else np.ldexp(0.5, -step.frac)).widened(2 * FLOAT32 * result.largest)


def _picked(item: CheckedStep) -> Interval:
    """An operation that picks elements, whose values the golden program has exactly."""
    pairs = [(source, real(value)) for source, value in zip(item.sources, item.values, strict=True)]
    radius = max(float(np.maximum(source.high - value, value - source.low).max(initial=0.0)) for source, value in pairs)
    return Interval.point(item.result).widened(max(radius, 0.0)).in_float32()


def _embedded(item: CheckedStep) -> Interval:
    return Interval.point(item.result).widened(np.ldexp(0.5, -item.step.frac))


def _rounded(item: CheckedStep) -> Interval:
    """An operation that rounds to the last bit of its result, and whose result follows its source's radius."""
    last = np.ldexp(1.0, -item.target.tensor.frac)
    noise = 4 * FLOAT32 * max(float(source.largest.max(initial=0.0)) for source in item.sources)
    return _picked(item).widened(last + noise)


def _pooled(item: CheckedStep) -> Interval:
    return _picked(item) if item.step.kind == "maximum" else _rounded(item)


def _shares(item: CheckedStep) -> Interval:
    """A softmax: half of the last bit, and what its exponentials, of rounded distances, may differ."""
    return _picked(item).widened(SHARE_ERROR * np.ldexp(1.0, -item.target.tensor.frac) + 8 * FLOAT32)


def _standardized(item: CheckedStep) -> Interval:
    """Rounding and noise of the input, and of its mean, are divided by the standard deviation."""
    step, x, frac = item.step, item.sources[0].middle, item.values[0].tensor.frac
    mean = x.mean(axis=2, keepdims=True)
    centre = 0.0 if step.subtract == "nowhere" else mean
    epsilon = np.ldexp(float(step.epsilon), -2 * frac - 16)
    deviation = np.sqrt(((x - centre) ** 2).mean(axis=2, keepdims=True) + epsilon)
    of_mean = np.abs(np.ldexp(np.rint(np.ldexp(mean, frac + CENTRE_FRAC)), -frac - CENTRE_FRAC) - mean)
    noise = 4 * FLOAT32 * np.abs(x).max(axis=2, keepdims=True)
    reach = 1 + np.abs(item.result)  # a change of the input changes the standard deviation, too
    lost = 4 * item.sources[0].radius.max(axis=2, keepdims=True) * reach + 1.1 * of_mean + noise
    last = np.ldexp(1.0, -item.target.tensor.frac)
    return Interval.point(item.result).widened(last * reach + lost / deviation)


SHARE_ERROR = 0.8
"""Largest error of a softmax on the host, in units of its last bit, for exact inputs."""
FAR = float(np.finfo(np.float32).max)
"""A bound of values that were saturated."""
LIMITS = (-(1 << ELEMENT_BITS - 1), (1 << ELEMENT_BITS - 1) - 1)
"""The smallest and the largest code of a vector element."""
RULES: dict[str, Callable[[CheckedStep], Interval]] = {
    **dict.fromkeys(("Last", "Relu", "Repeat", "Reshape", "Reverse", "Unmask"), _moved),
    "Affine": _affine,
    "Apply": _applied,
    "Concatenate": _concatenated,
    "Embedding": _embedded,
    "Gather": _picked,
    "Lookup": _looked_up,
    "Mask": _masked,
    "Merge": _merged,
    "Piecewise": _pieces,
    "Pool": _pooled,
    "Quantize": _quantized,
    "Softmax": _shares,
    "Standardize": _standardized,
}
"""Rules by the name of the step's class."""
