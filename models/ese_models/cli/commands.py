"""The commands data, train and compress; `ese4ml` loads them by entry point. Heavy imports wait until they run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import USED, ProvenanceRecord
from ese_host.errors import UnsupportedError
from ese_host.ir import MASK_FAMILIES
from ese_models.tensorflow_startup import quiet_tensorflow as _tensorflow

TASKS = ("japanese-vowels", "festvox-ru", "fashion-mnist", "digits")
"""`ese_models.data.LOADERS`, likewise."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
task_option = click.option("--task", type=click.Choice(TASKS), default=TASKS[0], show_default=True, help="Data set.")


@click.command()
@task_option
@as_json
def data(task: str, as_json: bool) -> None:
    """Fetch, verify and cache a task's data set."""
    from ese_models.data import LOADERS

    found = LOADERS[task]()
    _answer(
        as_json,
        {
            "name": found.name,
            "remark": found.remark,
            "classes": len(found.classes),
            "files": [str(path) for path in found.files],
            "train": list(found.train.inputs.shape),
            "test": list(found.test.inputs.shape),
        },
    )


@click.command()
@task_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo/dense.keras"), show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training data; the recipe's by default.")
@click.option("--units", type=click.IntRange(1, 4096), help="Cells of each LSTM layer; the task's by default.")
@click.option("--layers", type=click.IntRange(1, 8), help="LSTM layers; the task's by default.")
@click.option("--projection", type=click.IntRange(1, 4096), help="ESE's LSTM: peepholes, and outputs of this width.")
@click.option("--bidirectional", is_flag=True, help="LSTM layers in both directions.")
@as_json
def train(
    task: str,
    out: Path,
    seed: int,
    epochs: int | None,
    units: int | None,
    layers: int | None,
    projection: int | None,
    bidirectional: bool,
    as_json: bool,
) -> None:
    """Train a task's dense network, input quantizer -> LSTM layers -> QDense layers -> softmax."""
    with _tensorflow():
        from ese_models.records import provenance
        from ese_models.training import resized, task_named
        from ese_models.training import train as training

    chosen = resized(task_named(task), units, layers, projection, bidirectional)
    found = chosen.load()
    recipe = training.shortened(chosen.dense, epochs)
    start = time.monotonic()
    with _bar("train", recipe.epochs) as progress:
        model = training.train_dense(
            found, seed, recipe=recipe, topology=chosen.topology, formats=chosen.formats, progress=progress
        )
    record = provenance.dense_record(chosen, model, found, seed, asdict(recipe), _command())
    record = replace(record, seconds={"train": round(time.monotonic() - start, 1)})
    _answer(as_json, _summary(provenance.save(model, out, record, found), record))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo/ternary.keras"), show_default=True)
@click.option(
    "--weights",
    type=click.Choice(["ternary", "twn", "ttq", "int4", "codebook4"]),
    default="ternary",
    show_default=True,
    help="ternary holds the mask; twn and ttq learn it; ttq learns both scales too.",
)
@click.option("--per-tensor", is_flag=True, help="One scale for each kernel, not one for each of its outputs.")
@click.option("--codebook-bits", type=click.IntRange(2, 8), default=4, show_default=True, help="The engine holds 4.")
@click.option(
    "--centroids", type=click.Choice(["linear", "density", "random"]), default="linear", help="How a codebook begins."
)
@click.option("--density", type=float, default=0.1, show_default=True, help="Share of weights that is kept.")
@click.option(
    "--emphasis", type=(float, float), help="Density of LSTM input and last kernel over --density; 1 1: even."
)
@click.option("--layer-density", type=(str, float), multiple=True, help="KERNEL and its own density; repeatable.")
@click.option("--schedule", type=click.Choice(["cubic", "geometric"]), default="cubic", show_default=True)
@click.option("--pes", type=click.IntRange(1, 128), default=8, show_default=True, help="Processing elements.")
@click.option(
    "--masks", type=click.Choice([*MASK_FAMILIES]), default="gap-aware", show_default=True, help="Mask family."
)
@click.option(
    "--gap-bits",
    type=click.IntRange(2, 12),
    help="Bits of the relative index.  [default: 5, or what the PEs' unequal rows need]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--prune-epochs", type=click.IntRange(1), help="Epochs of the pruning stage; the recipe's by default.")
@click.option("--tune-epochs", type=click.IntRange(1), help="Epochs of the quantized stage; the recipe's by default.")
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
    as_json: bool,
) -> None:
    """Prune the dense network MODEL with load-balanced masks and quantize its weights.

    Its task is the one that it was trained for.
    """
    with _tensorflow():
        from ese_models.networks import inspection
        from ese_models.pruning import gap_bits_for
        from ese_models.records import provenance
        from ese_models.training import compression as compression
        from ese_models.training import shortened, task_named

    dense = inspection.load(model)
    before = provenance.read(model, *provenance.DENSE)
    task = task_named(before.task or "")
    rows = [compression.interleave(name, len(m), pes) for name, m in compression.matrices(dense).items()]
    gap_bits = gap_bits or gap_bits_for(rows, compression.kind_of(weights))
    plan = compression.Plan(weights=weights, density=density, pes=pes, family=masks, gap_bits=gap_bits, seed=seed)  # type: ignore[arg-type]
    plan = replace(plan, emphasis=emphasis or task.emphasis, layers=dict(layer_density))
    plan = replace(plan, pruned_at=task.pruned_at, teacher=task.teacher)
    plan = replace(plan, schedule=schedule)  # type: ignore[arg-type]
    plan = replace(plan, per_channel=not per_tensor, codebook_bits=codebook_bits, codebook_start=centroids)
    plan = replace(plan, prune=shortened(task.prune, prune_epochs), tune=shortened(task.tune, tune_epochs))
    found = task.load()
    start = time.monotonic()
    with _bar("compress", plan.prune.epochs + plan.tune.epochs) as progress:
        result = compression.compress(dense, found, plan, progress=lambda _stage: progress)
    record = provenance.compressed_record(before, dense, result, found, plan, _command())
    record = replace(record, seconds={**before.seconds, "compress": round(time.monotonic() - start, 1)})
    _answer(as_json, _summary(provenance.save(result.model, out, record, found), record))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo/dsd.keras"), show_default=True)
