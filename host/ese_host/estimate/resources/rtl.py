# SPDX-License-Identifier: Apache-2.0
"""Use of a board by the engine in RTL: as counted by Yosys if it was, else by a model fitted to counts.

Block RAM, LUTRAM and DSPs follow from the engine's memories and multiplications. The model of the other LUTs and of
flip-flops is a sum over parts; its numbers were fitted to the counts in rtl_counts.json, and a test holds it within 10%
of each (docs/explanation/estimate.md). Both are in cells of the 7-series; on UltraScale they are taken to be the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from ese_host.boards import Board
from ese_host.estimate.memories import ASPECTS, DMA_RAMB18, Family, Memory, fifo_places, shared_words
from ese_host.estimate.resources.budget import INFRASTRUCTURE, ResourceUse
from ese_host.estimate.resources.counts import Recorded, of_design
from ese_host.estimate.resources.hls import multiplier
from ese_host.image import CONSTANT_BITS, RAM_BITS, SCAN_WIDTH, SUM_BITS, SUM_FRAC, WINDOW_STEP, Design
from ese_host.ir import GATES, LIMIT_BITS, SLOPE, TABLE_SIZE, Activation, Cells, unrounded_in

ENGINE, OTHERS = "engine", "AXI DMA, interconnect"
"""Names of the parts of a counted design."""
WINDOW = "vector RAMs to windows"
"""Name of what brings the columns of a vector to the windows of the PEs."""
SKIP = "scanner, column pointers, takers"
"""Name of what skip mode has beside the rest, less the addresses of the vector RAMs' copies."""
SPARED_BITS, SPARED_DEPTHS = 2, (1024, 2048)
"""Bits of an item's parameters that lie in LUTs, if they would need a block RAM of their own, and depths of which."""
PHASE_BITS = 192
"""Bits of a phase in the phase table."""
QUEUES = 84
"""LUTRAM of packets and registers: queues, the counts of an image's sections, what the last packet was."""
LSTM_DSPS, GRU_DSPS = 6, 5
"""DSPs of an element-wise unit but for scales and activations.

An LSTM's are for three peepholes, and gates times states 3; a GRU's for the reset gate times a sum 2, and gates times
states 3.
"""
UNIT_LUTS: dict[Cells, float] = {"lstm": 1734.0, "gru": 1430.0, "lstm+gru": 2070.0}
UNIT_FLIP_FLOPS: dict[Cells, float] = {"lstm": 2476.0, "gru": 1970.0, "lstm+gru": 2700.0}
"""LUTs of logic and of shift registers, and flip-flops, of an element-wise unit with accumulators of 24 bits."""
SETS_FLIP_FLOPS = 970.0
"""Flip-flops of a unit for several format sets: Yosys counts so many more for one of hard activations beside ESE's."""
GROUP = 16
"""PEs among which the first stage of the multiplexers chooses."""
DEEP = 2048
"""Words of entry memory beyond which block RAMs follow one another, with a multiplexer behind them."""
UNPAIRED = 1.25
"""LUTs of logic if none are paired, over those after pairing."""
FAMILY: Family = "zynq-7000"


