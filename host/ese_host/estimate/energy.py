# SPDX-License-Identifier: Apache-2.0
"""Modelled energy of a step: compute, SRAM and registers, and for comparison the weights read from DRAM.

The costs are those of the 45 nm table in Song Han's talk. An access of b bits costs b / 32 of a 32-bit access, and a
narrower operation as much as a 32-bit one. Clock tree, routing, leakage, input and output are left out. An FPGA takes
more, by a factor that the table does not give, so that the parts compare only with each other and with DRAM.
"""

from __future__ import annotations

from dataclasses import dataclass

from ese_host.estimate.timing import StepTiming
from ese_host.image import RAM_BITS, Design

TABLE = {
    "int add": 0.1,
    "float add": 0.9,
    "register": 1.0,
    "int mult": 3.1,
    "float mult": 3.7,
    "SRAM": 5.0,
    "DRAM": 640.0,
}
"""Energy of a 32-bit operation at 45 nm in pJ, from Song Han's talk."""


@dataclass(frozen=True)
class CellWork:
    """Work of an element-wise unit for a cell, besides the scales of its four rows.

    Attributes:
        multiplications: of activations, peepholes, and gates with states.
        additions: likewise.
        bits: read or written in block RAM: biases, peepholes, the state twice, and a table segment for each activation.
    """

    multiplications: int
    additions: int
    bits: int


CELL_WORK = {
    "lstm": CellWork(11, 10, 16 * 4 + 16 * 3 + 2 * 16 + 5 * 32),
    "gru": CellWork(6, 6, 16 * 4 + 2 * 16 + 3 * 32),
}
"""LSTM: 3 peepholes, 5 activations, f c, i g, o tanh(c). GRU: 3 activations, r with a sum, z h, (1 - z) candidate."""


@dataclass(frozen=True)
class Scanned:
    """Elements that a step scans and sends in skip mode.

    Attributes:
        elements: elements of vectors that are read.
        compared: those of them that are compared with what was sent last, in delta phases.
        columns: elements that are sent, each with its column, to all PEs.
    """

    elements: float
    compared: float
    columns: float


@dataclass(frozen=True)
class Energy:
    """Energy of one step in pJ.

    Attributes:
        parts: energy by cause.
        dram: energy of reading the same entries from DRAM instead.
        dense_dram: energy of reading all weights before pruning from DRAM, 32 bits each.
    """

    parts: dict[str, float]
    dram: float
    dense_dram: float

    @property
    def total(self) -> float:
        """Energy of all causes; DRAM is not among them, because the engine uses none."""
        return sum(self.parts.values())


def energy_of(step: StepTiming, dense_weights: int, design: Design, scanned: Scanned | None = None) -> Energy:
    """Energy of a step.

    Args:
        step: timing and work of the step.
        dense_weights: number of weights before pruning.
        design: the engine's design.
        scanned: what the step scans and sends, if the design is in skip mode.
    """
    weight_operation = TABLE["int add"] + (TABLE["int mult"] if design.widths.weight.multiplies else 0)
    works = [(step.items[kind], work) for kind, work in CELL_WORK.items()]
    cells, rows, banks = sum(count for count, _ in works), step.items["dense"], design.acc_banks
    scaled_rows = 4 * cells + rows
    multiplications = scaled_rows * banks + sum(count * work.multiplications for count, work in works)
    additions = scaled_rows * (banks + 1) + sum(count * work.additions for count, work in works)
    copies = 1 if scanned else (design.pes + 1) // 2
    read = scanned.elements if scanned else step.entries
    written = (cells + rows + 2 * step.frame_words) * copies * RAM_BITS
    widths = design.widths
    entry_bits = widths.word_bits * (
        (step.entries - step.full_entries) / widths.per_word(False) + step.full_entries / widths.per_word(True)
    )
    parameters = scaled_rows * 16 * banks + rows * 16 + sum(count * work.bits for count, work in works)
    parts = {
        "compute: weights": step.weights * weight_operation,
        "compute: element-wise": multiplications * TABLE["int mult"] + additions * TABLE["int add"],
        "SRAM: entries": _access("SRAM", entry_bits),
        "SRAM: vectors": _access("SRAM", read * RAM_BITS + written),
        "SRAM: parameters, states, tables": _access("SRAM", parameters),
        "registers and LUTRAM: accumulators": _access(
            "register", (2 * step.weights + 2 * scaled_rows * banks) * design.acc_bits
        ),
    }
    if scanned:
        parts |= _of_scan(scanned, design.pes)
    return Energy(parts, _access("DRAM", entry_bits), _access("DRAM", 32 * dense_weights))


def _of_scan(scanned: Scanned, pes: int) -> dict[str, float]:
    """Energy of what skip mode has beside the rest, by cause.

    What was sent last is read and written for every element that is compared. For a column every PE reads where it
    begins and where it ends, writes both and the element into its FIFO, and reads them there.
    """
    sent = scanned.columns * pes
    return {
        "compute: scan": 2 * scanned.compared * TABLE["int add"],
        "SRAM: what was sent last": _access("SRAM", 2 * scanned.compared * RAM_BITS),
        "SRAM: column pointers": _access("SRAM", 2 * sent * RAM_BITS),
        "registers and LUTRAM: FIFOs": _access("register", 2 * sent * 3 * RAM_BITS),
    }


def _access(kind: str, bits: float) -> float:
    return TABLE[kind] * bits / 32
