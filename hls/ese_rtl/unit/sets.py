# SPDX-License-Identifier: Apache-2.0
"""Choices between the format sets of a design: all of them are constants, and the phase's set says which one holds."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import reduce
from typing import Any, TypeVar

from amaranth.hdl import Module, Mux, signed
from amaranth.lib.wiring import In, Out

from ese_host.image import Design
from ese_host.ir import Activation, Fixed
from ese_rtl.pipeline import later
from ese_rtl.records import set_bits
from ese_rtl.unit.arithmetic import Rounding, code_bits

Item = TypeVar("Item", bound=Hashable)


def finest(formats: Iterable[Fixed]) -> int:
    """Most fractional bits of some formats."""
    return max(each.frac for each in formats)


def aligned_bits(activations: Sequence[Activation]) -> int:
    """Bits, two's complement, of activations that have the fractional bits of the finest of them."""
    point = finest(each.out for each in activations)
    return max(code_bits(each.low, each.high) + point - each.out.frac for each in activations)


def set_port(design: Design) -> dict[str, Any]:
    """The port for the number of the format set, in designs of several."""
    return {"format_set": In(set_bits(design))} if design.more_sets else {}


def set_of(design: Design, owner: Any) -> Any:
    """The number of the format set that a component, or the settings of a stage, are told."""
    return owner.format_set if design.more_sets else 0


def code_ports(activations: Sequence[Activation]) -> dict[str, Any]:
    """The ports of a component for the codes of some activations: `code`, `code1`, and so on."""
    shapes = [signed(code_bits(each.low, each.high)) for each in activations]
    return {f"code{number or ''}": Out(shape) for number, shape in enumerate(shapes)}


def codes_of(component: Any, count: int) -> list[Any]:
    """The signals of `code_ports`."""
    return [getattr(component, f"code{number or ''}") for number in range(count)]


def choice_clocks(design: Design) -> int:
    """Clocks in which a value is chosen, of those that were rounded for each format set; none if there is one set."""
    return int(bool(design.more_sets))


def chosen(number: Any, values: Sequence[Any]) -> Any:
    """The value of a format set.

    Args:
        number: of the set; one beyond the last set is taken for the last.
        values: by number; for one set only, its value is the result.
    """
    pairs = list(enumerate(values))[-2::-1]
    return reduce(lambda rest, pair: Mux(number == pair[0], pair[1], rest), pairs, values[-1])


def distinct(items: Sequence[Item]) -> tuple[list[Item], list[int]]:
    """Items without repetitions, and the place among them of each item given."""
    kept = list(dict.fromkeys(items))
    return kept, [kept.index(item) for item in items]


def rounded_codes(m: Module, value: Any, formats: Sequence[tuple[int, int, int]], name: str) -> list[Any]:
    """A value that is rounded to several formats, `ROUNDING_CLOCKS` later.

    Args:
        m: module that gets a component for each distinct format.
        value: the value.
        formats: for each the fractional bits that are rounded away, the smallest and the largest code.
        name: begins the names of the components.
    """
    kept, places = distinct(formats)
    codes = []
    for number, (shift, low, high) in enumerate(kept):
        m.submodules[f"{name}{number or ''}"] = rounding = Rounding(len(value), shift, low, high)
        m.d.comb += rounding.value.eq(value)
        codes.append(rounding.code)
    return [codes[place] for place in places]


def chosen_later(m: Module, number: Any, values: Sequence[Any], name: str) -> Any:
    """The value of a format set one clock later, or at once if there is only one set: see `choice_clocks`.

    Args:
        m: module that gets the register.
        number: of the set.
        values: by number.
        name: of the register.
    """
    return later(m, chosen(number, values), name=name) if len(values) > 1 else values[0]
