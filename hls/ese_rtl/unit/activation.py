# SPDX-License-Identifier: Apache-2.0
"""Which component computes an activation, in designs of one format set and of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ese_host.image import Design
from ese_host.ir import Activation
from ese_rtl.pipeline import later
from ese_rtl.records import Line
from ese_rtl.unit.hard import Hard
from ese_rtl.unit.lookup import LOOKUP
from ese_rtl.unit.sets import aligned_bits, choice_clocks, chosen, distinct, finest
from ese_rtl.unit.smooth import Smooth

ACTIVATION_CLOCKS = max(Smooth.latency, Hard.latency)
"""Clocks of every activation of one format set, so that designs have one latency whatever functions they have."""


def activation_clocks(design: Design) -> int:
    """Clocks of every activation of a design."""
    return ACTIVATION_CLOCKS + choice_clocks(design)


def component_of(activation: Activation) -> type[Smooth] | type[Hard]:
    """A component with the ports `x` and `code`, and `lookup` (smooth) or `line` (hard)."""
    return Hard if activation.hard else Smooth


def activation_of(functions: Sequence[Activation], bits: int, frac: int) -> Any:
    """The component for the functions of all format sets in one place.

    Args:
        functions: by number of the set.
        bits: width of x.
        frac: fractional bits of x.
    """
    if len(functions) == 1:
        return component_of(functions[0])(functions[0], bits, frac)
    return ActivationOfSets(functions, bits, frac)


class ActivationOfSets(wiring.Component):
    """An activation whose function and format are those of the phase's format set.

    There is one component for the smooth functions of all sets, and one for the hard ones. The results of all have the
    fractional bits of the finest of them. The format set and `line` do not change while a value is under way.
    """

    latency = ACTIVATION_CLOCKS + 1

    def __init__(self, functions: Sequence[Activation], bits: int, frac: int) -> None:
        """Make the component.

        Args:
            functions: by number of the set.
            bits: width of x.
            frac: fractional bits of x.
        """
        self._functions, self._bits, self._frac = tuple(functions), bits, frac
        ports = {"lookup": Out(LOOKUP)} if not all(function.hard for function in functions) else {}
        ports |= {"line": In(Line)} if any(function.hard for function in functions) else {}
        number, code = In(ceil_log2(len(functions))), Out(signed(aligned_bits(functions)))
        super().__init__({"x": In(signed(bits)), "format_set": number, **ports, "code": code})

    def elaborate(self, _platform: Any) -> Module:
        """The components, and the choice between their results in a clock of its own."""
        m = Module()
        point = finest(function.out for function in self._functions)
        kept, places = distinct(self._functions)
        codes: dict[Activation, Any] = {}
        for name, kind in (("smooth", Smooth), ("hard", Hard)):
            functions = [function for function in kept if component_of(function) is kind]
            if not functions:
                continue
            m.submodules[name] = part = kind(functions[0], self._bits, self._frac, others=functions[1:])
            m.d.comb += part.x.eq(self.x)
            if isinstance(part, Hard):
                m.d.comb += part.line.eq(self.line)
            else:
                m.d.comb += [self.lookup.segment.eq(part.lookup.segment), part.lookup.word.eq(self.lookup.word)]
                if part.mixed:
                    m.d.comb += part.tanh.eq(chosen(self.format_set, [each.kind == "tanh" for each in self._functions]))
            waits = ACTIVATION_CLOCKS - part.latency
            for number, (function, code) in enumerate(zip(functions, part.codes, strict=True)):
                code8 = later(m, code, waits, name=f"{name}{number}")
                codes[function] = code8.shift_left(point - function.out.frac)
        aligned = [codes[kept[place]] for place in places]
        m.d.comb += self.code.eq(later(m, chosen(self.format_set, aligned), name="code9", shape=self.code.shape()))
        return m
