# SPDX-License-Identifier: Apache-2.0
"""The page of the CPU baseline: measured CPU figures beside the engine's modelled ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.cpu import modelled
from benchmarks.page import filled

Record = Mapping[str, Any]
ENGINE_HEADER = (
    "layer",
    "us a frame (modelled)",
    "entries executed",
    "stored, Mb",
    "fits",
    "energy, uJ (modelled)",
)
CPU_HEADER = (
    "layer",
    "dense, us (measured)",
    "CSR SciPy, us (measured)",
    "CSR NumPy, us (measured)",
    "engine, us (modelled)",
    "engine gains over dense / CSR",
    "energy dense / CSR / engine, uJ (modelled)",
)


def engine_figures(board: str, seed: int) -> dict[str, Any]:
    """Modelled figures of the engine on a board, as JSON values; `seed` draws the layers."""
    engines = {**modelled.eie_layers(board, seed), "ESE LSTM": modelled.ese_layer(board)}
    return {
        "board": board,
        "seed": seed,
        "block_ram_bits": modelled.block_ram_bits(board),
        "layers": {name: asdict(engine) for name, engine in engines.items()},
    }


def render(known: Record) -> str:
    """The text of docs/results/cpu-baseline.md from the content of docs/results/cpu-baseline.json."""
    engine = known["engine"]
    machines = [
        {
            **machine,
            "busy": max(machine["load_before"], machine["load_after"]) > 1.2 * int(machine["threads"]),
            "made_with": ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
            "table": _table(CPU_HEADER, _cpu_rows(machine, engine["layers"])),
        }
        for machine in known["machines"]
    ]
    return filled(
        Path(__file__).with_name("cpu.md.jinja"),
        pes=modelled.PES,
        board=engine["board"],
        command=" ".join(["ese4ml", *modelled.ese_command(engine["board"])]),
        seed=engine["seed"],
        block_ram=f"{engine['block_ram_bits'] / 1e6:.1f}",
        engine=_table(ENGINE_HEADER, _engine_rows(engine)),
        machines=machines,
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = ["| " + " | ".join(cells) + " |" for cells in (header, *rows)]
    return "\n".join([body[0], "|---" * len(header) + "|", *body[1:]])


def _engine_rows(engine: Record) -> Iterable[Sequence[str]]:
    for name, layer in engine["layers"].items():
        yield (
            name,
            f"{layer['microseconds']:,.1f}",
            f"{layer['entries']:,}",
            f"{layer['stored_bits'] / 1e6:.1f}",
            "yes" if layer["fits"] else "no",
            f"{layer['nanojoules'] / 1e3:,.2f}",
        )


def _cpu_rows(machine: Record, engines: Record) -> Iterable[Sequence[str]]:
    for name, layer in machine["layers"].items():
        engine = engines[name]
        timings = [layer.get(kind) for kind in ("dense", "csr_scipy", "csr_numpy")]
        dense, sparse = timings[0], timings[1] or timings[2]
        gains = " / ".join(
            f"{1e3 * t['best_ms'] / engine['microseconds']:,.1f}x" if t else "-" for t in (dense, sparse)
        )
        energy = (
            modelled.nanojoules_dense(layer["weights"]),
            modelled.nanojoules_csr(layer["nonzeros"], layer["rows"]),
            engine["nanojoules"],
        )
        yield (
            name,
            *(f"{1e3 * t['median_ms']:,.0f} / {1e3 * t['best_ms']:,.0f}" if t else "not measured" for t in timings),
            f"{engine['microseconds']:,.1f}",
            gains,
            " / ".join(f"{value / 1e3:,.1f}" for value in energy),
        )