@click.option("--density", type=float, default=0.6, show_default=True, help="Share of weights in the sparse stage.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs of each stage; half of the dense recipe's by default.")
@click.option("--rate", type=float, help="Learning rate of the sparse stage; the dense stage has a tenth of it.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@as_json
def dsd(
    model: Path, out: Path, density: float, epochs: int | None, rate: float | None, seed: int, as_json: bool
) -> None:
    """Train the dense network MODEL further by dense-sparse-dense: prune, retrain, release, retrain at a tenth."""
    with _tensorflow():
        from ese_models.networks import inspection
        from ese_models.records import provenance
        from ese_models.training import dsd as training
        from ese_models.training import task_named
    from ese_models.training import DenseSparseDense

    before = provenance.read(model, *provenance.DENSE)
    task = task_named(before.task or "")
    recipe = replace(task.dense, epochs=epochs or max(1, task.dense.epochs // 2), rate=rate or task.dense.rate)
    plan = DenseSparseDense(recipe, density)
    dense, found = inspection.load(model), task.load()
    start = time.monotonic()
    with _bar("dsd", plan.sparse.epochs + plan.last.epochs) as progress:
        masks = training.train(dense, found, plan, seed, progress)
    record = provenance.dsd_record(before, dense, masks, found, plan, seed, _command())
    record = replace(record, seconds={**before.seconds, "dsd": round(time.monotonic() - start, 1)})
    _answer(as_json, _summary(provenance.save(dense, out, record, found), record))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--densities", help="Densities to try, with commas between.  [default: 1 down to 0.02]")
@click.option(
    "--masks", type=click.Choice([*MASK_FAMILIES]), default="magnitude", show_default=True, help="Mask family."
)
@click.option("--pes", type=click.IntRange(1, 128), default=8, show_default=True, help="Processing elements.")
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--loss", type=float, default=1.0, show_default=True, help="Points that a kernel alone may cost.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for sensitivity.json and sensitivity.svg.")
@as_json
def sensitivity(
    model: Path,
    densities: str | None,
    masks: str,
    pes: int,
    split: str,
    loss: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """What the network MODEL loses where one kernel alone is pruned, without retraining (Han et al., NIPS'15)."""
    with _tensorflow():
        from ese_models.networks import inspection
        from ese_models.records import provenance
        from ese_models.records import sensitivity as scanning
        from ese_models.training import accuracy, interleave, predict, task_named
    from ese_models.pruning import gap_bits_for, mask_for

    network, data = inspection.load(model), task_named(provenance.read(model, "task").task or "").load()
    part = data.train if split == "train" else data.test
    tried = _densities(densities) if densities else scanning.DENSITIES
    kernels = inspection.kernels(network)

    def choose(name: str, weights: Any, density: float) -> Any:
        rows = interleave(name, len(weights), pes)
        return mask_for(masks, weights, density, rows, "int4", gap_bits_for([rows], "int4"))  # type: ignore[arg-type]

    def score() -> float:
        return accuracy(predict(network, part), part)

    with _bar("sensitivity", len(kernels) * len(tried), unit="point") as progress:
        found = scanning.scan(kernels, choose, score, tried, metric="accuracy", progress=progress)
    result = {**found.to_json(), "split": split, "masks": masks, "least": found.least_densities(loss / 100)}
    files = scanning.write(found, result, out) if out else []
    if as_json:
        click.echo(json.dumps({**result, "files": [str(path) for path in files]}))
        return
    click.echo(
        f"{found.metric} on the {split} split, percent; dense {100 * found.dense:.2f}; one kernel pruned, {masks}"
    )
    click.echo(found.table())
    click.echo(f"least density at which a kernel alone costs at most {loss:g} points: {json.dumps(result['least'])}")
    for path in files:
        click.echo(str(path))


def _densities(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise UnsupportedError(f"--densities is {text!r}; numbers with commas between are expected") from error


def _summary(paths: list[Path], record: ProvenanceRecord) -> dict[str, Any]:
    named = {name: getattr(record, name) for name in ("task", "remark", "accuracy", "figures", "density")}
    summary = {"files": [str(path) for path in paths], **named}
    if record.masks:
        summary["entries_per_pe"] = {name: table[USED].entries_per_pe for name, table in record.masks.items()}
    return {**summary, "seconds": record.seconds}


def _answer(as_json: bool, result: dict[str, Any]) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    for key, value in result.items():
        click.echo(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


def _command() -> list[str]:
    """The command line as given, without the program's folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


@contextmanager
def _bar(name: str, count: int, unit: str = "epoch") -> Iterator[Callable[..., None]]:
    from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

    # a log file gets a line every few seconds, a terminal a moving bar
    pause = 0.1 if sys.stderr.isatty() else 5.0
    with tqdm(total=count, desc=name, unit=unit, file=sys.stderr, mininterval=pause, maxinterval=60) as bar:

        def progress(_epoch: int = 0, loss: float | None = None) -> None:
            if loss is not None:
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        yield progress
