# SPDX-License-Identifier: Apache-2.0
"""Backend ESE beside hls4ml's own Vitis backend, on the same models: docs/results/side-by-side.md.

    python -m benchmarks.upstream.side_by_side [--demo build/demo/ternary.keras]

Each backend converts each model in a process of its own. Agreement, times and bytes are measured. Figures that cannot
be measured without a vendor's tool are modelled, and labelled as modelled.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.page import publish

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, ROUNDS, TIMEOUT = 200, 3, 3600.0
BACKENDS = {"ESE": "ese4ml", "Vitis": "hls4ml, Vitis"}
WITHOUT_INPUT_QUANTIZER = "fixed<16,6>"


@dataclass(frozen=True)
class ComparedModel:
    """A model of the comparison: its title on the page, and the function that makes it; only the demo uses the path."""

    title: str
    make: Callable[[Path], Any]


def hard_classifier(_: Path) -> Any:
    """A QLSTM classifier with hard activations."""
    from support.keras_models.plugin_models import classifier

    return classifier(units=16)


def smooth_classifier(_: Path) -> Any:
    """A QLSTM classifier with Keras's tanh and sigmoid, and without a state quantizer."""
    import keras

    from support.keras_models.plugin_models import chain, dense, lstm

    layer = lstm(16, activation="tanh", recurrent_activation="sigmoid", state_quantizer=None)
    softmax = keras.layers.Activation("softmax", name="softmax")
    model = chain(layer, dense(3), softmax, shape=(12, 8), source=None)
    for variable in model.weights:
        if variable.path.endswith("bias"):
            variable.assign(np.zeros(variable.shape))  # with random biases one class would nearly always win
    return model


def quantized_mlp(_: Path) -> Any:
    """Two QDense layers with a quantized ReLU between them."""
    import keras
    from qkeras import QActivation, quantized_relu

    from support.keras_models.plugin_models import chain, dense

    hidden = QActivation(quantized_relu(8, 3), name="hidden")
    return chain(
        dense(24, name="first"), hidden, dense(5), keras.layers.Activation("softmax", name="softmax"), shape=(16,)
    )


def one_layer(_: Path) -> Any:
    """One QDense layer."""
    from support.keras_models.plugin_models import chain, dense

    return chain(dense(5), shape=(64,), source=None)


def keras_lstm(_: Path) -> Any:
    """A Keras LSTM classifier without quantizers."""
    import keras

    from support.keras_models.plugin_models import fill

    layers = [keras.layers.LSTM(16, name="lstm"), keras.layers.Dense(3, name="dense")]
    return fill(keras.Sequential([keras.Input((12, 8), name="x"), *layers]))


def demo(path: Path) -> Any:
    """The compressed network of `make demo`."""
    from ese_hls.frontend import load_model

    return load_model(path)


CASES = {
    "hard": ComparedModel("QLSTM(16), QDense(5), 8-bit hard quantizers", hard_classifier),
    "smooth": ComparedModel("QLSTM(16), QDense(3), tanh and sigmoid of Keras, no state quantizer", smooth_classifier),
    "mlp": ComparedModel("QDense(24), quantized_relu, QDense(5)", quantized_mlp),
    "one": ComparedModel("QDense(5) on 64 inputs, no softmax", one_layer),
    "lstm": ComparedModel("Keras LSTM(16), Dense(3), no quantizers", keras_lstm),
    "demo": ComparedModel("make demo's compressed network", demo),
}


