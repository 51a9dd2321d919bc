# SPDX-License-Identifier: Apache-2.0
"""Use of a board by the engine in HLS (csrc), part by part: block RAM, LUTRAM and DSP counted, LUT and FF modelled.

Block RAM, LUTRAM and DSP follow from the arrays and multiplications of the engine's C++ (csrc) and the widths of the
FPGA's primitives. LUT and FF are formulas fitted to Yosys 0.70 (synth_xilinx, xc7). The element-wise unit was
synthesized from what PandA Bambu made of an earlier csrc (parts.md), the PE and the multiplexers from accumulators
to units from Verilog written by hand after csrc. Control, loader and the block design are allowances. The whole of csrc
is not counted: no vendor synthesis has confirmed these figures, and none is carried over from the engine in RTL.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from ese_host.boards import Board
from ese_host.estimate.cycles.hls import pairs_rows
from ese_host.estimate.memories import DMA_RAMB18, Family, memories_of
from ese_host.estimate.resources.budget import INFRASTRUCTURE, ResourceUse
from ese_host.image import RAM_BITS, SUM_BITS, WRITEBACK, Design
from ese_host.ir import ELEMENT_BITS, Activation

BASIS = {
    "bram36": "counted: csrc's memories in RAMB18 by their aspect ratios; AXI DMA assumed",
    "lutram": "counted: csrc's memories in RAM32M/RAM64M blocks; AXI DMA assumed",
    "dsps": "counted: csrc's multiplications by the DSP's operand widths",
    "luts": "modelled (not counted for csrc): Yosys on a PE and on multiplexers by hand, and on HLS's unit",
    "flip_flops": "modelled (no vendor synthesis): like luts",
}
DSP_WIDTHS = {"zynq-7000": (25, 18), "zynq-ultrascale": (27, 18)}
CONTROL = {"luts": 2500, "flip_flops": 2500}
"""Allowance for the sequencer, the loader with its CRC-32, packets and registers."""
RESULT_BITS = 133
"""Bits of a unit's result between issue and write: 64 + 18 + 18 + 16 + 16 + 1."""
PAIRED = {"luts": 430, "flip_flops": 63, "result_bits": 19}
"""What a unit has for the second of two rows: a second rounding to any format and its parameters, and a result.

Yosys counts 424 LUTs more on Verilog written by hand (benchmarks/rtl/unit.v), 432 with two banks of accumulators, and
434 with accumulators of 36 bits."""
UNPAIRED = {"PEs": 365 / 241, "element-wise units": 5177 / 4175}
"""LUTs as Yosys counts them, none paired, over the paired count (benchmarks/rtl, 24-bit accumulators)."""
DRAIN = {
    2: 96,
    4: 96,
    8: 288,
    16: 566,
    24: 1232,
    32: 1428,
    36: 1732,
    40: 1870,
    48: 1854,
    52: 3002,
    56: 2532,
    64: 2754,
    96: 4654,
    128: 6711,
    160: 8422,
    192: 10283,
    256: 13593,
}
"""LUTs of the multiplexers from the accumulators of a number of PEs to one unit, as Yosys counts them, none paired.

The accumulators have 24 bits (benchmarks/rtl). The count is not monotonic: `drain_luts` takes the greater of the two
neighbours of a number of PEs that is not listed."""
FULL_LUTS = 17
"""LUTs of a PE for full phases, which unpack a word in a second way.

Yosys counts 17 for ternary codes, and 8, 8, 15 and 12 for codes of 4, 8 and 16 bits and of a codebook."""
PE_PIPELINE_BITS = 240
CELL_PIPELINE_BITS = 1600


def multiplier(a: int, b: int, family: Family) -> int:
    """Number of DSPs that multiply two signed numbers.

    Args:
        a: bits of one factor.
        b: bits of the other factor.
        family: family of the FPGA.

    >>> multiplier(24, 17, "zynq-7000"), multiplier(28, 17, "zynq-7000"), multiplier(36, 17, "zynq-ultrascale")
    (1, 2, 2)
    """
    wide, narrow = DSP_WIDTHS[family]

    def tiles(x: int, y: int) -> int:
        return ceil((x - 1) / (wide - 1)) * ceil((y - 1) / (narrow - 1))

    return min(tiles(a, b), tiles(b, a))


def use(design: Design, board: Board) -> dict[str, ResourceUse]:
    """Use of each resource of the board by the design, by the names in `NAMES`."""
    family = board.family
    memories = memories_of(design)
    bram = {m.cause: m.ramb18 / 2 for m in memories if m.ramb18}
    lutram = {m.cause: float(m.luts(family)) for m in memories if m.luts(family)}
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


