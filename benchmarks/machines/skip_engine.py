# SPDX-License-Identifier: Apache-2.0
"""Both engines in skip mode on EIE's layers, and on ESE's layer as a delta LSTM: docs/results/skip-mode.md.

    python -m benchmarks.machines.skip_engine

csrc is compiled with g++; of the engine in RTL every clock is simulated. All outputs are compared with the golden
model's; cycles are the engine's own counter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from ctypes import CDLL
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.machines.layers import EIE_LAYERS, FcLayer
from benchmarks.machines.skip import simulate
from benchmarks.machines.skip_energy import (
    DEPTH,
    PES,
    SEED,
    STEPS,
    THRESHOLDS,
    delta_network,
    inputs_of,
    layer_of,
    named,
    table,
)
from benchmarks.machines.skip_energy import GAP_BITS as DELTA_GAP_BITS
from ese_hls.emulate import compile_emulator
from ese_hls.encode import encoder, fit_design
from ese_host import image
from ese_host.bundle import FlowName
from ese_host.device.emulated import EmulatedEngine
from ese_host.estimate.cycles import MODELS
from ese_host.image import Design, Interleave, entries_per_pe, pointers
from ese_host.ir import Codes, Dense, Fixed, Matrix, Network, golden
from ese_host.protocol import AnswerShape, packets
from ese_rtl.simulate import simulator
from support.compiled_engine import write_sources
from support.ese_layer import ese_layer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "skip-mode.md"
GAP_BITS = 4
LAYERS = ("Alex-6", "Alex-7", "Alex-8", "VGG-7", "VGG-8", "NT-We", "NT-Wd", "NT-LSTM")
PAGE_TEXT = """# Skip mode, run

In skip mode the engine multiplies only activations that are not zero, or that have changed
([engine.md](../explanation/engine.md), "Skip mode"). This page shows what that saves. It is made by `make bench-skip`
(`python -m benchmarks.machines.skip_engine`), which runs both engines with {pes} PEs, one element-wise unit, FIFO
depth {depth} and seed {seed}. Cycles are the engines' own counters: iterations of csrc under g++, and clocks of the
engine in RTL, *simulated* by Verilator. *Exact* means that all outputs of both equal the golden model's. Nothing
here is measured on hardware.

## EIE's layers

The matrices are random, with the published sizes and densities, a 4-bit codebook and 4-bit gaps. VGG-6's input is
wider than a frame can be.

- *Cycles*: of a frame, with input, element-wise stage and output; *matrix*: without these.
- *Simulated*: `benchmarks.machines` with the same columns; *stream*: the same matrix in stream mode.
- *Utilisation*: by EIE's definition ([eie.md](eie.md)), without batches.

| layer | exact | cycles, csrc / RTL | matrix, csrc / RTL | simulated | stream | utilisation, csrc / RTL | published |
|---|---|---|---|---|---|---|---|
{layers}

## ESE's layer as a delta LSTM

Weights are ternary, with gap-aware masks of 10% density. In each of {steps} steps a quarter of the inputs moves by at
most 0.15. Thresholds are codes, in units of 1/4096. *Error* is the largest difference of an output from that of the
ordinary layer.

| thresholds, input / state | exact | cycles a step, csrc / RTL | error |
|---|---|---|---|
{delta}

## Its energy

