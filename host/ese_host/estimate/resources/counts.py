# SPDX-License-Identifier: Apache-2.0
"""Counts of whole RTL engines by Yosys, recorded by `make count` in a file that comes with the package."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from ese_host.files import decode
from ese_host.image import Design, with_later_fields

PATH = Path(__file__).with_name("rtl_counts.json")


@dataclass(frozen=True)
class Count:
    """Cells of a 7-series FPGA that an engine, or a part of it, takes.

    Attributes:
        logic: LUTs of logic after pairing, as Yosys estimates them: two small functions may share one LUT.
        lutram: LUTs that serve as memories.
        srl: LUTs that serve as shift registers.
        flip_flops: flip-flops.
        ramb18: block RAMs of 18 Kb.
        ramb36: block RAMs of 36 Kb.
        dsps: DSP48E1.
        carry4: carry chains of four bits.
        muxf: multiplexers of the slices, MUXF7 and MUXF8.
        unpaired: LUTs of logic if none are paired.
        levels: of logic between two registers, at most: LUTs one after the other; sixteen bits of a carry chain count
            as one.
    """

    logic: int
    lutram: int
    srl: int
    flip_flops: int
    ramb18: int
    ramb36: int
    dsps: int
    carry4: int
    muxf: int
    unpaired: int
    levels: float

    @property
    def luts(self) -> int:
        """All LUTs: logic, memories and shift registers."""
        return self.logic + self.lutram + self.srl

    @property
    def bram36(self) -> float:
        """Block RAM in units of 36 Kb."""
        return self.ramb36 + self.ramb18 / 2


@dataclass(frozen=True)
class Recorded:
    """The count of one engine.

    Attributes:
        design: the engine's design.
        rtlil: SHA-256 of the RTLIL that was counted.
        flags: options of Yosys's synth_xilinx.
        yosys: version of Yosys.
        seconds: that the count took.
        count: what the engine takes.
    """

    design: Design
    rtlil: str
    flags: str
    yosys: str
    seconds: float
    count: Count


def read(path: Path = PATH) -> dict[str, Recorded]:
    """The recorded counts by the names of their cases.

    Raises:
        FormatError: if the file is not one that `write` has made.
    """
    if not path.is_file():
        return {}
    values = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: decode(Recorded, {**value, "design": with_later_fields(value.get("design"))}, f"{path.name}: {name}")
        for name, value in values.items()
    }


def write(records: dict[str, Recorded], path: Path = PATH) -> None:
    """Write counts by the names of their cases."""
    text = json.dumps({name: asdict(record) for name, record in records.items()}, indent=1) + "\n"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def of_design(design: Design) -> Recorded | None:
    """The recorded count of a design, whatever its clock; None if it was not counted."""
    return _by_design().get(replace(design, clock_mhz=1))


@cache
def _by_design() -> dict[Design, Recorded]:
    return {replace(record.design, clock_mhz=1): record for record in read().values()}
