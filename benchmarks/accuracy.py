# SPDX-License-Identifier: Apache-2.0
"""Accuracy study: pruning, balance and weight codes on JapaneseVowels, over seeds.

    python -m benchmarks.accuracy [--seeds 5] [--curve-seeds 3] [--jobs 2] [--results build/accuracy]

The results folder holds a JSON file and a model for each network; networks that are there already are not trained
again. The table, the goals and, with --curve-seeds, the accuracy over density are written to docs/results/accuracy.md.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
from tqdm import tqdm

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from ese_host.ir import MaskFamily
from ese_models.data import Dataset, load
from ese_models.masking import interleaves, matrices, matrix_loads
from ese_models.networks import Weights, inspection
from ese_models.records import provenance
from ese_models.training import DENSE, Plan, accuracy, predict, prune, quantize, train_dense

ROOT = Path(__file__).resolve().parents[1]
FAMILIES: tuple[MaskFamily, ...] = ("magnitude", "pe-balanced", "gap-aware")
KERNELS = ("lstm/kernel", "lstm/recurrent_kernel", "dense/kernel")
CODES: tuple[Weights, ...] = ("float", "int4", "ternary")
DENSITIES = (0.5, 0.3, 0.2, 0.15, 0.1, 0.05)


@dataclass(frozen=True)
class AccuracyCase:
    """One network to train.

    Attributes:
        seed: of weights, order of the data and augmentation.
        family: of masks; "none" for the dense network.
        weights: kind of weight codes.
        density: kept share of all weights.
        even: whether all matrices have the same density.
    """

    seed: int
    family: MaskFamily | Literal["none"] = "none"
    weights: Weights = "float"
    density: float = 1.0
    even: bool = False

    @property
    def name(self) -> str:
        """Name of the network's files, without the seed."""
        split = "-even" if self.even else ""
        return "dense" if self.family == "none" else f"{self.family}-{self.density:g}{split}-{self.weights}"

    def path(self, folder: Path) -> Path:
        """Path of the record in the results folder."""
        return folder / f"{self.name}-seed{self.seed}.json"


def cases(seed: int, curve: bool) -> list[AccuracyCase]:
    """The networks of a seed; with `curve` those of the other densities as well."""
    listed = [AccuracyCase(seed)]
    listed += [AccuracyCase(seed, family, code, 0.1) for family in FAMILIES for code in CODES]
    if curve:
        listed += [AccuracyCase(seed, "gap-aware", code, 0.1, even=True) for code in CODES]
        listed += [AccuracyCase(seed, "gap-aware", code, d) for d in DENSITIES if d != 0.1 for code in CODES]
    return listed


def train_seed(seed: int, curve: bool, folder: Path) -> list[dict[str, Any]]:
    """Records of all networks of a seed; networks without a record are trained.

    Args:
        seed: the seed.
        curve: whether to train the other densities as well.
        folder: results folder.
    """
    data = load()
    return [train_case(case, folder, data) for case in cases(seed, curve)]


def train_case(case: AccuracyCase, folder: Path, data: Dataset) -> dict[str, Any]:
    """The record of a network, which is trained if it has none, and so are the networks that it starts from.

    Args:
        case: the network.
        folder: results folder.
        data: the data set.
    """
    path = case.path(folder)
    if path.is_file():
        known: dict[str, Any] = json.loads(path.read_text())
        return known
    start = time.monotonic()
    extra: dict[str, Any] = {}
    if case.family == "none":
        model = train_dense(data, case.seed)
    else:
        dense = model_of(AccuracyCase(case.seed), folder, data)
        plan = Plan(weights="float", density=case.density, family=case.family, seed=case.seed)
        plan = replace(plan, emphasis=(1.0, 1.0)) if case.even else plan
        if case.weights == "float":
            model, masks = prune(dense, data, plan)
            weights = matrices(dense)
            kinds, rows = dict.fromkeys(weights, plan.kind), interleaves(dense, plan.pes)
            found = matrix_loads(weights, masks, rows, kinds, plan.gap_bits)
            extra["masks"] = {name: load.to_json() for name, load in found.items()}
        else:
            pruned = model_of(replace(case, weights="float"), folder, data)
            masks = {name: w != 0 for name, w in matrices(pruned).items()}
            model = quantize(pruned, dense, masks, data, replace(plan, weights=case.weights))
    record = {
        **asdict(case),
        "train": accuracy(predict(model, data.train), data.train),
        "test": accuracy(predict(model, data.test), data.test),
        "splits": {name: len(split.labels) for name, split in data.splits.items()},
        "seconds": round(time.monotonic() - start, 1),
        "versions": provenance.versions(),
        **extra,
    }
    part = path.with_suffix(".part.keras")
    model.save(part)
    part.replace(path.with_suffix(".keras"))
    part.write_text(json.dumps(record, indent=1))
    part.replace(path)
    return record


