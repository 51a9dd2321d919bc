# SPDX-License-Identifier: Apache-2.0
"""The packet parser, proved: it is in one state, and answers every packet, whatever its words are."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Signal
from small_parts import PACKETS_IN_SMALL

from ese_host.image import HEADER
from ese_rtl.packet.packets import Packets
from ese_rtl.packet.sections import UNTOUCHED, WORD_STEPS
from support.designs import roomy
from support.proof import Claims, by_induction, mutated, opened, unreached, within_clocks

ORDER = (
    "first", "operation", "decode", "flags", "image_id", "number", "add", "count", "header", "header_compared",
    "header_weighed", "header_checked", "sections", "checksum", "summing", "summed", "compare", "verdict", "skip",
    "check", "weigh", "begin", "run", "sequence_done", "steps", "drain", "end", "conclude", "forget", "trailer", "idle",
)  # fmt: skip
"""The states, so that each is followed by later ones only; but `steps`, which takes a word, by `weigh`."""


def claims(kind: Any = Packets) -> Claims:
    """The packet's last word is in, and the core answers each sequence and each `forget` some time.

    What is left to do is a number: first the words in the queue, then the state, then what the header or the sections
    still have to do before a word is taken. Between two words it has less than 300 values.

    - one state: the parser is in exactly one state.
    - no step back: the number never grows.
    - a step in every clock: it falls in every clock, unless the parser waits for the core (`run`, `forget`) or for the
      answer's trailer (`trailer`).
    - opens after the end: a packet is let in only when the last word of the one before has been taken, as the intake's
      proof takes for granted.
    - start in run, forget in forget: the core gets these only in their states, of which each waits for its answer, as
      the interlocks' proof takes for granted.
    """
    c = Claims()
    m = c.m
    packets = kind(roomy("one-pe")[1])
    inside = opened(packets)
    c.part("packets", packets)
    states = packets._states._is
    intake = packets._intake
    closed, level, valid = inside["intake.closed"], inside["intake.queue.behind"] + 1, intake.have
    for name, value in {"closed": closed, "level": level, "have": valid, "ended": intake.ended}.items():
        c.show(name, value)
    c.show("state", Cat(states.values()))

    words = Signal(8)  # twice those that are in the queue, and one more while its register is empty
    m.d.comb += words.eq(((level + valid) << 1) + ~valid)
    section, counted, start = (inside[f"sections.{name}"] for name in ("section", "counted", "start"))
    place, parts = inside["place"], inside["sections.sections"]
    all_of_them = len(parts)
    step = Signal(range(WORD_STEPS + 1))  # of the section
    with m.Switch(section):
        for number, part in enumerate(parts):
            with m.Case(number):
                m.d.comb += step.eq(part.step)
    inner = Signal(8)
    with m.If(states["header"]):
        m.d.comb += inner.eq(len(HEADER) - 1 - place)
    with m.If(states["sections"]):
        m.d.comb += inner.eq(Cat((15 - start)[:4], ~counted, (all_of_them - section)[:3]))
    rank = Signal(range(len(ORDER)))
    for number, name in enumerate(reversed(ORDER)):
        with m.If(states[name]):
            m.d.comb += rank.eq(number)
    left = Cat(inner, rank, words)
    c.show("left", left)
    left_before = c.before(left, "left before")
    all_in = c.before(closed & ~states["idle"], "all in")
    waits = (states["run"] & ~packets.done) | (states["forget"] & ~packets.forgotten)
    waited = c.before(waits | (states["trailer"] & ~packets._reply.done), "waited")
    begun = Signal()
    with m.If(intake.open):
        m.d.sync += begun.eq(1)

    # what the intake's proof shows of it
    c.given(level >= 0)
    c.given(~(closed & intake.words.ready))
    c.given(~(closed & begun & (level == 0) & ~valid) | intake.ended)
    c.given(~(intake.ended & (valid | (level != 0))))

    c.always["one state"] = sum(states.values(), Const(0)) == 1
    c.always["no step back"] = ~all_in | (left <= left_before)
    c.always["a step in every clock"] = ~all_in | waited | (left < left_before)
    c.always["opens after the end"] = ~(intake.open & begun) | intake.ended
    c.always["start in run"] = ~packets.start | states["run"]
    c.always["forget in forget"] = ~packets.forget | states["forget"]
    c.happens["a step after the last word"] = all_in & ~waited
    # what carries the induction
    late = states["end"] | states["conclude"] | states["forget"] | states["trailer"] | (states["idle"] & begun)
    c.always["ended at the end"] = ~(late | (packets._missing & ~states["idle"])) | intake.ended
    c.always["begun"] = begun | states["idle"]
    c.always["sections"] = (section <= all_of_them) & (packets._sections.finished == (section == all_of_them))
    taken = (inside["sections.crosses"] == (start + step >= WORD_STEPS)) & (
        inside["sections.begun"] == (start > UNTOUCHED)
    )
    c.always["what is taken follows from where the field begins"] = (section == all_of_them) | taken
    c.always["no section after the last one"] = ~(packets._sections.finished & counted)
    return c


TO_RUN = "with m.Elif(taken[:2] == Operation.RUN):\n"
MUTATIONS = {
    "one state": (TO_RUN, f"{TO_RUN}                self._states.go('number')\n"),
    "no step back": (
        'self._states.go("decode")',
        'self._states.go("decode")\n            with m.If(intake.ended):\n                self._states.go("first")',
    ),
    "a step in every clock": (
        'self._states.go("decode")',
        'with m.If(self._keep):\n                self._states.go("decode")',
    ),
    "opens after the end": (
        'self._set_error(m, code)\n        self._states.go("drain")',
        'self._set_error(m, code)\n        self._states.go("idle")',
    ),
    "start in run": ("[self.start.eq(0), ", "[self.start.eq(self.started), "),
    "forget in forget": ("self.forget.eq(0)]", "self.forget.eq(self.started)]"),
}
"""By claim: a line of the parser, and a wrong one that breaks the claim."""


def test_all_claims_hold_for_ever() -> None:
    finding = by_induction(claims())
    assert finding.proved, finding.table


@pytest.mark.slow
def test_the_claims_are_about_something() -> None:
    assert not unreached(claims(mutated(Packets, *PACKETS_IN_SMALL)), 14)


SOON = ("a step in every clock",)
"""The claims whose mutation is tried in every run of the tests; the others take longer together than all proofs."""


@pytest.mark.parametrize("claim", [pytest.param(c, marks=[] if c in SOON else pytest.mark.slow) for c in MUTATIONS])
def test_a_wrong_line_breaks_the_claim(claim: str) -> None:
    assert within_clocks(claims(mutated(Packets, *PACKETS_IN_SMALL, MUTATIONS[claim])), 12, claim).refuted
