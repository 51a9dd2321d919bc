# SPDX-License-Identifier: Apache-2.0
"""The registers on AXI4-Lite, proved: answers stand still until they are taken, and each belongs to a request."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Mux, Signal

from ese_rtl.axi.registers import Registers
from support.designs import roomy
from support.proof import Claims, by_induction, mutated, opened, unreached, within_clocks

PROMPT = 2
"""Clocks in which a request is answered at the latest."""
MUTATIONS = {
    "write answer stands still": ("with m.If(bvalid & bus.bready):", "with m.If(bvalid):"),
    "read answer stands still": ("with m.If(rvalid & bus.rready):", "with m.If(rvalid):"),
    "write asked for": ("~awready & ~wready & ~bvalid", "~awready & ~bvalid"),
    "read asked for": ("read.eq(bus.arvalid & arready)", "read.eq(arready)"),
    "write answered": ("~awready & ~wready & ~bvalid", "~awready & ~wready & ~bvalid & bus.bready"),
    "read answered": ("with m.If(read):", "with m.If(read & bus.rready):"),
    "interrupt only when enabled": ("enabled & causes.any()", "causes.any()"),
}
"""By claim: a line of the registers, and a wrong one that breaks the claim."""


def claims(kind: Any = Registers) -> Claims:
    """Reads and writes come whenever they like, and their answers are taken whenever someone likes.

    - write answer stands still, read answer stands still: it stays, and stays the same, until it is taken.
    - write asked for, read asked for: there is an answer only to a request that was accepted and not yet answered, for
      a write to both its address and its data.
    - write answered, read answered: a complete request is answered within `PROMPT` clocks.
    - interrupt only when enabled: the interrupt was allowed by its register in the clock before.
    """
    c = Claims()
    m = c.m
    registers = kind(roomy("one-pe")[1])
    inside = opened(registers)
    c.part("registers", registers)
    bus = registers.bus
    held = c.before(bus.bvalid & ~bus.bready, "write held")
    c.always["write answer stands still"] = ~held | bus.bvalid
    held_read = c.before(bus.rvalid & ~bus.rready, "read held")
    c.always["read answer stands still"] = ~held_read | (bus.rvalid & (bus.rdata == c.before(bus.rdata, "data before")))

    asked = {name: Signal(name=f"asked_{name}") for name in ("aw", "w", "ar")}
    for name, request in asked.items():
        answer = "r" if name == "ar" else "b"
        with m.If(getattr(bus, f"{answer}valid") & getattr(bus, f"{answer}ready")):
            m.d.sync += request.eq(0)
        with m.If(getattr(bus, f"{name}valid") & getattr(bus, f"{name}ready")):
            m.d.sync += request.eq(1)
        c.always[f"{name} once"] = request == ~getattr(bus, f"{name}ready")
    c.always["write asked for"] = ~bus.bvalid | (asked["aw"] & asked["w"])
    c.always["read asked for"] = ~bus.rvalid | asked["ar"]
    for name, waits in {
        "write answered": asked["aw"] & asked["w"] & ~bus.bvalid,
        "read answered": asked["ar"] & ~bus.rvalid,
    }.items():
        clocks = Signal(range(PROMPT + 2), name=name.replace(" ", "_"))
        m.d.sync += clocks.eq(Mux(waits, clocks + 1, 0))
        c.always[name] = clocks < PROMPT
        c.happens[name] = c.before(waits, f"{name} before") & ~waits
    reads = inside["read"]
    c.always["a read is under way"] = Mux(bus.rvalid, ~reads, asked["ar"] == reads)
    allowed = c.before(inside["enabled"], "allowed")
    c.always["interrupt only when enabled"] = ~registers.interrupt | allowed
    c.happens["write answer stands still"] = held
    c.happens["read answer stands still"] = held_read
    c.happens["interrupt"] = registers.interrupt
    return c


def test_all_claims_hold_for_ever() -> None:
    finding = by_induction(claims())
    assert finding.proved, finding.table


def test_the_claims_are_about_something() -> None:
    assert not unreached(claims(), 8)


@pytest.mark.parametrize("claim", MUTATIONS)
def test_a_wrong_line_breaks_the_claim(claim: str) -> None:
    assert within_clocks(claims(mutated(Registers, MUTATIONS[claim])), 8, claim).refuted
