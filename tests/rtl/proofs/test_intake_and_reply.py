# SPDX-License-Identifier: Apache-2.0
"""The ends of the packet room's streams, proved: packets do not mix, queues do not overrun, answers stand still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Const, Mux, Signal
from amaranth.utils import ceil_log2
from small_parts import FEW, IN_SMALL

from ese_rtl.packet.answer import Reply
from ese_rtl.packet.intake import Intake
from ese_rtl.packet.queue import DEPTH, SPARE
from support.proof import Claims, by_induction, mutated, opened, unreached, within_clocks


def intake(kind: Any = Intake, depth: int = DEPTH) -> Claims:
    """Packets come one after the other, and `open` comes when all words of the packet before have been taken.

    - later packet: no word is accepted from a packet's last one on until the next `open`.
    - have or ended: the two are never both set.
    - nothing more: from the clock after a packet's last word was taken, there is no next word until `open`.
    - word stands still: the next word stays, and stays the same, until it is taken or passed on.
    - no overrun: the queue never has more words than places.
    - last word comes: while a packet is complete but not all taken, a word is next or in the queue.
    """
    c = Claims()
    m = c.m
    part = kind()
    inside = opened(part)
    c.part("intake", part)
    behind, first, last_place = (inside[f"queue.{name}"] for name in ("behind", "first", "last"))
    level = behind + 1  # words in the queue's memory
    closed, payload, valid = inside["closed"], inside["queue.payload"], inside["queue.valid"]
    for name in ("behind", "first", "last", "payload", "valid"):
        c.show(f"queue.{name}", inside[f"queue.{name}"])
    c.show("closed", closed)

    between, over, begun = Signal(init=1), Signal(), Signal()
    accepted = part.words.valid & part.words.ready
    c.given(~part.open | ~begun | part.ended)
    with m.If(accepted & part.words.payload.last):
        m.d.sync += between.eq(1)
    with m.If((part.take | part.pass_on) & part.have & payload.last):
        m.d.sync += over.eq(1)
    with m.If(part.open):
        m.d.sync += [between.eq(0), over.eq(0), begun.eq(1)]

    c.always["later packet"] = ~(between & accepted)
    c.always["have or ended"] = ~(part.have & part.ended)
    c.always["nothing more"] = ~(over & part.have)
    held = c.before(part.have & ~part.take & ~part.pass_on, "held")
    c.always["word stands still"] = ~held | (part.have & (part.word == c.before(part.word, "word before")))
    c.always["no overrun"] = level <= depth
    c.always["no less than none"] = level >= 0
    waits = closed & begun & ~over
    c.always["last word comes"] = ~waits | valid | (level != 0)
    # what carries the induction
    c.always["last word is in the register"] = ~(waits & (level == 0)) | payload.last
    c.always["ready in time"] = level <= depth - SPARE + 1 + ~(part.words.ready | inside["queue.ready"])
    c.always["right level"] = level[: ceil_log2(depth)] == (last_place - first)[: ceil_log2(depth)]
    c.always["closed"] = (closed == between) & ~(closed & part.words.ready) & (begun | closed)
    c.always["ended"] = (over == part.ended) & Mux(part.ended | ~begun, closed & (level == 0) & ~valid, 1)
    c.always["last word in the register"] = ~(valid & payload.last) | (closed & (level == 0))
    for place in range(depth):
        read = inside["queue.words"].read_port(domain="comb")
        m.d.comb += read.addr.eq(place)
        inner = (Const(place, ceil_log2(depth)) - first)[: ceil_log2(depth)] < level
        is_final = closed & ((last_place - 1)[: ceil_log2(depth)] == place)
        c.always[f"last word at {place}"] = ~inner | (read.data.last == is_final)
    c.happens["the second packet"] = begun & ~between & c.before(part.ended, "ended before")
    c.happens["a word waits"] = held
    return c


def reply(kind: Any = Reply, depth: int = DEPTH) -> Claims:
    """Results come whenever they like; `end` comes when no trailer is under way, and not beside a result.

    - stands still: a word of the answer, once offered, stays and stays the same until it is taken.
    - no overrun: the queue never has more words than places.
    """
    c = Claims()
    part = kind()
    inside = opened(part)
    c.part("reply", part)
    level, ready, pushed = inside["queue.behind"] + 1, inside["queue.ready"], inside["valid"]
    c.show("level", level)
    c.given(~part.end | ~inside["ending"])
    c.stands_still("stands still", part.words)
    c.always["no overrun"] = level <= depth
    c.always["no less than none"] = level >= 0
    c.always["ready in time"] = level + (pushed & ~ready) <= Mux(ready, depth - SPARE, depth - SPARE + 2)
    c.always["right level"] = (
        level[: ceil_log2(depth)] == (inside["queue.last"] - inside["queue.first"])[: ceil_log2(depth)]
    )
    c.happens["the trailer is complete"] = part.done
    return c


KINDS: dict[Callable[..., Claims], Any] = {intake: Intake, reply: Reply}
PROOFS: dict[str, tuple[Callable[..., Claims], Any, tuple[str, str]]] = {
    "later packet": (intake, Intake, ("& ~closed & ~last", "& ~closed")),
    "have or ended": (intake, Intake, ("leave.ready & leave.payload.last", "leave.ready")),
    "nothing more": (intake, Intake, ("self.have.eq(leave.valid)", "self.have.eq(leave.valid | self.ended)")),
    "word stands still": (intake, Intake, ("self.take | self.pass_on)", "self.take | self.pass_on | self.clear)")),
    "last word comes": (intake, Intake, ("last.eq(accepted & self", "last.eq(self.words.valid & self")),
    "no overrun": (reply, Reply, ("self.results.ready.eq(queue.enter.ready)", "self.results.ready.eq(1)")),
    "stands still": (
        reply,
        Reply,
        ("self.results.ready.eq(", "self.words.valid.eq(queue.leave.valid & ~self.end), self.results.ready.eq("),
    ),
}
"""By claim: its part, and a line of it with a wrong one that breaks the claim."""


@pytest.mark.parametrize("part", [intake, reply])
def test_all_claims_hold_for_ever(part: Callable[..., Claims]) -> None:
    finding = by_induction(part())
    assert finding.proved, finding.table


@pytest.mark.parametrize("part", [intake, reply])
def test_the_claims_are_about_something(part: Callable[..., Claims]) -> None:
    assert not unreached(part(mutated(KINDS[part], IN_SMALL), FEW), 14)


@pytest.mark.parametrize("claim", PROOFS)
def test_a_wrong_line_breaks_the_claim(claim: str) -> None:
    part, kind, change = PROOFS[claim]
    assert within_clocks(part(mutated(kind, IN_SMALL, change), FEW), 12, claim).refuted
