# SPDX-License-Identifier: Apache-2.0
"""EIE and ESE in simulation, beside their published figures: docs/results/eie.md and docs/figures/eie-*.svg.

    python -m benchmarks.machines.eie [--seeds 3]

Everything is simulated on seeded random matrices, so that the page is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from benchmarks.machines import EIE_LAYERS, LayerRun, Machine, draw, run_layer
from benchmarks.machines.balance import BalanceRun, draw_lstm, run_step
from benchmarks.machines.layers import EIE_CLOCK_MHZ
from benchmarks.page import filled, write
from ese_models.records import charts

ROOT = Path(__file__).resolve().parents[2]
DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PUBLISHED_SCALING = {64: 64, 128: 124, 256: 210}
EIE = Machine(registers=64)
ENDLESS = replace(EIE, registers=0)
ROW_SPREADS = (0.0, 0.25, 0.5, 0.75, 1.0)
LSTM_SPREADS = (0.0, 0.1, 0.2, 0.3)
ESE_STEP_CYCLES = 82.7 * 200
NAMES = [layer.name for layer in EIE_LAYERS]
LAYER_HEADER = (
    "layer",
    "utilisation, published",
    "utilisation, simulated",
    "simulated without batches",
    "padding in the entries",
    "cycles on non-zero weights",
    "times, published",
    "times, simulated",
)
LSTM_HEADER = (
    "weights, row spread",
    "endless FIFOs (simulated)",
    "FIFOs of 8 (simulated)",
    "with the rest of ESE's step (simulated + published)",
)
LIMIT = 8.0
"""Points of utilisation by which a layer may differ from the published one."""


@dataclass
class Results:
    """All runs. Sweeps use the first seed only.

    Attributes:
        batched: runs of each layer with EIE's registers, one for each seed.
        endless: the same with unlimited registers.
        depth: runs of each layer by FIFO depth.
        pes: runs of each layer by number of PEs.
        spread: runs of VGG-6 by the spread of the rows' densities.
        lstm: balanced and unbalanced runs of ESE's layer for each seed, by heavy tails and spread of the rows.
    """

    batched: dict[str, list[LayerRun]]
    endless: dict[str, list[LayerRun]]
    depth: dict[str, dict[int, LayerRun]]
    pes: dict[str, dict[int, LayerRun]]
    spread: dict[float, LayerRun]
    lstm: dict[tuple[bool, float], list[tuple[BalanceRun, BalanceRun]]]


def simulate_all(seeds: Sequence[int]) -> Results:
    """Run every layer, sweep and mask with these seeds."""
    results = Results({}, {}, {}, {}, {}, {})
    for layer in EIE_LAYERS:
        drawn = [draw(layer, seed) for seed in seeds]
        results.batched[layer.name] = [run_layer(d, EIE) for d in drawn]
        results.endless[layer.name] = [run_layer(d, ENDLESS) for d in drawn]
        results.depth[layer.name] = {d: run_layer(drawn[0], replace(ENDLESS, depth=d)) for d in DEPTHS}
        results.pes[layer.name] = {p: run_layer(drawn[0], replace(ENDLESS, pes=p)) for p in PES}
    vgg6 = EIE_LAYERS[NAMES.index("VGG-6")]
    results.spread = {spread: run_layer(draw(vgg6, seeds[0], spread), EIE) for spread in ROW_SPREADS}
    for heavy in (False, True):
        for spread in LSTM_SPREADS:
            weights = (draw_lstm(seed, heavy, spread) for seed in seeds)
            results.lstm[heavy, spread] = [(run_step(w, balance=True), run_step(w, balance=False)) for w in weights]
    return results


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean."""
    return float(np.mean(list(values)))


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join([row(*header), "|---" * len(header) + "|", *(row(*cells) for cells in rows)])


def layer_rows(results: Results) -> Iterable[Sequence[object]]:
    """Rows of the table of EIE's nine layers."""
    for layer in EIE_LAYERS:
        runs, endless = results.batched[layer.name], results.endless[layer.name]
        micros = [mean(getattr(run, what) for run in runs) / EIE_CLOCK_MHZ for what in ("ideal", "cycles")]
        yield (
            layer.name,
            f"{100 * layer.published_utilisation:.1f}",
            f"**{100 * mean(run.utilisation for run in runs):.1f}**",
            f"{100 * mean(run.utilisation for run in endless):.1f}",
            f"{100 * mean(run.padding_share for run in runs):.1f}",
            f"{100 * mean(run.weight_utilisation for run in runs):.1f}",
            f"{layer.theoretical_us:.1f} / {layer.actual_us:.1f}",
            f"{micros[0]:.1f} / {micros[1]:.1f}",
        )


def misses(runs: dict[str, list[LayerRun]]) -> str:
    """Names of the layers that differ by more than LIMIT points, with the difference, or "none"."""
    gaps = {
        layer.name: 100 * (mean(run.utilisation for run in runs[layer.name]) - layer.published_utilisation)
        for layer in EIE_LAYERS
    }
    return ", ".join(f"{name} ({gap:+.1f})" for name, gap in gaps.items() if abs(gap) > LIMIT) or "none"