def _dsps(design: Design, family: Family) -> dict[str, float]:
    """DSPs of the element-wise units and, if the weights are more than signs, of the PEs."""
    units, lstm, gru = design.cells_per_cycle, "lstm" in design.cells, "gru" in design.cells
    gates = [formats.gate for formats in design.sets]
    cells = [formats.cell for formats in design.sets]
    scaled = 4 * design.acc_banks * multiplier(design.acc_bits, 17, family)
    # i and f, or z and r; an LSTM's o; its g and tanh(c), and a GRU's candidate
    activations = (2 + lstm) * _activation_dsps(gates, SUM_BITS, family)
    activations += 2 * lstm * _activation_dsps(cells, SUM_BITS, family)
    activations += gru * _activation_dsps(cells, SUM_BITS + ELEMENT_BITS, family)
    # f * c, i * g and o * tanh(c); z * h and (1 - z) * g; r times a sum
    products = (3 * lstm + 2 * gru) * multiplier(18, 18, family) + gru * multiplier(SUM_BITS, 18, family)
    weight = design.widths.weight
    level = multiplier(weight.level_bits, 18, family) if weight.multiplies else 0
    parts = {
        "scales": units * scaled,
        "peepholes": units * 3 * lstm * multiplier(16, 16, family),
        "activations": units * activations,
        "gates times states": units * products,
        "PEs": design.pes * level,
    }
    return {cause: float(count) for cause, count in parts.items() if count}


def _activation_dsps(activations: Sequence[Activation], bits: int, family: Family) -> int:
    """DSPs of an activation that is one of several, by the set of formats.

    Args:
        activations: those of all sets.
        bits: width of the input, which a hard one multiplies by its slope.
        family: family of the FPGA.
    """
    hard = multiplier(bits, 17, family) if any(each.hard for each in activations) else 0
    return hard + (multiplier(14, 14, family) if any(not each.hard for each in activations) else 0)


def pe_luts(design: Design) -> float:
    """LUTs of the logic of a PE and of its accumulators' ports, without memories."""
    widths = design.widths
    return (
        193
        - 15 * (widths.weight.multiplies and widths.weight.own_level)
        + 15 * (widths.word_bits > RAM_BITS)
        + FULL_LUTS * design.full_phases
        + 2 * design.acc_bits
        + 8 * (log2(design.vector_depth) - 10)
        + 50 * (design.acc_banks - 1)
    )


def unit_luts(design: Design) -> float:
    """LUTs of the logic of an element-wise unit, without memories.

    The formula is fitted to what an open HLS compiler made of an earlier csrc, but for the second of two rows.
    """
    second_row = PAIRED["luts"] * pairs_rows(design.cells_per_cycle, design.pes)
    return 2815 + 1360 * design.acc_banks + 1.25 * max(0, design.acc_bits - 24) + second_row


def drain_luts(design: Design) -> float:
    """LUTs of the multiplexers from the accumulators to all units; each unit drains an equal share of the PEs."""
    units = design.cells_per_cycle
    pes_per_unit = design.pes // units
    below = max((pes for pes in DRAIN if pes <= pes_per_unit), default=2)
    above = min(pes for pes in DRAIN if pes >= pes_per_unit)
    counted = max(DRAIN[below], DRAIN[above])
    return units * design.acc_banks * design.acc_bits / 24 * counted


def _luts(design: Design) -> dict[str, float]:
    units = design.cells_per_cycle
    return {
        "PEs": float(round(design.pes * pe_luts(design))),
        "accumulators to units": float(round(drain_luts(design))),
        "element-wise units": units * unit_luts(design),
        "control": float(CONTROL["luts"]),
        "AXI DMA, interconnect": float(INFRASTRUCTURE["luts"]),
    }


def _flip_flops(design: Design) -> dict[str, float]:
    units, banks, bits = design.cells_per_cycle, design.acc_banks, design.acc_bits
    # of the four gates, those that come first wait up to three clocks for the last
    drain = banks * bits * (4 + 3 + 2 + 1)
    paired = pairs_rows(units, design.pes)
    return {
        "PEs": float(design.pes * (PE_PIPELINE_BITS + 4 * (bits - 24) + 2 * bits)),
        "accumulators to units": float(units * drain),
        "element-wise units": float(units * (CELL_PIPELINE_BITS + 420 * banks + PAIRED["flip_flops"] * paired)),
        "results on their way": float(units * WRITEBACK * (RESULT_BITS + PAIRED["result_bits"] * paired)),
        "control": float(CONTROL["flip_flops"]),
        "AXI DMA, interconnect": float(INFRASTRUCTURE["flip_flops"]),
    }


def luts_upper(resources: dict[str, ResourceUse]) -> float:
    """Upper count of LUTs: none is paired with another."""
    parts = resources["luts"].parts
    return sum(value * UNPAIRED.get(part, 1.0) for part, value in parts.items())
