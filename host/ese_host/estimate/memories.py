"""Memories to primitives: what csrc instantiates, in block RAM and LUTRAM.

A block RAM of 18 Kb holds 1K x 18 with two ports; a memory takes the least number over the aspect ratios 1K x 18,
2K x 9, 4K x 4, 8K x 2, 16K x 1; two of 18 Kb make one BRAM36. LUTRAM counts LUTs, in blocks with one write and one read
port: 7-series RAM32M (32 x 6) and RAM64M (64 x 3) have four, UltraScale RAM32M16 (32 x 14) and RAM64M8 (64 x 7) eight.
A deeper one is made of 64-word blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ese_host.image import RAM_BITS, SCAN_WIDTH, Design
from ese_host.ir import TABLE_SIZE

Family = Literal["zynq-7000", "zynq-ultrascale"]
Kind = Literal["bram", "lutram"]
ASPECTS = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Depth and width of one RAMB18 with two ports."""
WIDE = (512, 36)
"""The same with one write and one read port: memories wider than 36 bits, which nothing reads twice."""
LUTRAM_BLOCKS = {"zynq-7000": ((32, 6, 4), (64, 3, 4)), "zynq-ultrascale": ((32, 14, 8), (64, 7, 8))}
"""Depth, width and LUTs of the blocks with one write and one read port."""
AUTO_LUTRAM_BITS, AUTO_LUTRAM_DEPTH = 1024, 64
"""A memory that csrc binds to neither becomes LUTRAM up to this size (assumed of the tools), else block RAM."""
PHASE_BITS, SCAN_BITS, ROWS_BITS = 237, 81, 16
"""Bits of csrc/engine/phase.h's Phase: a stage of 2, 13 flags, 6 fields of 16, 2 targets of 18, 4 + 4 + 2 + 2, 7 shifts
of 6, 2 x 18; of what skip mode adds; of what full phases add."""
DMA_RAMB18 = 6
"""AXI DMA in simple mode, both directions: 3 BRAM36 assumed. The engine's own streams have no FIFO."""


@dataclass(frozen=True)
class Memory:
    """Memories of one cause: `copies` of `depth` x `bits`, and where they lie."""

    cause: str
    copies: int
    depth: int
    bits: int
    kind: Kind

    @property
    def capacity(self) -> int:
        """Bits held."""
        return self.copies * self.depth * self.bits

    @property
    def ramb18(self) -> int:
        """Half BRAM36 needed."""
        return self.copies * ramb18(self.depth, self.bits) if self.kind == "bram" else 0

    def luts(self, family: Family) -> int:
        """LUTs needed as memory."""
        return self.copies * lutram(self.depth, self.bits, family) if self.kind == "lutram" else 0


def ramb18(depth: int, bits: int) -> int:
    """RAMB18 of one memory.

    >>> ramb18(1024, 18), ramb18(1692, 18), ramb18(1024, 32), ramb18(512, 16), ramb18(2049, 18)
    (1, 2, 2, 1, 3)
    """
    aspects = (*ASPECTS, WIDE) if bits > 36 else ASPECTS
    return min(-(-depth // deep) * -(-bits // wide) for deep, wide in aspects)


def lutram(depth: int, bits: int, family: Family) -> int:
    """LUTs of one memory.

    >>> lutram(16, 24, "zynq-7000"), lutram(64, 24, "zynq-7000"), lutram(16, 24, "zynq-ultrascale")
    (16, 32, 16)
    """
    return min(-(-depth // deep) * -(-bits // wide) * luts for deep, wide, luts in LUTRAM_BLOCKS[family])


def memories_of(design: Design) -> list[Memory]:
    """Every memory of the engine."""
    d, pairs = design, (design.pes + 1) // 2
    units = d.cells_per_cycle
    skips = d.mode == "skip"
    found = [
        Memory("entries", d.pes, d.entry_depth, d.packing.word_bits, "bram"),
        *(_skip_memories(design) if skips else _vectors(pairs, d.vector_depth)),
        _auto("scales", units * 4 * d.acc_banks, d.param_depth, 16),
        _auto("biases", units * 4, d.param_depth, 16),
        _auto("peepholes", units * 3, d.cell_depth, 16),
        _auto("cell state", units, d.cell_depth, 16),
        Memory("tanh table", units * table_copies(design), TABLE_SIZE, 32, "bram"),
        Memory("accumulators", 2 * d.acc_banks * d.pes * 4, d.group_depth, d.acc_bits, "lutram"),
        Memory("entry counts", 0 if skips else d.pes, d.phases, 16, "lutram"),
        Memory("phase table", 1, d.phases, PHASE_BITS + skips * SCAN_BITS + d.full_phases * ROWS_BITS, "lutram"),
    ]
    if not d.packing.weight.own_level:
        found.append(Memory("codebooks", d.pes, 256, 16, "lutram"))
    return [memory for memory in found if memory.copies]


def table_copies(design: Design) -> int:
    """Copies of the tanh table that a unit reads: i and f the first, g and o the second, tanh(c) the third."""
    if not design.gate.hard:
        return 2 if design.cell.hard else 3
    return 0 if design.cell.hard else 2


def _vectors(copies: int, depth: int) -> list[Memory]:
    return [Memory(f"vector RAM {name}", copies, depth, RAM_BITS, "bram") for name in "AB"]


def _skip_memories(design: Design) -> list[Memory]:
    """Vectors as one copy of wide rows, column pointers, FIFOs, and what was last broadcast."""
    d, wide = design, SCAN_WIDTH * RAM_BITS
    column = 2 * (16 + d.packing.slot_bits) + RAM_BITS
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
