# SPDX-License-Identifier: Apache-2.0
"""Components in Verilator: when values are taken and shown, how ports are named, and that state is kept."""

from typing import Any

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from support.simulated_component import Codec, SimulatedComponent

WORD = data.StructLayout({"wide": signed(70), "parts": data.ArrayLayout(5, 3)})
PAIR = wiring.Signature({"a": Out(signed(33)), "b": In(7)})


class Example(wiring.Component):
    """Passes words through a register, adds at once, and counts."""

    word: In(WORD)
    later: Out(WORD)
    pairs: Out(PAIR).array(2)
    count: Out(40, init=5)

    def elaborate(self, _platform: Any) -> Module:
        m = Module()
        later = Signal(WORD)
        m.d.sync += [later.eq(self.word), self.count.eq(self.count + 1)]
        m.d.comb += self.later.eq(later)
        for number, pair in enumerate(self.pairs):
            m.d.comb += pair.a.eq(pair.b - 100 * number)
        return m


def test_values_are_those_before_the_edge() -> None:
    simulated = SimulatedComponent(Example())
    words = [{"wide": -(3**40), "parts": [1, 2, 31]}, {"wide": 2**69 - 1, "parts": [0, 5, 0]}]
    shown = simulated.run([{"word": words[0], "pairs__1__b": 3}, {"word": words[1], "pairs__0__b": 9}, {}])
    assert [row["later"] for row in shown] == [{"wide": 0, "parts": [0, 0, 0]}, *words]
    assert [row["pairs__1__a"] for row in shown] == [-97, -100, -100]
    assert [row["pairs__0__a"] for row in shown] == [0, 9, 0]
    assert [row["count"] for row in shown] == [5, 6, 7]
    assert simulated.step()["count"] == 8
    assert SimulatedComponent(Example()).step()["count"] == 5


def test_a_wrong_name_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"no input ports: .*wrong"):
        SimulatedComponent(Example()).step(wrong=1)


def test_values_and_bits() -> None:
    codec, value = Codec(WORD), {"wide": -5, "parts": [7, 0, 30]}
    bits = (1 << 70) - 5 | (7 | 30 << 10) << 70
    assert (codec.width, codec.pack(value), codec.unpack(bits)) == (85, bits, value)
    assert codec.pack({"parts": [0, 1]}) == 1 << 75
    assert codec.pack(bits) == bits
