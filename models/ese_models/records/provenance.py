# SPDX-License-Identifier: Apache-2.0
"""Files beside a saved model: its provenance, and the test set with the model's predictions."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ese_host import decoding
from ese_host.bundle import DECODER, FORMAT, USED, MatrixLoad, ProvenanceRecord, TrainingData, provenance
from ese_host.decoding import Decoder
from ese_host.errors import FormatError, MissingError
from ese_host.files import decode, digest, write_together
from ese_host.ir import MASK_FAMILIES
from ese_models.data import Dataset, Split
from ese_models.decoding import phone_rates
from ese_models.masking import MaskPlan, by_matrix, interleaves, masks_for, matrices, matrix_loads, stored_codes
from ese_models.networks import check_finite, masks_on
from ese_models.pruning import family_name
from ese_models.training import Compressed, DenseSparseDense, Plan, Task, accuracy, predict, task_named

DENSE = ("task", "remark", "commands", "seeds", "recipes", "epochs", "accuracy", "figures", "density")
"""Fields that the dense stage writes and later stages extend or print."""
READ = ("format", *DENSE, "pes", "gap_bits", "masks", "seconds")
"""Fields that are used from the record of an earlier stage; the others are only copied."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages on which the results depend, by name."""
    names = ("ese4ml", "tensorflow", "keras", "qkeras-v3", "numpy", "numba")
    by_name = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in names:
        try:
            by_name[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            by_name[name] = "not installed"
    return by_name


def testset_path(model: Path) -> Path:
    """Path of a model's test set, `<stem>.testset.npz` beside the model."""
    return model.with_name(f"{model.stem}.testset.npz")


def decoder_path(model: Path) -> Path:
    """Path of a model's decoder, `<stem>.decoder.json` beside the model."""
    return model.with_name(f"{model.stem}.{DECODER}")


def read(model: Path, *needed: str) -> ProvenanceRecord:
    """Read the provenance of a saved model.

    Args:
        model: a .keras file.
        needed: fields that the record must have, such as those of `DENSE`.

    Raises:
        MissingError: if there is no provenance file beside the model.
        FormatError: if the file is not a provenance record of this format, or lacks a needed field.
    """
    path = provenance.beside(model)
    if not path.is_file():
        raise MissingError(
            f"{path} is not there; `ese4ml train` and `ese4ml compress` write this file beside the model: keep the two "
            "together"
        )
    record = provenance.read_record(path, *READ)
    if record.format != FORMAT:
        raise FormatError(f"{path} has format {record.format}; expected {FORMAT}")
    missing = [name for name in needed if name not in record.order]
    if missing:
        raise FormatError(f"{path} lacks {', '.join(missing)}; {provenance.ADVICE}")
    return record


def accuracies(model: Any, data: Dataset) -> dict[str, float]:
    """Accuracy of a model on each split with samples, by the split's name, 0 to 1."""
    return {name: accuracy(predict(model, split), split) for name, split in data.splits.items() if len(split.labels)}


def figures(model: Any, data: Dataset, task: Task, decoder: Decoder | None = None) -> dict[str, float]:
    """Figures of merit of a model on the test split.

    Args:
        model: a `network`.
        data: data set of the task.
        task: gives the figures.
        decoder: of the model, which gives phone error rates; None for none.
    """
    probabilities = predict(model, data.test)
    rates = {} if decoder is None else phone_rates(decoder, probabilities, data.test)
    return {**task.measure(probabilities, data.test), **rates}


def dense_record(
    task: Task,
    model: Any,
    data: Dataset,
    seed: int,
    recipe: Mapping[str, Any],
    command: list[str],
    decoder: Decoder | None = None,
) -> ProvenanceRecord:
    """Provenance of a network after the dense stage.

    Args:
        task: that was trained.
        model: trained network.
        data: data set of the task.
        seed: of the training.
        recipe: fields of the dense stage's recipe.
        command: command line, word by word.
        decoder: of the network; None for none.
    """
    return ProvenanceRecord(
        format=FORMAT,
        stage="dense",
        task=task.name,
        remark=data.remark,
        commands=[command],
        seeds={"train": seed},
        versions=versions(),
        recipes={"dense": dict(recipe)},
        epochs={"dense": recipe["epochs"]},
        accuracy={"dense": accuracies(model, data)},
        figures={"dense": figures(model, data, task, decoder)},
        density={name: 1.0 for name in matrices(model)},
        data=TrainingData(
            name=data.name,
            samples={name: len(split.labels) for name, split in data.splits.items()},
            sha256={path.name: digest(path) for path in data.files},
            mean=None if data.mean is None else data.mean.tolist(),
            deviation=None if data.deviation is None else data.deviation.tolist(),
            classes=list(data.classes),
        ),
    )


def dsd_record(
    before: ProvenanceRecord,
    model: Any,
    masks: Mapping[str, Any],
    data: Dataset,
    plan: DenseSparseDense,
    seed: int,
    command: list[str],
    decoder: Decoder | None = None,
) -> ProvenanceRecord:
    """Provenance of a network after dense-sparse-dense training, which extends that of the dense stage.

    Args:
        before: provenance of the dense stage.
        model: trained network.
        masks: kernel name -> mask of the sparse stage.
        data: data set of the task.
        plan: density and recipes.
        seed: of the training.
        command: command line, word by word.
        decoder: of the network; None for none.
    """
    recipes = {"sparse": asdict(plan.sparse), "dense_again": asdict(plan.last)}
    return replace(
        before,
        stage="dsd",
        commands=[*before.commands, command],
        seeds={**before.seeds, "dsd": seed},
        versions=versions(),
        recipes={**before.recipes, **recipes},
        epochs={**before.epochs, **{name: recipe["epochs"] for name, recipe in recipes.items()}},
        accuracy={**before.accuracy, "dsd": accuracies(model, data)},
        figures={**before.figures, "dsd": figures(model, data, task_named(before.task or ""), decoder)},
        sparse_density={name: float(mask.mean()) for name, mask in masks.items()},
    )


def compressed_record(
    before: ProvenanceRecord,
    dense: Any,
    result: Compressed,
    data: Dataset,
    plan: Plan,
    command: list[str],
    decoder: Decoder | None = None,
) -> ProvenanceRecord:
    """Provenance of a compressed network, which extends that of the dense network.

    Args:
        before: provenance of the dense network.
        dense: network that was compressed.
        result: of the compression.
        data: data set of the task.
        plan: of the compression.
        command: command line, word by word.
        decoder: of the network of the last stage; None for none.
    """
    task = task_named(before.task or "")
    stages = {"pruned": result.pruned, **({} if result.quantized is None else {"quantized": result.quantized})}
    recipes = {"prune": asdict(plan.prune), **({} if result.quantized is None else {"quantize": asdict(plan.tune)})}
    return replace(
        before,
        stage="pruned" if result.quantized is None else "quantized",
        commands=[*before.commands, command],
        seeds={**before.seeds, "compress": plan.seed},
        versions=versions(),
        recipes={**before.recipes, **recipes},
        epochs={**before.epochs, **{name: recipe["epochs"] for name, recipe in recipes.items()}},
        accuracy={**before.accuracy, **{name: accuracies(model, data) for name, model in stages.items()}},
        figures={
            **before.figures,
            **{
                name: figures(model, data, task, decoder if model is result.model else None)
                for name, model in stages.items()
            },
        },
        **mask_fields(dense, result.model, plan),
    )


def mask_fields(dense: Any, compressed: Any, plan: MaskPlan) -> dict[str, Any]:
    """The fields of a record that tell for what the masks of a network were made, and how they load the PEs.

    Args:
        dense: network that was compressed.
        compressed: the compressed network.
        plan: of its masks.
    """
    masks = by_matrix(masks_on(compressed), interleaves(compressed, plan.pes))
    return {
        "density": {name: float(mask.mean()) for name, mask in masks.items()},
        "weights": plan.weights,
        "pes": plan.pes,
        "gap_bits": plan.gap_bits,
        "family": family_name(plan.family),
        "target_density": plan.density,
        "emphasis": plan.emphasis,
        "masks": mask_table(dense, compressed, plan),
    }


def mask_table(dense: Any, compressed: Any, plan: MaskPlan) -> dict[str, dict[str, MatrixLoad]]:
    """Compare the masks of a compressed network with those that each family would choose for the dense weights.

    Args:
        dense: network that was compressed.
        compressed: the compressed network; its masks are read from the stored codes.
        plan: of the compression.

    Returns:
        Name of each of the engine's matrices -> `USED` or the name of a family -> statistics of the mask on the dense
        weights.
    """
    weights, rows = matrices(dense), interleaves(dense, plan.pes)
    codes = stored_codes(compressed)
    masks_by_label = {USED: {name: array != 0 for name, array in codes.items()}}
    for family in MASK_FAMILIES:
        masks_by_label[family] = masks_for(weights, rows, plan, plan.density, family)
    kinds = dict.fromkeys(weights, plan.kind)
    table: dict[str, dict[str, MatrixLoad]] = {}
    for label, masks in masks_by_label.items():
        for name, load in matrix_loads(weights, masks, rows, kinds, plan.gap_bits).items():
            table.setdefault(name, {})[label] = decode(MatrixLoad, load.to_json(), name)
    return table


def save(
    model: Any, out: Path, record: ProvenanceRecord, data: Dataset | None = None, decoder: Decoder | None = None
) -> list[Path]:
    """Write a model and the files beside it; if one cannot be written, earlier files stay as they were.

    Args:
        model: a `network`; without `data` any Keras model.
        out: path of the model, ending in .keras; the other files are written beside it.
        record: provenance of the model.
        data: data set whose test split is written, with the model's predictions; None writes no test set.
        decoder: of the model; None writes none, and removes that of an earlier model of this name.

    Returns:
        Paths of model and provenance and, if they are there, of decoder and test set.

    Raises:
        FormatError: if a weight is not finite, or `out` does not end in .keras. Then nothing is written.
    """
    if out.suffix != ".keras":
        raise FormatError(f"{out} does not end in .keras, the suffix of Keras's format: choose such a name")
    check_finite(model)
    writers: dict[Path, Any] = {}
    if data is not None:
        buffer = io.BytesIO()  # NumPy prints a traceback of its own when a file cannot be written
        np.savez_compressed(buffer, **sequences(data.test), keras_predictions=predict(model, data.test))
        writers[testset_path(out)] = lambda path: path.write_bytes(buffer.getvalue())
    if decoder is not None:
        writers[decoder_path(out)] = lambda path: decoding.write(path, decoder)
    writers[provenance.beside(out)] = lambda path: provenance.write(path, record)
    writers[out] = model.save
    write_together(writers)
    if decoder is None:
        decoder_path(out).unlink(missing_ok=True)
    return list(reversed(writers))


def sequences(split: Split) -> dict[str, Any]:
    """The arrays of a split as a test set file names them (`ese_host.bundle.testset`).

    A vector becomes a sequence of one step. The numbers of frames are `steps` if sequences are padded at the end, else
    `lengths`; the labels are `frame_labels` if each frame has one, else `labels`.
    """
    arrays: dict[str, Any] = {"inputs": split.inputs if split.inputs.ndim == 3 else split.inputs[:, None]}
    arrays["steps" if split.padded == "end" else "lengths"] = split.lengths
    arrays["frame_labels" if split.framewise else "labels"] = split.labels
    return arrays
