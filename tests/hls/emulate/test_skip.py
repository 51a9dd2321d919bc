# SPDX-License-Identifier: Apache-2.0
"""Skip mode: the compiled engine equals the golden model bit for bit, whichever elements are zero or unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import compare_random_networks

from ese_hls.encode import fit_design
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import UnsupportedError
from ese_host.estimate import cycles
from ese_host.image import pointers
from ese_host.image.reader import Image
from ese_host.ir import golden
from ese_host.ir.fixed import Codes
from ese_host.ir.network import Network, Recurrent
from ese_host.protocol import packets
from support import compiled_engine
from support.designs import GRU_SKIP_SPECS, SKIP_SPECS, roomy
from support.networks import inputs, network, widened

VECTORS = {"density": st.sampled_from([0.0, 0.1, 0.6, 1.0]), "moves": st.just(0.4)}
"""Dense, sparse or zero vectors, whose elements change in two of five steps."""
QUICK = ("delta-gru-lstm", "zero-skipping-gru")
"""Designs with GRU cells that every run compiles."""


@pytest.mark.parametrize(
    "name",
    [*SKIP_SPECS, *(pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in GRU_SKIP_SPECS)],
)
def test_engine_equals_golden(name: str) -> None:
    compare_random_networks(name, 12, **VECTORS)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SKIP_SPECS, *GRU_SKIP_SPECS])
def test_engine_equals_golden_on_a_thousand_networks(name: str) -> None:
    compare_random_networks(name, -(-1000 // len(SKIP_SPECS)), **VECTORS)


@pytest.mark.parametrize(
    "name",
    [
        "delta-google",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("fc", "delta-gru-hard", "delta-gru-lstm")),
    ],
)
def test_machine_words_equal_ap_int(name: str) -> None:
    spec, design = roomy(name)
    rng = np.random.default_rng(7)
    net = network(rng, spec)
    codes = inputs(rng, net, 2, 4, density=0.5)
    compiled_engine.compare_integers(net, design, codes)


def ordinary(net: Network) -> Network:
    """The same network without delta thresholds."""
    layers = [
        replace(layer, delta_input=None, delta_state=None) if isinstance(layer, Recurrent) else layer
        for layer in net.layers
    ]
    return Network(tuple(layers), net.source, net.head, net.table)


@pytest.mark.parametrize("name", ["delta-lstm", "delta-google", "delta-gru"])
def test_threshold_zero_is_the_ordinary_layer(name: str) -> None:
    """Threshold zero gives every value of the network without thresholds, and both run on one engine."""
    spec, design = roomy(name)
    rng = np.random.default_rng(4)
    net = network(rng, widened(spec, delta=(0, 0)))
    codes = inputs(rng, net, 2, 5, moves=0.3)
    for found, expected in zip(golden.run(net, codes).layers, golden.run(ordinary(net), codes).layers, strict=True):
        np.testing.assert_array_equal(found.exact, expected.exact)
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        for each in (net, ordinary(net), net):
            assert compiled_engine.compare(emulator, each, compiled_engine.load(emulator, each, design), codes) > 0


def run(emulator: EmulatedEngine, net: Network, made: Image, codes: Codes, keep: bool = False) -> tuple[list[int], int]:
    """Run one packet; returns the words of its outputs and its cycles."""
    answer = emulator.packet(packets.run_packet(made.image_id, list(codes), net.source, keep=keep), 1 << 16)
    trailer = packets.read_trailer(answer)
    trailer.require(packets.Operation.RUN)
    return answer[: -packets.TRAILER_WORDS].tolist(), trailer.cycles


@pytest.mark.parametrize("name", ["delta-google", "delta-gru"])
def test_state_sums_and_last_broadcasts_are_kept_on_request(name: str) -> None:
    spec, design = roomy(name)
    rng = np.random.default_rng(5)
    net = network(rng, spec)
    whole = inputs(rng, net, 1, 7, moves=0.5)
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        made = compiled_engine.load(emulator, net, design)
        expected, _ = run(emulator, net, made, whole)
        for split in (1, 3):
            head, _ = run(emulator, net, made, whole[:, :split])
            tail, _ = run(emulator, net, made, whole[:, split:], keep=True)
            assert head + tail == expected
        assert run(emulator, net, made, whole[:, 3:])[0] != tail
        emulator.packet(packets.reset_packet(), packets.TRAILER_WORDS)
        assert run(emulator, net, made, whole, keep=True)[0] == expected


def test_a_matrix_takes_its_fullest_pe_and_ten_iterations() -> None:
    """The rest of the cycles are those of stream mode's cycle model; a column without entries takes one iteration."""
    spec, design = roomy("fc")
    rng = np.random.default_rng(6)
    full = widened(spec, hidden=(), pattern="full")
    net = network(rng, full)
    columns, codes = net.inputs, np.full((1, 1, net.inputs), 5)
    stream = fit_design.choose_design(net, pes=design.pes)
    account = cycles.account(compiled_engine.encoded(net, stream), stream, 1)
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        made = compiled_engine.load(emulator, net, design)
        assert made.counts.max() == 2 * columns
        assert run(emulator, net, made, codes)[1] == account.total - account.matrix + 2 * columns + 10
        codes[0, 0, ::3] = 0
        assert run(emulator, net, made, codes)[1] == account.total - account.matrix + 2 * (columns - 7) + 10
        corner = network(rng, widened(full, pattern="corner"))
        made = compiled_engine.load(emulator, corner, design)
        codes[:] = 5
        assert made.counts.sum() == 1
        assert run(emulator, corner, made, codes)[1] == account.total - account.matrix + columns + 10


