# SPDX-License-Identifier: Apache-2.0
"""The cycle model on phase tables that no encoder writes: it ends, with a count or with a refusal."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from ese_host.errors import FormatError
from ese_host.estimate.cycles.hls import ElementwiseStage, Frames, HlsCycleModel
from ese_host.estimate.cycles.rtl import RtlCycleModel
from ese_host.estimate.cycles.schedule import STEADY, CycleModel, PhaseWork, Span
from ese_host.image import Phase
from ese_host.image.phases import FLAGS

LATE, STEPS = 200, 8
"""A step by which the longest stage that a prologue may launch is over, and steps averaged over."""
READS = {"waits_frame", "frees_frame", "dense"}


def model(*phases: Phase, inputs: int = 12) -> HlsCycleModel:
    return HlsCycleModel(phases, [PhaseWork(phase.entry_count, 0, 0) for phase in phases], 1, False, inputs)


@pytest.mark.parametrize("steps", [1, 29, 1000])
@pytest.mark.parametrize("flags", [{"waits_frame"}, {"waits_frame", "dense"}, {"waits_frame", "last_only"}])
def test_a_frame_that_never_comes_is_refused(flags: set[str], steps: int) -> None:
    table = model(Phase(flags=READS, entry_count=5, items=8), Phase(flags=flags, entry_count=5, items=8))
    with pytest.raises(FormatError, match=r"phase 1 of the image waits for an input frame, but .* read all frames"):
        table.sequence(steps)


def test_any_phase_table_ends_in_time_that_follows_from_its_steps() -> None:
    """Random flags and sizes, the largest among them: a step of a phase takes microseconds, whatever it waits for."""
    rng = np.random.default_rng(5)
    counted = refused = 0
    start = time.process_time()
    for _ in range(300):
        sizes = [0, 1, 40, 65_535]
        phases = [
            Phase(
                flags={name for name in FLAGS if rng.random() < 0.3},
                entry_count=int(rng.choice(sizes)),
                items=int(rng.choice(sizes)),
            )
            for _ in range(rng.integers(1, 5))
        ]
        try:
            found = model(*phases, inputs=(1 << 14) - 1).sequence(20, trace=bool(rng.random() < 0.3))
        except FormatError:
            refused += 1
        else:
            counted += 1
            assert found.total > 0 and sum(found.by_cause.values()) == pytest.approx(found.total)
    assert counted > 30 and refused > 30
    assert time.process_time() - start < 5


def test_a_frame_is_complete_where_its_words_have_been_counted_one_by_one() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        first, period, issues, words = (int(n) for n in rng.integers((0, 1, 1, 1), (40, 9, 30, 40)))
        stage = ElementwiseStage(first, period, issues, targets=frozenset({int(rng.integers(2))}))
        frames, now = Frames(words, 0, words, at=first), first
        expected = frames.complete_at(stage)
        while not frames.ready:
            now += 1
            frames.advance(now, False, stage)
        assert now == expected


def test_a_stage_without_items_is_waited_for_by_nobody() -> None:
    reads = Phase(entry_count=5)
    empty = Phase(flags={"dense", "first_enabled"}, items=0)
    with_stage, without = model(empty, reads).sequence(2), model(Phase(), reads).sequence(2)
    assert with_stage.by_cause["element-wise"] == 0
    assert with_stage.total == without.total + 2  # an iteration for each launch


@pytest.mark.parametrize(
    ("pes", "flags", "per_row"),
    [
        (8, {"dense"}, 0.5),
        (8, {"dense", "emits", "emits_stored"}, 0.5),
        (8, {"dense", "emits"}, 2),
        (7, {"dense"}, 1),
        (8, {"lstm"}, 1),
    ],
)
def test_one_unit_takes_two_rows_at_once(pes: int, flags: set[str], per_row: float) -> None:
    """They are rows of neighbouring PEs and of no LSTM, for which no exact values leave."""

    def total(items: int) -> int:
        phases = (Phase(flags=flags | {"first_enabled"}, items=items), Phase(entry_count=1))
        return HlsCycleModel(phases, [PhaseWork(0, 0, 0)] * 2, 1, False, 12, pes).sequence(1).total

    assert total(80) - total(40) == 40 * per_row


def lane(spans: tuple[Span, ...], name: str) -> list[Span]:
    return sorted((span for span in spans if span.lane == name), key=lambda span: span.begin)


@pytest.mark.parametrize("engine", [HlsCycleModel, RtlCycleModel])
def test_a_timeline_has_every_iteration_of_a_step_once(engine: type[CycleModel]) -> None:
    """The PEs work or wait in each, as long as an account says; no other part does two things at once."""
    rng = np.random.default_rng(7)
    drawn = 0
    while drawn < 30:
        phases = [
            Phase(
                flags={name for name in FLAGS if rng.random() < 0.3},
                entry_count=int(rng.integers(60)),
                items=int(rng.integers(40)),
            )
            for _ in range(rng.integers(1, 5))
        ]
        made = engine(phases, [PhaseWork(phase.entry_count, 0, 0) for phase in phases], 1, False, 12)
        try:
            spans = made.timeline(LATE)
        except FormatError:
            continue
        drawn += 1
        early, late = made.sequence(LATE), made.sequence(LATE + STEPS)
        pes = lane(spans, "PEs")
        assert [span.begin for span in pes] == [0, *(span.end for span in pes[:-1])]
        assert pes[-1].end * STEPS == late.total - early.total
        assert sum(span.end - span.begin for span in pes if span.cause is None) * STEPS == late.matrix - early.matrix
        assert [phases[span.phase].entry_count for span in pes if span.phase is not None] == [
            span.end - span.begin for span in pes if span.cause is None
        ]
        for name in ("element-wise", "input"):
            working = lane(spans, name)
            assert all(one.end <= other.begin for one, other in pairwise(working)), name
        assert made.spans is None


@pytest.mark.parametrize(("engine", "expected"), [(HlsCycleModel, (0, 6)), (RtlCycleModel, (5, 7))])
def test_a_timeline_shows_the_next_frame_behind_the_last_matrix_that_reads_one(
    engine: type[CycleModel], expected: tuple[int, int]
) -> None:
    """It has 12 elements in 6 words, and a matrix that reads the other vector RAM follows.

    In RTL, reads of the vector RAM lag behind the entries, so that the last one holds the first word up for a clock.
    """
    phases = (
        Phase(flags={"waits_frame", "frees_frame"}, entry_count=100),
        Phase(flags={"source_ram"}, entry_count=50),
    )
    made = engine(phases, [PhaseWork(phase.entry_count, 0, 0) for phase in phases], 1, False, 12)
    spans = made.timeline(STEADY)
    (frame,) = lane(spans, "input")
    matrices = [span for span in lane(spans, "PEs") if span.cause is None]
    assert (frame.begin - matrices[0].end, frame.end - frame.begin) == expected
