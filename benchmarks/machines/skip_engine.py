"""The compiled engine in skip mode on EIE's layers, and on ESE's layer as a delta LSTM: docs/skip-mode.md.

    python -m benchmarks.machines.skip_engine

All outputs are compared with the golden model's; cycles are the engine's own counter.
"""

from __future__ import annotations

import tempfile
from ctypes import CDLL
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machines.layers import EIE_LAYERS, FcLayer
from benchmarks.machines.skip import simulate
from ese_hls.emulate import compile_emulator
from ese_hls.encode import encoder, fit_design
from ese_host import image
from ese_host.device.emulated import EmulatedEngine
from ese_host.estimate import cycles
from ese_host.image import Design, Interleave, entries_per_pe, pointers
from ese_host.ir import Codes, Dense, Fixed, Lstm, Matrix, Network, golden
from ese_host.protocol import AnswerShape, packets
from support.compiled_engine import write_sources
from support.ese_layer import ese_layer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "skip-mode.md"
PES, DEPTH, SEED = 64, 8, 0
LAYERS = ("Alex-6", "Alex-7", "Alex-8", "VGG-7", "VGG-8", "NT-We", "NT-Wd", "NT-LSTM")
THRESHOLDS = ((None, None), (0, 0), (64, 16), (256, 64), (1024, 256))
STEPS = 40
PAGE_TEXT = """# Skip mode, run

This page is made by `make bench-skip` (`python -m benchmarks.machines.skip_engine`), which runs the compiled engine
(`csrc` under g++) with {pes} PEs, FIFO depth {depth} and seed {seed}. Cycles are the engine's own counter; *exact*
means that all outputs equal the golden model's. Nothing here is measured on hardware.

## EIE's layers

The matrices are random, with the published sizes and densities, a 4-bit codebook and 4-bit gaps. VGG-6 is missing
because its input is wider than a frame can be.

- *Matrix*: the cycles without input, element-wise stage and output.
- *Simulated*: `benchmarks.machines` with the same columns. Its FIFO counts the column that is being executed, the
  engine's FIFO does not.
- *Stream*: the same matrix in stream mode.
- *Utilisation*: by EIE's definition (eie.md, without batches).

| layer | exact | cycles | matrix | simulated | stream | utilisation | published |
|---|---|---|---|---|---|---|---|
{layers}

## ESE's layer as a delta LSTM

Weights are ternary, with gap-aware masks of 10% density. In each of {steps} steps a quarter of the inputs moves by at
most 0.15. Thresholds are codes, in units of 1/4096. *Error* is the largest difference of an output from that of the
ordinary layer.

| thresholds, input / state | exact | cycles a step | error |
|---|---|---|---|
{delta}
"""


