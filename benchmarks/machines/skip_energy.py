# SPDX-License-Identifier: Apache-2.0
"""Modelled energy of ESE's layer as a delta LSTM, beside stream mode: a table of docs/results/skip-mode.md.

    python -m benchmarks.machines.skip_energy

It runs no engine. What is sent and executed follows from the golden model's values and the column pointers of the
image; clocks, which the energy does not depend on, are those of `benchmarks.machines.skip_engine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ese_hls.encode import encoder, fit_design
from ese_host import image
from ese_host.estimate import Energy, Scanned, energy_of, of_image
from ese_host.estimate.timing import StepTiming
from ese_host.image import SCAN_WIDTH, Design, Mode, pointers
from ese_host.ir import Codes, Lstm, Network, golden
from support.ese_layer import WEIGHTS, ese_layer

PES, DEPTH, GAP_BITS, STEPS, SEED = 64, 8, 5, 40, 0
Thresholds = tuple[int | None, int | None]
THRESHOLDS: tuple[Thresholds, ...] = ((None, None), (0, 0), (64, 16), (256, 64), (1024, 256))
COLUMNS = {
    "weights": ("compute: weights",),
    "element-wise, scan": ("compute: element-wise", "compute: scan"),
    "entry memory": ("SRAM: entries",),
    "column pointers": ("SRAM: column pointers",),
    "vectors": ("SRAM: vectors", "SRAM: what was sent last"),
    "parameters, states, tables": ("SRAM: parameters, states, tables",),
    "FIFOs": ("registers and LUTRAM: FIFOs",),
    "accumulators": ("registers and LUTRAM: accumulators",),
}
"""Columns of the table, and the causes of energy that each of them adds up."""


@dataclass(frozen=True)
class DeltaRun:
    """Cost of a step of the layer, on average over a sequence.

    Attributes:
        energy: its energy.
        columns: elements sent to the PEs; in stream mode all elements of the three vectors.
        entries: entries that all PEs execute together.
        work: for each matrix and step (PEs, columns) entries of the columns that are sent; empty in stream mode.
    """

    energy: Energy
    columns: float
    entries: float
    work: tuple[Codes, ...] = ()


def layer_of(network: Network) -> Lstm:
    """The only layer of a network."""
    (layer,) = network.layers
    assert isinstance(layer, Lstm)
    return layer


def delta_network(network: Network, thresholds: Thresholds) -> Network:
    """The layer as a delta LSTM with these thresholds of input and state."""
    changed = replace(layer_of(network), delta_input=thresholds[0], delta_state=thresholds[1])
    return Network((changed,), network.source)


def inputs_of(network: Network) -> Codes:
    """(1, STEPS, inputs) codes: in each step a quarter of the inputs moves by at most 0.15."""
    rng = np.random.default_rng(SEED)
    shape = (1, STEPS, network.inputs)
    moves = rng.integers(-600, 600, shape) * (rng.random(shape) < 0.25)
    source = layer_of(network).source
    codes: Codes = np.clip(np.cumsum(moves, axis=1), source.low, source.high)
    return codes


def sent(vectors: Codes, threshold: int | None) -> Codes:
    """(steps, columns) whether an element is sent, by the rules of docs/reference/image-format.md."""
    if threshold is None:
        found: Codes = (vectors != 0).astype(np.int64)
        return found
    last, found = np.zeros_like(vectors[0]), np.zeros_like(vectors)
    for step, vector in enumerate(vectors):
        found[step] = np.abs(vector - last) > threshold
        last = np.where(found[step], vector, last)
    return found


def _encoded(network: Network, mode: Mode) -> tuple[image.Image, Design]:
    """The image of a network in the smallest design that holds it, and the design."""
    design = fit_design.choose_design(
        network, pes=PES, gap_bits=GAP_BITS, mode=mode, fifo_depth=DEPTH, cells_per_cycle=1
    )
    return image.parse(np.frombuffer(encoder.encode(network, design), dtype="<u4"), design), design


def stream(network: Network) -> DeltaRun:
    """A step of the ordinary layer in stream mode."""
    checked, design = _encoded(network, "stream")
    step = of_image(checked, design, "rtl").step()
    layer = layer_of(network)
    return DeltaRun(energy_of(step, WEIGHTS, design), network.inputs + layer.outputs + layer.units, step.entries)


def delta(network: Network, codes: Codes) -> DeltaRun:
    """A step of a delta network in skip mode, on average over the steps of a sequence from the state zero."""
    layer, result = layer_of(network), golden.run(network, codes).layers[0]
    assert layer.projection is not None and result.h is not None and result.m is not None
    before = np.concatenate([np.zeros_like(result.h[0, :1]), result.h[0, :-1]])
    parts = (
        (layer.kernel, codes[0], layer.delta_input),
        (layer.recurrent, before, layer.delta_state),
        (layer.projection, result.m[0], None),
    )
    checked, design = _encoded(network, "skip")
    starts = pointers.read(
        checked.words[checked.sections["pointers"]],
        checked.pointers,
        checked.header["entry_words"],
        checked.phases,
        design,
        layer.name,
    )
    weights, entries, columns, elements, compared, work = 0, 0, 0, 0, 0, []
    for phase, start in zip(checked.phases, starts, strict=True):
        matrix, vectors, threshold = parts[phase.part]
        found, each = sent(vectors, threshold), np.diff(start, axis=1)
        weights += int((found @ np.count_nonzero(matrix.codes, axis=0)).sum())
        entries += int((found @ each.sum(axis=0)).sum())
        columns += int(found.sum())
        runs = STEPS - phase.has("zero_state")
        rows = -(-phase.columns // SCAN_WIDTH) * SCAN_WIDTH * runs
        elements += rows
        compared += rows if phase.has("delta") else 0
        work += [each[:, row != 0] for row in found]
    step = StepTiming(
        cycles=0.0,
        by_cause={},
        matvec=0.0,
        weights=round(weights / STEPS),
        entries=round(entries / STEPS),
        full_entries=0,
        items={"lstm": layer.units, "gru": 0, "dense": layer.outputs},
        frame_words=-(-network.inputs // 2),
        output_words=0,
    )
    scanned = Scanned(elements / STEPS, compared / STEPS, columns / STEPS)
    return DeltaRun(energy_of(step, WEIGHTS, design, scanned), scanned.columns, entries / STEPS, tuple(work))


def named(thresholds: Thresholds) -> str:
    """A pair of thresholds as the page's tables name it."""
    return "none" if thresholds[0] is None else "{} / {}".format(*thresholds)


def row(name: str, run: DeltaRun, reference: Energy) -> str:
    """A row of the table, in nJ.

    Args:
        name: of the row.
        run: what a step costs.
        reference: energy of a step in stream mode.
    """
    parts = [sum(run.energy.parts.get(cause, 0.0) for cause in causes) / 1000 for causes in COLUMNS.values()]
    figures = " | ".join(f"{part:,.1f}" for part in parts)
    total, share = run.energy.total / 1000, run.energy.total / reference.total
    return f"| {name} | {run.columns:,.0f} | {run.entries:,.0f} | {figures} | {total:,.1f} | {share:.2f} |"


def table() -> Sequence[str]:
    """Lines of the table."""
    ordinary = ese_layer(PES)
    codes, streamed = inputs_of(ordinary), stream(ordinary)
    header = ("thresholds, input / state", "columns sent", "entries", *COLUMNS, "all", "of stream mode")
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        row("stream mode", streamed, streamed.energy),
        *(row(named(pair), delta(delta_network(ordinary, pair), codes), streamed.energy) for pair in THRESHOLDS),
    ]


if __name__ == "__main__":
    print("\n".join(table()))
