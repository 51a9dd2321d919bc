# SPDX-License-Identifier: Apache-2.0
"""Random programs, compared with the second decoder, and properties that hold for all programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_host.files import encode
from ese_host.ir import Codes, golden
from ese_host.ir.program import Chain, Program, run
from support.programs import program_inputs, random_program
from support.second_decoder import SampleFrames, apply

SEEDS = st.integers(0, 2**32 - 1)


def reference(step: Any, sources: list[SampleFrames]) -> SampleFrames:
    """Compute one step for one sample by the second decoder; a chain by the golden model."""
    if not isinstance(step, Chain):
        return apply(encode(step, lambda array, _: array.tolist(), "class"), *sources)
    frames = sources[0].codes[::-1] if step.backwards else sources[0].codes
    result = golden.run(step.network, np.array([frames]))
    outputs = result.outputs[0].tolist()
    return SampleFrames(result.frac, outputs[::-1] if step.backwards else outputs)


def drawn(seed: int, samples: int) -> tuple[Program, dict[str, Codes], Codes]:
    """A random program, codes for map_elements of its inputs, and the number of steps of map_elements sample."""
    rng = np.random.default_rng(seed)
    program = random_program(rng)
    return program, *program_inputs(rng, program, samples)


@settings(max_examples=80)
@given(SEEDS)
def test_programs_equal_the_second_decoder(seed: int) -> None:
    program, given_inputs, steps = drawn(seed, 3)
    result = run(program, given_inputs, steps)
    for sample in range(3):
        expected: dict[str, SampleFrames] = {}
        for name, value in result.tensors.items():
            codes, count = value.codes[sample], value.steps[sample]
            frames = SampleFrames(value.tensor.frac, codes[:count].tolist())
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