def model_of(case: AccuracyCase, folder: Path, data: Dataset) -> Any:
    """The trained Keras model of a network.

    Args:
        case: the network.
        folder: results folder.
        data: the data set, in case the network must be trained.
    """
    train_case(case, folder, data)
    return inspection.load(case.path(folder).with_suffix(".keras"))


def percent(values: list[float]) -> str:
    """Mean in percent, with the standard deviation if there are several values."""
    spread = f" ± {100 * np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.2f}{spread}"


def table(
    title: str, rows: list[str], columns: tuple[str, ...], get: Callable[[str, str], list[float]]
) -> Iterator[str]:
    """Lines of a Markdown table of mean percentages.

    Args:
        title: heading of the first column.
        rows: names of the rows.
        columns: names of the other columns.
        get: values of a row and column, one for each seed.
    """
    yield f"| {title} | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for row in rows:
        yield f"| {row} | " + " | ".join(percent(get(row, column)) for column in columns) + " |"


def split_lines(validated: bool) -> list[str]:
    """Sentences on the samples by which the networks were trained, and their recipe was chosen."""
    if validated:
        return [
            "216 of the 270 training utterances are for training. The recipe was chosen on the 54 others, the",
            "validation split ([vowels-recipes.md](vowels-recipes.md)).",
        ]
    return [
        "These networks were trained before there was a validation split, on all 270 training utterances: the recipe",
        "(epochs, rates, noise, teacher, emphasis) was set by hand while looking at mean test accuracies of these",
        "seeds, so the means flatter a little.",
    ]


