# SPDX-License-Identifier: Apache-2.0
"""Tests of images: an encoded image is read back, and one that is damaged, foreign or too large is refused."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode import encoder, fit_design
from ese_hls.encode.bounds import bits_for, partial_sums
from ese_hls.encode.storage_choice import Storage
from ese_host import image
from ese_host.bundle.image_file import read_image
from ese_host.errors import CapacityError, EseError, FormatError, MismatchError, UnsupportedError
from ese_host.files.words import Words, unpack
from ese_host.image.design import Design
from ese_host.image.entry_widths import EntryWidths
from ese_host.image.interleave import entries_per_pe
from ese_host.image.phases import FLAGS, record_words
from ese_host.ir.fixed import Fixed
from ese_host.ir.format_sets import FormatSet
from ese_host.ir.network import Dense, Lstm, Network
from support import compiled_engine
from support.designs import SKIP_SPECS, SPECS, roomy
from support.networks import HARD8, Spec, matrix, network, widened


def made(name: str = "keras-lstm") -> tuple[Network, Design, Words]:
    spec, design = roomy(name)
    net = network(np.random.default_rng(1), spec)
    return net, design, np.frombuffer(encoder.encode(net, design), dtype="<u4").astype(np.uint32)


def resealed(words: Words) -> Words:
    """The image with its checksum corrected."""
    return np.append(words[:-1], np.uint32(zlib.crc32(words[:-1].astype("<u4").tobytes())))


@pytest.mark.parametrize("storage", ["auto", "full"])
@pytest.mark.parametrize("name", [*SPECS, *SKIP_SPECS])
def test_counts_and_work_are_those_of_the_weights(name: str, storage: Storage) -> None:
    net, design, _ = made(name)
    read = compiled_engine.encoded(net, design, storage)
    words = read.words
    skip = design.mode == "skip"
    planned = encoder.prepare(net, design, storage if design.full_phases else "auto").schedule.phases
    for item, counts in zip(planned, read.counts, strict=True):
        assert item.phase.full == (storage == "full" and design.full_phases)
        if item.phase.full:
            assert set(counts) == {item.interleave.rows_per_pe * item.matrix.codes.shape[1]}
        elif not skip:
            expected = entries_per_pe(item.matrix.codes, item.interleave, item.matrix.kind, design.gap_bits)
            np.testing.assert_array_equal(counts, expected)
        assert counts.max() == item.phase.entry_count
    padding = image.padding_entries(read, design)
    weights = sum(int(np.count_nonzero(item.matrix.codes)) for item in planned)
    assert int((read.counts - padding).sum()) == weights == read.header["weights"]
    assert sum(read.bytes_by_cause().values()) == 4 * len(words)
    assert [p.to_words(skip).tolist() for p in read.phases] == [p.phase.to_words(skip).tolist() for p in planned]


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("magic", 0, FormatError, "magic is 0x0; expected 0x34455345"),
        (
            "version",
            9,
            FormatError,
            "version is 9; this version of ese4ml reads images of version 2 only",
        ),
        ("words", 5, FormatError, "words is 0x5; expected"),
        ("design_id", 1, MismatchError, "is for design 0x00000001; expected"),
        ("phases", 60, CapacityError, "phases is 60; the design holds 3"),
        ("entry_words", 1 << 20, CapacityError, "entry_words is 1048576; the design holds"),
        ("params", 999, CapacityError, "params is 999; the design holds"),
        ("cells", 999, CapacityError, "cells is 999; the design holds"),
        ("codebooks", 1, CapacityError, "codebooks is 1; the design holds 0"),
        ("inputs", 0, FormatError, "inputs, outputs or phases is zero"),
        ("formats", 60 << 8, CapacityError, "sums may need 60 accumulator bits; the design has 24"),
    ],
)
def test_a_wrong_header_is_refused_by_field(field: str, value: int, error: type[EseError], message: str) -> None:
    _, design, words = made()
    words[image.HEADER.index(field)] = value
    with pytest.raises(error, match=message):
        image.parse(resealed(words), design)


def test_a_count_beyond_the_phase_is_refused() -> None:
    _, design, words = made()
    record, per_phase = record_words(design)
    place = image.section_slices(image.parse(words, design).header, design)["phase table"].start + record
    assert per_phase
    words[place] += 1  # the count of PE 0 in phase 0
    with pytest.raises(FormatError, match=r"phase 0 has (\d+) entries in each PE; a PE has \d+ of them in use"):
        image.parse(resealed(words), design)


@pytest.mark.parametrize("name", ["keras-lstm", "uneven", "int12", "dense", "fc-codebook"])
def test_tails_are_padding_in_stream_mode(name: str) -> None:
    """A PE that executes all slots of its phase's words reaches no other weight than its own entries."""
    _, design, words = made(name)
    read = image.parse(words, design)
    widths = design.widths
    stored = unpack(words[read.sections["entries"]], read.header["entry_words"] * design.pes, widths.word_bits)
    tails = 0
    for phase, counts in zip(read.phases, read.counts, strict=True):
        last = phase.entry_base - (-phase.entry_count // widths.per_word(phase.full))
        slots = widths.slots(stored.reshape(-1, design.pes).T[:, phase.entry_base : last], phase.full)
        for own, count in zip(slots, counts, strict=True):
            expected = 0 if phase.full or design.mode == "skip" else (1 << design.gap_bits) - 1
            assert set(own[count:]) <= {expected}
            tails += len(own) - count
    assert tails > 0


def test_a_tail_that_is_no_padding_is_refused() -> None:
    _, design, words = made()
    read = image.parse(words, design)
    number, pe = (int(i) for i in np.argwhere(read.counts < read.counts.max(axis=1, keepdims=True))[0])
    widths, phase, count = design.widths, read.phases[number], int(read.counts[number, pe])
    word, slot = divmod(count, widths.per_word(False))
    begin, bits = read.sections["entries"].start, widths.word_bits
    for low, found in ((0, (1 << design.gap_bits) - 2), (design.gap_bits, (2 << design.gap_bits) - 1)):
        bit = ((phase.entry_base + word) * design.pes + pe) * bits + slot * widths.entry_bits + low
        damaged = words.copy()
        damaged[begin + bit // 32] ^= np.uint32(1 << bit % 32)
        message = (
            f"^image: phase {number} has {found:#x} in slot {count} of PE {pe}, which has {count} entries; "
            f"expected {(1 << design.gap_bits) - 1:#x} behind them: emit the image again$"
        )
        with pytest.raises(FormatError, match=message):
            image.parse(resealed(damaged), design)


def with_field(words: Words, design: Design, number: int, value: int) -> Words:
    """An image with some more bits of word 6 of a phase's record set."""
    start = image.parse(words, design).sections["phase table"].start + number * sum(record_words(design))
    changed = words.copy()
    changed[start + 6] |= value
    return resealed(changed)


@pytest.mark.parametrize("value", [1, 2, 3])
def test_format_sets_are_those_of_the_design(value: int) -> None:
    _, design, words = made()
    message = f"^image: phase 0 has format_set {value}; the design has sets 0 to 0: emit a design for this network$"
    with pytest.raises(MismatchError, match=message):
        image.parse(with_field(words, design, 0, value << 24), design)
    sets = FormatSet(), FormatSet(output=Fixed(8, 1))
    wider = replace(design, more_sets=sets)
    assert Design.from_json(wider.to_json()) == wider
    header = image.HEADER.index("words"), image.HEADER.index("design_id")
    lines = image.parse(words, design).sections["tables"].start
    longer = np.insert(words, lines, [0] * 2 * len(sets))
    longer[list(header)] = len(longer), wider.design_id
    found = image.parse(resealed(longer), wider)
    assert found.sections["lines"] == slice(lines, lines + 2 * len(sets))
    longer[found.sections["phase table"].start + 6] |= value << 24
    if value < 3:
        assert image.parse(resealed(longer), wider).phases[0].format_set == value
        return
    with pytest.raises(MismatchError, match=r"^image: phase 0 has format_set 3; the design has sets 0 to 2: emit a"):
        image.parse(resealed(longer), wider)


@pytest.mark.parametrize(("value", "kind"), [(1, "gru"), (2, "gru_before"), (3, "reset")])
def test_kinds_of_cells_are_those_of_the_design(value: int, kind: str) -> None:
    _, design, words = made()
    message = f"^image: phase 0 has cells of kind '{kind}'; the design computes lstm: emit a design for this network$"
    with pytest.raises(MismatchError, match=message):
        image.parse(with_field(words, design, 0, value << 26), design)


@pytest.mark.parametrize(
    ("field", "bit"), [("format_set", 24), ("format_set", 25), ("cell_kind", 26), ("cell_kind", 27)]
)
def test_a_kind_of_cell_or_a_format_set_without_cells_is_refused(field: str, bit: int) -> None:
    _, design, words = made()
    phases = image.parse(words, design).phases
    numbers = [number for number, phase in enumerate(phases) if not phase.has("lstm")]
    assert {phases[number].has("dense") for number in numbers} == {False, True}
    for number in numbers:
        message = (
            f"^image: phase {number} has {field} {1 + bit % 2}, but no stage of cells; only 0 is allowed: emit the"
        )
        with pytest.raises(FormatError, match=message):
            image.parse(with_field(words, design, number, 1 << bit), design)


def test_a_phase_has_one_stage_at_most() -> None:
    """The engine in RTL would never end with both."""
    _, design, words = made()
    read = image.parse(words, design)
    number = next(number for number, phase in enumerate(read.phases) if phase.has("dense"))
    record = read.sections["phase table"].start + number * sum(image.record_words(design))
    words[record] |= 1 << image.FLAGS.index("lstm")
    with pytest.raises(FormatError, match=f"^image: phase {number} has the stage of LSTM cells and that of other rows"):
        image.parse(resealed(words), design)


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 9, 13])
def test_parameters_of_rows_are_packed_four_to_an_item_of_their_unit(rows: int, units: int) -> None:
    spec = Spec(kind="int4", inputs=3, units=(2,), projection=5, outputs=rows)
    net = network(np.random.default_rng(0), spec)
    memories = encoder.fill(net, 4, EntryWidths("int4", 4), units, 2)
    used = 0
    for item in memories.schedule.phases:
        if not item.phase.has("dense"):
            continue
        matrix = item.matrix
        bias = item.layer.bias if isinstance(item.layer, Dense) else np.zeros(item.phase.items, dtype=np.int64)
        for row in range(item.phase.items):
            number, unit = divmod(row, units)
            place = (item.phase.param_base + number // 4) * units + unit
            assert memories.scales[place, number % 4, item.phase.bank_positive] == matrix.scale[0, row]
            assert memories.biases[place, number % 4] == bias[row]
            used += 1
    assert used == rows + 5
    cells, banks = 2, memories.scales.shape[2]
    packed = -(-rows // (4 * units)) + -(-5 // (4 * units))
    assert memories.needs.param_depth == -(-cells // units) + packed
    assert memories.scales.shape == (memories.needs.param_depth * units, 4, banks)
    assert np.count_nonzero(memories.scales.any(axis=2)) == 4 * cells + rows + 5  # no scale of a row is zero


def test_a_wait_for_a_frame_that_never_comes_is_refused() -> None:
    _, design, words = made()
    read = image.parse(words, design)
    start, size = read.sections["phase table"].start, sum(record_words(design))
    freed = next(number for number, phase in enumerate(read.phases) if phase.has("frees_frame"))
    last = len(read.phases) - 1
    assert freed < last
    words[start + last * size] |= 1 << FLAGS.index("waits_frame")
    with pytest.raises(FormatError, match=f"phase {last} waits for an input frame in step .* have read all frames"):
        image.parse(resealed(words), design)


def test_wrong_column_pointers_are_refused() -> None:
    _, design, words = made("fc")
    flags = image.HEADER.index("flags")
    section = image.parse(words, design).sections["pointers"]
    for index, message in (
        (section.start, r"column pointer 0 of PE 0 is 0x3ffff; pointers must ascend and stay within the \d+ words"),
        (section.stop - 1, r"column pointer \d+ of PE \d is 0x[0-9a-f]+; pointers must ascend"),
    ):
        damaged = words.copy()
        damaged[index] = 0xFFFFFFFF
        with pytest.raises(FormatError, match=message):
            image.parse(resealed(damaged), design)
    record = slice(16, 29)
    damaged = words.copy()
    damaged[record][10] += 1000 << 16
    with pytest.raises(FormatError, match=r"phase 0 uses 1022 column pointers; \d+ are stored"):
        image.parse(resealed(damaged), design)
    damaged = words.copy()
    damaged[flags] += 5000 << 16
    with pytest.raises(CapacityError, match=r"pointers is \d+; the design holds 64"):
        image.parse(resealed(damaged), design)


def test_a_pointer_must_reach_all_entries() -> None:
    _, design, _ = made("fc")
    with pytest.raises(FormatError, match="entry_depth is 40000; a column pointer reaches 32767 words"):
        replace(design, gap_bits=2, entry_depth=40000)


def test_stream_designs_know_nothing_of_skip_mode() -> None:
    """The fields of skip mode do not change the id of a stream design, and have only one allowed value there."""
    _, design, _ = made()
    assert replace(design, fifo_depth=16).design_id == design.design_id
    with pytest.raises(FormatError, match="pointer_depth is 8; allowed"):
        replace(design, pointer_depth=8)
    _, skip, _ = made("fc")
    assert replace(skip, fifo_depth=16).design_id != skip.design_id
    assert Design.from_json(skip.to_json()) == skip


def test_a_change_is_part_of_the_accumulators_width() -> None:
    """For a weight of level 7 and inputs from -2^15 to 2^15 - 1, the sum needs 19 bits and a single change 20."""
    spec = Spec(kind="int4", inputs=1, units=(1,), outputs=0, pattern="full")
    bits = []
    for delta in ((None, None), (0, 0)):
        net = network(np.random.default_rng(0), widened(spec, delta=delta))
        layer = net.layers[0]
        assert isinstance(layer, Lstm)
        one = replace(layer.kernel, codes=np.full((4, 1), 7), scale=layer.recurrent.scale + 1)
        layer = replace(layer, kernel=one, recurrent=replace(layer.recurrent, codes=np.full((4, 1), 7)))
        bits.append(encoder.fill(Network((layer,), net.source), 1, EntryWidths("int4", 4), 1, 2, "skip").needs.acc_bits)
    assert bits == [19, 20]


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_any_damage_is_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, design, words = made()
    if rng.integers(2):
        damaged = words[: rng.integers(len(words))]
    else:
        damaged = words.copy()
        damaged[rng.integers(len(words))] ^= np.uint32(1 << rng.integers(32))
    with pytest.raises(EseError):
        image.parse(damaged, design)


def test_files_are_refused_by_path(tmp_path: Path) -> None:
    _, design, words = made()
    path = tmp_path / "image.bin"
    with pytest.raises(FormatError, match=r"image\.bin: cannot be read"):
        read_image(path, design)
    path.write_bytes(words.astype("<u4").tobytes()[:-1])
    with pytest.raises(FormatError, match="whole 32-bit words"):
        read_image(path, design)
    path.write_bytes(words.astype("<u4").tobytes())
    assert read_image(path, design).image_id == int(words[-1])


def test_a_network_for_another_design_is_refused() -> None:
    net, design, _ = made()
    message = (
        r"^layer 'lstm0' has state fixed<16,4>, output .*; the design has state fixed<8,4>, output .*, each for one"
    )
    with pytest.raises(MismatchError, match=message):
        encoder.encode(net, replace(design, state=Fixed(8, 4)))
    with pytest.raises(MismatchError, match=r"^layer 'lstm0': kind of cell is lstm; the design has gru: "):
        encoder.encode(net, replace(design, cells="gru"))
    with pytest.raises(MismatchError, match="weights is ternary; the design has int4"):
        encoder.encode(net, replace(design, weights="int4"))
    with pytest.raises(
        CapacityError, match=r"needs \d+ words of weights in each PE \(entry_depth\); the design has 1: "
    ):
        encoder.encode(net, replace(design, entry_depth=1))


def test_an_engine_has_four_format_sets_at_most() -> None:
    net = network(np.random.default_rng(0), Spec(units=(3,) * 5, outputs=0, sequences=True))
    layers = [replace(layer, state=Fixed(16, 2 + at)) for at, layer in enumerate(net.layers) if isinstance(layer, Lstm)]
    four = fit_design.choose_design(Network(tuple(layers[:4]), net.source), pes=2)
    assert [formats.state for formats in four.sets] == [layer.state for layer in layers[:4]]
    message = (
        "^layers 'lstm0', 'lstm1', 'lstm2', 'lstm3' and 'lstm4' differ in the formats of state, output or activations; "
        "an engine has 4 sets of them: give some of these layers the same state_quantizer"
    )
    with pytest.raises(UnsupportedError, match=message):
        fit_design.choose_design(Network(tuple(layers), net.source), pes=2)


@pytest.mark.parametrize(("output", "frac"), [(Fixed(8, 8), 0), (Fixed(8, 9), -1), (Fixed(16, 40), -24)])
def test_outputs_with_a_negative_number_of_fractional_bits_are_refused(output: Fixed, frac: int) -> None:
    net = network(np.random.default_rng(1), Spec(units=(), outputs=6))
    last = net.layers[-1]
    assert isinstance(last, Dense)
    changed = Network((*net.layers[:-1], replace(last, output=output)), net.source)
    design = fit_design.choose_design(changed, pes=2)
    if frac == 0:
        read = image.parse(np.frombuffer(encoder.encode(changed, design), dtype="<u4"), design)
        assert read.output_frac == 0 and read.acc_bits_needed != 0
        return
    message = rf"^layer '{last.name}': its output, fixed<.*>, has {frac} fractional bits; an image says 0 or more: give"
    with pytest.raises(UnsupportedError, match=message):
        encoder.encode(changed, design)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["ternary", "int4", "int8", "int12", "int16", "codebook4"]))
@settings(max_examples=40)
def test_bounds_hold_for_every_prefix_of_every_order(seed: int, kind: str) -> None:
    """No partial sum leaves the proved range, for inputs at the ends of their range and entries in random order."""
    rng = np.random.default_rng(seed)
    spec = widened(Spec(), kind=kind, activations=HARD8)
    weights = matrix(rng, 3, 7, spec)
    source = Fixed(16, 2)
    lows, highs = partial_sums(weights, source)
    order = rng.permutation(7)
    x = rng.choice([source.low, source.high], 7)
    sums = np.cumsum((weights.levels * x)[:, order], axis=1)
    assert (sums >= lows[0][:, None]).all()
    assert (sums <= highs[0][:, None]).all()
    assert sums.min() >= -(1 << (bits_for(int(lows.min()), int(highs.max())) - 1))
