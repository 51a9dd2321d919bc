# SPDX-License-Identifier: Apache-2.0
"""The compiled engine against the golden model: every value of every layer, bit for bit."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from random_networks import compare_random_networks

from ese_hls.encode.fit_design import choose_design
from ese_hls.encode.storage_choice import Storage
from ese_host import image
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import EseError
from ese_host.estimate import cycles
from ese_host.files.words import pack
from ese_host.image.entry_widths import COUNT_BITS
from ese_host.image.phases import CELL_KINDS, FIELDS, record_words
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Dense, Matrix, Network
from ese_host.protocol import packets
from ese_host.protocol.packets import ErrorCode, Operation
from support import compiled_engine
from support.designs import GRU_SPECS, GRU_WINDOW_SPECS, SPECS, WINDOW_SPECS, roomy
from support.networks import inputs, network, widened

LATER = [*WINDOW_SPECS, *GRU_SPECS, *GRU_WINDOW_SPECS]
"""Designs with a window or with GRU cells."""
QUICK = ("window", "window-int4", "gru-before", "gru-hard", "gru-lstm")
"""Those of them that every run compiles."""
SLOW = ("uneven", "stacked", "int16", "window-google", "gru-before", "gru-stacked", "gru-int12")
"""Designs that only a slow run compiles with ap_int too."""


@pytest.mark.parametrize(
    "name", [*SPECS, *(pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in LATER)]
)
def test_engine_equals_golden(name: str) -> None:
    compare_random_networks(name, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPECS, *LATER])
def test_engine_equals_golden_on_a_thousand_networks(name: str) -> None:
    compare_random_networks(name, -(-1000 // len(SPECS)))


@pytest.mark.parametrize(
    "name", ["google-lstm", "gru-lstm", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_machine_words_equal_ap_int(name: str) -> None:
    """No value depends on the width of a type: engines with ap_int and with machine words give the same answers."""
    spec, design = roomy(name)
    rng = np.random.default_rng(7)
    net = network(rng, spec)
    codes = inputs(rng, net, 2, 4)
    compiled_engine.compare_integers(net, design, codes)


@pytest.mark.parametrize("name", [*SPECS, *QUICK])
def test_cycle_model_equals_the_engines_counter(name: str) -> None:
    spec, design = roomy(name)
    rng = np.random.default_rng(3)
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        cases: tuple[tuple[float, str, Storage], ...] = (
            (0.05, "random", "auto"),
            (0.4, "mixed", "auto"),
            (0.0, "corner", "full"),
            (1.0, "full", "auto"),
        )
        for density, pattern, storage in cases:
            net = network(rng, widened(spec, density=density, pattern=pattern))
            made = compiled_engine.load(emulator, net, design, storage)
            for steps in (1, 2, 5):
                for trace in (False, True):
                    codes = inputs(rng, net, 1, steps)
                    request = packets.run_packet(made.image_id, list(codes), net.source, trace=trace)
                    counted = packets.read_trailer(emulator.packet(request, 1 << 16)).cycles
                    modelled = cycles.account(made, design, steps, trace=trace)
                    assert modelled.total == counted
                    assert sum(modelled.by_cause.values()) == pytest.approx(counted, abs=1e-6)


@pytest.mark.parametrize("name", ["stacked", pytest.param("gru-lstm", marks=pytest.mark.slow)])
def test_cycle_model_equals_the_counter_on_images_with_one_wrong_bit_or_refuses_them(name: str) -> None:
    """Every flag and size of every phase, one bit at a time: the model counts what the reader accepts.

    What waits for a frame that never comes is refused by the reader; the engine goes on without it.
    """
    spec, design = roomy(name)
    rng = np.random.default_rng(3)
    net = network(rng, spec)
    made = compiled_engine.encoded(net, design)
    codes, refused = inputs(rng, net, 1, 3), 0
    start, record = made.sections["phase table"].start, sum(record_words(design))
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        for place in [(p, word, bit) for p in range(len(made.phases)) for word in (0, 1, 2, 4) for bit in range(32)]:
            words = made.words.copy()
            words[start + place[0] * record + place[1]] ^= np.uint32(1 << place[2])
            words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
            try:
                changed = image.parse(words, design)
            except EseError as error:
                refused += "waits for an input frame" in str(error)
                continue
            packets.read_trailer(emulator.packet(packets.load_packet(words), packets.TRAILER_WORDS))
            request = packets.run_packet(changed.image_id, list(codes), net.source)
            counted = packets.read_trailer(emulator.packet(request, 1 << 20)).cycles
            assert cycles.account(changed, design, 3).total == counted, place
    assert refused > 2


@pytest.mark.parametrize("name", SPECS)
def test_answers_do_not_depend_on_entry_counts(name: str) -> None:
    """An image that says that every PE has as many entries as the fullest runs all tails, and is exact."""
    spec, design = roomy(name)
    rng = np.random.default_rng(11)
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        tails = 0
        for density, pattern in ((0.1, "random"), (0.4, "mixed"), (0.3, "row")):
            net = network(rng, widened(spec, density=density, pattern=pattern))
            made = compiled_engine.encoded(net, design)
            words = made.words.copy()
            record, per_phase = record_words(design)
            table = words[made.sections["phase table"]].reshape(-1, record + per_phase)
            for row, phase in zip(table, made.phases, strict=True):
                row[record:] = pack(np.full(design.pes, phase.entry_count), COUNT_BITS)
            words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
            equal = image.parse(words, design)
            tails += int((equal.counts - made.counts).sum())
            loaded = emulator.packet(packets.load_packet(words), packets.TRAILER_WORDS)
            packets.read_trailer(loaded).require(Operation.LOAD)
            assert compiled_engine.compare(emulator, net, equal, inputs(rng, net, 2, 3, rails=True)) > 0
        assert tails > 0 or design.pes == 1


def test_accumulators_may_be_as_wide_as_the_sum() -> None:
    """16-bit weights and inputs at the ends of their range with scale 1 need 42 bits, and are exact."""
    columns = 1400
    codes = np.full((2, columns), -(1 << 15)) * np.array([[1], [-1]])
    matrix = Matrix(np.minimum(codes, (1 << 15) - 1), "int16", np.ones((2, 2), dtype=np.int64), 21)
    source = Fixed(16, 1)
    net = Network((Dense("classes", matrix, np.zeros(2, dtype=np.int64), 12, False, source, None),), source)
    design = choose_design(net, pes=2)
    assert design.acc_bits == 42
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        made = compiled_engine.load(emulator, net, design)
        for rail in (source.low, source.high):
            assert compiled_engine.compare(emulator, net, made, np.full((1, 2, columns), rail)) > 0


@pytest.mark.parametrize("name", ["google-lstm", "gru-lstm"])
def test_state_is_kept_on_request_and_forgotten_otherwise(name: str) -> None:
    """Two halves with `keep` equal the whole sequence; RESET clears the state."""
    spec, design = roomy(name)
    rng = np.random.default_rng(5)
    net = network(rng, spec)
    whole = inputs(rng, net, 1, 6)
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        made = compiled_engine.load(emulator, net, design)

        def run(codes: Codes, keep: bool) -> list[int]:
            request = packets.run_packet(made.image_id, list(codes), net.source, keep=keep)
            outputs: list[int] = emulator.packet(request, 1 << 16)[: -packets.TRAILER_WORDS].tolist()
            return outputs

        expected = run(whole, keep=False)
        head, tail = run(whole[:, :2], keep=False), run(whole[:, 2:], keep=True)
        assert head + tail == expected
        assert run(whole[:, 2:], keep=False) != tail
        packets.read_trailer(emulator.packet(packets.reset_packet(), packets.TRAILER_WORDS)).require(Operation.RESET)
        assert run(whole, keep=True) == expected


def test_an_engine_without_lstm_refuses_an_image_that_asks_for_one() -> None:
    """Nothing of an LSTM is in a design that has only GRU cells; other kinds of cells are a matter of the host."""
    spec, design = roomy("gru")
    made = compiled_engine.encoded(network(np.random.default_rng(1), spec), design)
    start, record = made.sections["phase table"].start, sum(record_words(design))
    (at,) = (start + number * record for number, phase in enumerate(made.phases) if phase.has("lstm"))
    place = FIELDS["cell_kind"]
    found = {}
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        for number, kind in enumerate(CELL_KINDS):
            words = made.words.copy()
            words[at + place.word] &= ~np.uint32(3 << place.low)
            words[at + place.word] |= np.uint32(number << place.low)
            words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
            found[kind] = packets.read_trailer(emulator.packet(packets.load_packet(words), packets.TRAILER_WORDS)).error
    assert found == {kind: ErrorCode.TOO_LARGE if kind == "lstm" else ErrorCode.OK for kind in CELL_KINDS}


@pytest.mark.parametrize("name", ["keras-lstm", "gru-hard", "gru-lstm"])
def test_a_design_has_only_the_cells_that_it_names(name: str) -> None:
    """The functions of the other kind of cell are not instantiated."""
    _, design = roomy(name)
    symbols = compiled_engine.compiled(design).read_bytes()
    assert (b"gru_cell" in symbols) == ("gru" in design.cells)
    assert (b"give_gates" in symbols) == ("lstm" in design.cells)
