# SPDX-License-Identifier: Apache-2.0
"""Answers have the computed size, and are read as they were laid out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import DeviceError
from ese_host.files.words import Words
from ese_host.ir.fixed import Fixed
from ese_host.protocol.answer_shape import AnswerShape, TraceStage
from ese_host.protocol.packets import TRAILER_WORDS

Values = dict[tuple[int, int, str, int], tuple[int, int, int]]


def shape_of(every_step: bool, output: Fixed | None = None) -> AnswerShape:
    stages = (
        TraceStage("lstm", "cells", 3, 14, True),
        TraceStage("dense", "rows", 2, 36, every_step),
    )
    return AnswerShape(4, 2, every_step, Fixed(8, 3), output, stages)


def halves(value: int) -> list[int]:
    return [value & 0xFFFFFFFF, (value >> 32) & 0xFFFFFFFF]


def answer(shape: AnswerShape, lengths: list[int], rng: np.random.Generator, trace: bool) -> tuple[Words, Values]:
    """An answer built word by word, and the values in it."""
    words: list[int] = []
    values: Values = {}
    for sequence, steps in enumerate(lengths):
        for step in range(steps):
            for stage in shape.stages:
                if not (stage.every_step or step == steps - 1):
                    continue
                for item in range(stage.items):
                    exact = int(rng.integers(-(1 << 62), 1 << 62))
                    stored, cell = (int(rng.integers(-(1 << 15), 1 << 15)) for _ in "hc")
                    values[sequence, step if stage.every_step else 0, stage.layer, item] = exact, stored, cell
                    if trace:
                        words += [*halves(exact), stored & 0xFFFFFFFF, cell & 0xFFFFFFFF]
                    elif stage is shape.stages[-1]:
                        words += halves(exact)
    return np.array(words + [0] * TRAILER_WORDS, dtype=np.uint32), values


@given(st.booleans(), st.booleans(), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 1 << 30))
def test_reads_what_was_laid_out(every_step: bool, trace: bool, lengths: list[int], seed: int) -> None:
    shape = shape_of(every_step)
    words, values = answer(shape, lengths, np.random.default_rng(seed), trace)
    assert len(words) == shape.words(lengths, trace)
    outputs, traces = shape.read(words, lengths, trace)
    assert outputs.shape == (len(lengths), max(lengths) if every_step else 1, 2)
    assert [item.stage for item in traces] == (list(shape.stages) if trace else [])
    for (sequence, step, layer, item), (exact, stored, cell) in values.items():
        if layer == "dense":
            assert outputs[sequence, step, item] == exact
        for trace_of_stage in traces:
            if trace_of_stage.stage.layer == layer:
                assert trace_of_stage.exact[sequence, step, item] == exact
                assert trace_of_stage.stored[sequence, step, item] == stored
                assert trace_of_stage.cell[sequence, step, item] == cell


def test_outputs_of_a_trace_are_in_the_output_format() -> None:
    shape = shape_of(False, Fixed(8, 2))
    words = np.zeros(3 * 4 + 2 * 4 + TRAILER_WORDS, dtype=np.uint32)
    words[12:14] = halves(5 << 29)
    outputs, _ = shape.read(words, [1], True)
    assert outputs.tolist() == [[[2, 0]]]
    assert shape.frac == 6


@pytest.mark.parametrize("change", [-2, -1, 1, 2])
@pytest.mark.parametrize("trace", [False, True])
def test_an_answer_of_another_length_is_refused(change: int, trace: bool) -> None:
    shape = shape_of(True)
    expected = shape.words([2, 3], trace)
    with pytest.raises(
        DeviceError, match=rf"answer has {expected + change} words; {expected} are expected for these 2 sequences"
    ):
        shape.read(np.zeros(expected + change, dtype=np.uint32), [2, 3], trace)