def matrix_iterations(work: Codes, counts: Codes, depth: int) -> int:
    """Iterations of a matrix by the rules of docs/explanation/engine.md, "Skip mode".

    Args:
        work: (columns, pes) entries.
        counts: (columns,) 1 if the column's activation is broadcast, otherwise 0.
        depth: depth of the FIFOs.
    """
    rows = np.add.reduceat(counts, np.arange(0, len(counts), 4))
    slots = np.cumsum(np.maximum(rows, 1)) - np.maximum(rows, 1)
    position = np.concatenate([slots[r] + np.arange(n) for r, n in enumerate(rows)]).astype(int)
    free = start = np.zeros(work.shape[1], dtype=np.int64)
    leaves: list[int] = []
    stalls = pushed = 0
    for number, (slot, column) in enumerate(zip(position, np.flatnonzero(counts), strict=True)):
        pushed = max(7 + slot + stalls, leaves[number - depth] + 1 if number >= depth else 0)
        stalls = pushed - 7 - slot
        left = np.maximum(start, pushed + 1)  # the FIFO, when the PE takes the column before
        leaves.append(int(left.max()))
        start = np.maximum(free, left + 1)
        free = start + np.maximum(work[column], 1)
    return max(int(free.max()), 4 + int(slots[-1]) + stalls) + 1


@pytest.mark.parametrize("name", ["fc", "fc-shallow"])
def test_the_counter_follows_the_documented_rules(name: str) -> None:
    """One layer with FIFOs of depth 8 and 1; all iterations but the matrix's are those of stream mode's cycle model."""
    spec, design = roomy(name)

    @settings(max_examples=25)
    @given(
        seed=st.integers(0, 2**32 - 1),
        density=st.sampled_from([0.05, 0.2, 0.7]),
        active=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    )
    def check(seed: int, density: float, active: float) -> None:
        rng = np.random.default_rng(seed)
        net = network(rng, widened(spec, hidden=(), outputs=9, density=density))
        codes = inputs(rng, net, 1, 1, density=active)
        stream = fit_design.choose_design(net, pes=design.pes, acc_banks=design.acc_banks)
        around = cycles.account(compiled_engine.encoded(net, stream), stream, 1)
        with EmulatedEngine(compiled_engine.library(design)) as emulator:
            made = compiled_engine.load(emulator, net, design)
            section = made.words[made.sections["pointers"]]
            (entries,) = pointers.read(section, made.pointers, made.header["entry_words"], made.phases, design, name)
            matrix = matrix_iterations(np.diff(entries, axis=1).T, (codes[0, 0] != 0).astype(int), design.fifo_depth)
            assert run(emulator, net, made, codes)[1] == around.total - around.matrix + matrix

    check()


def test_sparser_vectors_and_deeper_fifos_save_cycles() -> None:
    counted = {}
    for name in ("fc-shallow", "fc-deep"):
        spec, design = roomy("fc-shallow")
        design = replace(design, fifo_depth=8 if name == "fc-deep" else 1)
        rng = np.random.default_rng(8)
        net = network(rng, widened(spec, density=0.1))
        with EmulatedEngine(compiled_engine.library(design)) as emulator:
            made = compiled_engine.load(emulator, net, design)
            for density in (0.2, 1.0):
                codes = inputs(np.random.default_rng(1), net, 1, 20, density=density)
                counted[name, density] = run(emulator, net, made, codes)[1]
    assert counted["fc-deep", 1.0] < counted["fc-shallow", 1.0]
    assert counted["fc-deep", 0.2] < counted["fc-deep", 1.0]


def test_higher_thresholds_save_cycles() -> None:
    spec, design = roomy("delta-lstm")
    taken = []
    for threshold in (0, 2000, 30000):
        rng = np.random.default_rng(9)
        net = network(rng, widened(spec, delta=(threshold, threshold // 10)))
        codes = inputs(rng, net, 1, 20)
        with EmulatedEngine(compiled_engine.library(design)) as emulator:
            taken.append(run(emulator, net, compiled_engine.load(emulator, net, design), codes)[1])
    assert taken[0] > taken[1] > taken[2]


def test_what_skip_mode_alone_can_do_is_refused_elsewhere() -> None:
    net = network(np.random.default_rng(0), SKIP_SPECS["delta-lstm"][0])
    with pytest.raises(UnsupportedError, match=r"layer 'lstm0' has delta thresholds; stream mode .* use mode 'skip'"):
        fit_design.choose_design(net, pes=4)
    spec, design = roomy("fc")
    image = compiled_engine.encoded(network(np.random.default_rng(0), spec), design)
    with pytest.raises(UnsupportedError, match="cycles of skip mode depend on the data"):
        cycles.account(image, design, 1)
