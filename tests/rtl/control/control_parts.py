"""The parts of the core side by side in one simulation, so that they are compiled together."""

from __future__ import annotations

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
from support.rtl import CASES
from support.simulated_component import SimulatedComponent

DESIGN = CASES["full-4"].make()[1]
"""int4, 4 PEs, full phases."""
SIZES = Sizes(DESIGN)


class Parts(wiring.Component):
    """All parts, each with its own ports."""

    def __init__(self) -> None:
        kinds: dict[str, Any] = {"beats": Beats, "frames": FrameStore, "phases": PhaseTable, "retire": Retire}
        kinds |= {"stage": Stage, "sweeper": Sweeper}
        self._parts = {name: kind(SIZES) for name, kind in kinds.items()}
        super().__init__({name: Out(part.signature) for name, part in self._parts.items()})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for name, part in self._parts.items():
            m.submodules[name] = part
            wiring.connect(m, wiring.flipped(getattr(self, name)), part)
        return m


@cache
def _simulated() -> SimulatedComponent:
    return SimulatedComponent(Parts(), optimize=False)


def run(part: str, clocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Step one part; the others see zeros.

    Args:
        part: its name.
        clocks: for each clock the values of its input ports.

    Returns:
        For each clock the values of its output ports.
    """
    prefix = f"{part}__"
    shown = _simulated().run({prefix + name: value for name, value in clock.items()} for clock in clocks)
    return [{name.removeprefix(prefix): row[name] for name in row if name.startswith(prefix)} for row in shown]
