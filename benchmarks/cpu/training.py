# SPDX-License-Identifier: Apache-2.0
"""Speed of training ESE's layer: docs/results/training-speed.md.

    python -m benchmarks.cpu.training

A training step of the layer is measured in two formulations, on random frames. In one, TensorFlow differentiates
Keras's loop and XLA compiles the whole step, which is how the layer was trained before; the other is
`ese_models.networks.qlstmp_loop`. All figures are measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from benchmarks.page import publish

ROOT = Path(__file__).resolve().parents[2]
INPUTS, CELLS, PROJECTED, CLASSES = 153, 1024, 512, 51
BATCH, STEPS, BATCHES, EPOCHS = 64, 100, 3, 5
FORMULATIONS = (("Keras's loop, by XLA", "float32"), ("own loop", "float32"), ("own loop", "bfloat16"))
OPERATIONS = 4 * INPUTS * 4 * CELLS + 6 * (PROJECTED * 4 * CELLS + CELLS * PROJECTED + PROJECTED * CLASSES)
"""Operations of all products for a frame: a multiplication and an addition for each weight in the forward step, for its
gradient, and, except for the weights of the inputs, for the gradient of what it multiplies."""


@dataclass(frozen=True)
class Speed:
    """Speed of training in one formulation.

    Attributes:
        loop: name of the formulation.
        products: type of the products.
        seconds: elapsed seconds for 1,000 frames.
        processor: processor seconds for 1,000 frames.
        share: of the machine's peak for products of this type, 0 to 1.
    """

    loop: str
    products: str
    seconds: float
    processor: float
    share: float


@contextmanager
def keras_loop() -> Iterator[None]:
    """Let QLSTMP layers run in Keras's loop, with weights quantized and inputs weighted before it, within the block."""
    from keras.src.backend.tensorflow import rnn

    from ese_models.networks.qlstmp import QLSTMP
    from ese_models.training import train

    def inner_loop(self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:  # noqa: ARG001
        cell = self.cell
        weights = cell.quantized_weights()

        def step(weighted: Any, states: Any) -> Any:
            y, c = states
            m, c = cell.gates(weighted + cell.state_value(y) @ weights.recurrent, c, weights.peephole)
            y = cell.state_value(m @ weights.projection)
            return y, [y, c]

        return rnn(step, sequences @ weights.kernel + weights.bias, initial_state, return_all_outputs=True)

    # Without layers that compile themselves, `fit` lets XLA compile the step as a whole.
    whole: Any = patch.object(train, "recurrent_projections", lambda _model: [])
    with patch.object(QLSTMP, "inner_loop", inner_loop), whole:
        yield


def train_epochs(products: str) -> tuple[float, float]:
    """Elapsed and processor seconds of the fastest epoch of the layer; other programs disturb it least."""
    from ese_models.data import Split
    from ese_models.networks import Topology, network
    from ese_models.training import Recipe, fit

    rng = np.random.default_rng(0)
    count = BATCH * BATCHES
    split = Split(
        rng.standard_normal((count, STEPS, INPUTS), dtype=np.float32),
        np.full(count, STEPS),
        rng.integers(0, CLASSES, (count, STEPS)),
        "end",
    )
    model = network(Topology((CELLS,), projection=PROJECTED, framewise=True), features=INPUTS, outputs=CLASSES)
    ends: list[tuple[float, float]] = []
    recipe = Recipe(EPOCHS, 1e-3, BATCH, products=products)  # type: ignore[arg-type]
    fit(model, split, recipe, rng, progress=lambda *_: ends.append((time.perf_counter(), time.process_time())))
    elapsed, processor = np.diff(np.array(ends), axis=0).T
    return min(elapsed), min(processor)


def peak(products: str) -> float:
    """Operations per second of a large product of this type, by TensorFlow: the best of several."""
    import tensorflow as tf

    rows, width = BATCH * STEPS, 4 * CELLS
    a, b = (tf.cast(tf.random.normal(shape), products) for shape in ((PROJECTED, rows), (rows, width)))
    product = tf.function(lambda: tf.reduce_sum(tf.cast((a @ b)[0], tf.float32)))
    return 2 * PROJECTED * rows * width / min(_timed(product) for _ in range(12))


def _timed(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function().numpy()
    return time.perf_counter() - start


def measure(loop: str, products: str, best: float) -> Speed:
    """Measure one formulation.

    Args:
        loop: its name.
        products: type of the products.
        best: operations per second that the machine reaches with this type.
    """
    if loop == "own loop":
        elapsed, processor = train_epochs(products)
    else:
        with keras_loop():
            elapsed, processor = train_epochs(products)
    frames = BATCH * STEPS * BATCHES
    return Speed(
        loop, products, 1000 * elapsed / frames, 1000 * processor / frames, OPERATIONS * frames / elapsed / best
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "docs" / "results" / "training-speed.md",
    help="Page to write.  [default: docs/results/training-speed.md]",
)
def main(out: Path) -> None:
    """Measure all formulations and write docs/results/training-speed.md."""
    before = os.getloadavg()[0]
    peaks = {products: peak(products) for _, products in FORMULATIONS}
    rows = [measure(loop, products, peaks[products]) for loop, products in FORMULATIONS]
    publish(
        out,
        Path(__file__).with_name("training.md.jinja"),
        rows=rows,
        peaks=peaks,
        operations=OPERATIONS,
        epochs=EPOCHS - 1,
        sizes={"batch": BATCH, "steps": STEPS, "inputs": INPUTS, "cells": CELLS, "projected": PROJECTED},
        cores=os.cpu_count(),
        loads=(before, os.getloadavg()[0]),
    )


if __name__ == "__main__":
    main()
