# SPDX-License-Identifier: Apache-2.0
"""Emulation at ESE's size, beside hls4ml's own C simulation of a dense LSTM of the same size: emulation.md.

    python -m benchmarks.emulation [--stock-timeout 1200]

All figures are measured in one run on one machine.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from ese_hls.encode import encoder, fit_design
from ese_host import image
from ese_host.device.emulated import EmulatedEngine
from ese_host.estimate import cycles
from ese_host.files import Contents
from ese_host.image import Design
from ese_host.protocol import AnswerShape, packets
from ese_rtl import simulate
from support import compiled_engine
from support.ese_layer import CELLS, INPUTS, ese_layer

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "emulation.md"
STEPS = 100
RTL = """
## The engine in RTL, every clock simulated

`ese4ml build --with verilator` makes an emulated bitstream of the engine's RTL, in place of its C++, with a harness
that drives AXI4-Lite and both streams of the core as on a board. `run`, `check` and pynq take such a folder like any
other, and `make demo ENGINE=rtl` runs the demo on it. It needs `pip install 'ese4ml[rtl]'` and g++.

- Cycles are clocks of the RTL, the depth of every pipeline included. The report labels them and the frames per second
  *simulated*.
- A core that takes no word and gives none for many times the length of its longest step counts as hung, and one that
  breaks a rule of AXI4-Stream as broken. Both are errors that say what happened, not a wait without end.
- The same design is compiled once: compiled engines are kept in `$XDG_CACHE_HOME/ese4ml/engines`, or `~/.cache/...`,
  which holds at most 512 MiB and may be deleted at any time.
- The manifest's `engine` is `rtl`, and its `tools` have the versions of Amaranth, pyosys, Verilator and g++.
"""
"""What the page says of the simulated RTL."""


def stock(timeout: float, stack: int) -> dict[str, Any]:
    """Run hls4ml's own C simulation and return its figures, or {"failed": reason}.

    `timeout` is in seconds, `stack` is the limit of the stack in bytes.
    """
    soft = f"import resource; resource.setrlimit(resource.RLIMIT_STACK, ({stack}, resource.RLIM_INFINITY))"
    again = f"{soft}; import os, sys; os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-c", again, STOCK],
                cwd=folder,
                timeout=timeout,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"not done after {timeout:g} s"}
    if done.returncode < 0:
        return {"failed": f"ended by {signal.Signals(-done.returncode).name}"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:200]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def simulated(design: Design, folder: Path) -> Contents:
    """The engine of a design in RTL, compiled anew."""
    return Contents.of(simulate.verilate(simulate.verilog(design), folder / "design.bit", simulate.patience(design)))


def ours(pes: int, rtl: bool = False) -> dict[str, Any]:
    """Encode the whole layer, compile the engine, run it, compare it with the golden model, and return the figures.

    `rtl` is whether the engine's RTL is simulated instead of its C++.
    """
    network = ese_layer(pes)
    start = time.perf_counter()
    design = fit_design.choose_design(network, pes=pes, cells_per_cycle=1 if rtl else None)
    checked = image.parse(np.frombuffer(encoder.encode(network, design), dtype="<u4"), design)
    encoded = time.perf_counter() - start
    start = time.perf_counter()
    library: ctypes.CDLL | Contents
    if rtl:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder  # so that no engine of an earlier build is taken
            library = simulated(design, Path(folder))
    else:
        library = compiled_engine.library(design)
    compiled = time.perf_counter() - start
    frames = np.random.default_rng(0).integers(-(1 << 13), 1 << 13, (1, STEPS, INPUTS))
    shape = AnswerShape.of(network)
    with EmulatedEngine(library) as engine:
        compiled_engine.load(engine, network, design)
        request = packets.run_packet(checked.image_id, list(frames), network.source)
        engine.packet(request, shape.words([STEPS], False))
        start = time.process_time()
        answer = engine.packet(request, shape.words([STEPS], False))
        seconds = time.process_time() - start
        compared = compiled_engine.compare(engine, network, checked, frames[:, :4])
    counted = packets.read_trailer(answer).cycles
    assert rtl or counted == cycles.account(checked, design, STEPS).total
    return {
        "encode_seconds": encoded,
        "compile_seconds": compiled,
        "compile_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "steps_per_second": STEPS / seconds,
        "cycles_per_step": counted / STEPS,
        "values_compared": compared,
    }


STOCK = f"""
import json, os, sys, time, tempfile, resource
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np, keras, hls4ml
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((10, {INPUTS})), keras.layers.LSTM({CELLS}, return_sequences=True)])
config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    graph = hls4ml.converters.convert_from_keras_model(model, hls_config=config, backend="Vitis", output_dir=folder)
    graph.compile()
    compiled = time.perf_counter() - start
    x = np.random.default_rng(0).normal(size=(1, 10, {INPUTS})).astype(np.float32)
    graph.predict(x)
    start = time.process_time()
    graph.predict(x)
    seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({{"compile_seconds": compiled, "compile_peak_mb": peak, "steps_per_second": 10 / seconds}}))
"""


@click.command()
@click.option(
    "--stock-timeout", default=1200.0, show_default=True, help="Seconds that hls4ml's own C simulation may take."
)
def main(stock_timeout: float) -> None:
    """Measure both simulations and write docs/results/emulation.md."""
    rows = [(f"ese4ml, {pes} PEs, sparse 10%, ternary", ours(pes)) for pes in (64, 128)]
    rows.append(("ese4ml, 64 PEs, the same in RTL, every clock simulated by Verilator", ours(64, rtl=True)))
    for limit, stack in (("8 MB of stack, Linux's usual limit", 8 << 20), ("unlimited stack", resource.RLIM_INFINITY)):
        rows.append(
            (f"hls4ml 1.3's Vitis backend, dense LSTM(1024), no projection; {limit}", stock(stock_timeout, stack))
        )
    lines = [
        "# Emulation at ESE's size",
        "",
        "How fast is the emulation of an LSTM layer with 153 inputs and 1024 cells? ese4ml's has peepholes and a",
        "projection to 512, as in ESE; beside it is a dense layer in hls4ml's own C simulation. All figures are",
        f"*measured* by `make bench-emulation` on {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), of which "
        "one was used (to compile the RTL, all).",
        "Every value of 4 steps is compared with the golden model. Cycles are the engine's own counter over",
        f"{STEPS} steps from the zero state, of which the first step runs no recurrent matrix.",
        "",
        "| engine | compile s | compile MB | steps/s | cycles a step | values equal to golden |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in rows:
        if "failed" in result:
            lines.append(f"| {name} | {result['failed']} | | | | |")
            continue
        lines.append(
            f"| {name} | {result['compile_seconds']:.1f} | {result['compile_peak_mb']:.0f} | "
            f"{result['steps_per_second']:.0f} | {result.get('cycles_per_step', float('nan')):.1f} | "
            f"{result.get('values_compared', '')} |".replace("nan", "")
        )
    text = "\n".join(lines) + "\n" + RTL
    partial = PAGE.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(PAGE)
    click.echo(text)


if __name__ == "__main__":
    main()
