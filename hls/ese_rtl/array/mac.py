# SPDX-License-Identifier: Apache-2.0
"""Multiply and accumulate: what one DSP48E1 does for a PE."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

OPERAND_BITS = 18
WIDEST = 48


class Mac(wiring.Component):
    """sum = base + level * (source ? b : a), where base is zero, the accumulator or the last sum.

    The digit at the end of a port's name is the PE's stage in which it is valid (`ese_rtl.array.pe`). The two
    activations enter by the pre-adder's two inputs, so that the DSP also selects between the vector RAMs.

    Args:
        acc_bits: width of an accumulator.
        primitive: whether to instantiate a DSP48E1 instead of describing what it does.
    """

    def __init__(self, acc_bits: int, primitive: bool) -> None:
        self._acc_bits, self._primitive = acc_bits, primitive
        operand = signed(OPERAND_BITS)
        super().__init__(
            {
                "a7": In(operand),
                "b7": In(operand),
                "level7": In(operand),
                "source7": In(1),
                "clear7": In(1),
                "before8": In(signed(acc_bits)),
                "feedback8": In(1),
                "clear8": In(1),
                "sum10": Out(signed(acc_bits)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The DSP, or what it does."""
        return self._instance() if self._primitive else self._behaviour()

    def _behaviour(self) -> Module:
        m = Module()
        a8, b8, level8 = (Signal(signed(OPERAND_BITS), name=n, reset_less=True) for n in ("a8", "b8", "level8"))
        source8, feedback9, clear9 = (Signal(name=n, reset_less=True) for n in ("source8", "feedback9", "clear9"))
        product9 = Signal(signed(2 * OPERAND_BITS), reset_less=True)
        before9 = Signal(signed(self._acc_bits), reset_less=True)
        sum10 = Signal(signed(self._acc_bits), reset_less=True)
        m.d.sync += [
            a8.eq(self.a7),
            b8.eq(self.b7),
            source8.eq(self.source7),
            product9.eq(Mux(source8, b8, a8) * level8),
            before9.eq(self.before8),
            feedback9.eq(self.feedback8),
            clear9.eq(self.clear8),
        ]
        m.d.sync += level8.eq(self.level7)
        with m.If(self.clear7):
            m.d.sync += level8.eq(0)
        base9 = Signal(signed(self._acc_bits))
        with m.If(~clear9):
            m.d.comb += base9.eq(Mux(feedback9, sum10, before9))
        m.d.sync += sum10.eq(base9 + product9)
        m.d.comb += self.sum10.eq(sum10)
        return m

    def _instance(self) -> Module:
        m = Module()
        total = Signal(signed(WIDEST))
        one, zero = Const(1, 1), Const(0, 1)
        before = Signal(signed(WIDEST))
        a, b = Signal(signed(30)), Signal(signed(25))
        m.d.comb += [before.eq(self.before8), a.eq(self.a7), b.eq(self.b7), self.sum10.eq(total)]
        m.submodules.dsp = Instance(
            "DSP48E1",
            p_USE_DPORT="TRUE",
            p_USE_MULT="MULTIPLY",
            **{f"p_{name}": 1 for name in ("AREG", "ACASCREG", "BREG", "BCASCREG", "CREG", "DREG", "MREG", "PREG")},
            p_ADREG=0,
            p_INMODEREG=1,
            p_OPMODEREG=1,
            p_ALUMODEREG=0,
            p_CARRYINREG=0,
            p_CARRYINSELREG=0,
            i_CLK=ClockSignal(),
            i_A=a,
            i_D=b,
            i_B=self.level7,
            i_C=before,
            o_P=total,
            i_INMODE=Cat(zero, self.source7, self.source7, zero, zero),
            # X and Y take the product; Z takes zero, P or C
            i_OPMODE=Cat(Const(0b0101, 4), ~self.clear8 & ~self.feedback8, ~self.clear8, zero),
            i_ALUMODE=Const(0, 4),
            i_CARRYIN=zero,
            i_CARRYINSEL=Const(0, 3),
            i_RSTB=self.clear7,
            **{f"i_CE{name}": one for name in ("A2", "B2", "C", "D", "M", "P", "INMODE", "CTRL")},
            **{f"i_CE{name}": zero for name in ("A1", "B1", "AD", "ALUMODE", "CARRYIN")},
            **{f"i_RST{name}": zero for name in ("A", "C", "D", "M", "P", "INMODE", "CTRL", "ALUMODE", "ALLCARRYIN")},
            i_ACIN=Const(0, 30),
            i_BCIN=Const(0, 18),
            i_PCIN=Const(0, 48),
            i_CARRYCASCIN=zero,
            i_MULTSIGNIN=zero,
        )
        return m
