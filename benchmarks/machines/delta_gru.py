# SPDX-License-Identifier: Apache-2.0
"""EdgeDRNN's network, two GRU layers, as a delta network on both engines, and on boards: docs/results/delta-gru.md.

    python -m benchmarks.machines.delta_gru

csrc is compiled with g++; of the engine in RTL every clock is simulated. All outputs are compared with the golden
model's; cycles are the engine's own counter. What fits a board is the estimate's search.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.machines.skip_energy import DEPTH, GAP_BITS, PES, SEED, Thresholds, named, sent
from benchmarks.machines.skip_engine import run
from benchmarks.page import filled, write
from benchmarks.rtl.boards import boards
from ese_host.boards import Board
from ese_host.estimate import DesignOptions, Pruning, Subject, estimate
from ese_host.estimate.cycles import MODELS, Engine
from ese_host.estimate.search import search
from ese_host.image import GruSize, Interleave
from ese_host.ir import Activation, Codes, Fixed, Gru, Matrix, Network, golden
from ese_models.pruning import mask_for

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "delta-gru.md"
INPUTS, CELLS, STEPS, DENSITY = 40, 768, 40, 0.1
DENSITIES = (DENSITY, DENSITY / 2)
"""Shares of weights for which boards are searched."""
THRESHOLDS: tuple[Thresholds, ...] = ((None, None), (0, 0), (64, 16), (256, 64), (1024, 256))
SIZES = (GruSize(INPUTS, CELLS), GruSize(CELLS, CELLS))
STATE = Fixed(16, 4)


def network() -> Network:
    """The two layers with random ternary weights, and gap-aware masks that keep `DENSITY` of them."""
    rng = np.random.default_rng(SEED)

    def matrix(rows: int, columns: int, places: tuple[int, ...]) -> Matrix:
        values = rng.standard_t(3, (rows, columns))
        kept = mask_for("gap-aware", values, DENSITY, Interleave(rows, PES, places), "ternary", GAP_BITS)
        codes: Codes = np.sign(values).astype(np.int64) * kept
        return Matrix(codes, "ternary", np.full((2, rows), 3000, dtype=np.int64), 16)

    layers = []
    for number, size in enumerate(SIZES):
        kernel, recurrent = (matrix(each.rows, each.columns, each.places) for each in size.matrices())
        layers.append(
            Gru(
                name=f"gru{number}",
                kernel=kernel,
                recurrent=recurrent,
                bias=rng.integers(-4096, 4096, 4 * size.units),
                bias_frac=12,
                gate=Activation("sigmoid", Fixed(16, 0, signed=False)),
                cell=Activation("tanh", Fixed(16, 1)),
                source=STATE,
                state=STATE,
                output=STATE,
                return_sequences=True,
            )
        )
    return Network(tuple(layers), STATE)


def with_thresholds(ordinary: Network, thresholds: Thresholds) -> Network:
    """The layers as a delta network; the outputs of a layer are the inputs of the next, with the state's threshold."""
    layers = []
    for number, layer in enumerate(ordinary.layers):
        assert isinstance(layer, Gru)
        layers.append(replace(layer, delta_input=thresholds[min(number, 1)], delta_state=thresholds[1]))
    return Network(tuple(layers), ordinary.source)


def inputs() -> Codes:
    """(1, STEPS, INPUTS) codes: in each step a quarter of the inputs moves by at most 0.15."""
    rng = np.random.default_rng(SEED)
    shape = (1, STEPS, INPUTS)
    moves = rng.integers(-600, 600, shape) * (rng.random(shape) < 0.25)
    codes: Codes = np.clip(np.cumsum(moves, axis=1), STATE.low, STATE.high)
    return codes


def columns_sent(network: Network, codes: Codes) -> float:
    """Elements that are sent to the PEs in a step, on average over the sequence."""
    total, vectors = 0, codes[0]
    for layer, result in zip(network.layers, golden.run(network, codes).layers, strict=True):
        assert isinstance(layer, Gru) and result.h is not None
        before = np.concatenate([np.zeros_like(result.h[0, :1]), result.h[0, :-1]])
        total += int(sent(vectors, layer.delta_input).sum() + sent(before, layer.delta_state).sum())
        vectors = result.h[0]
    return total / STEPS


def delta_rows() -> list[dict[str, Any]]:
    """Figures of the network with each pair of thresholds."""
    ordinary, codes, rows = network(), inputs(), []
    reference = golden.run(ordinary, codes).outputs
    for thresholds in tqdm(THRESHOLDS, unit="pair of thresholds"):
        changed = with_thresholds(ordinary, thresholds)
        exact, counted, _, design = run(changed, codes, GAP_BITS)
        error = np.abs(golden.run(changed, codes).outputs - reference).max() / (1 << STATE.frac)
        rows.append(
            {
                "thresholds": named(thresholds),
                "exact": exact,
                "columns": columns_sent(changed, codes),
                "cycles": [total / STEPS for total in counted],
                "error": error,
                "design": design,
            }
        )
    return rows


def fastest(board: Board, engine: Engine, density: float) -> dict[str, Any]:
    """The estimate of the fastest stream-mode design that fits a board at its default clock; ternary weights.

    Args:
        board: the board.
        engine: the engine in HLS (csrc) or in RTL.
        density: share of the weights that is kept.
    """
    subject = Subject("EdgeDRNN's network", sum(matrix.weights for size in SIZES for matrix in size.matrices()))
    found = search(SIZES, Pruning(density), DesignOptions(1, 1, board.clock_mhz), board, None, engine)
    return estimate(subject, found.timed, found.design, board, engine=engine)


def page() -> str:
    """The text of docs/results/delta-gru.md."""
    ordinary = network()
    return filled(
        Path(__file__).with_suffix(".md.jinja"),
        delta=delta_rows(),
        boards=[
            {"names": names, "density": density, "found": fastest(board, engine, density)}
            for (names, board), density, engine in product(boards(), DENSITIES, MODELS)
        ],
        weights=ordinary.weights,
        kept=ordinary.nonzero_weights,
        pes=PES,
        depth=DEPTH,
        steps=STEPS,
        inputs=INPUTS,
        cells=CELLS,
        density=DENSITY,
        frac=STATE.frac,
    )


if __name__ == "__main__":
    write(PAGE, page())
