"""The engine's side of the CPU baseline: modelled times on a board, and energy by the talk's 45 nm table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ese_host.board import load_board
from ese_models.simulate import EIE_LAYERS, Machine, draw, run_layer

PES = 64
ENTRY_BITS, POINTER_BITS = 8, 16
"""EIE's: 4-bit weight and 4-bit index; a pointer a column and PE."""
TERNARY_ENTRY_BITS = 6
BRAM36_BITS = 36 * 1024
PICOJOULES = {
    "int_add": 0.1,
    "float_add": 0.9,
    "register": 1.0,
    "int_mult": 3.1,
    "float_mult": 3.7,
    "sram": 5.0,
    "dram": 640.0,
}
"""A 32-bit operation or access in 45 nm, as in the talk."""


@dataclass(frozen=True)
class Engine:
    """A layer on the engine.

    Attributes:
        microseconds: one frame, batch 1. cycles: the same. entries: executed, padding counted.
        stored_bits: entries and pointers of the whole layer. basis: what the figures rest on.
    """

    microseconds: float
    cycles: float
    entries: int
    stored_bits: int
    nanojoules: float
    basis: str


def nanojoules_dense(weights: int) -> float:
    """CPU: a weight from DRAM, an activation from cache, a float multiplication and addition, a register."""
    p = PICOJOULES
    return weights * (p["dram"] + p["sram"] + p["float_mult"] + p["float_add"] + p["register"]) / 1e3


def nanojoules_csr(nonzeros: int, rows: int) -> float:
    """CPU: weight and index from DRAM, the rest as dense; a row pointer from DRAM."""
    return nanojoules_dense(nonzeros) + (nonzeros + rows) * PICOJOULES["dram"] / 1e3


def nanojoules_engine(entries: int, entry_bits: int, *, multiplier: bool, activation: str) -> float:
    """Engine: an entry from SRAM by its bits, an activation, a sum read and written in registers, integers."""
    p = PICOJOULES
    arithmetic = p["int_add"] + (p["int_mult"] if multiplier else 0.0)
    return entries * (p["sram"] * entry_bits / 32 + p[activation] + 2 * p["register"] + arithmetic) / 1e3


def eie_layers(board: str, seed: int) -> dict[str, Engine]:
    """EIE's layers in skip mode, as `make eie` simulates them, at the board's clock."""
    clock = load_board(board).clock_mhz
    found = {}
    for layer in EIE_LAYERS:
        run = run_layer(draw(layer, seed), Machine(PES))
        entries = run.weights + run.padding
        whole = round(entries / layer.activation_density)
        found[layer.name] = Engine(
            run.cycles / clock,
            run.cycles,
            entries,
            whole * ENTRY_BITS + (layer.inputs + 1) * PES * POINTER_BITS,
            nanojoules_engine(entries, ENTRY_BITS, multiplier=True, activation="register"),
            f"skip mode simulated, {PES} PEs, FIFO depth 8, 4-bit weights, {clock} MHz",
        )
    return found


def ese_layer(board: str) -> Engine:
    """ESE's layer in stream mode, by the cycle model, at the board's clock."""
    from ese_host.estimate.sizes import LstmSize, Pruning
    from ese_host.estimate.timing import of_sizes

    clock = load_board(board).clock_mhz
    step = of_sizes([LstmSize(153, 1024, 512, peepholes=True)], Pruning(0.1), PES, 2)[0].step()
    return Engine(
        step.cycles / clock,
        step.cycles,
        step.entries,
        step.entries * TERNARY_ENTRY_BITS,
        nanojoules_engine(step.entries, TERNARY_ENTRY_BITS, multiplier=False, activation="sram"),
        f"whole LSTM step by the cycle model, {PES} PEs, ternary, gap-aware masks, {clock} MHz",
    )


def board_bits(board: str) -> int:
    """Block RAM of a board."""
    return int(load_board(board).bram36) * BRAM36_BITS


def to_json(engine: Engine) -> dict[str, Any]:
    """Plain values."""
    return {**engine.__dict__}
