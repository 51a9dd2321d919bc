# SPDX-License-Identifier: Apache-2.0
"""The commands data, train, compress, dsd and sensitivity, which `ese4ml` loads by entry points.

TensorFlow is imported only when a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import beside
from ese_host.cli import MODEL_FILE, NEW_MODEL
from ese_host.errors import MissingError, UnsupportedError
from ese_host.image import MAX_PES
from ese_host.ir import MASK_FAMILIES
from ese_host.tensorflow_startup import quiet_tensorflow as _tensorflow
from ese_models.cli.own_data import DATA, DECODE, compress_on, task_on
from ese_models.cli.sensitivity import sensitivity
from ese_models.cli.shared import answer, as_json, command_line, seed_option, summary_of
from ese_models.progress import progress_bar

__all__ = ["compress", "data", "dsd", "sensitivity", "train"]

TASKS = ("japanese-vowels", "festvox-ru", "fashion-mnist", "digits")
"""Keys of `ese_models.data.LOADERS`, written out because importing that module takes seconds."""

task_option = click.option(
    "--task", type=click.Choice(TASKS), default=TASKS[0], show_default=True, help="Task, which names a data set."
)


@click.command()
@task_option
@as_json
def data(task: str, as_json: bool) -> None:
    """Fetch the data set of a task into the cache, verify it, and print its size.

    The cache is the folder that the environment variable ESE4ML_CACHE names, by default ~/.cache/ese4ml.
    """
    from ese_models.data import LOADERS

    dataset = LOADERS[task]()
    answer(
        as_json,
        {
            "name": dataset.name,
            "remark": dataset.remark,
            "classes": len(dataset.classes),
            "files": [str(path) for path in dataset.files],
            **{name: list(split.inputs.shape) for name, split in dataset.splits.items()},
        },
    )


@click.command()
@task_option
@click.option(
    "--out",
    type=NEW_MODEL,
    default=Path("build/demo/dense.keras"),
    show_default=True,
    help="Model file to write, .keras; provenance and test set are written beside it.",
)
@seed_option
@click.option(
    "--epochs", type=click.IntRange(1), help="Passes over the training data.  [default: those of the task's recipe]"
)
@click.option(
    "--units", type=click.IntRange(1, 4096), help="Cells of each recurrent layer.  [default: those of the task]"
)
@click.option("--layers", type=click.IntRange(1, 8), help="Number of recurrent layers.  [default: that of the task]")
@click.option("--gru", is_flag=True, help="Use GRU layers in place of LSTM layers.")
@click.option(
    "--projection",
    type=click.IntRange(1, 4096),
    help="Use ESE's LSTM, with peepholes and a recurrent projection to this many outputs.  [default: no projection]",
)
@click.option(
    "--bidirectional", is_flag=True, help="Run each recurrent layer in both directions.  [default: forward only]"
)
@DATA
@DECODE
@as_json
def train(
    task: str,
    out: Path,
    seed: int,
    epochs: int | None,
    units: int | None,
    layers: int | None,
    gru: bool,
    projection: int | None,
    bidirectional: bool,
    data: Path | None,
    decode: bool,
    as_json: bool,
) -> None:
    """Train the dense network of a task: input quantizer -> recurrent layers -> QDense layers -> softmax.

    With --data, the task is to classify the sequences or vectors of your own file. For a task with a label for each
    frame, a phone decoder is fitted too, and written beside the model.
    """
    with _tensorflow():
        from ese_models.decoding import fitted
        from ese_models.records import provenance
        from ese_models.training import resized, task_named
        from ese_models.training import train as training

    chosen, dataset = (task_named(task), None) if data is None else task_on(data, epochs)
    chosen = resized(chosen, units, layers, projection, bidirectional, gru)
    dataset = dataset or chosen.load()
    recipe = training.shortened(chosen.dense, epochs)
    start = time.monotonic()
    with progress_bar("train", recipe.epochs) as progress:
        model = training.train_dense(
            dataset, seed, recipe=recipe, topology=chosen.topology, formats=chosen.formats, progress=progress
        )
    decoder = fitted(model, dataset) if decode or (data is None and dataset.train.framewise) else None
    record = provenance.dense_record(chosen, model, dataset, seed, asdict(recipe), command_line(), decoder)
    record = replace(record, seconds={"train": round(time.monotonic() - start, 1)})
    answer(as_json, summary_of(provenance.save(model, out, record, dataset, decoder), record))


@click.command()
@click.argument("model", type=MODEL_FILE)
@click.option(
    "--out",
    type=NEW_MODEL,
    default=Path("build/demo/ternary.keras"),
    show_default=True,
    help="Model file to write, .keras; provenance and test set are written beside it.",
)
@click.option(
    "--weights",
    type=click.Choice(["ternary", "twn", "ttq", "int4", "codebook4"]),
    default="ternary",
    show_default=True,
    help="Kind of weights. ternary, int4 and codebook4 keep the masks of the pruning stage; twn and ttq choose them "
    "again in the quantized stage; ttq also trains a scale for each sign.",
)
@click.option(
    "--per-tensor", is_flag=True, help="Use one scale per kernel.  [default: one scale per output of a kernel]"
)
@click.option(
    "--codebook-bits",
    type=click.IntRange(2, 8),
    default=4,
    show_default=True,
    help="Bits of a codebook's index, for codebook4; the engine supports up to 4, more serve storage reports.",
)
@click.option(
    "--centroids",
    type=click.Choice(["linear", "density", "random"]),
    default="linear",
    show_default=True,
    help="Initial centroids of a codebook, for codebook4: spaced evenly between the smallest and the largest weight, "
    "spaced evenly in the distribution of the weights, or random weights.",
)
@click.option(
    "--density",
    type=float,
    default=0.1,
    show_default=True,
    help="Share of all weights of the network that is kept, above 0, at most 1.",
)
@click.option(
    "--emphasis",
    type=(float, float),
    help="Factors on --density, 1 or more: for the input kernels of recurrent layers, and for the last kernel. The "
    "other kernels keep fewer weights. 1 1 gives all kernels the same density.  [default: those of the task]",
)
@click.option(
    "--layer-density",
    type=(str, float),
    multiple=True,
    help="Name of a kernel, such as lstm/kernel, and its density, in place of what --density and --emphasis give; can "
    "be repeated.",
)
@click.option(
    "--schedule",
    type=click.Choice(["cubic", "geometric"]),
    default="cubic",
    show_default=True,
    help="How the density falls while the network is pruned: as a cubic, fast at first (Zhu and Gupta, 1710.01878), or "
    "by the same factor in every round (Han et al., NIPS'15).",
)
@click.option(
    "--pes",
    type=click.IntRange(1, MAX_PES),
    default=8,
    show_default=True,
    help="Number of processing elements (PEs) of the engine for which masks are chosen.",
)
@click.option(
    "--masks",
    type=click.Choice([*MASK_FAMILIES]),
    default="gap-aware",
    show_default=True,
    help="Mask family: how the kept weights are chosen and balanced over the PEs.",
)
@click.option(
    "--gap-bits",
    type=click.IntRange(2, 12),
    help="Bits of the relative index.  [default: 5, or more if the PEs have so unequal numbers of rows that 5 would "
    "need padding]",
)
@seed_option
@click.option(
    "--prune-epochs",
    type=click.IntRange(1),
    help="Epochs of the pruning stage.  [default: those of the task's recipe; with --data, about 1,500 steps]",
)
@click.option(
    "--tune-epochs",
    type=click.IntRange(1),
    help="Epochs of the quantized stage.  [default: those of the task's recipe; with --data, about 1,000 steps]",
)
@DATA
@DECODE
@click.option(
    "--loss", help="Keras loss, with --data.  [default: that of the model, or one that fits its output and labels]"
)
@click.option("--batch-size", type=click.IntRange(1), help="Samples per training step, with --data.  [default: 32]")
@as_json
def compress(
    model: Path,
    out: Path,
    weights: Any,
    per_tensor: bool,
    codebook_bits: int,
    centroids: Any,
    density: float,
    emphasis: tuple[float, float] | None,
    layer_density: tuple[tuple[str, float], ...],
    schedule: str,
    pes: int,
    masks: str,
    gap_bits: int | None,
    seed: int,
    prune_epochs: int | None,
    tune_epochs: int | None,
    data: Path | None,
    decode: bool,
    loss: str | None,
    batch_size: int | None,
    as_json: bool,
) -> None:
    """Prune the dense network MODEL with load-balanced masks and quantize its weights.

    MODEL is a .keras file of `ese4ml train --task` or `dsd`, which is retrained on that task; or with --data, any Keras
    or QKeras model with LSTM, GRU or Dense layers, which is retrained on your data.
    """
    with _tensorflow():
        from ese_models.decoding import fitted
        from ese_models.masking import gap_bits_of, interleaves, kind_of
        from ese_models.networks import inspection
        from ese_models.records import provenance
        from ese_models.training import compression as compression
        from ese_models.training import shortened, task_named

    if data is not None:
        chosen = {"weights": weights, "density": density, "pes": pes, "family": masks, "gap_bits": gap_bits}
        chosen |= {"emphasis": emphasis, "layers": dict(layer_density)}
        training = {"epochs": (prune_epochs, tune_epochs), "batch_size": batch_size, "loss": loss, "seed": seed}
        training |= {"schedule": schedule, "per_channel": not per_tensor}
        training |= {"codebook_bits": codebook_bits, "codebook_start": centroids}
        answer(as_json, summary_of(*compress_on(data, model, out, chosen, training, decode)))
        return
    own = "give your own data: --data FILE.npz, with samples `x` and labels `y`"
    if not beside(model).is_file():
        raise MissingError(
            f"{beside(model)} is not there, which names the task of the model; keep the two together, or {own}"
        )
    before = provenance.read(model, *provenance.DENSE)
    if before.task not in TASKS:
        raise UnsupportedError(f"{model} was trained on {before.task!r}, which is no task of this project; {own}")
    dense, task = inspection.load(model), task_named(before.task)
    gap_bits = gap_bits or gap_bits_of(interleaves(dense, pes), kind_of(weights))
    plan = compression.Plan(weights=weights, density=density, pes=pes, family=masks, gap_bits=gap_bits, seed=seed)  # type: ignore[arg-type]
    plan = replace(plan, emphasis=emphasis or task.emphasis, layers=dict(layer_density))
    plan = replace(plan, pruned_at=task.pruned_at, teacher=task.teacher)
    plan = replace(plan, schedule=schedule)  # type: ignore[arg-type]
    plan = replace(plan, per_channel=not per_tensor, codebook_bits=codebook_bits, codebook_start=centroids)
    plan = replace(plan, prune=shortened(task.prune, prune_epochs), tune=shortened(task.tune, tune_epochs))
    dataset = task.load()
    start = time.monotonic()
    with progress_bar("compress", plan.prune.epochs + plan.tune.epochs) as progress:
        result = compression.compress(dense, dataset, plan, progress=lambda _stage: progress)
    decoder = fitted(result.model, dataset) if dataset.train.framewise else None
    record = provenance.compressed_record(before, dense, result, dataset, plan, command_line(), decoder)
    record = replace(record, seconds={**before.seconds, "compress": round(time.monotonic() - start, 1)})
    answer(as_json, summary_of(provenance.save(result.model, out, record, dataset, decoder), record))


@click.command()
@click.argument("model", type=MODEL_FILE)
@click.option(
    "--out",
    type=NEW_MODEL,
    default=Path("build/demo/dsd.keras"),
    show_default=True,
    help="Model file to write, .keras; provenance and test set are written beside it.",
)
@click.option(
    "--density",
    type=float,
    default=0.6,
    show_default=True,
    help="Share of each kernel's weights that the sparse stage keeps, between 0 and 1; the paper keeps 0.5 to 0.7.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Epochs of the sparse and of the dense stage, each.  [default: half of those of the task's dense recipe]",
)
@click.option(
    "--rate",
    type=float,
    help="Peak learning rate of the sparse stage; the dense stage has a tenth of it.  [default: that of the task's "
    "dense recipe]",
)
@seed_option
@as_json
def dsd(
    model: Path, out: Path, density: float, epochs: int | None, rate: float | None, seed: int, as_json: bool
) -> None:
    """Train the dense network MODEL further by dense-sparse-dense training (DSD: Han et al., ICLR'17, 1607.04381).

    The smallest weights are pruned and the network is retrained; then the pruned weights are released, and the network
    is retrained at a tenth of the learning rate. The result is a dense network. MODEL is a .keras file of
    `ese4ml train`.
    """
    with _tensorflow():
        from ese_models.decoding import fitted
        from ese_models.networks import inspection
        from ese_models.records import provenance
        from ese_models.training import dsd as training
        from ese_models.training import task_named
    from ese_models.training import DenseSparseDense

    before = provenance.read(model, *provenance.DENSE)
    task = task_named(before.task or "")
    recipe = replace(task.dense, epochs=epochs or max(1, task.dense.epochs // 2), rate=rate or task.dense.rate)
    plan = DenseSparseDense(recipe, density)
    dense, dataset = inspection.load(model), task.load()
    start = time.monotonic()
    with progress_bar("dsd", plan.sparse.epochs + plan.last.epochs) as progress:
        masks = training.train(dense, dataset, plan, seed, progress)
    decoder = fitted(dense, dataset) if dataset.train.framewise else None
    record = provenance.dsd_record(before, dense, masks, dataset, plan, seed, command_line(), decoder)
    record = replace(record, seconds={**before.seconds, "dsd": round(time.monotonic() - start, 1)})
    answer(as_json, summary_of(provenance.save(dense, out, record, dataset, decoder), record))
