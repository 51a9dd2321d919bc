# SPDX-License-Identifier: Apache-2.0
"""Masks of ESE's layer: processor time, load, padding and kept magnitude of each family. Writes docs/results/masks.md.

    python -m benchmarks.masks

The layer's 3,248,128 weights are drawn from Student's t with 3 degrees of freedom, in place of trained ones, and are
spread over 64 PEs. Times are processor times of one thread, which other work on the machine changes little. The first
call, in which numba compiles, is not counted. The beats in an activation window are those of the encoder's schedules.
"""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path
from typing import Any

import click
import numba
import numpy as np

from benchmarks.page import publish
from ese_host.image import WINDOW_STEP, Interleave, LstmSize, entries, window
from ese_host.ir import MASK_FAMILIES
from ese_models.pruning import keep_per_pe, mask_for, statistics
from support.ese_layer import CELLS, INPUTS, PROJECTED, ese_layer

ROOT = Path(__file__).resolve().parents[1]
PES, DENSITY, GAP_BITS, ROUNDS = 64, 0.11, 5, 3
WINDOWED_PES, COLUMNS_HELD = (64, 128), (32, 64, 128)
"""Numbers of PEs and columns of an activation window for which the beats of a step are counted."""


def matrices() -> list[tuple[np.ndarray[Any, Any], Interleave]]:
    """Random weights of the layer's three matrices, each with the interleave of its rows."""
    rng = np.random.default_rng(0)
    sizes = LstmSize(INPUTS, CELLS, PROJECTED).matrices()
    return [(rng.standard_t(3, (size.rows, size.columns)), size.interleave(PES)) for size in sizes]


def row(family: Any, layer: list[tuple[np.ndarray[Any, Any], Interleave]]) -> dict[str, Any]:
    """Figures of one mask family on the layer, for one row of the page's table."""
    seconds, masks = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        masks = [mask_for(family, weights, DENSITY, rows, "int4", GAP_BITS) for weights, rows in layer]
        seconds.append(time.process_time() - start)
    loads = [statistics(w, m, rows, "int4", GAP_BITS) for (w, rows), m in zip(layer, masks, strict=True)]
    kept = [[int(m[rows.rows_of(pe)].sum()) for pe in range(PES)] for (_, rows), m in zip(layer, masks, strict=True)]
    exact = all(
        set(counts) == {keep_per_pe(weights.size, DENSITY, PES)}
        for counts, (weights, _) in zip(kept, layer, strict=True)
    )
    entries = np.sum([item.entries_per_pe for item in loads], axis=0)
    size = sum(np.abs(weights).sum() for weights, _ in layer)
    return {
        "family": family,
        "seconds": min(seconds),
        "exact": "yes" if exact else "no",
        "imbalance": entries.max() / entries.mean(),
        "padding": 100 * sum(item.padding for item in loads) / sum(int(m.sum()) for m in masks),
        "kept": 100 * sum(np.abs(w)[m].sum() for (w, _), m in zip(layer, masks, strict=True)) / size,
    }


def windowed_row(family: Any, pes: int) -> dict[str, Any]:
    """Beats of a step of the ternary layer at 10% without and with a window, for one row of the page's second table.

    `least` is what no mask with as many entries can fall below: each matrix takes at least the entries of its fullest
    PE, and the beats in which its columns are brought in.
    """
    beats = dict.fromkeys((0, *COLUMNS_HELD), 0)
    least = 0
    ese = ese_layer(pes, family=family, gap_bits=GAP_BITS).layers[0]
    for part, matrix in ese.matrices().items():
        rows, columns = matrix.codes.shape
        interleave = Interleave(rows, pes, ese.places(part))
        per_pe = [stored.columns for stored in entries(matrix.codes, interleave, matrix.kind, GAP_BITS)]
        fullest = max(map(len, per_pe))
        least += max(fullest, -(-columns // WINDOW_STEP))
        beats[0] += fullest
        for held in COLUMNS_HELD:
            beats[held] += len(window.schedule(per_pe, columns, held).advances)
    return {"family": family, "pes": pes, "beats": list(beats.values()), "least": least}


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "docs" / "results" / "masks.md",
    help="Page to write.  [default: docs/results/masks.md]",
)
def main(out: Path) -> None:
    """Measure every family and write the page."""
    mask_for("gap-aware", np.ones((8, 4)), 0.5, Interleave(8, 2), "int4", GAP_BITS)
    layer = matrices()
    publish(
        out,
        Path(__file__).with_name("masks.md.jinja"),
        rows=[row(family, layer) for family in MASK_FAMILIES],
        windowed=[windowed_row(family, pes) for pes in WINDOWED_PES for family in MASK_FAMILIES],
        weights=f"{sum(weights.size for weights, _ in layer):,}",
        pes=PES,
        density=f"{100 * DENSITY:g}%",
        gap_bits=GAP_BITS,
        rounds=ROUNDS,
        machine=f"{platform.machine()} Linux, numpy {np.__version__}, numba {numba.__version__}",
    )


if __name__ == "__main__":
    sys.exit(main())
