"""Sigmoid and tanh, read from the table of tanh by linear interpolation (docs/numerics.md, "Activations")."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.ir import INPUT_FRAC, SEGMENT_FRAC, VALUE_FRAC, Activation
from ese_rtl.pipeline import later
from ese_rtl.unit.arithmetic import code_bits, rounded, saturated
from ese_rtl.unit.lookup import LOOKUP, SEGMENT_BITS

INPUT_BITS = SEGMENT_BITS + SEGMENT_FRAC
TANH_BITS = VALUE_FRAC + 1
"""Bits of a magnitude of tanh: any table's value plus its step fits."""


class Smooth(wiring.Component):
    """An activation that reads the table; the result comes `latency` clocks after x. A digit is a signal's clock."""

    latency = 8

    def __init__(self, activation: Activation, bits: int, frac: int) -> None:
        """Make the component.

        Args:
            activation: the function and the format of its result.
            bits: width of x.
            frac: fractional bits of x.
        """
        self._activation, self._sigmoid = activation, activation.kind == "sigmoid"
        # sigmoid(x) = 1/2 + tanh(x/2) / 2; one fractional bit more halves the input
        self._frac = frac + self._sigmoid
        result = signed(code_bits(activation.low, activation.high))
        super().__init__({"x": In(signed(bits)), "lookup": Out(LOOKUP), "code": Out(result)})

    def elaborate(self, _platform: Any) -> Module:
        """Magnitude, table, interpolation, sign and rounding, saturation."""
        m = Module()
        input2, negative2 = self._magnitude(m)
        m.d.comb += self.lookup.segment.eq(input2[SEGMENT_FRAC:])
        rest4 = later(m, input2[:SEGMENT_FRAC], 2, name="rest")
        word4 = later(m, self.lookup.word, name="word4")
        product5 = later(m, word4.step * rest4, name="product5")
        value5 = later(m, word4.value, name="value5")
        sum6 = later(m, Cat(Const(0, SEGMENT_FRAC), value5) + product5, name="sum6")
        negative6 = later(m, negative2, 4, name="negative")
        nearest = self._rounded(sum6[SEGMENT_FRAC : SEGMENT_FRAC + TANH_BITS], negative6)
        nearest7 = later(m, nearest, name="nearest7")
        code8 = Signal.like(self.code, reset_less=True)
        m.d.sync += code8.eq(saturated(nearest7, self._activation.low, self._activation.high))
        m.d.comb += self.code.eq(code8)
        return m

    def _magnitude(self, m: Module) -> tuple[Any, Any]:
        """|x| rounded down to the fractional bits of a table input, and saturated below 8; and whether x is negative.

        -x is ~x + 1. Bits that are rounded away take the 1 in, unless all of them are zero.
        """
        below = self._frac - INPUT_FRAC
        x = Cat(Const(0, -below), self.x).as_signed() if below < 0 else self.x
        dropped, kept = x[: max(below, 0)], x[max(below, 0) :]
        negative = self.x[-1]
        ones = kept ^ negative.replicate(len(kept))
        near1 = later(m, ones[:INPUT_BITS], name="near1", shape=unsigned(INPUT_BITS))
        beyond1 = later(m, ones[INPUT_BITS:].any(), name="beyond1")
        carry1 = later(m, negative & ~dropped.any(), name="carry1")
        magnitude = Signal(INPUT_BITS + 1)
        m.d.comb += magnitude.eq(near1 + carry1)
        most = (1 << INPUT_BITS) - 1
        input2 = later(m, Mux(beyond1 | magnitude[-1], most, magnitude[:INPUT_BITS]), name="input2")
        return input2, later(m, negative, 2, name="negative_x")

    def _rounded(self, tanh: Any, negative: Any) -> Any:
        """The value of the function, rounded half to even but not saturated.

        A tie is rounded alike on both sides of zero, so that the magnitude is rounded, and its sign and the 1/2 of a
        sigmoid are added together with the rounding's carry.
        """
        shift = VALUE_FRAC + self._sigmoid - self._activation.out.frac
        half = 1 << VALUE_FRAC if self._sigmoid else 0
        if half & ((1 << max(shift, 0)) - 1):
            # the 1/2 itself is rounded, because the result has no fractional bits
            value = (Cat(tanh, Const(0, 2)) ^ negative.replicate(TANH_BITS + 2)).as_signed()
            return rounded((value + Cat(negative, Const(0, 1)).as_signed() + half)[: TANH_BITS + 2].as_signed(), shift)
        offset = half >> shift if shift > 0 else half << -shift
        up = Const(0, 1)
        if shift > 0:
            tanh = Cat(tanh, Const(0, max(0, shift + 1 - TANH_BITS)))
            odd = tanh[shift] ^ (offset & 1)  # so that the result, offset included, becomes even
            up = tanh[shift - 1] & (odd | tanh[: shift - 1].any())
            tanh = tanh[shift:]
        elif shift < 0:
            tanh = Cat(Const(0, -shift), tanh)
        magnitude = Cat(tanh, Const(0, 1))
        signed_value = (magnitude ^ negative.replicate(len(magnitude))).as_signed()
        carry = Cat(up ^ negative, Const(0, 1)).as_signed()
        return signed_value + C(offset, signed(offset.bit_length() + 1)) + carry
