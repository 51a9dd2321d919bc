# SPDX-License-Identifier: Apache-2.0
"""Emission of ESE's layer, and many conversions in one process: docs/results/emission.md.

    python -m benchmarks.emission

Each case is emitted in a process of its own, so that peak memory is measured for each case. All figures are measured.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.page import publish

ROOT = Path(__file__).resolve().parents[1]
CASES = ((64, "ternary"), (128, "ternary"), (64, "int4"))
LIMIT_SECONDS, LIMIT_MB = 10, 1024
CONVERSIONS, WARM_UP = 20, 5
DENSITY, SAMPLES = 0.1, 32
"""Of the layer that is converted from Keras: the share of weights that is kept, and the samples of its self-check."""


@dataclass(frozen=True)
class Emission:
    """Cost of one emitted project.

    Attributes:
        pes: processing elements of the design.
        weights: kind of the weight codes.
        kept: weights that are not zero.
        seconds: elapsed time of `write_project`.
        peak_mb: peak memory of the process during that time, in MiB.
        before_mb: memory of the process before it, in MiB.
        files: number of files of the project.
        megabytes: size of the files together, in MiB.
    """

    pes: int
    weights: str
    kept: int
    seconds: float
    peak_mb: float
    before_mb: float
    files: int
    megabytes: float


def status_mb(field: str) -> float:
    """A memory size of this process in MiB; `field` is VmHWM (peak) or VmRSS (resident)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def emit(pes: int, weights: str) -> Emission:
    """Emit the layer in this process and measure it; `weights` is "ternary" or "int4"."""
    import hls4ml  # noqa: F401 - its import is no part of emission

    from ese_hls.lower import Conversion, ConversionOptions
    from ese_hls.project import write_project
    from ese_hls.quantize import ConversionSummary
    from ese_host.ir import Lstm
    from ese_host.ir.program import Program
    from support.ese_layer import ese_layer

    network = ese_layer(pes, weights=weights)  # type: ignore[arg-type]
    (layer,) = network.layers
    assert isinstance(layer, Lstm) and layer.projection is not None
    kept = sum(int((matrix.levels != 0).sum()) for matrix in (layer.kernel, layer.recurrent, layer.projection))
    conversion = Conversion(
        Program.of(network), ConversionSummary((), ()), ConversionOptions(pes=pes, board="zcu104"), (), ()
    )
    gc.collect()
    before = status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak (VmHWM)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        project = write_project(conversion, Path(folder) / "project")
        seconds = time.perf_counter() - start
        sizes = [path.stat().st_size for path in project.path.rglob("*") if path.is_file()]
    return Emission(pes, weights, kept, seconds, status_mb("VmHWM"), before, len(sizes), sum(sizes) / 2**20)


def convert_often() -> dict[str, float]:
    """Resident memory in MiB after the warm-up and at the end, and seconds of a conversion with compile and predict."""
    from support.keras_models.plugin_models import classifier, convert, inputs

    model = classifier()
    x = inputs(model, samples=4)
    memory, start = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(CONVERSIONS):
            if number == WARM_UP:
                start = time.perf_counter()
            graph = convert(model, Path(folder) / "out", PEs=1)
            graph.compile()
            graph.predict(x)
            del graph
            gc.collect()
            memory.append(status_mb("VmRSS"))
    seconds = (time.perf_counter() - start) / (CONVERSIONS - WARM_UP)
    return {"warm": memory[WARM_UP - 1], "last": memory[-1], "seconds": seconds}


def through_plugin() -> dict[str, float]:
    """Seconds of converting ESE's layer from Keras, without and with the self-check, and of writing its project.

    TensorFlow's import and what it does at its first calls are no part of that: another model is converted before.
    """
    import keras
    import numpy as np
    from qkeras import QActivation, quantized_bits

    from ese_models.networks.qlstmp import QLSTMP
    from support.ese_layer import CELLS, INPUTS, PROJECTED
    from support.keras_models.plugin_models import bits, classifier, convert

    four_bits = {f"{name}_quantizer": quantized_bits(4, 0, alpha=1) for name in ("kernel", "recurrent", "projection")}
    others = {f"{name}_quantizer": bits(16, 3) for name in ("bias", "peephole", "state")}
    layer = QLSTMP(CELLS, PROJECTED, return_sequences=True, **four_bits, **others, name="lstm")
    model = keras.Sequential([keras.Input((None, INPUTS)), QActivation(bits(16, 3)), layer])
    rng = np.random.default_rng(0)
    values = [rng.normal(scale=0.3, size=variable.shape) for variable in layer.weights]
    layer.set_weights([value * (rng.random(value.shape) < DENSITY) for value in values])
    figures = {"weights": float(sum(value.size for value in values if value.ndim == 2 and value.size > 3 * CELLS))}
    with tempfile.TemporaryDirectory() as folder:
        convert(classifier(), Path(folder) / "small")
        for name, samples in (("without", 0), ("with", SAMPLES)):
            start = time.perf_counter()
            graph = convert(model, Path(folder) / "large", PEs=CASES[0][0], Board="zcu104", SelfCheck=samples)
            figures[name] = time.perf_counter() - start
        start = time.perf_counter()
        graph.write()
        figures["writing"] = time.perf_counter() - start
    return figures


def child(*arguments: str) -> dict[str, float]:
    """Run this module with these arguments in a process of its own, and return the JSON that it prints."""
    command = [sys.executable, "-m", "benchmarks.emission", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=900)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


@click.command()
@click.option(
    "--case",
    nargs=2,
    type=(int, str),
    help="Number of PEs and kind of weights: emit this case in this process and print JSON.",
)
@click.option("--often", is_flag=True, help="Make the conversions in this process and print JSON.")
@click.option("--plugin", is_flag=True, help="Convert the layer from Keras in this process and print JSON.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "docs" / "results" / "emission.md",
    help="Page to write.  [default: docs/results/emission.md]",
)
def main(case: tuple[int, str] | None, often: bool, plugin: bool, out: Path) -> None:
    """Measure all cases and write docs/results/emission.md."""
    if case is not None or often or plugin:
        figures = vars(emit(*case)) if case is not None else convert_often() if often else through_plugin()
        click.echo(json.dumps(figures))
        return
    rows = [Emission(**child("--case", str(pes), weights)) for pes, weights in CASES]  # type: ignore[arg-type]
    many, plugin_figures = child("--often"), child("--plugin")
    publish(
        out,
        Path(__file__).with_name("emission.md.jinja"),
        rows=rows,
        many=many,
        plugin=plugin_figures,
        samples=SAMPLES,
        conversions=CONVERSIONS,
        warm_up=WARM_UP,
        limits=(LIMIT_SECONDS, LIMIT_MB),
        within=all(row.seconds < LIMIT_SECONDS and row.peak_mb < LIMIT_MB for row in rows),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
