# SPDX-License-Identifier: Apache-2.0
"""Tests of full phases, in which every weight is stored without a gap: answers, choice of storage, and bad images."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_hls.encode import encoder, fit_design, storage_choice
from ese_hls.encode.packing import pack_full
from ese_hls.encode.storage_choice import (
    Storage,  #
    StorageChoice,
    StorageCost,
)
from ese_host import image
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import CapacityError, FormatError, MismatchError
from ese_host.estimate import cycles
from ese_host.files.words import Words
from ese_host.image.design import Design
from ese_host.image.entry_widths import EntryWidths
from ese_host.image.interleave import Interleave
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Dense, Matrix, Network
from support import compiled_engine
from support.designs import roomy
from support.networks import Rng, Spec, inputs, matrix, network, widened


def thinned(rng: Rng, net: Network, rows: bool) -> Network:
    """The network with about a third of the rows, or of the columns, of each Dense matrix set to zero."""
    layers = []
    for layer in net.layers:
        if isinstance(layer, Dense):
            codes = layer.kernel.codes.copy()
            gone = rng.random(codes.shape[0 if rows else 1]) < 0.3
            codes[gone if rows else (slice(None), gone)] = 0
            layer = replace(layer, kernel=replace(layer.kernel, codes=codes))
        layers.append(layer)
    return replace(net, layers=tuple(layers))


@pytest.mark.parametrize("name", ["one-pe", "dense", "ttq", "int8", "fc-codebook", "fc-one-pe"])
def test_rows_and_columns_of_zeros_and_matrices_side_by_side_are_exact(name: str) -> None:
    """Full matrices with zero rows or columns are exact, and so are full and sparse matrices in one image."""
    spec, design = roomy(name)
    rng = np.random.default_rng(1)
    net = network(rng, widened(spec, pattern="full"))
    mixed = replace(net, layers=(*network(rng, widened(spec, density=0.2)).layers[:-1], net.layers[-1]))
    seen = []
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        cases: tuple[tuple[Network, Storage], ...] = (
            (net, "auto"),
            (mixed, "auto"),
            (thinned(rng, net, True), "full"),
            (thinned(rng, net, False), "full"),
        )
        for each, how in cases:
            made = compiled_engine.load(emulator, each, design, how)
            seen.append([phase.full for phase in made.phases])
            assert compiled_engine.compare(emulator, each, made, inputs(rng, each, 2, 4, rails=True)) > 0
    assert all(seen[0]) and all(seen[2]) and all(seen[3])
    assert seen[1][-1] and not any(seen[1][:-1])


def test_a_full_phase_takes_rows_times_columns_and_a_fraction_of_the_memory() -> None:
    """64 x 40 int4 weights on 8 PEs take 320 cycles either way, and 80 words of four codes instead of 160 of two."""
    rng = np.random.default_rng(2)
    spec = Spec(kind="int4", inputs=40, units=(), hidden=(64,), outputs=0, sequences=True, pattern="full")
    net = network(rng, spec)
    made = {}
    for how in ("sparse", "full"):
        design = fit_design.choose_design(net, pes=8, storage=how)
        made[how] = compiled_engine.encoded(net, design, how)
        assert cycles.account(made[how], design, 1).matrix == 320
        assert design.full_phases == (how == "full")
    words = [made[how].header["entry_words"] for how in ("sparse", "full")]
    assert words == [160, 80]


KINDS = st.sampled_from(["ternary", "int4", "int8", "int12", "int16", "codebook4"])


@given(st.integers(0, 2**32 - 1), KINDS, st.integers(1, 40), st.integers(1, 12), st.integers(1, 6), st.integers(2, 12))
def test_a_full_matrix_is_read_back_from_its_words(
    seed: int, kind: str, rows: int, columns: int, pes: int, gap_bits: int
) -> None:
    rng = np.random.default_rng(seed)
    stored_matrix = matrix(rng, rows, columns, Spec(kind=kind, density=0.7))  # type: ignore[arg-type]
    interleave, widths = Interleave(rows, pes), EntryWidths(stored_matrix.kind, gap_bits, full_phases=True)
    made = pack_full(stored_matrix, interleave, widths, "stream")
    words, width = made.words(widths), widths.slot_width(True)
    assert words.shape == (pes, -(-made.rows * columns // widths.per_word(True)))
    owner, local = interleave.owners()
    for row in range(rows):
        for column in range(columns):
            word, slot = divmod(column * made.rows + int(local[row]), widths.per_word(True))
            code = int(words[owner[row], word]) >> slot * width & ((1 << width) - 1)
            signed = code if kind == "codebook4" else code - (code >> (width - 1) << width)
            assert signed == stored_matrix.codes[row, column]
    assert sum(int(np.count_nonzero(slots)) for slots in made.slots) == np.count_nonzero(stored_matrix.codes)


@pytest.mark.parametrize(
    ("sparse", "full", "how", "expected"),
    [
        (StorageCost(100, 900), StorageCost(1000, 300), "auto", (False, "fewer cycles")),
        (StorageCost(100, 900), StorageCost(100, 300), "auto", (True, "less memory")),
        (StorageCost(160, 900), StorageCost(170, 300), "auto", (True, "less memory for at most 1/16 more cycles")),
        (StorageCost(160, 900), StorageCost(171, 300), "auto", (False, "fewer cycles")),
        (StorageCost(120, 900), StorageCost(100, 900), "auto", (True, "fewer cycles")),
        (StorageCost(100, 900), StorageCost(100, 900), "auto", (False, "as cheap as stored full")),
        (
            StorageCost(70000, 900),
            StorageCost(65536, 300),
            "auto",
            (False, "full, it would have 65,536 entries per PE; at most 65,535 are allowed"),
        ),
        (StorageCost(100, 900), StorageCost(100, 300), "sparse", (False, "as the option Storage says")),
        (StorageCost(100, 900), StorageCost(1000, 900), "full", (True, "as the option Storage says")),
    ],
)
def test_cycles_decide_then_memory(
    sparse: StorageCost, full: StorageCost, how: storage_choice.Storage, expected: tuple[bool, str]
) -> None:
    assert storage_choice.is_full_cheaper(sparse, full, how) == expected
    if how == "auto" and expected[0]:
        reason = "the design has no full phases; it gets them if they save cycles or block RAM"
        assert storage_choice.is_full_cheaper(sparse, full, how, available=False) == (False, reason)


def test_full_phases_are_built_where_they_save_block_ram_or_cycles() -> None:
    def choice(stored: str, sparse_words: int, full_words: int, cycles_saved: int = 0) -> StorageChoice:
        sparse, full = StorageCost(500 + cycles_saved, 18 * 4 * sparse_words), StorageCost(500, 18 * 4 * full_words)
        return StorageChoice("a", "kernel", stored, sparse, full, "")  # type: ignore[arg-type]

    widths = EntryWidths("int4", 5)
    assert storage_choice.full_phases_worthwhile([[choice("full", 1200, 600)]], widths, 4)
    assert not storage_choice.full_phases_worthwhile([[choice("full", 1000, 500)]], widths, 4)
    assert storage_choice.full_phases_worthwhile([[choice("full", 1000, 500, cycles_saved=1)]], widths, 4)
    assert storage_choice.full_phases_worthwhile([[choice("full", 600, 300), choice("sparse", 500, 450)]], widths, 4)
    assert not storage_choice.full_phases_worthwhile([[choice("sparse", 1200, 600)]], widths, 4)
    assert not storage_choice.full_phases_worthwhile(
        [[choice("full", 1200, 600)], [choice("sparse", 1200, 1200)]], widths, 4
    )


def wide(outputs: int = 64) -> Network:
    """A network whose Dense layer, with 64 x 600 int4 weights, takes two block RAMs per PE (of 16) sparse, one full."""
    rng = np.random.default_rng(3)
    spec = Spec(kind="int4", inputs=600, units=(), hidden=(outputs,), outputs=5, sequences=True, pattern="full")
    return network(rng, spec)


def test_a_design_chosen_for_dense_layers_has_full_phases_and_says_why() -> None:
    net = wide()
    design = fit_design.choose_design(net, pes=16)
    assert design.full_phases
    assert not fit_design.choose_design(net, pes=16, storage="sparse").full_phases
    first, second = encoder.prepare(net, design).choices
    assert str(first) == (
        "hidden0/kernel stored full: less memory (2,400 cycles, 172,800 bits; sparse 2,400 cycles, 345,600 bits)"
    )
    assert (second.layer, second.part, second.stored) == ("classes", "kernel", "full")
    small = fit_design.choose_design(wide(16), pes=16)
    assert not small.full_phases
    assert encoder.prepare(wide(16), small).choices[0].why == (
        "the design has no full phases; it gets them if they save cycles or block RAM"
    )


def test_a_design_without_full_phases_stores_sparse_and_keeps_its_id() -> None:
    _, design = roomy("keras-lstm")
    assert not design.full_phases
    assert "full_phases" not in design.canonical()
    older = {name: value for name, value in design.to_json().items() if name != "full_phases"}
    assert Design.from_json(older) == design
    assert replace(design, full_phases=True).design_id != design.design_id
    with pytest.raises(FormatError, match="design: full_phases is 1; expected true or false"):
        Design.from_json({**older, "full_phases": 1})
    spec, _ = roomy("keras-lstm")
    net = network(np.random.default_rng(0), widened(spec, pattern="full"))
    assert not any(phase.full for phase in compiled_engine.encoded(net, design).phases)
    with pytest.raises(MismatchError, match="storage is 'full'; the design has no full phases: emit a design for this"):
        encoder.encode(net, design, "full")


def test_more_weights_than_are_counted_are_refused() -> None:
    """300 x 300 weights on one PE: few weights are stored sparse, but storing all of them is refused."""
    spec = Spec(kind="int4", inputs=300, units=(), hidden=(), outputs=300, sequences=True, density=0.05)
    net = network(np.random.default_rng(4), spec)
    design = replace(fit_design.choose_design(net, pes=1), full_phases=True, entry_depth=(1 << 16) - 1)
    assert not compiled_engine.encoded(net, design).phases[0].full
    with pytest.raises(CapacityError, match=r"^90,000 entries of one matrix are in a PE, and .* 65,535 .*: use"):
        encoder.encode(net, design, "full")


def changed(words: Words, at: int, value: int) -> Words:
    """The image with one word changed and the checksum corrected."""
    result = words.copy()
    result[at] = value
    result[-1] = zlib.crc32(result[:-1].astype("<u4").tobytes())
    return result


def test_contradictions_of_a_full_phase_are_refused() -> None:
    spec, design = roomy("dense")
    net = network(np.random.default_rng(5), widened(spec, pattern="full"))
    words = compiled_engine.encoded(net, design).words
    record = 16  # phase 0: 7 outputs on 4 PEs, so two rows per PE; 9 columns; after the record the counts of the PEs
    for at, value, message in (
        (9, 3 << 16, "phase 0 is full with 3 rows, a stride of 2 and 18 entries; the stride must be the rows"),
        (1, words[record + 1] - (1 << 16), "phase 0 is full with 2 rows, a stride of 2 and 17 entries"),
        (10, words[record + 10] - 2, "phase 0 is full, but PEs have 16 to 18 entries; 18 are expected in each: emit"),
    ):
        with pytest.raises(FormatError, match=message):
            image.parse(changed(words, record + at, int(value)), design)
    _, sparse_only = roomy("keras-lstm")
    plain = compiled_engine.encoded(network(np.random.default_rng(5), roomy("keras-lstm")[0]), sparse_only).words
    with pytest.raises(FormatError, match="phase 0 is full; the design has no full phases: emit the image again"):
        image.parse(changed(plain, 16 + 9, int(plain[16 + 9]) | 8 << 16), sparse_only)


def test_a_full_column_of_skip_mode_is_whole() -> None:
    spec, design = roomy("fc-codebook")
    net = network(np.random.default_rng(6), widened(spec, pattern="full"))
    read = compiled_engine.encoded(net, design)
    assert read.phases[0].rows == 7
    pointer = read.sections["pointers"].start
    # Bits 64 to 95 of the section: the high bits of pointer 1 of PE 0, then the low bits of pointer 1 of PE 1.
    word = int(read.words[pointer + 2])
    with pytest.raises(
        FormatError, match="phase 0 is full, but a column does not have one entry for each of its 7 rows"
    ):
        image.parse(changed(read.words, pointer + 2, word ^ 1 << 8), design)


def test_accumulators_of_rows_that_no_pe_has_stay_zero() -> None:
    """With 9 rows on 4 PEs, three PEs execute a third row that does not exist; it must not change an accumulator."""
    source = Fixed(8, 1)
    kernel = Matrix(np.full((9, 3), 7), "int4", np.ones((2, 9), dtype=np.int64), 3)
    net = Network((Dense("d", kernel, np.zeros(9, dtype=np.int64), 0, False, source, None),), source)
    design = fit_design.choose_design(net, pes=4, storage="full")
    more = replace(net, layers=(replace(net.layers[0], kernel=replace(kernel, codes=np.full((9, 3), -8))),))
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        for each in (net, more, net):
            made = compiled_engine.load(emulator, each, design, "full")
            assert made.counts.tolist() == [[9, 9, 9, 9]]
            assert compiled_engine.compare(emulator, each, made, np.full((2, 3, 3), -100)) > 0
