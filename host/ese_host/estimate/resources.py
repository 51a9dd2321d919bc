"""What a design takes of a board, by part: block RAM and LUTRAM counted, DSP, LUT and FF modelled.

Basis: block RAM, LUTRAM and DSP follow from csrc's arrays and multiplications and the primitives' widths. LUT and FF
are formulas fitted to Yosys 0.70 (synth_xilinx, xc7): an element-wise unit as PandA Bambu makes it of csrc
(docs/parts.md), a PE as written by hand in Verilog after pe.h and accumulators.h. The multiplexers from accumulators
to units are by the slice's structure; Yosys counts 1.1 to 2.2 times as many there (`luts_upper`, docs/estimate.md).
Control, loader and the block design are allowances. No vendor synthesis is behind any of it. Assumed: the branches
execute<0> and execute<1> share everything but the accumulators' ports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2

from ese_host.boards import Board
from ese_host.estimate.memories import DMA_RAMB18, Family, memories_of
from ese_host.image import RAM_BITS, WRITEBACK, Design

BASIS = {
    "bram36": "counted: csrc's memories in RAMB18 by their aspect ratios; AXI DMA assumed",
    "lutram": "counted: csrc's memories in RAM32M/RAM64M blocks; AXI DMA assumed",
    "dsps": "counted: csrc's multiplications by the DSP's operand widths",
    "luts": "modelled (no vendor synthesis): Yosys on a PE and on HLS's unit, multiplexers by formula",
    "flip_flops": "modelled (no vendor synthesis): as luts",
}
NAMES = {"bram36": "BRAM36", "lutram": "LUTRAM", "dsps": "DSP", "luts": "LUT", "flip_flops": "FF"}
DSP_WIDTHS = {"zynq-7000": (25, 18), "zynq-ultrascale": (27, 18)}
CONTROL = {"luts": 2500, "flip_flops": 2500}
"""Sequencer, loader with CRC-32, packets, registers: an allowance."""
INFRASTRUCTURE = {"luts": 4500, "flip_flops": 6000, "lutram": 400}
"""AXI DMA, two AXI interconnects, reset: an allowance."""
RESULT_BITS = 133
"""Bits of a unit's result on its way: 64 + 18 + 18 + 16 + 16 + 1."""
UNPAIRED = {"PEs": 451 / 328, "element-wise units": 5177 / 4175}
"""Yosys's own LUTs, none paired, over paired ones (benchmarks/rtl, W = 24): the upper count."""
DRAIN = {
    2: 288,
    4: 288,
    8: 672,
    16: 1226,
    24: 2400,
    32: 3555,
    36: 3360,
    40: 4701,
    48: 3718,
    52: 6048,
    56: 5221,
    64: 6074,
    96: 9812,
    128: 13634,
}
"""Yosys's own LUTs from so many PEs to one unit, none paired (benchmarks/rtl, W = 24). No steady
function: between two counts of PEs the greater."""
FULL_LUTS = 20
"""LUTs of a PE for full phases, its second way to unpack a word: Yosys counts 16 for ternary codes, 1, -5 and 18 for
those of 4, 8 and 16 bits."""
PE_PIPELINE_BITS = 240
CELL_PIPELINE_BITS = 1600


@dataclass(frozen=True)
class ResourceUse:
    """One resource: what each part takes, and what the board has."""

    parts: dict[str, float]
    budget: int

    @property
    def used(self) -> float:
        """All parts."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether the board has as much."""
        return ceil(self.used) <= self.budget


def multiplier(a: int, b: int, family: Family) -> int:
    """DSPs of a signed product of `a` by `b` bits.

    >>> multiplier(24, 17, "zynq-7000"), multiplier(28, 17, "zynq-7000"), multiplier(36, 17, "zynq-ultrascale")
    (1, 2, 2)
    """
    wide, narrow = DSP_WIDTHS[family]

    def tiles(x: int, y: int) -> int:
        return ceil((x - 1) / (wide - 1)) * ceil((y - 1) / (narrow - 1))

    return min(tiles(a, b), tiles(b, a))


def mux_luts(ways: int) -> int:
    """LUTs of one bit of a multiplexer: 4 to 1 in one LUT, up to 16 to 1 with the slice's own multiplexers.

    >>> [mux_luts(n) for n in (1, 4, 16, 64, 128)]
    [0, 1, 4, 17, 34]
    """
    if ways <= 1:
        return 0
    groups = ceil(ways / 16)
    return ceil(ways / 4) + (mux_luts(groups) if groups > 1 else 0)


def use(design: Design, board: Board) -> dict[str, ResourceUse]:
    """What the design takes of the board, by resource and part."""
    family = board.family
    found = memories_of(design)
    bram = {m.cause: m.ramb18 / 2 for m in found if m.ramb18}
    lutram = {m.cause: float(m.luts(family)) for m in found if m.luts(family)}
    bram["AXI DMA"] = DMA_RAMB18 / 2
    lutram["AXI DMA"] = float(INFRASTRUCTURE["lutram"])
    parts = {
        "bram36": bram,
        "lutram": lutram,
        "dsps": _dsps(design, family),
        "luts": {**_luts(design), "memory": sum(lutram.values())},
        "flip_flops": _flip_flops(design),
    }
    return {name: ResourceUse(parts[name], getattr(board, name)) for name in parts}


