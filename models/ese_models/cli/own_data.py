# SPDX-License-Identifier: Apache-2.0
"""The option --data of the commands train, compress and sensitivity: the user's own data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import ProvenanceRecord, beside
from ese_host.cli import INPUT_FILE, is_quiet, say
from ese_host.errors import FormatError
from ese_models.cli.shared import command_line

DATA = click.option(
    "--data",
    "data",
    type=INPUT_FILE,
    help="Your own data, an .npz file with samples `x` and labels `y`; it may also hold `x_test` and `y_test`, "
    "`x_validation` and `y_validation`, names `classes`, and the scaling of recorded values, `mean` and `deviation`.",
)
DECODE = click.option(
    "--decode",
    is_flag=True,
    help="With --data whose labels are those of frames: fit a phone decoder on the training labels, tune it on the "
    "validation samples, and write it beside the model. The project's own frame-wise tasks always have one.",
)
TRAINING_STEPS = 2000
"""Training steps of the dense network of `train --data`, if the number of epochs is not given."""


def compress_on(
    path: Path, model: Path, out: Path, plan: Mapping[str, Any], training: Mapping[str, Any], decode: bool = False
) -> tuple[list[Path], ProvenanceRecord]:
    """Compress any saved Keras model on the data in a file, and write it with its provenance.

    Args:
        path: file of the data.
        model: file of the model.
        out: file to write, .keras.
        plan: values of `MaskPlan` by name.
        training: further arguments of `own_model.compress` by name.
        decode: whether to fit a phone decoder.

    Returns:
        Paths of the files written, and the provenance.

    Raises:
        FormatError: if a decoder is asked for, and the data is not that of one output with a label for each frame.
    """
    from ese_models.data import OwnData
    from ese_models.decoding import fitted, phone_rates
    from ese_models.networks import inspection
    from ese_models.records import own_record, provenance
    from ese_models.training import own_model, predict

    data = OwnData.read(path)
    if decode and data.validation is None:
        raise FormatError(
            f"{path}: has no x_validation and y_validation; a decoder is tuned on samples that training does not see"
        )
    dataset = data.dataset() if decode else None
    dense = inspection.load_model(model)
    before = provenance.read(model) if beside(model).is_file() else None
    start = time.monotonic()
    options = {**plan, **training, "validation": data.validation, "verbose": 0 if is_quiet() else "auto"}
    compressed = own_model.compress(dense, data.train, **options)
    recipe = {name: value for name, value in training.items() if value is not None}
    chosen = own_model.mask_plan(dense, plan)
    record = own_record.own_record(before, dense, compressed, data, chosen, recipe, command_line())
    record = replace(record, seconds={**record.seconds, "compress": round(time.monotonic() - start, 1)})
    if data.test is None:
        say(f"note: {path} has no x_test and y_test, so that the figures are those of the training samples", err=True)
    decoder = None if dataset is None else fitted(compressed, dataset)
    if dataset is not None and decoder is not None and data.test is not None:
        rates = phone_rates(decoder, predict(compressed, dataset.test), dataset.test)
        last = record.stage or ""
        record = replace(record, figures={**record.figures, last: {**record.figures.get(last, {}), **rates}})
    return provenance.save(compressed, out, record, decoder=decoder), record


def task_on(path: Path, epochs: int | None) -> tuple[Any, Any]:
    """A task of the project's own kind for the data in a file, and its data set.

    Sequences get a network with one LSTM layer of 64 cells, vectors one with hidden layers of 64 and 32. The recipe has
    as many epochs as give 2,000 steps.

    Args:
        path: file of the data.
        epochs: of the dense stage, or None.
    """
    from ese_models.data import OwnData
    from ese_models.networks import Topology
    from ese_models.training import Recipe, Task

    data = OwnData.read(path)
    dataset = data.dataset()
    if data.test is None:
        say(f"note: {path} has no x_test and y_test; every fifth sample is held out as the test set", err=True)
    if data.validation is None:
        others = "" if data.test else "of the others "
        say(
            f"note: {path} has no x_validation and y_validation; every fifth {others}is held out as the validation set",
            err=True,
        )
    batch = min(32, len(dataset.train.labels))
    many = max(5, round(TRAINING_STEPS * batch / len(dataset.train.labels)))
    recipe = Recipe(epochs=epochs or many, rate=5e-3, batch=batch, noise=0.1)
    framewise = dataset.train.framewise
    topology = Topology((64,), framewise=framewise) if dataset.train.inputs.ndim == 3 else Topology(dense=(64, 32))
    return Task(path.stem, topology, recipe, recipe, recipe), dataset


def scoring_on(path: Path, network: Any, split: str) -> tuple[Any, str]:
    """A function that measures a network on the data in a file, and the name of what it measures.

    Args:
        path: file of the data.
        network: the Keras model.
        split: "train", "validation" or "test".

    Raises:
        FormatError: if the file does not have the split.
    """
    from ese_models.data import OwnData
    from ese_models.training import classifies, score

    data = OwnData.read(path)
    pair = {"train": data.train, "validation": data.validation, "test": data.test}[split]
    if pair is None:
        raise FormatError(f"{path}: has no x_{split} and y_{split}; add them, or measure on the training samples")
    metric = "accuracy" if classifies(network, pair[1]) else "explained variance"
    return (lambda: score(network, *pair)), metric
