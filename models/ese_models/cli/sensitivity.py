# SPDX-License-Identifier: Apache-2.0
"""The command sensitivity, which `ese4ml` loads by an entry point; TensorFlow is imported only when it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ese_host.cli import MODEL_FILE, NEW_FOLDER, say
from ese_host.errors import UnsupportedError
from ese_host.image import MAX_PES
from ese_host.ir import MASK_FAMILIES
from ese_host.tensorflow_startup import quiet_tensorflow as _tensorflow
from ese_models.cli.own_data import DATA, scoring_on
from ese_models.cli.shared import as_json
from ese_models.progress import progress_bar


@click.command()
@click.argument("model", type=MODEL_FILE)
@click.option(
    "--densities",
    help="Densities to try, 0 to 1, separated by commas.  [default: 1,0.5,0.3,0.2,0.15,0.1,0.05,0.02]",
)
@click.option(
    "--masks",
    type=click.Choice([*MASK_FAMILIES]),
    default="magnitude",
    show_default=True,
    help="Mask family: how the kept weights are chosen and balanced over the PEs.",
)
@click.option(
    "--pes",
    type=click.IntRange(1, MAX_PES),
    default=8,
    show_default=True,
    help="Number of processing elements (PEs) for which masks are chosen; magnitude does not depend on it.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="train",
    show_default=True,
    help="Data on which the accuracy is measured; densities that are chosen on the test split flatter the result.",
)
@click.option(
    "--loss",
    type=float,
    default=1.0,
    show_default=True,
    help="Loss of accuracy, in percentage points, that pruning a single kernel may cost.",
)
@DATA
@click.option(
    "--out",
    type=NEW_FOLDER,
    help="Folder for sensitivity.json and sensitivity.svg.  [default: no files are written]",
)
@as_json
def sensitivity(
    model: Path,
    densities: str | None,
    masks: str,
    pes: int,
    split: str,
    loss: float,
    data: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure the accuracy of the network MODEL when only one of its kernels is pruned (Han et al., NIPS'15).

    Each kernel is pruned to each density in turn, without retraining. The command prints the accuracies, and for each
    kernel the least density that costs at most --loss. MODEL is a .keras file with its provenance beside it; or with
    --data, any Keras or QKeras model.
    """
    asked = _densities(densities) if densities else None
    with _tensorflow():
        from ese_models.masking import gap_bits_of, interleaves, kernel_mask
        from ese_models.networks import inspection, prunable
        from ese_models.records import provenance
        from ese_models.records import sensitivity as scanning
        from ese_models.training import accuracy, predict, task_named

    if data is not None:
        network = inspection.load_model(model)
        score, metric = scoring_on(data, network, split)
    else:
        network, dataset = inspection.load(model), task_named(provenance.read(model, "task").task or "").load()
        part, metric = dataset.splits[split], "accuracy"

        def score() -> float:
            return accuracy(predict(network, part), part)

    tried = asked or scanning.DENSITIES
    kernels = {name: kernel.variable for name, kernel in prunable(network).items()}
    rows = interleaves(network, pes)

    def choose(name: str, weights: Any, density: float) -> Any:
        bits = gap_bits_of({name: rows[name]}, "int4")
        return kernel_mask(masks, weights, density, rows[name], "int4", bits)  # type: ignore[arg-type]

    with progress_bar("sensitivity", len(kernels) * len(tried), unit="point") as progress:
        scanned = scanning.scan(kernels, choose, score, tried, metric=metric, progress=progress)
    result = {**scanned.to_json(), "split": split, "masks": masks, "least": scanned.least_densities(loss / 100)}
    files = scanning.write(scanned, result, out) if out else []
    if as_json:
        say(json.dumps({**result, "files": [str(path) for path in files]}))
        return
    say(
        f"{scanned.metric} on the {split} split in percent, {100 * scanned.dense:.2f} with all kernels dense; "
        f"one kernel pruned at a time, masks {masks}"
    )
    say(scanned.table())
    say(
        f"least density of each kernel at which pruning only this kernel costs at most {loss:g} percentage points: "
        + ", ".join(f"{name} {least:g}" for name, least in scanned.least_densities(loss / 100).items())
    )
    for path in files:
        say(str(path))


def _densities(text: str) -> tuple[float, ...]:
    """The value of the option `--densities` as numbers."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise UnsupportedError(
            f"--densities is {text!r}; numbers separated by commas are expected, such as 1,0.5,0.1"
        ) from error