The energy of a step is *modelled*, in nJ, for all {pes} PEs together and on average over the {steps} steps, as in
[estimate.md](../explanation/estimate.md#energy), so that these figures can be compared with one another only.
`python -m benchmarks.machines.skip_energy` prints the table alone.

- *Columns sent*: elements that all PEs multiply; in stream mode all elements of the three vectors.
- *Entries*: executed, padding included.
- *Column pointers*: every PE reads two, of 18 bits, for each column, and its *FIFO* holds them and the element.
- *Vectors*: in stream mode every entry reads one, and every write goes into 32 copies. In skip mode elements are read
  once for all PEs.

{energy}

Spartus (2108.02297), *published*: a step of a DeltaLSTM of 1024 cells in 1 us on a Zynq-7100, 9.4 TOp/s effective, 1.1
TOp/s/W, from which 8.5 uJ a step follow (derived). That is a whole FPGA, and must not be compared with sums over
operations at 45 nm.
"""


@dataclass(frozen=True)
class SkipEngine:
    """An engine that can be run.

    Attributes:
        flow: its name among the cycle models.
        compiled: makes the library of a design, at a path.
    """

    flow: FlowName
    compiled: Callable[[Design, Path], Path]


def _csrc(design: Design, library: Path) -> Path:
    write_sources(library.parent, design)
    return compile_emulator(library.parent, library)


ENGINES = (SkipEngine("hls", _csrc), SkipEngine("rtl", simulator))


def run(network: Network, codes: Codes, gap_bits: int) -> tuple[bool, list[int], image.Image, Design]:
    """Run a network on both engines.

    Args:
        network: the network.
        codes: (1, steps, inputs) input codes.
        gap_bits: bits of the relative index.

    Returns:
        Whether all outputs equal the golden model's, the cycles of csrc and of RTL, the image, and the design, which is
        the smallest one that holds the network.
    """
    design = fit_design.choose_design(
        network, pes=PES, gap_bits=gap_bits, mode="skip", fifo_depth=DEPTH, cells_per_cycle=1
    )
    checked = image.parse(np.frombuffer(encoder.encode(network, design), dtype="<u4"), design)
    shape, steps = AnswerShape.of(network), [codes.shape[1]]
    wanted = golden.run(network, codes).outputs
    exact, counted = True, []
    for each in ENGINES:
        with tempfile.TemporaryDirectory() as name:
            library = CDLL(str(each.compiled(design, Path(name) / "engine.so")))
        with EmulatedEngine(library) as engine:
            loaded = engine.packet(packets.load_packet(checked.words), packets.TRAILER_WORDS)
            packets.read_trailer(loaded).require(packets.Operation.LOAD)
            request = packets.run_packet(checked.image_id, list(codes), network.source)
            answer = engine.packet(request, shape.words(steps, trace=False))
        outputs, _ = shape.read(answer, steps, trace=False)
        exact &= bool((outputs == wanted).all())
        counted.append(packets.read_trailer(answer).cycles)
    return exact, counted, checked, design


def outside(network: Network) -> list[int]:
    """Cycles of csrc and of RTL for a network of one Dense layer besides its matrix.

    They are those with one weight in stream mode, less one.
    """
    (layer,) = network.layers
    assert isinstance(layer, Dense)
    codes = np.zeros_like(layer.kernel.codes)
    codes[0, 0] = 1
    one = Network((replace(layer, kernel=replace(layer.kernel, codes=codes)),), network.source)
    design = fit_design.choose_design(one, pes=PES, gap_bits=GAP_BITS, cells_per_cycle=1)
    checked = image.parse(np.frombuffer(encoder.encode(one, design), dtype="<u4"), design)
    return [MODELS[each.flow].of_image(checked, design).sequence(1).total - 1 for each in ENGINES]


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
    exact, counted, checked, design = run(network, codes, GAP_BITS)
    matrix = [total - around for total, around in zip(counted, outside(network), strict=True)]
    stream = int(entries_per_pe(kernel.codes, Interleave(layer.outputs, PES), "codebook4", GAP_BITS).max())
    section = checked.words[checked.sections["pointers"]]
    (starts,) = pointers.read(
        section, checked.pointers, checked.header["entry_words"], checked.phases, design, layer.name
    )
    work = np.diff(starts, axis=1)[:, codes[0, 0] != 0].T
    ideal = np.maximum(1, work.mean(axis=1)).sum()
    simulated = simulate(work, DEPTH).cycles
    utilisation = " / ".join(f"{ideal / each:.1%}" for each in matrix)
    return (
        f"| {layer.name} | {'yes' if exact else 'no'} | {both(counted)} | {both(matrix)} | {simulated:,} | {stream:,} "
        f"| {utilisation} | {layer.published_utilisation:.1%} |"
    )


def both(numbers: Sequence[float]) -> str:
    """Figures of csrc and of RTL."""
    return " / ".join(f"{number:,.0f}" for number in numbers)


def delta() -> list[str]:
    """Rows of the table of the delta LSTM, one for each pair of thresholds."""
    ordinary = ese_layer(PES)
    codes, state = inputs_of(ordinary), layer_of(ordinary).state
    rows = []
    exact_outputs = golden.run(ordinary, codes).outputs
    for thresholds in tqdm(THRESHOLDS, unit="pair of thresholds"):
        network = delta_network(ordinary, thresholds)
        exact, counted, _, _ = run(network, codes, DELTA_GAP_BITS)
        cycles = both([total / STEPS for total in counted])
        error = np.abs(golden.run(network, codes).outputs - exact_outputs).max() / (1 << state.frac)
        rows.append(f"| {named(thresholds)} | {'yes' if exact else 'no'} | {cycles} | {error:.4f} |")
    return rows


def main() -> None:
    """Run everything and write the page."""
    layers = {layer.name: layer for layer in EIE_LAYERS}
    rows = "\n".join(eie(layers[name]) for name in tqdm(LAYERS, unit="layer"))
    text = PAGE_TEXT.format(
        pes=PES,
        depth=DEPTH,
        seed=SEED,
        steps=STEPS,
        layers=rows,
        delta="\n".join(delta()),
        energy="\n".join(table()),
    )
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
