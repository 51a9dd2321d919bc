# SPDX-License-Identifier: Apache-2.0
"""The queue between two parts, proved: it never overruns, and what leaves it stands still until it is taken."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Mux, Signal
from amaranth.utils import ceil_log2
from small_parts import FEW, SMALL, SmallQueue

from ese_rtl.packet.queue import DEPTH, SPARE, Queue
from support.proof import Claims, by_induction, mutated, opened, unreached, within_clocks

BITS = 2
LATE = SPARE - 1
"""Words that may come after `ready` has fallen. One more would be too many: see the last test."""
MUTATIONS = {
    "no overrun": ("behind < DEPTH - SPARE - 1", "behind < DEPTH - SPARE"),
    "right level": ("self.enter.valid ^ move", "self.enter.valid != 0"),
    "stands still": ("~behind[-1] & (self.leave.ready | ~valid)", "~behind[-1]"),
    "comes out": ("read.addr.eq(first)", "read.addr.eq(first | 1)"),
}
"""By claim: a line of the queue, and a wrong one that breaks the claim."""


def claims(kind: Any = Queue, depth: int = DEPTH, late: int = LATE) -> Claims:
    """Whoever pushes words heeds `ready` late, and pushes at most so many after it fell.

    The claims, besides those that only carry the induction:

    - no overrun: at most `depth` words are in the memory.
    - right level: the counter of words is the number that entered less the number that left.
    - stands still: a word that is offered stays, and stays the same, until it is taken.
    - comes out: a word that was chosen when it entered comes out as it was, after as many words as were before it.

    Args:
        kind: the class of the queue.
        depth: places that it has.
        late: words that come after `ready` has fallen.
    """
    c = Claims()
    m = c.m
    queue = kind(BITS)
    inside = opened(queue)
    c.part("queue", queue)
    level, first, last = inside["behind"] + 1, inside["first"], inside["last"]
    for name in ("behind", "first", "last"):
        c.show(name, inside[name])

    enter, leave = queue.enter, queue.leave
    pushed = Signal(range(depth))  # words since `ready` fell
    with m.If(enter.ready):
        m.d.sync += pushed.eq(0)
    with m.Elif(enter.valid):
        m.d.sync += pushed.eq(pushed + 1)
    c.given(~enter.valid | enter.ready | (pushed < late))

    full = depth - SPARE
    c.always["no overrun"] = level <= depth
    c.always["no less than none"] = level >= 0
    c.always["ready in time"] = Mux(enter.ready, level <= full, level <= full + 1 + pushed)
    c.always["not too many"] = pushed <= late
    c.always["right level"] = level[: ceil_log2(depth)] == (last - first)[: ceil_log2(depth)]
    c.stands_still("stands still", leave)
    c.happens["as full as can be"] = level == full + 1 + late

    mark = c.free("mark")
    word, address, ahead = Signal(BITS), Signal(range(depth)), Signal(range(depth + 2))
    waits, shown, gone = Signal(), Signal(), Signal()
    read = inside["words"].read_port(domain="comb")
    moved = inside["move"] & (address == first)
    taken = leave.valid & leave.ready
    m.d.comb += read.addr.eq(address)
    m.d.sync += ahead.eq(ahead - taken)
    with m.If(mark & enter.valid & ~waits & ~shown & ~gone):
        m.d.sync += [word.eq(enter.payload), address.eq(last), waits.eq(1), ahead.eq(level + leave.valid - taken)]
    with m.If(waits & moved):
        m.d.sync += [waits.eq(0), shown.eq(1)]
    with m.If(shown & taken):
        m.d.sync += [shown.eq(0), gone.eq(1)]
    place = (address - first)[: ceil_log2(depth)]
    c.always["comes out"] = Mux(shown, leave.valid & (leave.payload == word) & (ahead == 0), 1)
    c.always["is in the memory"] = Mux(waits, (place < level) & (read.data == word), 1)
    c.always["is in its place"] = Mux(waits, ahead == place + leave.valid, 1)
    c.always["is at one place"] = ~(waits & shown)
    c.happens["a word comes out"] = gone
    return c


def test_all_claims_hold_for_ever() -> None:
    finding = by_induction(claims())
    assert finding.proved, finding.table


def test_the_claims_are_about_something() -> None:
    assert not unreached(claims(SmallQueue, FEW), 16)


@pytest.mark.parametrize("claim", MUTATIONS)
def test_a_wrong_line_breaks_the_claim(claim: str) -> None:
    assert within_clocks(claims(mutated(Queue, SMALL, MUTATIONS[claim]), FEW), 16, claim).refuted


def test_one_word_more_would_be_too_many() -> None:
    """`ready` is a register, so that one word enters after the one that makes it fall, and before it has fallen."""
    assert within_clocks(claims(SmallQueue, FEW, SPARE), 16, "no overrun").refuted