def geometric(results: Results, pes: int, names: Iterable[str]) -> float:
    """Geometric mean of the layers' speedups over one PE.

    Args:
        results: all runs.
        pes: processing elements of the faster machine.
        names: layers to average.
    """
    ratios = [results.pes[name][1].cycles / results.pes[name][pes].cycles for name in names]
    return float(np.exp(np.mean(np.log(ratios))))


def scaling_rows(results: Results) -> Iterable[Sequence[object]]:
    """Rows of the table of speedups over one PE."""
    for title, names in (("geometric mean", NAMES), ("without NT-We", [n for n in NAMES if n != "NT-We"])):
        yield (title, *(f"{geometric(results, p, names):.1f}" for p in PUBLISHED_SCALING))
    yield ("published", *(f"{value}" for value in PUBLISHED_SCALING.values()))


def lstm_rows(results: Results) -> Iterable[Sequence[object]]:
    """Rows of the table of ESE's load balance."""
    for (heavy, spread), runs in results.lstm.items():
        fifo = [mean(run[side].fifo_speedup for run in runs) for side in (0, 1)]
        stream = [mean(run[side].stream_speedup for run in runs) for side in (0, 1)]
        rest = ESE_STEP_CYCLES - mean(run[0].fifo_cycles for run in runs)
        whole = [mean(run[0].dense_cycles / (run[side].fifo_cycles + rest) for run in runs) for side in (0, 1)]
        yield (
            f"{'Student t, 3' if heavy else 'normal'}, {spread:g}",
            *(f"{a:.2f} / {b:.2f} ({a / b:.2f})" for a, b in (stream, fifo)),
            f"{whole[0]:.2f} / {whole[1]:.2f} ({whole[0] / whole[1]:.2f})",
        )
    yield ("published", "", "", "6.2 / 5.5 (1.13)")


def page(results: Results, seeds: int) -> str:
    """The text of docs/results/eie.md; `seeds` is the number of seeds."""
    balanced = [run[0] for run in results.lstm[False, 0.0]]
    nt_we = results.endless["NT-We"]
    values = {
        "seeds": seeds,
        "limit": f"{LIMIT:.0f}",
        "layers": table(LAYER_HEADER, layer_rows(results)),
        "misses": misses(results.batched),
        "misses_endless": misses(results.endless),
        "nt_we_work": f"{100 * mean(run.work_utilisation for run in nt_we):.1f}",
        "nt_we_floor": f"{100 * mean(run.floor_utilisation for run in nt_we):.1f}",
        "spreads": table(
            ("coefficient of variation of the rows' densities", *(f"{s:g}" for s in ROW_SPREADS)),
            [("VGG-6, utilisation %", *(f"{100 * results.spread[s].utilisation:.1f}" for s in ROW_SPREADS))],
        ),
        "scaling": table(("speedup over one PE", "64 PEs", "128 PEs", "256 PEs"), scaling_rows(results)),
        "dense_cycles": f"{balanced[0].dense_cycles:,.0f}",
        "entry_density": f"{100 * mean(run.entry_density for run in balanced):.1f}",
        "lstm": table(LSTM_HEADER, lstm_rows(results)),
        "product_cycles": f"{mean(run.fifo_cycles for run in balanced):,.0f}",
        "step_cycles": f"{ESE_STEP_CYCLES:,.0f}",
    }
    return filled(Path(__file__).with_name("eie.md.jinja"), **values)


def figures(results: Results, folder: Path) -> None:
    """Draw the page's charts into a folder."""
    charts.bars(
        folder / "eie-utilisation.svg",
        "Utilisation with 64 PEs, FIFO depth 8",
        NAMES,
        "percent",
        {
            "published (EIE)": [round(100 * layer.published_utilisation, 1) for layer in EIE_LAYERS],
            "simulated": [round(100 * mean(r.utilisation for r in results.batched[n]), 1) for n in NAMES],
            "simulated, without batches": [
                round(100 * mean(r.utilisation for r in results.endless[n]), 1) for n in NAMES
            ],
        },
    )
    charts.lines(
        folder / "eie-depth.svg",
        "Utilisation over FIFO depth (simulated, 64 PEs)",
        [str(depth) for depth in DEPTHS],
        ("FIFO depth", "percent"),
        {n: [round(100 * results.depth[n][d].utilisation, 1) for d in DEPTHS] for n in NAMES},
    )
    shares = {n: [round(100 * results.pes[n][1].cycles / results.pes[n][p].cycles / p, 1) for p in PES] for n in NAMES}
    published = [100 * PUBLISHED_SCALING[p] / p if p in PUBLISHED_SCALING else None for p in PES]
    charts.lines(
        folder / "eie-scaling.svg",
        "Speedup over one PE, as a share of the PEs (simulated, FIFO depth 8)",
        [str(pes) for pes in PES],
        ("PEs", "speedup / PEs, percent"),
        {**shares, "published": published},
    )


@click.command()
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Number of random matrices of each layer."
)
@click.option(
    "--page",
    "target",
    type=click.Path(path_type=Path),
    default=ROOT / "docs" / "results" / "eie.md",
    help="Page to write.  [default: docs/results/eie.md]",
)
def main(seeds: int, target: Path) -> None:
    """Simulate everything and write the page and its figures."""
    results = simulate_all(range(seeds))
    write(target, page(results, seeds))
    figures(results, target.parents[1] / "figures")
    click.echo(f"{target}")


if __name__ == "__main__":
    main()