def report(records: list[dict[str, Any]], command: str) -> str:
    """The text of docs/results/accuracy.md; `command` is the command that the page names."""

    def tests(family: str, weights: str, density: float, even: bool = False) -> list[float]:
        """Test accuracies of these networks, one for each seed, 0 to 1."""
        wanted = (family, weights, density, even)
        return [r["test"] for r in records if (r["family"], r["weights"], r["density"], r["even"]) == wanted]

    dense = tests("none", "float", 1.0)
    mean: dict[tuple[str, str], float] = {
        (f, w): 100 * float(np.mean(tests(f, w, 0.1))) for f in FAMILIES for w in CODES
    }
    base = 100 * float(np.mean(dense))
    goals = [("dense at least 97.0", base, base >= 97.0)]
    for code, limit in (("int4", 1.0), ("ternary", 1.5)):
        for family in ("pe-balanced", "gap-aware"):
            loss = base - mean[family, code]
            goals.append((f"90% {family} + {code}: loss against dense at most {limit}", loss, loss <= limit))
    for family in ("pe-balanced", "gap-aware"):
        for code in CODES:
            loss = mean["magnitude", code] - mean[family, code]
            goals.append((f"90% {family}, {code}: loss against unbalanced at most 0.5", loss, loss <= 0.5))
    kept = [r["masks"] for r in records if r["density"] == 0.1 and not r["even"] and "masks" in r]
    share = ", ".join(f"{name} {np.mean([m[name]['density'] for m in kept]):.1%}" for name in KERNELS)
    lines = [
        "# Accuracy on JapaneseVowels",
        "",
        f"Measured by `{command}`, which writes this page.",
        "Figures are test accuracies in percent, mean ± standard deviation over seeds (of weights, order of the",
        "data and augmentation). There are 370 test utterances, so one is 0.27 points. The network is QLSTM(64) ->",
        "QDense(9) -> softmax, with 16-bit input and state, 8-bit gates and cell activation; masks are for 8 PEs and",
        "a gap field of 5 bits. No single network was picked.",
        *split_lines(all("splits" in record for record in records)),
        "",
        "Density counts the weights of all three matrices together. The recurrent kernel is pruned more than the",
        f"others (after BRDS). At 90% pruned, {share} are kept.",
        "",
        f"Dense: {percent(dense)} (n = {len(dense)}).",
        "",
        f"90% pruned (n = {len(tests('pe-balanced', 'ternary', 0.1))}):",
        "",
        *table("masks", list(FAMILIES), CODES, lambda family, code: tests(family, code, 0.1)),
        "",
        "Goals, on the means:",
        "",
        "| goal | points | holds |",
        "|---|---|---|",
        *(f"| {goal} | {value:.2f} | {'yes' if holds else 'no'} |" for goal, value, holds in goals),
        "",
    ]
    densities = [d for d in DENSITIES if tests("gap-aware", "ternary", d)]
    if len(densities) > 1:
        rows = {f"{1 - d:.0%} pruned": (d, False) for d in densities}
        rows["90% pruned, each matrix alike"] = (0.1, True)
        lines += [
            f"Accuracy over density, gap-aware masks (n = {len(tests('gap-aware', 'ternary', densities[0]))}, at 90%"
            f" {len(tests('gap-aware', 'ternary', 0.1))}):",
            "",
            *table("gap-aware", list(rows), CODES, lambda row, code: tests("gap-aware", code, *rows[row])),
            "",
        ]
    lines += [
        "Load of the pruned masks as the engine counts it, with a ternary gap field of 5 bits: largest",
        "over mean entries of a PE, padding included, and padding entries of all PEs; means over seeds.",
        "",
        "| masks | " + " | ".join(KERNELS) + " |",
        "|---" * (len(KERNELS) + 1) + "|",
    ]
    for family in FAMILIES:
        masks = [
            r["masks"]
            for r in records
            if (r["family"], r["density"], r["even"]) == (family, 0.1, False) and "masks" in r
        ]
        cells = [
            f"{np.mean([m[name]['imbalance'] for m in masks]):.3f}, {np.mean([m[name]['padding'] for m in masks]):.1f}"
            for name in KERNELS
        ]
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    plan = Plan()
    lines += [
        "",
        f"Recipes: dense `{DENSE}`;",
        f"pruning `{plan.prune}`,",
        f"final density after {plan.pruned_at:.0%} of the steps, {plan.updates} choices of the masks;",
        f"quantized `{plan.tune}`;",
        f"emphasis {plan.emphasis}, teacher's share {plan.teacher}.",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in records[0]["versions"].items()) + ".",
        f"Training time, summed: {sum(r['seconds'] for r in records) / 60:.0f} minutes on two shared cores.",
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Number of seeds at 90% pruned.")
@click.option(
    "--curve-seeds",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seeds for the other densities too.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Processes; each trains a seed.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=ROOT / "build" / "accuracy",
    help="Folder of records and models.  [default: build/accuracy]",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    default=ROOT / "docs" / "results" / "accuracy.md",
    help="Page to write.  [default: docs/results/accuracy.md]",
)
def main(seeds: int, curve_seeds: int, jobs: int, results: Path, page: Path) -> None:
    """Train the networks that have no record and write the page."""
    results.mkdir(parents=True, exist_ok=True)
    load()
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    records = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(train_seed, seed, seed < curve_seeds, results) for seed in range(seeds)]
        for done in tqdm(as_completed(futures), total=seeds, unit="seed"):
            records += done.result()
    records.sort(key=lambda record: record["seed"])
    page.write_text(report(records, f"python -m benchmarks.accuracy --seeds {seeds} --curve-seeds {curve_seeds}"))
    click.echo(f"{page}")


if __name__ == "__main__":
    main()
