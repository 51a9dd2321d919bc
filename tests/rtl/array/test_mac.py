# SPDX-License-Identifier: Apache-2.0
"""The multiplier and accumulator of a PE: its description and the FPGA's DSP48E1, in Yosys's model, do the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ese_rtl.array.mac import OPERAND_BITS, Mac
from support.simulated_component import SimulatedComponent

CLOCKS = 20_000


class Both(wiring.Component):
    """Both forms with the same inputs."""

    def __init__(self, acc_bits: int) -> None:
        self._behaviour, self._dsp = Mac(acc_bits, primitive=False), Mac(acc_bits, primitive=True)
        super().__init__({**self._behaviour.signature.members, "dsp10": Out(signed(acc_bits))})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.behaviour = behaviour = self._behaviour
        m.submodules.dsp = dsp = self._dsp
        for name, member in behaviour.signature.members.items():
            if member.flow is wiring.In:
                m.d.comb += [getattr(form, name).eq(getattr(self, name)) for form in (behaviour, dsp)]
        m.d.comb += [self.sum10.eq(behaviour.sum10), self.dsp10.eq(dsp.sum10)]
        return m


def wrapped(value: int, bits: int) -> int:
    """A number modulo 2**bits, two's complement."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


@pytest.mark.parametrize("acc_bits", [24, 48])
def test_behaviour_and_dsp_are_alike(acc_bits: int) -> None:
    rng = np.random.default_rng(3)
    half, most = 1 << OPERAND_BITS - 1, 1 << acc_bits - 1
    rows: dict[str, Any] = {
        **{name: rng.integers(-half, half, CLOCKS) for name in ("a7", "b7", "level7")},
        **{name: rng.random(CLOCKS) < share for name, share in (("source7", 0.5), ("clear7", 0.1))},
        **{name: rng.random(CLOCKS) < share for name, share in (("feedback8", 0.3), ("clear8", 0.1))},
        "before8": rng.integers(-most, most, CLOCKS),
    }
    for name in ("a7", "b7", "level7"):  # the ends of the range, and small numbers
        rows[name][rng.random(CLOCKS) < 0.1] = -half
        rows[name][rng.random(CLOCKS) < 0.1] = half - 1
        rows[name][rng.random(CLOCKS) < 0.2] //= 1 << 16
    columns = {name: values.astype(int).tolist() for name, values in rows.items()}
    clocks = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    shown = SimulatedComponent(Both(acc_bits), optimize=False).run(clocks)
    total = 0
    for now, (two_ago, one_ago) in enumerate(pairwise(clocks[:-2]), 3):
        factor = two_ago["b7"] if two_ago["source7"] else two_ago["a7"]
        level = 0 if two_ago["clear7"] else two_ago["level7"]
        base = 0 if one_ago["clear8"] else total if one_ago["feedback8"] else one_ago["before8"]
        total = wrapped(base + factor * level, acc_bits)
        assert shown[now]["sum10"] == shown[now]["dsp10"] == total, now
