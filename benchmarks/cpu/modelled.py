# SPDX-License-Identifier: Apache-2.0
"""The engine's side of the CPU baseline: modelled times on a board, and energy by Song Han's 45 nm table."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass

from benchmarks.machines import EIE_LAYERS, Machine, draw, run_layer
from ese_host.boards import load_board
from ese_host.cli.main import main
from ese_host.estimate import TABLE
from ese_host.ir import WEIGHT_KINDS

PES = 64
ENTRY_BITS, POINTER_BITS, ACTIVATION_BITS = 8, 16, 16
"""Widths in EIE: an entry has a 4-bit weight and a 4-bit index; each PE has a pointer for each column."""
BRAM36_BITS = 36 * 1024
ESE = (
    "lstm --inputs 153 --units 1024 --projection 512 --peepholes --density 0.1 --masks gap-aware --weight-code ternary"
)


@dataclass(frozen=True)
class ModelledLayer:
    """Modelled figures of a layer on the engine.

    Attributes:
        microseconds: time of one frame at batch 1.
        cycles: the same in clock cycles.
        entries: entries executed, padding counted.
        stored_bits: entries of the whole layer, and its pointers in skip mode, in bits.
        fits: whether the board's memory holds them.
        nanojoules: energy of one frame, by `ese_host.estimate.TABLE`.
    """

    microseconds: float
    cycles: float
    entries: int
    stored_bits: int
    fits: bool
    nanojoules: float


def nanojoules_dense(weights: int) -> float:
    """Energy of a dense product on a CPU: per weight a DRAM, a cache and a register access, and float arithmetic."""
    per_weight = TABLE["DRAM"] + TABLE["SRAM"] + TABLE["float mult"] + TABLE["float add"] + TABLE["register"]
    return weights * per_weight / 1e3


def nanojoules_csr(nonzeros: int, rows: int) -> float:
    """Energy of a CSR product on a CPU: as dense for the non-zero weights, with indices and row pointers from DRAM."""
    return nanojoules_dense(nonzeros) + (nonzeros + rows) * TABLE["DRAM"] / 1e3


def nanojoules_skip(entries: int) -> float:
    """Energy of a product on the engine in skip mode.

    Each entry is read from SRAM, its activation from the FIFO, and its sum is read and written in a register file; the
    arithmetic is on integers. An access of b bits costs b / 32 of a 32-bit access, as in `ese4ml estimate`.
    """
    registers = ACTIVATION_BITS + 2 * WEIGHT_KINDS["codebook4"].acc_bits
    accesses = TABLE["SRAM"] * ENTRY_BITS / 32 + TABLE["register"] * registers / 32
    return entries * (accesses + TABLE["int mult"] + TABLE["int add"]) / 1e3


def eie_layers(board: str, seed: int) -> dict[str, ModelledLayer]:
    """EIE's layers in skip mode, as `make bench-eie` simulates them without batches, at the board's clock."""
    clock = load_board(board).clock_mhz
    layers = {}
    for layer in EIE_LAYERS:
        run = run_layer(draw(layer, seed), Machine(PES))
        entries = run.weights + run.padding
        stored = round(entries / layer.activation_density) * ENTRY_BITS + (layer.inputs + 1) * PES * POINTER_BITS
        fits = stored <= block_ram_bits(board)
        layers[layer.name] = ModelledLayer(
            run.cycles / clock, run.cycles, entries, stored, fits, nanojoules_skip(entries)
        )
    return layers


def ese_command(board: str) -> list[str]:
    """Arguments of the `ese4ml` command that estimates ESE's layer."""
    return ["estimate", *ESE.split(), "--pes", str(PES), "--board", board, "--json"]


def ese_layer(board: str) -> ModelledLayer:
    """A whole step of ESE's layer in stream mode, by `ese4ml estimate`."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main.main(ese_command(board), standalone_mode=False)
    value = json.loads(out.getvalue())
    return ModelledLayer(
        value["latency_us"],
        value["cycles_per_step"],
        value["nonzero_weights"] + value["padding_entries"],
        value["memory_bits"]["entries"],
        value["fits"],
        value["energy_pj"]["total"] / 1e3,
    )


def block_ram_bits(board: str) -> int:
    """Block RAM of a board in bits."""
    return int(load_board(board).bram36) * BRAM36_BITS
