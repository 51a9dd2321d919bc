# SPDX-License-Identifier: Apache-2.0
"""Sigmoid and tanh, read from the table of tanh by linear interpolation (docs/reference/numerics.md, "Activations")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.ir import INPUT_FRAC, SEGMENT_FRAC, VALUE_FRAC, Activation
from ese_rtl.pipeline import later
from ese_rtl.unit.arithmetic import rounded, saturated
from ese_rtl.unit.lookup import LOOKUP, SEGMENT_BITS
from ese_rtl.unit.sets import code_ports, codes_of

INPUT_BITS = SEGMENT_BITS + SEGMENT_FRAC
TANH_BITS = VALUE_FRAC + 1
"""Bits of a magnitude of tanh: any table's value plus its step fits."""


class Smooth(wiring.Component):
    """An activation that reads the table; the result comes `latency` clocks after x. A digit is a signal's clock.

    It may be rounded for several format sets at once, each to a code of its own. If not all of their functions are the
    same, there is a port that says whether that of x is tanh; it does not change while a value is under way.

    Attributes:
        codes: the results, in the order of the functions.
        mixed: whether the functions differ.
    """

    latency = 8

    def __init__(self, activation: Activation, bits: int, frac: int, *, others: Sequence[Activation] = ()) -> None:
        """Make the component.

        Args:
            activation: the function and the format of its result.
            bits: width of x.
            frac: fractional bits of x.
            others: further functions and formats.
        """
        self._activations = (activation, *others)
        sigmoids = [_is_sigmoid(each) for each in self._activations]
        self.mixed = any(sigmoids) and not all(sigmoids)
        # sigmoid(x) = 1/2 + tanh(x/2) / 2; one fractional bit more halves the input
        self._frac = frac + any(sigmoids)
        ports = {"tanh": In(1)} if self.mixed else {}
        super().__init__({"x": In(signed(bits)), **ports, "lookup": Out(LOOKUP), **code_ports(self._activations)})
        self.codes = codes_of(self, len(self._activations))

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
        for activation, code in zip(self._activations, self.codes, strict=True):
            nearest = _rounded(activation, sum6[SEGMENT_FRAC : SEGMENT_FRAC + TANH_BITS], negative6)
            nearest7 = later(m, nearest, name="nearest7")
            code8 = Signal.like(code, name="code8", reset_less=True)
            m.d.sync += code8.eq(saturated(nearest7, activation.low, activation.high))
            m.d.comb += code.eq(code8)
        return m

    def _magnitude(self, m: Module) -> tuple[Any, Any]:
        """|x| rounded down to the fractional bits of a table input, and saturated below 8; and whether x is negative.

        -x is ~x + 1. Bits that are rounded away take the 1 in, unless all of them are zero.
        """
        below = self._frac - INPUT_FRAC
        given = Mux(self.tanh, self.x.shift_left(1), self.x).as_signed() if self.mixed else self.x
        x = Cat(Const(0, -below), given).as_signed() if below < 0 else given
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


def _is_sigmoid(activation: Activation) -> bool:
    return activation.kind == "sigmoid"


def _rounded(activation: Activation, tanh: Any, negative: Any) -> Any:
    """The value of the function, rounded half to even but not saturated.

    A tie is rounded alike on both sides of zero, so that the magnitude is rounded, and its sign and the 1/2 of a
    sigmoid are added together with the rounding's carry.

    Args:
        activation: the function and the format of its result.
        tanh: the magnitude of tanh.
        negative: whether x is negative.
    """
    sigmoid = _is_sigmoid(activation)
    shift = VALUE_FRAC + sigmoid - activation.out.frac
    half = 1 << VALUE_FRAC if sigmoid else 0
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
