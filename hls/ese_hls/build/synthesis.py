# SPDX-License-Identifier: Apache-2.0
"""The result of a synthesis of an engine, in the same form for every tool."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Cosimulation:
    """A comparison of the RTL with golden model and g++, in which every word was equal.

    Attributes:
        packets: number of packets that were answered.
        words: number of words of the answers, all of which were compared.
        clocks: clock cycles that the RTL took for each packet.
        iterations: iterations of the engine for each packet, by its own counter, equal in RTL and under g++.
    """

    packets: int
    words: int
    clocks: tuple[int, ...]
    iterations: tuple[int, ...]


@dataclass(frozen=True)
class Synthesis:
    """The synthesis of an engine by a tool. A number that the tool does not report is None.

    Attributes:
        tool: name of the tool.
        version: its version, as the tool prints it.
        part: the device.
        clock_ns: clock period that was asked for, in ns.
        estimated_ns: clock period that the tool expects to reach, in ns.
        luts: number of LUTs.
        registers: number of flip-flops.
        dsps: number of DSPs.
        bram18: block RAM in units of RAMB18.
        cosimulation: the comparison of the RTL with golden model and g++, or None if there was none.
    """

    tool: str
    version: str
    part: str
    clock_ns: float
    estimated_ns: float | None
    luts: int | None
    registers: int | None
    dsps: int | None
    bram18: int | None
    cosimulation: Cosimulation | None = None

    @property
    def slack_ns(self) -> float | None:
        """The slack of the clock period in ns; negative if the clock is not reached."""
        return None if self.estimated_ns is None else self.clock_ns - self.estimated_ns

    def to_json(self) -> dict[str, Any]:
        """All fields and the slack, as plain values."""
        return {**asdict(self), "slack_ns": self.slack_ns}

    def __str__(self) -> str:
        def shown(value: float | None) -> str:
            return "unknown" if value is None else f"{value:,}"

        lines = [
            f"{self.tool} {self.version}, {self.part}, {self.clock_ns:g} ns:"
            + ("" if self.slack_ns is None else f" slack {self.slack_ns:.2f} ns,")
            + f" LUT {shown(self.luts)}, registers {shown(self.registers)}, DSP {shown(self.dsps)},"
            f" BRAM18 {shown(self.bram18)}"
        ]
        proof = self.cosimulation
        if proof is not None:
            lines.append(
                f"RTL equals golden model and g++: {proof.packets} packets, {proof.words} words;"
                f" iterations {_list(proof.iterations)} in {_list(proof.clocks)} clock cycles"
            )
        return "\n".join(lines)


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(f"{value:,}" for value in values)