def measure(backend: str, case: str, path: Path) -> dict[str, Any]:
    """Convert, compile and run one model by one backend in this process, and return its figures.

    Args:
        backend: a key of BACKENDS.
        case: a key of CASES.
        path: file of the demo's model.
    """
    import hls4ml

    model = CASES[case].make(path)
    rng = np.random.default_rng(11)
    shape = [12 if size is None else size for size in model.input_shape[1:]]
    x = rng.normal(size=(SAMPLES, *shape)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    if backend == "ESE":
        precision = config["LayerName"].setdefault(model.inputs[0].name, {}).setdefault("Precision", {})
        precision["result"] = WITHOUT_INPUT_QUANTIZER
    with tempfile.TemporaryDirectory() as folder:
        graph = hls4ml.converters.convert_from_keras_model(
            model, backend=backend, hls_config=config, output_dir=folder + "/out", io_type="io_parallel"
        )
        graph.write()
        written = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        before = os.times()
        graph._compile()
        after = os.times()
        compiled = after.children_user + after.children_system - before.children_user - before.children_system
        seconds = []
        for _ in range(ROUNDS):
            start = time.process_time()
            outputs = graph.predict(x)
            seconds.append(time.process_time() - start)
        outputs = np.asarray(outputs).reshape(expected.shape)
        return {
            "commonest": float(np.bincount(expected.argmax(-1).ravel()).max() / expected.argmax(-1).size),
            "agreement": float((outputs.argmax(-1) == expected.argmax(-1)).mean()),
            "error": float(np.abs(outputs - expected).max()),
            "compile_s": compiled,
            "predict_ms": 1e3 * min(seconds) / SAMPLES,
            "bytes": written,
            **(of_engine(graph, shape) if backend == "ESE" else of_stock(graph)),
        }


def of_engine(graph: Any, shape: list[int]) -> dict[str, float]:
    """Latency of an ESE graph by the cycle model, in microseconds, and its DSPs by the resource model.

    `shape` is that of one sample, without the batch; its first axis gives the steps of a sequence.
    """
    from ese_hls.backend.backend import conversion_of, project_of
    from ese_hls.project import Project
    from ese_host.bundle import read_image
    from ese_host.estimate import cycles, use

    project = Project.open(project_of(graph))
    read = read_image(project.path / "image.bin", project.design)
    steps = 1 if conversion_of(graph).steps is None else shape[0]
    counted = cycles.account(read, project.design, steps).total
    dsps = use(project.design, project.board)["dsps"].used
    return {"latency_us": counted / project.design.clock_mhz, "multipliers": dsps}


def of_stock(graph: Any) -> dict[str, float]:
    """Multipliers that hls4ml's latency strategy may use: non-zero weights over ReuseFactor."""
    count = 0.0
    for node in graph.get_layers():
        for name, weight in node.weights.items():
            if name.endswith("weight"):
                count += np.count_nonzero(weight.data) / (node.get_attr("reuse_factor") or 1)
    return {"multipliers": count}


def child(backend: str, case: str, path: Path) -> dict[str, Any]:
    """Run `measure` in a process of its own; return its figures, or {"failed": first line of the error}.

    Args:
        backend: a key of BACKENDS.
        case: a key of CASES.
        path: file of the demo's model.
    """
    command = [sys.executable, "-m", "benchmarks.upstream.side_by_side"]
    command += ["--one", backend, case, "--demo", str(path.resolve())]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {TIMEOUT:g} s"}
    if done.returncode < 0:
        return {"failed": f"ended by signal {-done.returncode}"}
    lines = done.stdout.splitlines()
    figures: dict[str, Any] = json.loads(lines[-1]) if lines else {"failed": "ended without a word"}
    return figures


def one(backend: str, case: str, path: Path) -> dict[str, Any]:
    """Call `measure`, and return its figures or {"failed": error}; hls4ml's output goes to standard error.

    Args:
        backend: a key of BACKENDS.
        case: a key of CASES.
        path: file of the demo's model.
    """
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return measure(backend, case, path)
        except Exception as error:  # noqa: BLE001 - any error is the result of the case
            return {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"}


COLUMNS: tuple[tuple[str, str, str, bool | None], ...] = (
    ("commonest", "Keras's commonest class", "{:.0%}", None),
    ("agreement", "agreement with Keras", "{:.1%}", True),
    ("error", "largest error", "{:.2g}", False),
    ("compile_s", "compile, s of processor", "{:.1f}", False),
    ("predict_ms", "predict, ms a sample", "{:.3f}", False),
    ("bytes", "project bytes", "{:,}", False),
    ("latency_us", "latency us (modelled)", "{:.2f}", False),
    ("multipliers", "multipliers (modelled)", "{:.0f}", False),
)
"""Key of the figure, heading, format, and whether more is better; None if neither is."""


def losses(results: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """A line for each figure of both backends in which ESE is not at least as good."""
    lines = []
    for case, both in results.items():
        ours, theirs = both["ESE"], both["Vitis"]
        if "failed" in ours:
            lines.append(f"{CASES[case].title}: refused" if "failed" not in theirs else f"{CASES[case].title}: neither")
            continue
        for key, heading, form, more in COLUMNS:
            if more is None or key not in ours or key not in theirs:
                continue
            if ours[key] < theirs[key] if more else ours[key] > theirs[key]:
                lines.append(
                    f"{CASES[case].title}: {heading}, {form.format(ours[key])} beside {form.format(theirs[key])}"
                )
    return lines


def rows(results: dict[str, dict[str, dict[str, Any]]]) -> list[list[str]]:
    """Cells of the page's table, row by row."""
    table = []
    for case, both in results.items():
        for backend, name in BACKENDS.items():
            one_result = both[backend]
            cells = [CASES[case].title, name]
            if "failed" in one_result:
                table.append([*cells, one_result["failed"].replace("|", "\\|"), *[""] * (len(COLUMNS) - 1)])
                continue
            cells += [
                form.format(one_result[key]) if key in one_result else "needs Vitis HLS" for key, _, form, _ in COLUMNS
            ]
            table.append(cells)
    return table


@click.command()
@click.option("--one", "only", nargs=2, help="Backend and case: measure only these in this process and print JSON.")
@click.option(
    "--demo",
    "path",
    type=click.Path(path_type=Path),
    default=ROOT / "build" / "demo" / "ternary.keras",
    help="Model of the demo; left out if there is no such file.  [default: build/demo/ternary.keras]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "docs" / "results" / "side-by-side.md",
    help="Page to write.  [default: docs/results/side-by-side.md]",
)
def main(only: tuple[str, str] | None, path: Path, out: Path) -> None:
    """Measure all models and write docs/results/side-by-side.md."""
    if only is not None:
        click.echo(json.dumps(one(*only, path)))
        return
    chosen = [case for case in CASES if case != "demo" or path.is_file()]
    results = {case: {backend: child(backend, case, path) for backend in BACKENDS} for case in chosen}
    publish(
        out,
        Path(__file__).with_name("side_by_side.md.jinja"),
        headings=[heading for _, heading, _, _ in COLUMNS],
        rows=rows(results),
        losses=losses(results),
        samples=SAMPLES,
        rounds=ROUNDS,
        demo=path.is_file(),
        precision=WITHOUT_INPUT_QUANTIZER,
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