def over(uses: dict[str, ResourceUse], causes: int = 4) -> list[str]:
    """What the board lacks, each as a sentence with the largest parts; empty where the design fits."""
    return [
        f"{NAMES[name]}: {_number(item.used)} needed, the board has {item.budget:,}: {_largest(item, causes)}"
        for name, item in uses.items()
        if not item.fits
    ]


def _largest(item: ResourceUse, causes: int) -> str:
    ordered = sorted(item.parts.items(), key=lambda part: -part[1])
    named = [f"{cause} {_number(value)}" for cause, value in ordered[:causes]]
    rest = sum(value for _, value in ordered[causes:])
    return ", ".join([*named, f"others {_number(rest)}"] if rest else named)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _dsps(design: Design, family: Family) -> dict[str, float]:
    """Multiplications of the element-wise units and, where weights are no signs, of the PEs."""
    units, gate, cell = design.cells_per_cycle, design.gate, design.cell
    scaled = 4 * design.acc_banks * multiplier(design.acc_bits, 17, family)
    activations = sum(
        multiplier(48, 17, family) if activation.hard else multiplier(14, 14, family)
        for activation in (gate, gate, gate, cell, cell)
    )
    products = 3 * multiplier(18, 18, family)
    weight = design.packing.weight
    level = multiplier(weight.level_bits, 18, family) if weight.multiplies else 0
    parts = {
        "scales": units * scaled,
        "peepholes": units * 3 * multiplier(16, 16, family),
        "activations": units * activations,
        "gates times states": units * products,
        "PEs": design.pes * level,
    }
    return {cause: float(count) for cause, count in parts.items() if count}


def pe_luts(design: Design) -> float:
    """LUTs of a PE with its accumulators' ports, memories aside."""
    packing = design.packing
    return (
        250
        + 15 * (not packing.weight.own_level)
        + 15 * (packing.word_bits > RAM_BITS)
        + FULL_LUTS * design.full_phases
        + 3.25 * design.acc_bits
        + 5 * (log2(design.vector_depth) - 10)
        + 108 * (design.acc_banks - 1)
    )


def unit_luts(design: Design) -> float:
    """LUTs of an element-wise unit, memories aside: csrc's own through an HLS compiler (docs/parts.md)."""
    return 2815 + 1360 * design.acc_banks + 1.25 * max(0, design.acc_bits - 24)


def _luts(design: Design) -> dict[str, float]:
    units, banks, bits = design.cells_per_cycle, design.acc_banks, design.acc_bits
    drain = banks * (4 * bits * (2 * mux_luts(design.pes // units) + 0.5) + bits)
    return {
        "PEs": float(round(design.pes * pe_luts(design))),
        "accumulators to units": float(round(units * drain)),
        "element-wise units": units * unit_luts(design),
        "control": float(CONTROL["luts"]),
        "AXI DMA, interconnect": float(INFRASTRUCTURE["luts"]),
    }


def _flip_flops(design: Design) -> dict[str, float]:
    units, banks, bits = design.cells_per_cycle, design.acc_banks, design.acc_bits
    drain = banks * 4 * bits * 3
    return {
        "PEs": float(design.pes * (PE_PIPELINE_BITS + 4 * (bits - 24) + 2 * bits)),
        "accumulators to units": float(units * drain),
        "element-wise units": float(units * (CELL_PIPELINE_BITS + 420 * banks)),
        "results on their way": float(units * WRITEBACK * RESULT_BITS),
        "control": float(CONTROL["flip_flops"]),
        "AXI DMA, interconnect": float(INFRASTRUCTURE["flip_flops"]),
    }


def drain_upper(design: Design) -> float:
    """LUTs from the accumulators to all units as Yosys counts them: each unit drains PEs of its own."""
    units = design.cells_per_cycle
    own = design.pes // units
    counted = max(DRAIN[max((n for n in DRAIN if n <= own), default=2)], DRAIN[min(n for n in DRAIN if n >= own)])
    return units * design.acc_banks * design.acc_bits / 24 * counted


def luts_upper(uses: dict[str, ResourceUse], design: Design) -> float:
    """LUTs where nothing is paired and multiplexers are as Yosys builds them."""
    parts = {**uses["luts"].parts, "accumulators to units": drain_upper(design)}
    return sum(value * UNPAIRED.get(part, 1.0) for part, value in parts.items())


def percentages(uses: dict[str, ResourceUse]) -> dict[str, float]:
    """Share of each resource that is taken."""
    return {name: 100 * item.used / item.budget for name, item in uses.items()}


def bits_by_cause(design: Design, causes: Iterable[str] = ()) -> dict[str, int]:
    """Bits that each memory holds, of the causes named or of all."""
    named = set(causes)
    return {m.cause: m.capacity for m in memories_of(design) if not named or m.cause in named}
