# SPDX-License-Identifier: Apache-2.0
"""Answers to the five questions: tables, goals and charts.

Each is computed from the cells of its question, and from the results of those cells that have one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from benchmarks.study.cell import StudyCell
from benchmarks.study.grid import FAMILIES
from benchmarks.study.metrics import CellMetrics, Estimate, Goal, Results, judged, spread
from benchmarks.study.store import Record
from ese_host.ir import MASK_FAMILIES

CODES = ("float", "int4", "codebook4", "ttq")
ESE_WEIGHTS = 3_248_128
"""Weights of ESE's layer: 153 inputs, 1024 cells, projection to 512."""


@dataclass(frozen=True)
class Chart:
    """A line chart.

    Attributes:
        name: file name.
        title: title of the chart.
        labels: labels of the x axis.
        axes: titles of both axes.
        series: values of each line by its name.
    """

    name: str
    title: str
    labels: Sequence[str]
    axes: tuple[str, str]
    series: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class Answer:
    """Answer to a question.

    Attributes:
        header: header of the table.
        rows: rows of the table.
        goals: judged goals.
        remarks: lines above the table.
        charts: charts below it.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()
    remarks: Sequence[str] = ()
    charts: Sequence[Chart] = field(default_factory=tuple)


def deep_compression(cells: Sequence[StudyCell], found: Results) -> Answer:
    """Answer to question 1, Deep Compression of the image network."""
    figures = CellMetrics(found)
    parts = {stage: [cell for cell in cells if cell.stage == stage] for stage in ("dense", "pruned", "quantized")}
    errors = {
        stage: {seed: 100 - value for seed, value in figures.of(stage_cells, "accuracy").items()}
        for stage, stage_cells in parts.items()
    }
    rates = ("rate_quantized", "rate_huffman")
    rows = [
        [
            stage,
            spread(errors[stage]),
            spread(figures.load(stage_cells, "density", 100)),
            *(spread(figures.part(stage_cells, "storage", name), 1) for name in rates),
        ]
        for stage, stage_cells in parts.items()
    ]
    rate = figures.figure(parts["quantized"], "storage", rates[-1])
    loss = figures.loss(parts["dense"], parts["quantized"], "accuracy", lower=False)
    return Answer(
        ["stage", "error, %", "weights kept, %", "times smaller, P+Q", "P+Q+H"],
        rows,
        [
            judged("at least 40x smaller", rate, 40, "x", most=False),
            judged("error no worse than dense, on the mean", loss, 0.0),
        ],
        ["Deep Compression's LeNet-300-100 on MNIST (published): 40x, error 1.64% before, 1.58% after."],
    )


def balance(cells: Sequence[StudyCell], found: Results) -> Answer:
    """Answer to question 2, masks and weight codes on frame-wise phones."""
    figures = CellMetrics(found)
    dense = [cell for cell in cells if cell.trunk is None]
    longer = [cell for cell in cells if cell.stage == "dense" and cell.trunk is not None]
    groups: dict[tuple[str, float, str], list[StudyCell]] = {}
    for cell in cells:
        if cell.stage in ("pruned", "quantized"):
            groups.setdefault((cell.family, cell.density, cell.weights), []).append(cell)
    metric, lower = _metric(found)
    others = [name for name in ("phone_error_rate", "non_pause_accuracy") if name != metric and figures.of(dense, name)]

    def row(name: Sequence[str], row_cells: Sequence[StudyCell]) -> list[str]:
        values = figures.of(row_cells, metric)
        load = [
            spread(figures.load(row_cells, "imbalance"), 3),
            spread(figures.load(row_cells, "padding", 100)),
        ]
        extra = [spread(figures.of(row_cells, other)) for other in others]
        loss = with_error(figures.loss(dense, row_cells, metric, lower))
        return [*name, spread(values), loss, *extra, *load]

    rows = [row(["dense", "", "float"], dense)]
    rows += [row([f"dense, {longer[0].epochs} epochs more", "", "float"], longer)] if longer else []
    order = sorted(groups, key=lambda g: (-g[1], FAMILIES.index(g[0]) if g[0] in FAMILIES else 9, CODES.index(g[2])))
    rows += [row([f, f"{100 * (1 - d):.0f}", w], groups[f, d, w]) for f, d, w in order]

    def compared(text: str, limit: float, candidates: Sequence[StudyCell], reference: Sequence[StudyCell]) -> Goal:
        return judged(text, figures.loss(reference, candidates, metric, lower), limit)

    def centre(code: str, family: str = "pe-balanced") -> Sequence[StudyCell]:
        return groups.get((family, 0.1, code), [])

    greedy = figures.level(dense, "phone_error_rate")
    goals = [judged("dense phone error rate, greedily, at most 26.5%", greedy, 26.5, "%")] if lower else []
    goals += [
        compared("90% balanced + int4: loss at most 0.3 points", 0.3, centre("int4"), dense),
        compared("90% balanced + codebook4: loss at most 0.3 points", 0.3, centre("codebook4"), dense),
        compared("90% balanced + ternary (TTQ): loss at most 1.0 points", 1.0, centre("ttq"), dense),
    ]
    free = centre("int4", "magnitude")
    goals += [
        compared(f"90% int4, {family} no worse than unbalanced", 0.0, centre("int4", family), free)
        for family in FAMILIES
        if not MASK_FAMILIES[family].whole
    ]
    return Answer(
        ["masks", "pruned, %", "weights", f"{_words(metric)}, %", "loss, points"]
        + [f"{_words(other)}, %" for other in others]
        + ["entries, largest over mean PE", "padding, % of weights"],
        rows,
        goals,
        [
            "ESE on TIMIT (published): phone error rate 20.3% dense, 20.5 to 21% at 85 to 95% pruned.",
            "Losses are against the dense network of the first row. From it, unbalanced masks are trained to 80%",
            "pruned; from there the masks of every family to 80 and 90%, and then further. A quantized network starts",
            "from the pruned one with the same masks. Since these stages add epochs, the second row is the dense",
            "network trained for longer.",
        ],
        _density_chart(groups, figures, metric),
    )


def _density_chart(
    groups: Mapping[tuple[str, float, str], Sequence[StudyCell]], figures: CellMetrics, metric: str
) -> Sequence[Chart]:
    densities = sorted({density for family, density, _ in groups if family == "pe-balanced"}, reverse=True)
    if len(densities) < 2:
        return ()
    values = {
        code: [figures.of(groups.get(("pe-balanced", density, code), []), metric) for density in densities]
        for code in CODES
    }
    return (
        Chart(
            "study-density.svg",
            "PE-balanced masks: where each weight code breaks",
            [f"{100 * (1 - density):.0f}%" for density in densities],
            ("pruned", f"{_words(metric)}, %"),
            {code: [mean(v.values()) if v else None for v in line] for code, line in values.items() if any(line)},
        ),
    )


def ternary(cells: Sequence[StudyCell], found: Results) -> Answer:
    """Answer to question 3, ternary weights at equal sparsity."""
    figures = CellMetrics(found)
    metric, lower = _metric(found)
    codes = {code: [cell for cell in cells if cell.weights == code] for code in ("int4", "ternary", "twn", "ttq")}
    rows = [
        [
            code,
            spread(figures.load(code_cells, "density", 100)),
            spread(figures.of(code_cells, metric)),
            with_error(figures.loss(codes["int4"], code_cells, metric, lower)),
        ]
        for code, code_cells in codes.items()
    ]
    return Answer(
        ["weights", "kept, %", f"{_words(metric)}, %", "loss against int4, points"],
        rows,
        remarks=[
            "`ternary` keeps the mask of pruning (with TWN's scale); `twn` and `ttq` choose the mask again, with",
            "exactly k entries in each PE.",
            "TTQ on CIFAR-10 (published), ResNet-20 to -56: 0.64 points worse to 0.36 better than float.",
        ],
    )


def dense_sparse_dense(cells: Sequence[StudyCell], found: Results) -> Answer:
    """Answer to question 4, dense-sparse-dense against longer dense training."""
    figures = CellMetrics(found)
    rows, goals = [], []
    for task in dict.fromkeys(cell.task for cell in cells):
        task_cells = [cell for cell in cells if cell.task == task]
        metric, lower = _metric({cell: found[cell] for cell in task_cells if cell in found})
        ways = {
            "trunk": [cell for cell in task_cells if cell.trunk is None],
            "dense": [cell for cell in task_cells if cell.stage == "dense" and cell.trunk is not None],
            "dsd": [cell for cell in task_cells if cell.stage == "dsd"],
        }
        values = {name: figures.of(part, metric) for name, part in ways.items()}
        rows += [[task, name, _words(metric), spread(value)] for name, value in values.items()]
        gain = figures.loss(ways["dsd"], ways["dense"], metric, lower)
        text = f"{task}: DSD better than as many epochs of dense training"
        goals.append(judged(text, gain, 0.0, most=False))
    remark = "The control starts from the same trunk and trains with the same epochs and rates, but without masks."
    return Answer(["task", "training", "metric", "%"], rows, goals, [remark])


def large(cells: Sequence[StudyCell], found: Results) -> Answer:
    """Answer to question 5, ESE's layer at its size."""
    figures = CellMetrics(found)
    metric, lower = _metric(found)
    rates = [metric, *(["phone_error_rate"] if metric == "viterbi_phone_error_rate" else [])]
    first, longest = ([cell] for cell in cells if cell.stage == "dense")
    rows = []
    for cell in cells:
        epoch = figures.part([cell], "seconds", "epoch_elapsed")
        load = [spread(figures.load([cell], "imbalance"), 3), spread(figures.load([cell], "density", 100))]
        rows.append([cell.stage, cell.weights, str(cell.epochs)])
        for rate in rates:
            rows[-1].append(spread(figures.of([cell], rate)))
            for base in (longest, first):
                rows[-1].append("" if [cell] == base else with_error(figures.loss(base, [cell], rate, lower)))
        rows[-1] += [*load, spread(epoch, 0)]
    goals = []
    for text, limit, code in (("4-bit codes", 0.3, "int4"), ("ternary codes (TTQ)", 1.0, "ttq")):
        coded = [cell for cell in cells if cell.weights == code]
        for rate in rates:
            goal = f"90% balanced + {text}: {_words(rate)} at most {limit} points worse"
            goals.append(judged(goal, figures.loss(longest, coded, rate, lower), limit))
    last = found.get(cells[-1])
    lstm = lstm_weights(last) if last else 0
    goals.append(
        Goal(
            f"the chain at ESE's size: {ESE_WEIGHTS:,} LSTM weights, pruned, quantized",
            f"{lstm:,} weights" if last else "",
            "not run" if last is None else "yes" if lstm == ESE_WEIGHTS else "no",
        )
    )
    columns = [name for rate in rates for name in (f"{_words(rate)}, %", "loss, points", "loss, row 1")]
    return Answer(
        ["stage", "weights", "epochs", *columns, "entries, largest over mean PE", "kept, %", "s an epoch"],
        rows,
        goals,
        [
            "Losses are against the dense network trained for longer, the second row, and where the header says so",
            "against the first. [The plan](study-plan.md) of these cells was written before they were trained.",
        ],
    )


def lstm_weights(record: Record) -> int:
    """Weights of a network's recurrent layers, of a whole record or of its summary."""
    load = record["load"]
    if "lstm_weights" in load:
        return int(load["lstm_weights"])
    return sum(kernel["size"] for name, kernel in load["kernels"].items() if not name.startswith("dense"))


def with_error(found: Estimate | None) -> str:
    """A figure and its standard error as text; empty without a figure."""
    if found is None:
        return ""
    return f"{found.value:.2f}" + ("" if found.error is None else f" ± {found.error:.2f}")


def _metric(found: Results) -> tuple[str, bool]:
    """Name of the metric that counts, and whether lower is better."""
    for record in found.values():
        return str(record["metric"]), bool(record["lower"])
    return "accuracy", False


def _words(metric: str) -> str:
    return metric.replace("_", " ")


ANSWERS: Mapping[int, Callable[[Sequence[StudyCell], Results], Answer]] = {
    1: deep_compression,
    2: balance,
    3: ternary,
    4: dense_sparse_dense,
    5: large,
}
