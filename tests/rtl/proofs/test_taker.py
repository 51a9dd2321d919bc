# SPDX-License-Identifier: Apache-2.0
"""The FIFO of a PE in skip mode, proved: whatever is sent, and however long columns are, no column is lost."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Cat, Signal

from ese_host.estimate import COLUMNS_IN_FLIGHT, fifo_places
from ese_rtl.sizes import Sizes
from ese_rtl.skip.column_pointers import TRAVEL
from ese_rtl.skip.taker import Taker
from support.designs import roomy
from support.proof import Claims, by_induction, mutated, opened, unreached, within_clocks

SIZES = Sizes(roomy("delta-google", cells_per_cycle=1)[1])
DEPTH = SIZES.design.fifo_depth
MUTATIONS = {
    "no overrun": ("held[exact_log2(sizes.design.fifo_depth) :]", "held[exact_log2(sizes.design.fifo_depth) + 2 :]"),
    "right place": ("head.eq(head + take)", "head.eq(head + self.push)"),
    "none from an empty FIFO": ("take.eq(held.any() & free)", "take.eq(free)"),
}
"""By claim: a line of the taker, and a wrong one that breaks the claim."""


def claims(kind: Any = Taker) -> Claims:
    """The scanner sends when it likes, but not in a clock after one in which the FIFO was full.

    - no overrun: the FIFO never holds more columns than it has places.
    - right place: the next column goes behind those that it holds.
    - none from an empty FIFO: a column is taken only if there is one.
    """
    c = Claims()
    m = c.m
    taker = kind(SIZES)
    inside = opened(taker)
    hold = Signal(name="told")
    travel = Signal(TRAVEL + 1)  # columns that are sent, and on their way
    tail = Signal.like(taker.tail)
    c.part("taker", taker, push=travel[-1], tail=tail)
    held, head = inside["held"], inside["head"]
    for name, value in {"held": held, "head": head, "told": hold, "travel": travel, "free": inside["free"]}.items():
        c.show(name, value)
    m.d.sync += [
        hold.eq(taker.crowded),
        travel.eq(Cat(c.free("send") & ~hold, travel)),
        tail.eq(tail + taker.push),
    ]
    under_way = sum(travel)
    c.always["no overrun"] = held <= fifo_places(DEPTH)
    c.always["right place"] = (head + held - tail)[: len(tail)] == 0
    c.always["none from an empty FIFO"] = ~inside["take"] | (held != 0)
    c.happens["as full as can be"] = held == DEPTH + COLUMNS_IN_FLIGHT
    # what carries the induction
    c.always["not yet full"] = hold | (held <= DEPTH)
    c.always["room for all"] = held + under_way <= DEPTH + COLUMNS_IN_FLIGHT
    return c


def test_all_claims_hold_for_ever() -> None:
    finding = by_induction(claims())
    assert finding.proved, finding.table


@pytest.mark.slow
def test_the_claims_are_about_something() -> None:
    assert not unreached(claims(), 24)


@pytest.mark.parametrize("claim", MUTATIONS)
def test_a_wrong_line_breaks_the_claim(claim: str) -> None:
    assert within_clocks(claims(mutated(Taker, MUTATIONS[claim])), 18, claim).refuted
