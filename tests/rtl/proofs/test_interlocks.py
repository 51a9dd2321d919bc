# SPDX-License-Identifier: Apache-2.0
"""Sequencer, sweeper and stage, proved: filling, reading and clearing of accumulators are kept apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from amaranth.hdl import Const, Mux, Signal

from ese_rtl.control.frames import FrameStore
from ese_rtl.control.sequencer import Sequencer
from ese_rtl.control.stage import Stage
from ese_rtl.control.sweeper import Sweeper
from ese_rtl.sizes import Sizes
from support.designs import roomy
from support.proof import Claims, by_induction, mutated, opened, unreached, within_clocks

SIZES = Sizes(replace(roomy("one-pe")[1], group_depth=2))
TWO_UNITS = Sizes(replace(roomy("fc", cells_per_cycle=2)[1], group_depth=2))
"""Of a design with eight rows, so that few clocks are enough to clear them."""
SOON = ("SETTLE = FILL_LATENCY - 2", "SETTLE = 1")
"""A launch soon after the matrix, which changes nothing that is claimed: for counterexamples from reset on."""


def interlocks(sequencer_kind: Any = Sequencer, sweeper_kind: Any = Sweeper) -> Claims:
    """Sequencer and sweeper, connected as in the core; records of phases, the end of a matrix, and the stage are free.

    The stage does what `stage` below claims. The packets' part clears all accumulators (`forget`) only while no
    sequence is under way, and starts none before that is done; it may end a sequence early (`abort`).

    - not on a pending set: no entry runs that would add to a set which has not been read and cleared.
    - launch alone: a stage is launched only while no stage is busy and no set is pending.
    - sweep alone: a row is cleared only in clocks without an entry.
    - sweep after reading: a row is cleared for a stage only once the stage has read all its rows.
    - all rows: when a set counts as clear, as many rows have been cleared as the stage has read.
    - sweep ends: it takes at most one clock without an entry more than rows.
    - forgetting ends: clearing all rows of both sets takes as many clocks as there are.
    - one state: the sequencer is in exactly one state.
    """
    c = Claims()
    m = c.m
    sizes = SIZES
    sequencer, sweeper = sequencer_kind(sizes), sweeper_kind(sizes)
    states = opened(sequencer)["states"]._is
    inside = opened(sweeper)
    abort, forget = c.free("abort"), c.free("forget")
    rows, drained = c.free("rows", sizes.row_bits + 1), c.free("drained")
    c.part(
        "sequencer", sequencer, abort, sweep_pending=sweeper.pending,
    )  # fmt: skip
    c.part(
        "sweeper", sweeper, abort, launch=sequencer.launch, launched_set=sequencer.fill_set, drained=drained, rows=rows,
        free=~sequencer.run, forget=forget,
    )  # fmt: skip
    forgetting, ended, some, last = (inside[name] for name in ("forgetting", "ended", "some", "last"))
    for name in ("forgetting", "ended", "some", "last"):
        c.show(f"sweeper.{name}", inside[name])
    for name, signal in states.items():
        c.show(f"state.{name}", signal)

    # what the stage does
    launched, was_drained = c.before(sequencer.launch & ~abort, "launched"), c.before(drained, "was drained", 1)
    aborted = c.before(abort, "aborted")
    c.given(~launched | ~drained)
    c.given(~was_drained | launched | drained | aborted)
    c.given(~(drained | was_drained) | launched | aborted | (rows == c.before(rows, "rows before")))
    c.given(~aborted | drained)
    c.given(rows <= sizes.rows)
    # what the packets' part does
    c.given(~forget | ~(sequencer.active | forgetting | aborted | abort))
    c.given(~sequencer.start | ~(sequencer.active | forgetting | forget))

    swept, used, forgets = Signal(range(2 * sizes.rows)), Signal(range(2 * sizes.rows)), Signal(range(4 * sizes.rows))
    m.d.sync += [swept.eq(swept + sweeper.sweep), forgets.eq(forgets + 1)]
    with m.If(sweeper.pending.any() & drained & ~sequencer.run):
        m.d.sync += used.eq(used + 1)
    with m.If(sequencer.launch | abort):
        m.d.sync += [swept.eq(0), used.eq(0)]
    with m.If(forget):
        m.d.sync += forgets.eq(0)

    pending, row = sweeper.pending.any(), sweeper.row
    working = pending & drained & ~ended
    c.always["not on a pending set"] = ~(sequencer.run & sweeper.pending.bit_select(sequencer.fill_set, 1))
    c.always["launch alone"] = ~sequencer.launch | (~sequencer.stage_busy & ~pending)
    c.always["sweep alone"] = ~(sweeper.sweep & sequencer.run)
    c.always["sweep after reading"] = ~sweeper.sweep | forgetting | (pending & drained)
    c.always["all rows"] = Mux(pending & ended, swept == rows, 1)
    c.always["sweep ends"] = Mux(pending, used <= rows + 1, 1)
    c.always["forgetting ends"] = Mux(forgetting, forgets < 2 * sizes.rows, 1)
    c.always["one state"] = sum(states.values(), Const(0)) == 1
    # what carries the induction
    c.always["the pending set"] = ~pending | (sweeper.pending == 1 << sweeper.set)
    c.always["before reading"] = Mux(pending & ~drained, (swept == 0) & (used == 0) & ~ended, 1)
    c.always["ends while pending"] = ~ended | (pending & drained)
    c.always["rows to come"] = Mux(working & some, (row + 1 + swept == rows) & (last == (row == 0)), 1)
    c.always["rows or none"] = Mux(working, (some == (rows != 0)) & (some | (swept == 0)), 1)
    c.always["clocks"] = Mux(working, used == swept, 1) & Mux(ended, used <= swept + ~some, 1)
    c.always["pending in a sequence"] = ~pending | (sequencer.active & ~forgetting)
    c.always["forgetting outside"] = ~forgetting | ~sequencer.active
    left = row + Mux(sweeper.set, 0, sizes.rows)
    c.always["forgetting goes on"] = Mux(forgetting, (forgets + left == 2 * sizes.rows - 1) & (last == (row == 0)), 1)
    c.happens["a matrix beside a pending set"] = sequencer.run & pending
    c.happens["a sweep"] = sweeper.sweep & pending & (rows > 1)
    c.happens["a set is clear"] = ended & some
    c.happens["forgetting"] = forgetting
    return c


def stage(kind: Any = Stage, sizes: Sizes = SIZES) -> Claims:
    """The stage, as the sweeper takes it for granted: launches come whenever no stage is under way.

    - no unit alone: an item or a second row of a unit comes only with one of unit 0, which alone decides when the stage
      has read all its rows.
    - not drained: from the clock after a launch, the stage has not read all its rows.
    - stays drained: once it has, that stays so until the next launch.
    - rows stand still: their number is the same from the clock before on.
    """
    c = Claims()
    part = kind(sizes)
    inside = opened(part)
    c.part("stage", part)
    launched, was = c.before(part.launch, "launched"), c.before(part.drained, "was drained", 1)
    c.show("ends", inside["ends"])
    c.given(~part.launch | part.drained)
    c.always["not drained"] = ~(launched & part.drained)
    c.always["stays drained"] = ~was | launched | part.drained
    c.always["rows stand still"] = ~(was | part.drained) | launched | (part.rows == c.before(part.rows, "rows before"))
    c.always["nothing left"] = (inside["ends"] == 0) | inside["none"][0]
    c.always["ends"] = inside["ends"] <= 4
    first = inside["left"][0]
    for unit, left in enumerate(inside["left"][1:], 1):
        alone = part.valid[unit] & (~part.valid[0] | (part.pair[unit] & ~part.pair[0]))
        c.always["no unit alone"] = ~alone
        c.always["lockstep"] = (left >= -2) & ((left == first) | (left == first - 1))
    c.happens["drained again"] = part.drained & ~was & (part.rows != 0)
    return c


def frames(sequencer_kind: Any = Sequencer) -> Claims:
    """Sequencer and store of frames, connected as in the core; records of phases and the header are free.

    - wants outside: after a sequence has ended, no word is wanted until the next one.
    """
    c = Claims()
    sequencer, store = sequencer_kind(SIZES), FrameStore(SIZES)
    states = opened(sequencer)["states"]._is
    c.part("sequencer", sequencer, frame_comes=store.storing)
    c.part("store", store, begin=sequencer.frame_begin, count=sequencer.steps, next=sequencer.frame_next)
    for name, signal in states.items():
        c.show(f"state.{name}", signal)
    c.always["wants outside"] = ~store.wants | sequencer.active
    # what carries the induction
    inside = opened(store)
    is_open, waiting = inside["is_open"], inside["waiting"]
    c.always["wants"] = ~store.wants | is_open
    c.always["open"] = ~is_open | (store.storing & ~waiting.any())
    c.always["storing"] = ~store.storing | sequencer.active
    c.always["next"] = ~sequencer.frame_next | states["fetch"] | states["settle"]
    c.always["one state"] = sum(states.values(), Const(0)) == 1
    c.happens["a second frame"] = store.storing & c.before(sequencer.frame_next, "next before")
    return c


SEQUENCER: dict[str, tuple[str, str]] = {
    "not on a pending set": ("Mux(self.fill_set, self.sweep", "Mux(~self.fill_set, self.sweep"),
    "launch alone": (
        'states.state("launch"), m.If(~self.stage_busy & ~self.sweep_pending.any())',
        'states.state("launch"), m.If(~self.sweep_pending.any())',
    ),
    "one state": ("with m.Elif(~written & ~not_clear", "with m.If(~written & ~not_clear"),
}
SWEEPER: dict[str, tuple[str, str]] = {
    "sweep alone": ("follows_stage & self.free & ~ended", "follows_stage & ~ended"),
    "sweep after reading": ("follows_stage & self.free", "self.pending.any() & self.free"),
    "all rows": (
        "self.row.eq(self.rows - 1), last.eq(self.rows == 1)",
        "self.row.eq(self.rows - 2), last.eq(self.rows == 2)",
    ),
    "sweep ends": ("(self.sweep & last) | ~some", "self.sweep & last"),
    "forgetting ends": ("forgetting.eq(~self.set)", "forgetting.eq(1)"),
}
STAGE: dict[str, tuple[str, str]] = {
    "not drained": ("                ends.eq(0),\n", "                ends.eq(ends),\n"),
    "stays drained": ("with m.If(none[0] & ~self.drained):", "with m.If(none[0]):"),
    "rows stand still": ("with m.If(none[0] & ~self.drained):", "with m.If(~self.drained):"),
}
"""By claim: a line of the part, and a wrong one that breaks the claim."""


@pytest.mark.parametrize("part", [interlocks, stage, partial(stage, sizes=TWO_UNITS), frames])
def test_all_claims_hold_for_ever(part: Callable[..., Claims]) -> None:
    finding = by_induction(part())
    assert finding.proved, finding.table


def test_the_claims_are_about_something() -> None:
    assert not unreached(interlocks(mutated(Sequencer, SOON)), 12)
    assert not unreached(stage(), 12)


LONG = ("forgetting ends", "sweep ends", "all rows", "sweep after reading")
"""Claims whose mutations take seconds to be found."""


@pytest.mark.parametrize(
    "claim", [pytest.param(c, marks=pytest.mark.slow if c in LONG else []) for c in (*SEQUENCER, *SWEEPER)]
)
def test_a_wrong_line_breaks_the_claim(claim: str) -> None:
    sequencer = mutated(Sequencer, SOON, *([SEQUENCER[claim]] if claim in SEQUENCER else []))
    sweeper = mutated(Sweeper, SWEEPER[claim]) if claim in SWEEPER else Sweeper
    assert within_clocks(interlocks(sequencer, sweeper), 18, claim).refuted


def test_a_frame_is_stored_in_its_sequence() -> None:
    """A word that the store wants outside a sequence is one of the next packet, and the core waits until it comes."""
    to_finish = (" & ~self.sweep_pending.any() & ~self.frame_comes)", " & ~self.sweep_pending.any())")
    assert within_clocks(frames(mutated(Sequencer, to_finish)), 12, "wants outside").refuted


def test_a_unit_that_takes_as_many_items_as_the_first_one_breaks_the_claim() -> None:
    wrong = mutated(Stage, ("of_unit(self.phase.items, sizes, u)", "of_unit(self.phase.items + u, sizes, 0)"))
    assert within_clocks(stage(wrong, TWO_UNITS), 16, "no unit alone").refuted


@pytest.mark.parametrize("claim", STAGE)
def test_a_wrong_line_of_the_stage_breaks_the_claim(claim: str) -> None:
    assert within_clocks(stage(mutated(Stage, STAGE[claim])), 16, claim).refuted
