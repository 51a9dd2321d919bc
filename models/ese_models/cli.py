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

from ese_host.errors import UnsupportedError
from ese_models.quiet import tensorflow_quietly as _tensorflow

FAMILIES = ("gap-aware", "pe-balanced", "bank-balanced", "column-balanced", "magnitude")
"""`ese_models.pruning.FAMILIES`, whose import is heavy."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command()
@as_json
def data(as_json: bool) -> None:
    """Fetch, verify and cache JapaneseVowels."""
    from ese_models.data import load

    found = load()
    _answer(
        as_json,
        {
            "name": "JapaneseVowels",
            "files": [str(path) for path in found.files],
            "train": list(found.train.inputs.shape),
            "test": list(found.test.inputs.shape),
        },
    )


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo/dense.keras"), show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training data; the recipe's by default.")
@click.option("--units", type=click.IntRange(1, 1024), default=64, show_default=True, help="LSTM cells.")
@as_json
def train(out: Path, seed: int, epochs: int | None, units: int, as_json: bool) -> None:
    """Train the dense network QLSTM -> QDense -> softmax on JapaneseVowels."""
    with _tensorflow():
        from ese_models import provenance
        from ese_models import train as training
    from ese_models.data import load

    found = load()
    recipe = training.shortened(training.DENSE, epochs)
    start = time.monotonic()
    with _bar("train", recipe.epochs) as progress:
        model = training.train_dense(found, seed, recipe=recipe, units=units, progress=progress)
    record = provenance.dense_record(model, found, seed, asdict(recipe), _command())
    record["seconds"] = {"train": round(time.monotonic() - start, 1)}
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
@click.option("--emphasis", type=(float, float), help="Density of input and Dense kernel over --density; 1 1 is even.")
@click.option("--layer-density", type=(str, float), multiple=True, help="KERNEL and its own density; repeatable.")
@click.option("--schedule", type=click.Choice(["cubic", "geometric"]), default="cubic", show_default=True)
@click.option("--pes", type=click.IntRange(1, 128), default=8, show_default=True, help="Processing elements.")
@click.option("--masks", type=click.Choice(FAMILIES), default="gap-aware", show_default=True, help="Mask family.")
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
    """Prune the dense network MODEL with load-balanced masks and quantize its weights."""
    with _tensorflow():
        from ese_models import compress as compression
        from ese_models import networks, provenance
    from ese_models.data import load
    from ese_models.pruning import gap_bits_for
    from ese_models.train import shortened

    dense = networks.load(model)
    rows = [compression.interleave(name, len(m), pes) for name, m in compression.matrices(dense).items()]
    gap_bits = gap_bits or gap_bits_for(rows, compression.kind_of(weights))
    plan = compression.Plan(weights=weights, density=density, pes=pes, family=masks, gap_bits=gap_bits, seed=seed)  # type: ignore[arg-type]
    plan = replace(plan, emphasis=emphasis or plan.emphasis, layers=dict(layer_density))
    plan = replace(plan, schedule=schedule)  # type: ignore[arg-type]
    plan = replace(plan, per_channel=not per_tensor, codebook_bits=codebook_bits, codebook_start=centroids)
    plan = replace(plan, prune=shortened(plan.prune, prune_epochs), tune=shortened(plan.tune, tune_epochs))
    before = provenance.read(model)
    found = load()
    start = time.monotonic()
    with _bar("compress", plan.prune.epochs + plan.tune.epochs) as progress:
        result = compression.compress(dense, found, plan, progress=lambda _stage: progress)
    record = provenance.compressed_record(before, dense, result, found, plan, _command())
    record["seconds"] = {**before.get("seconds", {}), "compress": round(time.monotonic() - start, 1)}
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
        from ese_models import dsd as training
        from ese_models import networks, provenance
        from ese_models.train import DENSE
    from ese_models.data import load
    from ese_models.masking import DenseSparseDense

    recipe = replace(DENSE, epochs=epochs or max(1, DENSE.epochs // 2), rate=rate or DENSE.rate)
    plan = DenseSparseDense(recipe, density)
    before = provenance.read(model)
    dense, found = networks.load(model), load()
    start = time.monotonic()
    with _bar("dsd", plan.sparse.epochs + plan.last.epochs) as progress:
        masks = training.train(dense, found, plan, seed, progress)
    record = provenance.dsd_record(before, dense, masks, found, plan, seed, _command())
    record["seconds"] = {**before.get("seconds", {}), "dsd": round(time.monotonic() - start, 1)}
    _answer(as_json, _summary(provenance.save(dense, out, record, found), record))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--densities", help="Densities to try, with commas between.  [default: 1 down to 0.02]")
@click.option("--masks", type=click.Choice(FAMILIES), default="magnitude", show_default=True, help="Mask family.")
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
        from ese_models import networks
        from ese_models import sensitivity as scanning
        from ese_models.compress import interleave
        from ese_models.train import accuracy
    from ese_models.data import load
    from ese_models.pruning import gap_bits_for, mask_for

    network, data = networks.load(model), load()
    part = data.train if split == "train" else data.test
    tried = _densities(densities) if densities else scanning.DENSITIES
    kernels = networks.kernels(network)

    def choose(name: str, weights: Any, density: float) -> Any:
        rows = interleave(name, len(weights), pes)
        return mask_for(masks, weights, density, rows, "int4", gap_bits_for([rows], "int4"))  # type: ignore[arg-type]

    with _bar("sensitivity", len(kernels) * len(tried), unit="point") as progress:
        found = scanning.scan(
            kernels, choose, lambda: accuracy(network, part), tried, metric="accuracy", progress=progress
        )
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


def _summary(paths: list[Path], record: dict[str, Any]) -> dict[str, Any]:
    summary = {"files": [str(path) for path in paths], "accuracy": record["accuracy"], "density": record["density"]}
    if "masks" in record:
        summary["entries_per_pe"] = {name: table["used"]["entries_per_pe"] for name, table in record["masks"].items()}
    return {**summary, "seconds": record["seconds"]}


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