def memories_of(design: Design) -> list[Memory]:
    """Every memory of the engine at the depths of the design, whether a network fills it or not."""
    d, units, parameters = design, design.cells_per_cycle, _item_bits(design)
    spared = parameters % RAM_BITS
    low, rest = d.param_depths
    if not (0 < spared <= SPARED_BITS and SPARED_DEPTHS[0] <= low <= SPARED_DEPTHS[1]):
        spared = 0
    copies = (d.pes + 1) // 2
    banked = d.mode == "skip" or d.window
    ends = shared_words(d.entry_depth, d.widths.word_bits)
    memories = [
        Memory("entries", d.pes, d.entry_depth - ends, d.widths.word_bits, "bram"),
        Memory("ends of entries", copies, ASPECTS[0][0] if ends else 0, d.widths.word_bits, "bram"),
        *(_vectors(SCAN_WIDTH, d.vector_depth // SCAN_WIDTH) if banked else _vectors(copies, d.vector_depth)),
        *(_skip_memories(d) if d.mode == "skip" else _window_memories(d)),
        Memory("scales and biases", units, low, parameters - spared, "bram"),
        Memory("last bits of biases", units, low, spared, "lutram"),
        Memory("last scales and biases", units, rest, parameters, "lutram"),
        Memory("peepholes", units if "lstm" in d.cells else 0, d.cell_depth, 48, "bram"),
        Memory("cell state", units, d.cell_depth, 16, "bram"),
        Memory("tanh table", ceil(lookups(d) / 2), TABLE_SIZE, 32, "bram"),
        Memory("accumulators", 2 * d.acc_banks * d.pes, GATES * d.group_depth, d.acc_bits, "lutram"),
        Memory("phase table", 1, d.phases, PHASE_BITS, "lutram"),
    ]
    if not d.widths.weight.own_level:
        memories.append(Memory("codebooks", d.pes, 256, 16, "lutram"))
    return [memory for memory in memories if memory.copies and memory.depth and memory.bits]


def _vectors(copies: int, depth: int) -> list[Memory]:
    return [Memory(f"vector RAM {name}", copies, depth, RAM_BITS, "bram") for name in "AB"]


def _skip_memories(design: Design) -> list[Memory]:
    """The memories that skip mode has beside the vector RAMs."""
    d, column = design, 3 * RAM_BITS + 2
    return [
        Memory("last sent", SCAN_WIDTH, d.delta_depth // SCAN_WIDTH, RAM_BITS, "bram"),
        Memory("column pointers", d.pes, d.pointer_depth, RAM_BITS, "bram"),
        Memory("FIFOs", d.pes, fifo_places(d.fifo_depth), column, "lutram"),
        Memory("pointers before", 1, d.pes, RAM_BITS, "lutram"),
    ]


def _window_memories(design: Design) -> list[Memory]:
    """The windows of all PEs, and the bits that say when they advance."""
    d = design
    return [
        Memory("windows", WINDOW_STEP * d.pes, d.window // WINDOW_STEP, RAM_BITS, "lutram"),
        Memory("advances", 1, d.entry_depth if d.window else 0, d.widths.advance_bits, "bram"),
    ]


def _item_bits(design: Design) -> int:
    """Bits of an item's scales and biases."""
    return GATES * CONSTANT_BITS * (design.acc_banks + 1)


def _chosen_bits(design: Design) -> int:
    """Bits of an item's scales and biases, if they are chosen from two memories."""
    return _item_bits(design) if design.param_depths[1] else 0


def lookups(design: Design) -> int:
    """Values that the element-wise units look up in the tanh table in a clock; a copy of the table gives two."""
    gates, states = activations_of(design)
    smooth = [any(not each.hard for each in of_sets) for of_sets in _functions(design)]
    return design.cells_per_cycle * (gates * smooth[0] + states * smooth[1])


def _functions(design: Design) -> tuple[list[Activation], list[Activation]]:
    """The activations of gates and of what becomes a state, of each format set."""
    return [formats.gate for formats in design.sets], [formats.cell for formats in design.sets]


def activations_of(design: Design) -> tuple[int, int]:
    """Activations of a unit: of gates, and of what becomes a state. The cells of both kinds share i and f, or z and r.

    An LSTM has i, f and o, and those of its candidate and of c; a GRU has z and r, and that of its candidate.
    """
    lstm, gru = "lstm" in design.cells, "gru" in design.cells
    return 2 + lstm, 2 * lstm + gru


def use(design: Design, board: Board) -> dict[str, ResourceUse]:
    """Use of each resource of the board by the design, by the names in `NAMES`: the count, or else the model."""
    record = of_design(design)
    parts = counted(record) if record else modelled(design)
    parts["bram36"][OTHERS] = DMA_RAMB18 / 2
    for name, amount in INFRASTRUCTURE.items():
        parts[name][OTHERS] = float(amount)
    parts["luts"][OTHERS] += INFRASTRUCTURE["lutram"]
    return {name: ResourceUse(parts[name], getattr(board, name)) for name in parts}


def counted(record: Recorded) -> dict[str, dict[str, float]]:
    """The engine's count, by resource; block RAM by cause."""
    count = record.count
    bram = {m.cause: m.ramb18 / 2 for m in memories_of(record.design) if m.ramb18}
    if sum(bram.values()) != count.bram36:
        bram = {ENGINE: count.bram36}
    return {
        "bram36": bram,
        "lutram": {ENGINE: float(count.lutram)},
        "dsps": {ENGINE: float(count.dsps)},
        "luts": {"logic": float(count.logic), "shift registers": float(count.srl), "memory": float(count.lutram)},
        "flip_flops": {ENGINE: float(count.flip_flops)},
    }


def modelled(design: Design) -> dict[str, dict[str, float]]:
    """The engine's resources by the model, each by part."""
    memories = memories_of(design)
    lutram = {m.cause: float(m.luts(FAMILY)) for m in memories if m.luts(FAMILY)} | {"queues": float(QUEUES)}
    return {
        "bram36": {m.cause: m.ramb18 / 2 for m in memories if m.ramb18},
        "lutram": lutram,
        "dsps": dsps(design),
        "luts": {**luts(design), "memory": sum(lutram.values())},
        "flip_flops": flip_flops(design),
    }


def dsps(design: Design) -> dict[str, float]:
    """DSPs by part: one in each PE, and those of the element-wise units."""
    scales = GATES * design.acc_banks * multiplier(design.acc_bits, 17, FAMILY)
    gates, cells = _functions(design)
    of_unit = scales + activations_of(design)[0] * activation_dsps(gates, SUM_BITS, SUM_FRAC)
    if "lstm" in design.cells:
        of_unit += activation_dsps(cells, SUM_BITS, SUM_FRAC) + activation_dsps(cells, *unrounded_in(design.sets))
        of_unit += LSTM_DSPS
    if "gru" in design.cells:
        frac = max(gate.out.frac for gate in gates)
        of_unit += activation_dsps(cells, SUM_BITS + frac, SUM_FRAC + frac) + GRU_DSPS
    return {"PEs": float(design.pes), "element-wise units": float(design.cells_per_cycle * of_unit)}


def activation_dsps(activations: Sequence[Activation], bits: int, frac: int) -> int:
    """DSPs of an activation: a smooth one interpolates, a hard one multiplies its input, once it is clipped.

    Args:
        activations: the functions of all format sets.
        bits: of its input.
        frac: fractional bits of its input.
    """
    line = multiplier(min(bits, LIMIT_BITS + frac + 2), SLOPE.bits + 1, FAMILY)
    hard, smooth = any(each.hard for each in activations), any(not each.hard for each in activations)
    return hard * line + smooth


def pe_luts(design: Design) -> float:
    """LUTs of a PE's logic, with the addresses of its vector RAMs and accumulators."""
    d, column_bits, row_bits = design, log2(design.vector_depth), log2(GATES * design.group_depth)
    return (
        104
        + 2 * (d.acc_bits - 24)  # the accumulator before the sum, and the one that is drained
        + (d.acc_banks - 1) * (3 * d.acc_bits + 7)
        + 5 * (row_bits - 6)
        + 3 * (column_bits - 10)
        + (-6 if d.window else 2 * column_bits)
        + row_bits
        + 20 * (d.entry_depth > DEEP)
        + 18 * (not d.widths.weight.own_level)
        + 17 * d.full_phases
    )


def drain_luts(design: Design) -> float:
    """LUTs of the four multiplexers from the accumulators to each unit: groups of 16 PEs, then one of each group."""
    pes = design.pes // design.cells_per_cycle
    members, groups = min(pes, GROUP), ceil(pes / GROUP)
    ways = groups * (0 if members == 1 else 1 if members <= 4 else 4) + (0 if groups == 1 else 1 if groups <= 4 else 4)
    return float(design.cells_per_cycle * GATES * design.acc_banks * design.acc_bits * ways)


def luts(design: Design) -> dict[str, float]:
    """LUTs of logic and of shift registers by part, memories left out."""
    banks, bits, units = design.acc_banks, design.acc_bits, design.cells_per_cycle
    return {
        **({SKIP: 550.0 + 110 * design.pes} if design.mode == "skip" else {}),
        **({WINDOW: 233.0} if design.window else {}),
        "PEs": design.pes * (pe_luts(design) + 1),
        "accumulators to units": drain_luts(design),
        "element-wise units": units * (UNIT_LUTS[design.cells] + (banks - 1) * 700 + 8 * (bits - 24) * banks),
        "sequencer, parameters, results": 800.0 + 2 * units * _chosen_bits(design),
        "packets, registers": 826.0,
    }


def flip_flops(design: Design) -> dict[str, float]:
    """Flip-flops by part."""
    banks, bits, units = design.acc_banks, design.acc_bits, design.cells_per_cycle
    pe = 119 + 1.5 * (bits - 24) + 12 * (not design.widths.weight.own_level) + (banks - 1) * (bits + 3)
    groups = ceil(design.pes / units / GROUP)
    return {
        **({SKIP: 670.0 + 160 * design.pes} if design.mode == "skip" else {}),
        **({WINDOW: 70.0} if design.window else {}),
        "PEs": design.pes * (pe + 2 * design.full_phases + 31.5 * (design.window > 0)),
        "accumulators to units": float(units * GATES * banks * bits * (groups + 1)),
        "element-wise units": units
        * (UNIT_FLIP_FLOPS[design.cells] + (banks - 1) * 800 + SETS_FLIP_FLOPS * bool(design.more_sets)),
        "sequencer, parameters, results": 951.0 + units * _chosen_bits(design),
        "packets, registers": 723.0,
    }


def luts_upper(resources: dict[str, ResourceUse], design: Design) -> float:
    """Upper count of LUTs: none is paired with another."""
    record = of_design(design)
    used = resources["luts"].used
    if record:
        return used - record.count.logic + record.count.unpaired
    logic = sum(luts(design).values())
    return used + (UNPAIRED - 1) * logic


def basis(design: Design) -> dict[str, str]:
    """How each figure of `use` is found."""
    if record := of_design(design):
        how = f"counted: the whole engine by Yosys {record.yosys} (synth_xilinx {record.flags}); AXI DMA assumed"
        return dict.fromkeys(("bram36", "lutram", "luts", "flip_flops"), how) | {"dsps": how.partition(";")[0]}
    return {
        "bram36": "counted: the RTL engine's memories in RAMB18 by their aspect ratios; AXI DMA assumed",
        "lutram": "counted: the RTL engine's memories in RAM32M/RAM64M blocks; AXI DMA assumed",
        "dsps": "counted: the RTL engine's multiplications by the DSP's operand widths",
        "luts": "modelled: a formula fitted to Yosys's counts of whole engines; AXI DMA assumed",
        "flip_flops": "modelled: a formula fitted to Yosys's counts of whole engines; AXI DMA assumed",
    }
