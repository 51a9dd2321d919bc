# SPDX-License-Identifier: Apache-2.0
"""The skip-mode simulator against a machine clocked cycle by cycle, and against EIE's published figures."""

import time
from collections import deque

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks.machines import EIE_LAYERS, DrawnLayer, FcLayer, Machine, column_entries, draw, run_layer, simulate
from ese_host.errors import FormatError, UnsupportedError
from ese_host.image.interleave import Interleave, relative_index

Work = npt.NDArray[np.int64]


def clocked(work: Work, depth: int) -> tuple[int, int, list[int]]:
    """The rules of `skip`, one cycle at a time: cycles, stalls, busy cycles of each PE."""
    columns, pes = work.shape
    queues: list[deque[int]] = [deque() for _ in range(pes)]
    left = [0] * pes
    busy = [0] * pes
    cycle = sent = stalls = 0
    while sent < columns or any(queues):
        full = any(len(queue) == depth for queue in queues)
        waiting = [bool(queue) for queue in queues]
        for pe, queue in enumerate(queues):
            if not waiting[pe]:
                continue
            if not left[pe]:
                left[pe] = max(1, work[queue[0], pe])
            left[pe] -= 1
            busy[pe] += 1
            if not left[pe]:
                queue.popleft()
        if sent < columns:
            if full:
                stalls += 1
            else:
                for queue in queues:
                    queue.append(sent)
                sent += 1
        cycle += 1
    return cycle, stalls, busy


works = arrays.arrays(
    np.int64,
    st.tuples(st.integers(0, 14), st.integers(1, 6)),
    elements=st.one_of(st.integers(0, 3), st.integers(0, 12)),
)


@given(works, st.integers(1, 9))
@settings(max_examples=400, deadline=None)
def test_equals_the_machine_clocked_cycle_by_cycle(work: Work, depth: int) -> None:
    run = simulate(work, depth)
    assert (run.cycles, run.stalls, run.busy.tolist()) == clocked(work, depth)


@given(works, st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_deeper_fifos_are_never_slower_and_endless_ones_meet_the_fullest_pe(work: Work, depth: int) -> None:
    assert simulate(work, depth + 1).cycles <= simulate(work, depth).cycles
    endless = simulate(work, len(work) + 1)
    assert endless.stalls == 0
    floor = np.maximum(work, 1).sum(axis=0).max(initial=0)
    assert floor <= endless.cycles <= floor + len(work) + 1


def test_known_runs() -> None:
    assert simulate(np.array([[3]]), 1).cycles == 4  # one cycle of broadcast, three of work
    assert simulate(np.array([[1, 1], [1, 1]]), 1).cycles == 4  # a slot is free one cycle later
    assert simulate(np.array([[1, 1], [1, 1]]), 2).cycles == 3
    assert simulate(np.array([[0, 0], [0, 0], [0, 0]]), 8).cycles == 4  # empty columns cost a cycle each
    assert simulate(np.zeros((0, 4), np.int64), 8).starved == 0.0


@pytest.mark.parametrize("work", [np.array([1, 2]), np.array([[-1]]), np.zeros((3, 0), np.int64)])
def test_work_that_is_none_is_refused(work: Work) -> None:
    with pytest.raises(FormatError, match="one PE at least"):
        simulate(work, 8)


def test_refusals_name_the_value() -> None:
    with pytest.raises(UnsupportedError, match="FIFO depth is 0; at least 1"):
        simulate(np.array([[1]]), 0)
    with pytest.raises(FormatError, match=r"\(5, 3\); expected \(6, columns\)"):
        column_entries(np.zeros((5, 3), bool), Interleave(6, 2))


@given(
    arrays.arrays(np.bool_, st.tuples(st.integers(1, 80), st.integers(1, 5)), elements=st.booleans()),
    st.floats(0, 1),
    st.integers(1, 5),
    st.integers(1, 4),
)
@settings(max_examples=150, deadline=None)
def test_entries_are_the_relative_index_of_each_column(
    mask: npt.NDArray[np.bool_], keep: float, pes: int, bits: int
) -> None:
    mask = mask & (np.random.default_rng(len(mask)).random(mask.shape) < keep)
    found = column_entries(mask, Interleave(len(mask), pes), bits)
    for column in range(mask.shape[1]):
        for pe in range(pes):
            places = np.flatnonzero(mask[pe::pes, column])
            assert found.weights[column, pe] == len(places)
            assert found.entries[column, pe] == len(relative_index(places, "codebook4", bits)[0])


@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 4), st.integers(1, 12), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_batches_hold_every_weight_once(inputs: int, outputs: int, pes: int, registers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    active = np.sort(rng.choice(inputs, rng.integers(0, inputs + 1), replace=False))
    layer = DrawnLayer(inputs, active, rng.random((outputs, len(active))) < 0.3)
    one, several = run_layer(layer, Machine(pes)), run_layer(layer, Machine(pes, registers=registers))
    assert one.weights == several.weights == int(layer.mask.sum())
    limit = registers * pes
    batches = -(-inputs // limit) * -(-outputs // limit)
    assert (several.transfer > 0) == (batches > 1)
    if batches == 1:
        assert several == one


@pytest.mark.parametrize("layer", EIE_LAYERS, ids=lambda layer: layer.name)
def test_eie_layers_within_eight_points_of_the_published(layer: FcLayer) -> None:
    start = time.perf_counter()
    run = run_layer(draw(layer, 0), Machine(registers=64))
    assert time.perf_counter() - start < 20
    assert abs(run.utilisation - layer.published_utilisation) < 0.08
    assert run.weight_utilisation <= run.work_utilisation <= min(1, run.utilisation)
    assert run.floor_utilisation <= 1


def test_fifo_depth_and_scaling_as_eie_reports_them() -> None:
    layer = draw(EIE_LAYERS[1], 0)
    depth = {deep: run_layer(layer, Machine(depth=deep)).utilisation for deep in (1, 2, 8, 16, 256)}
    assert 0.4 < depth[1] < 0.6 and depth[8] > 0.8
    assert depth[16] - depth[8] < 0.03 < depth[2] - depth[1]
    cycles = {pes: run_layer(layer, Machine(pes)).cycles for pes in (1, 64, 128, 256)}
    assert [round(cycles[1] / cycles[p]) for p in (64, 128, 256)] == pytest.approx([64, 124, 210], rel=0.2)


def test_a_seed_gives_the_same_layer_and_rows_can_differ_in_density() -> None:
    layer = EIE_LAYERS[6]
    assert (draw(layer, 3).mask == draw(layer, 3).mask).all()
    assert (draw(layer, 3).mask != draw(layer, 4).mask).any()
    spread = draw(layer, 3, row_spread=0.5).mask.mean(axis=1)
    assert spread.mean() == pytest.approx(layer.weight_density, rel=0.15)
    assert spread.std() / spread.mean() == pytest.approx(0.5, rel=0.25)