def run(network: Network, design: Design, codes: Codes) -> tuple[bool, int, image.Image]:
    """Run a network on the compiled engine.

    Args:
        network: the network.
        design: the design to compile.
        codes: (1, steps, inputs) input codes.

    Returns:
        Whether all outputs equal the golden model's, the engine's cycles, and the image.
    """
    checked = image.parse(np.frombuffer(encoder.encode(network, design), dtype="<u4"), design)
    shape, steps = AnswerShape.of(network), [codes.shape[1]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sources(folder, design)
        library = CDLL(str(compile_emulator(folder, folder / "engine.so")))
    with EmulatedEngine(library) as engine:
        engine.packet(packets.load_packet(checked.words), packets.TRAILER_WORDS)
        request = packets.run_packet(checked.image_id, list(codes), network.source)
        answer = engine.packet(request, shape.words(steps, trace=False))
    outputs, _ = shape.read(answer, steps, trace=False)
    return bool((outputs == golden.run(network, codes).outputs).all()), packets.read_trailer(answer).cycles, checked


def outside(network: Network) -> int:
    """Cycles of a network of one Dense layer besides its matrix: those with one weight in stream mode, less one."""
    (layer,) = network.layers
    assert isinstance(layer, Dense)
    codes = np.zeros_like(layer.kernel.codes)
    codes[0, 0] = 1
    one = Network((replace(layer, kernel=replace(layer.kernel, codes=codes)),), network.source)
    design = fit_design.choose_design(one, pes=PES, gap_bits=4)
    checked = image.parse(np.frombuffer(encoder.encode(one, design), dtype="<u4"), design)
    return cycles.account(checked, design, 1).total - 1


def eie(layer: FcLayer) -> str:
    """Row of the table of EIE's layers: a random layer of the published size and densities, codebook4, 4-bit gaps."""
    rng = np.random.default_rng(SEED)
    kept = rng.random((layer.outputs, layer.inputs)) < layer.weight_density
    book = np.concatenate([[0], rng.integers(-100, 100, 15)])
    scale = np.full((2, layer.outputs), 1 << 12)
    kernel = Matrix(kept * rng.integers(1, 16, kept.shape), "codebook4", scale, 20, book)
    source, zero = Fixed(16, 4), np.zeros(layer.outputs, np.int64)
    network = Network((Dense(layer.name, kernel, zero, 0, True, source, Fixed(16, 10, False)),), source)
    codes = rng.integers(1, 1 << 15, (1, 1, layer.inputs)) * (
        rng.random((1, 1, layer.inputs)) < layer.activation_density
    )
    design = fit_design.choose_design(network, pes=PES, gap_bits=4, mode="skip", fifo_depth=DEPTH)
    exact, counted, checked = run(network, design, codes)
    around = outside(network)
    matrix = counted - around
    stream = int(entries_per_pe(kernel.codes, Interleave(layer.outputs, PES), "codebook4", 4).max())
    section = checked.words[checked.sections["pointers"]]
    (starts,) = pointers.read(
        section, checked.pointers, checked.header["entry_words"], checked.phases, design, layer.name
    )
    work = np.diff(starts, axis=1)[:, codes[0, 0] != 0].T
    ideal = np.maximum(1, work.mean(axis=1)).sum()
    simulated = simulate(work, DEPTH).cycles
    return (
        f"| {layer.name} | {'yes' if exact else 'no'} | {counted:,} | {matrix:,} | {simulated:,} | {stream:,} "
        f"| {ideal / matrix:.1%} | {layer.published_utilisation:.1%} |"
    )


def delta() -> list[str]:
    """Rows of the table of the delta LSTM, one for each pair of thresholds."""
    ordinary = ese_layer(PES)
    (layer,) = ordinary.layers
    assert isinstance(layer, Lstm)
    rng = np.random.default_rng(SEED)
    moves = rng.integers(-600, 600, (1, STEPS, ordinary.inputs)) * (rng.random((1, STEPS, ordinary.inputs)) < 0.25)
    codes = np.clip(np.cumsum(moves, axis=1), layer.source.low, layer.source.high)
    rows = []
    exact_outputs = golden.run(ordinary, codes).outputs
    for thresholds in THRESHOLDS:
        changed = replace(layer, delta_input=thresholds[0], delta_state=thresholds[1])
        network = Network((changed,), ordinary.source)
        design = fit_design.choose_design(network, pes=PES, mode="skip", fifo_depth=DEPTH)
        exact, counted, _ = run(network, design, codes)
        error = np.abs(golden.run(network, codes).outputs - exact_outputs).max() / (1 << layer.state.frac)
        name = "none" if thresholds[0] is None else "{} / {}".format(*thresholds)
        rows.append(f"| {name} | {'yes' if exact else 'no'} | {counted / STEPS:,.0f} | {error:.4f} |")
    return rows


def main() -> None:
    """Run everything and write the page."""
    layers = {layer.name: layer for layer in EIE_LAYERS}
    rows = "\n".join(eie(layers[name]) for name in LAYERS)
    text = PAGE_TEXT.format(pes=PES, depth=DEPTH, seed=SEED, steps=STEPS, layers=rows, delta="\n".join(delta()))
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
