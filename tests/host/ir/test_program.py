"""Random programs, compared with a reference in exact fractions, and properties that hold for all programs."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_golden import activate, quantize, real

from ese_host.ir import Codes, golden
from ese_host.ir.program import (
    Affine,
    Apply,
    Chain,
    Concatenate,
    Last,
    Merge,
    Program,
    Quantize,
    Relu,
    Repeat,
    Reshape,
    Reverse,
    Ternary,
    run,
)
from support.programs import program_inputs, random_program

Sample = list[list[Fraction]]
SEEDS = st.integers(0, 2**32 - 1)


def merged(kind: str, items: list[Fraction]) -> Fraction:
    if kind == "multiply":
        return items[0] * items[1]
    if kind in ("maximum", "minimum"):
        return max(items) if kind == "maximum" else min(items)
    total = sum(items, Fraction(0))
    return {"add": total, "subtract": items[0] - items[1], "average": total / 2}[kind]


def map_elements(frames: Sample, function: Any) -> Sample:
    return [[function(x, i) for i, x in enumerate(frame)] for frame in frames]


def reference(step: Any, sources: list[Sample]) -> Sample:
    """Compute one step for one sample, in exact fractions."""
    x = sources[0]
    if isinstance(step, Chain):
        form = step.network.source
        frames = x[::-1] if step.backwards else x
        codes = np.array([[int(v * Fraction(2) ** form.frac) for v in frame] for frame in frames])
        result = golden.run(step.network, codes[None])
        outputs = [[Fraction(int(v)) / Fraction(2) ** result.frac for v in frame] for frame in result.outputs[0]]
        return outputs[::-1] if step.backwards else outputs
    if isinstance(step, Concatenate):
        return [list(chain.from_iterable(frames)) for frames in zip(*sources, strict=True)]
    if isinstance(step, Merge):
        pairs = zip(*sources, strict=True)
        return [[merged(step.kind, list(items)) for items in zip(*frames, strict=True)] for frames in pairs]
    if isinstance(step, Affine):
        scale, offset = real(step.scale, step.scale_frac), real(step.offset, step.offset_frac)
        return map_elements(x, lambda v, i: v * scale[i] + offset[i])
    if isinstance(step, Apply):
        return map_elements(x, lambda v, _: activate(v, step.activation, step.table))
    if isinstance(step, Quantize):
        return map_elements(x, lambda v, _: quantize(v, step.format))
    if isinstance(step, Relu):
        return map_elements(x, lambda v, _: max(v, Fraction(0)))
    if isinstance(step, Ternary):
        threshold, one = Fraction(step.threshold) / Fraction(2) ** step.threshold_frac, Fraction(2) ** -step.frac
        return map_elements(x, lambda v, _: one if v >= threshold else -one if v <= -threshold else Fraction(0))
    if isinstance(step, (Last, Reverse)):
        return x[-1:] if isinstance(step, Last) else x[::-1]
    if isinstance(step, Repeat):
        return x * step.steps
    assert isinstance(step, Reshape)
    flat = list(chain.from_iterable(x))
    return [flat[i : i + step.width] for i in range(0, len(flat), step.width)]


def drawn(seed: int, samples: int) -> tuple[Program, dict[str, Codes], Codes]:
    """A random program, codes for map_elements of its inputs, and the number of steps of map_elements sample."""
    rng = np.random.default_rng(seed)
    program = random_program(rng)
    return program, *program_inputs(rng, program, samples)


@settings(max_examples=60)
@given(SEEDS)
def test_programs_equal_exact_fractions(seed: int) -> None:
    program, given_inputs, steps = drawn(seed, 3)
    result = run(program, given_inputs, steps)
    for sample in range(3):
        expected: dict[str, Sample] = {}
        for name, value in result.tensors.items():
            codes, count = value.codes[sample], value.steps[sample]
            frames = [[Fraction(int(v)) / Fraction(2) ** value.tensor.frac for v in f] for f in codes[:count]]
            assert not codes[count:].any()
            step = next((step for step in program.steps if step.target == name), None)
            expected[name] = frames if step is None else reference(step, [expected[source] for source in step.sources])
            assert frames == expected[name], step


@given(SEEDS)
@settings(max_examples=40)
def test_values_stay_within_what_is_known_of_their_tensors(seed: int) -> None:
    program, given_inputs, steps = drawn(seed, 4)
    for value in run(program, given_inputs, steps).tensors.values():
        codes = value.codes[np.broadcast_to(value.inside, value.codes.shape)]
        assert value.tensor.low <= codes.min() and codes.max() <= value.tensor.high


@given(SEEDS)
@settings(max_examples=20)
def test_samples_do_not_depend_on_each_other(seed: int) -> None:
    program, codes, steps = drawn(seed, 3)
    together = run(program, codes, steps)
    for sample in range(3):
        alone = run(program, {k: [v[sample, : min(steps[sample], v.shape[1])]] for k, v in codes.items()})
        for name, value in alone.tensors.items():
            np.testing.assert_array_equal(value.codes[0], together.tensors[name].codes[sample, : value.codes.shape[1]])
