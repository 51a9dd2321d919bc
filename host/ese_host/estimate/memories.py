# SPDX-License-Identifier: Apache-2.0
"""Memories of the engine (csrc), counted in block RAM and LUTRAM.

A RAMB18 is a block RAM of 18 Kb with two ports. A memory takes the least number of them over the aspect ratios
1K x 18, 2K x 9, 4K x 4, 8K x 2 and 16K x 1. Two RAMB18 make one BRAM36.

LUTRAM is counted in LUTs, in blocks with one write and one read port. RAM32M (32 x 6) and RAM64M (64 x 3) of the
7-series take four LUTs, RAM32M16 (32 x 14) and RAM64M8 (64 x 7) of UltraScale eight. A deeper memory is made of blocks
of 64 words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ese_host.image import RAM_BITS, SCAN_WIDTH, Design
from ese_host.ir import GATES, TABLE_SIZE

Family = Literal["zynq-7000", "zynq-ultrascale"]
Kind = Literal["bram", "lutram"]
ASPECTS = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Depth and width of one RAMB18 with two ports."""
WIDE = (512, 36)
"""Depth and width of one RAMB18 with one write and one read port, for memories of more than 36 bits."""
LUTRAM_BLOCKS = {"zynq-7000": ((32, 6, 4), (64, 3, 4)), "zynq-ultrascale": ((32, 14, 8), (64, 7, 8))}
"""Depth, width and LUTs of the LUTRAM blocks with one write and one read port."""
AUTO_LUTRAM_BITS, AUTO_LUTRAM_DEPTH = 1024, 64
"""Size up to which the tools are assumed to put a memory into LUTRAM that csrc does not bind to either kind."""
PHASE_BITS, SCAN_BITS, ROWS_BITS = 237, 81, 16
"""Bits of a Phase (csrc/engine/phase.h), bits that skip mode adds, and bits that full phases add.

PHASE_BITS is a stage of 2, 13 flags, 6 fields of 16, 2 targets of 18, 4 + 4 + 2 + 2, 7 shifts of 6, and 2 x 18."""
COLUMNS_IN_FLIGHT = 6
"""Columns that may still come, in RTL, after a FIFO of skip mode is found full."""
DMA_RAMB18 = 6
"""RAMB18 assumed for the AXI DMA in simple mode, both directions. The engine's own streams have no FIFO."""


@dataclass(frozen=True)
class Memory:
    """Equal memories of one cause.

    Attributes:
        cause: name of what the memories hold.
        copies: number of memories.
        depth: words of each memory.
        bits: bits of a word.
        kind: "bram" for block RAM or "lutram" for LUTRAM.
    """

    cause: str
    copies: int
    depth: int
    bits: int
    kind: Kind

    @property
    def capacity(self) -> int:
        """Bits of all copies."""
        return self.copies * self.depth * self.bits

    @property
    def ramb18(self) -> int:
        """RAMB18 of all copies; 0 for LUTRAM."""
        return self.copies * ramb18(self.depth, self.bits) if self.kind == "bram" else 0

    def luts(self, family: Family) -> int:
        """LUTs that all copies take as LUTRAM; 0 for block RAM."""
        return self.copies * lutram(self.depth, self.bits, family) if self.kind == "lutram" else 0


def shared_words(depth: int, bits: int) -> int:
    """Number of words, the last ones of a memory, that it can keep in one RAMB18 together with an equal memory.

    A RAMB18 has two ports, so that each memory has one, if half of its words are enough. All words before them fill
    RAMB36.

    Args:
        depth: words of each memory.
        bits: bits of a word.

    >>> shared_words(2539, 18), shared_words(1693, 18), shared_words(400, 18), shared_words(1100, 36)
    (491, 0, 400, 0)
    """
    deep, wide = ASPECTS[0]
    rest = depth % (2 * deep)
    return rest if bits <= wide and rest <= deep // 2 else 0


def fifo_places(depth: int) -> int:
    """Columns that a FIFO of the engine in RTL has room for, in skip mode.

    Args:
        depth: columns at which it counts as full.

    >>> fifo_places(1), fifo_places(8), fifo_places(16)
    (8, 16, 32)
    """
    return 1 << (depth + COLUMNS_IN_FLIGHT - 1).bit_length()


