# SPDX-License-Identifier: Apache-2.0
"""The solver's answers: proved, refuted with a table of clocks, and not decided."""

from __future__ import annotations

from amaranth.hdl import Signal

from support.proof import Claims, Decision, by_induction, unreached, within_clocks

MOST = 9


def counter(claimed: int) -> Claims:
    """A counter that goes up to `MOST` while it may."""
    c = Claims()
    go, count = c.free("go"), Signal(8)
    c.m.d.sync += count.eq(count + (go & (count < MOST)))
    c.show("count", count)
    c.always["few"] = count <= claimed
    c.happens["the most"] = count == MOST
    c.happens["more"] = count > MOST
    return c


def test_an_invariant_is_proved() -> None:
    assert by_induction(counter(MOST)).proved


def test_a_counterexample_is_shown_clock_by_clock() -> None:
    finding = within_clocks(counter(2), 8, "few")
    assert finding.refuted
    assert finding.violated == {"few"}
    assert finding.table.splitlines() == ["false in the last clock: few", "count . 1 2 3", "go    1 1 1 ."]


def test_what_is_true_in_the_first_clocks_only_is_not_proved_for_ever() -> None:
    assert within_clocks(counter(MOST - 1), MOST).proved
    assert by_induction(counter(MOST - 1), 1).decision is Decision.UNDECIDED


def test_beyond_its_deadline_a_question_is_not_decided() -> None:
    assert by_induction(counter(MOST), deadline=0.001).decision is Decision.UNDECIDED


def test_situations_that_are_not_reached_are_named() -> None:
    assert unreached(counter(MOST), MOST + 1) == {"more"}


def test_excluded_clocks_are_in_no_counterexample() -> None:
    claims = counter(2)
    claims.given(claims.always["few"])
    assert within_clocks(claims, 8).proved
