# SPDX-License-Identifier: Apache-2.0
"""The parts of the core side by side in one simulation, so that they are compiled together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ese_rtl.control.beats import Beats
from ese_rtl.control.frames import FrameStore
from ese_rtl.control.phase_table import PhaseTable
from ese_rtl.control.retire import Retire
from ese_rtl.control.stage import Stage
from ese_rtl.control.sweeper import Sweeper
from ese_rtl.sizes import Sizes
from support.designs import roomy
from support.rtl import CASES
from support.simulated_component import SimulatedComponent

DESIGN = CASES["full-4"].make()[1]
"""int4, 4 PEs, full phases."""
SIZES = Sizes(DESIGN)
OF_STAGES: dict[str, Any] = {"retire": Retire, "stage": Stage}
"""Parts that depend on the number of units."""
OTHERS: dict[str, Any] = {"beats": Beats, "frames": FrameStore, "phases": PhaseTable, "sweeper": Sweeper}


def _of_two_units(pes: int) -> Sizes:
    """Sizes of an engine with two units, whose vectors begin at multiples of four."""
    return Sizes(replace(roomy("fc", cells_per_cycle=2)[1], pes=pes, vector_depth=64, group_depth=4))


UNITS = {"one": SIZES, "two": _of_two_units(8), "two of one PE": _of_two_units(2)}
"""Engines with one and two units: one or two rows of each leave at once, cells in every clock or in every fourth."""


class Parts(wiring.Component):
    """Parts of an engine, each with its own ports."""

    def __init__(self, sizes: Sizes) -> None:
        kinds = OF_STAGES | (OTHERS if sizes is SIZES else {})
        self._parts = {name: kind(sizes) for name, kind in kinds.items()}
        super().__init__({name: Out(part.signature) for name, part in self._parts.items()})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for name, part in self._parts.items():
            m.submodules[name] = part
            wiring.connect(m, wiring.flipped(getattr(self, name)), part)
        return m


@cache
def _simulated(units: str) -> SimulatedComponent:
    return SimulatedComponent(Parts(UNITS[units]), optimize=False)


def run(part: str, clocks: list[dict[str, Any]], units: str = "one") -> list[dict[str, Any]]:
    """Step one part; the others see zeros.

    Args:
        part: its name.
        clocks: for each clock the values of its input ports.
        units: of which of the engines in `UNITS` it is.

    Returns:
        For each clock the values of its output ports.
    """
    prefix = f"{part}__"
    shown = _simulated(units).run({prefix + name: value for name, value in clock.items()} for clock in clocks)
    return [{name.removeprefix(prefix): row[name] for name in row if name.startswith(prefix)} for row in shown]