def ramb18(depth: int, bits: int) -> int:
    """Number of RAMB18 that one memory of `depth` words of `bits` bits takes.

    >>> ramb18(1024, 18), ramb18(1692, 18), ramb18(1024, 32), ramb18(512, 16), ramb18(2049, 18)
    (1, 2, 2, 1, 3)
    """
    aspects = (*ASPECTS, WIDE) if bits > 36 else ASPECTS
    return min(-(-depth // deep) * -(-bits // wide) for deep, wide in aspects)


def lutram(depth: int, bits: int, family: Family) -> int:
    """Number of LUTs that one memory takes as LUTRAM.

    Args:
        depth: words of the memory.
        bits: bits of a word.
        family: family of the FPGA.

    >>> lutram(16, 24, "zynq-7000"), lutram(64, 24, "zynq-7000"), lutram(16, 24, "zynq-ultrascale")
    (16, 32, 16)
    """
    return min(-(-depth // deep) * -(-bits // wide) * luts for deep, wide, luts in LUTRAM_BLOCKS[family])


def memories_of(design: Design) -> list[Memory]:
    """Every memory of the engine at the depths of the design, whether a network fills it or not."""
    d, pairs = design, (design.pes + 1) // 2
    units = d.cells_per_cycle
    skips = d.mode == "skip"
    memories = [
        Memory("entries", d.pes, d.entry_depth, d.widths.word_bits, "bram"),
        *(_skip_memories(design) if skips else _vectors(pairs, d.vector_depth)),
        _auto("scales", units * 4 * d.acc_banks, d.param_depth, 16),
        _auto("biases", units * 4, d.param_depth, 16),
        _auto("peepholes", units * 3 * ("lstm" in d.cells), d.cell_depth, 16),
        _auto("cell state", units, d.cell_depth, 16),
        Memory("tanh table", units * table_copies(design), TABLE_SIZE, 32, "bram"),
        Memory("accumulators", 2 * d.acc_banks * d.pes, GATES * d.group_depth, d.acc_bits, "lutram"),
        Memory("phase table", 1, d.phases, PHASE_BITS + skips * SCAN_BITS + d.full_phases * ROWS_BITS, "lutram"),
    ]
    if not d.widths.weight.own_level:
        memories.append(Memory("codebooks", d.pes, 256, 16, "lutram"))
    return [memory for memory in memories if memory.copies]


def table_copies(design: Design) -> int:
    """Copies of the tanh table that each unit has, with two ports each.

    The first is read for the first two gates, of an LSTM or a GRU. An LSTM reads the second for its candidate and its
    last gate, and the third for tanh(c), beside which a GRU has its candidate; without an LSTM that is in the second.
    """
    gates = any(not formats.gate.hard for formats in design.sets)
    cells = any(not formats.cell.hard for formats in design.sets)
    if "lstm" in design.cells:
        return gates + (gates or cells) + cells
    return gates + cells


def _vectors(copies: int, depth: int) -> list[Memory]:
    return [Memory(f"vector RAM {name}", copies, depth, RAM_BITS, "bram") for name in "AB"]


def _skip_memories(design: Design) -> list[Memory]:
    """Memories that skip mode has instead: vectors in wide rows, the last broadcast, column pointers and FIFOs."""
    d, wide = design, SCAN_WIDTH * RAM_BITS
    column = 2 * (16 + d.widths.slot_bits) + RAM_BITS
    rows = max(d.delta_depth, SCAN_WIDTH) // SCAN_WIDTH
    return [
        *(Memory(f"vector RAM {name}", 1, d.vector_depth // SCAN_WIDTH, wide, "bram") for name in "AB"),
        Memory("last broadcast", int(d.delta_depth > 0), rows, wide, "bram"),
        Memory("column pointers", d.pes, d.pointer_depth, RAM_BITS, "bram"),
        Memory("FIFOs", d.pes, d.fifo_depth, column, "lutram"),
    ]


def _auto(cause: str, copies: int, depth: int, bits: int) -> Memory:
    small = depth <= AUTO_LUTRAM_DEPTH or depth * bits <= AUTO_LUTRAM_BITS
    return Memory(cause, copies, depth, bits, "lutram" if small else "bram")
