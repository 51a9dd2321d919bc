# SPDX-License-Identifier: Apache-2.0
"""Tests of the stored form of images: our decoder and that of bitarray give the image back, and damage is refused."""

from __future__ import annotations

import functools
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bitarray import bitarray
from bitarray.util import canonical_decode, huffman_code
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode import compressed as storing
from ese_hls.encode import encoder, fit_design
from ese_hls.encode.storage_choice import Storage
from ese_host import image
from ese_host.bundle.image_file import read_image
from ese_host.errors import CapacityError, EseError, FormatError, MismatchError
from ese_host.files.huffman import CHUNK, LIMIT, canonical, decode_stream
from ese_host.files.words import Words
from ese_host.image import compressed
from ese_host.image.design import Design
from support import compiled_engine
from support.designs import SKIP_SPECS, SPECS, roomy
from support.ese_layer import ese_layer
from support.networks import network, widened


@functools.cache
def plain(name: str, seed: int = 1, pattern: str = "random", storage: Storage = "auto") -> tuple[Words, Design]:
    spec, design = roomy(name)
    net = network(np.random.default_rng(seed), widened(spec, pattern=pattern))
    return compiled_engine.encoded(net, design, storage).words, design


@functools.cache
def coded_of(name: str) -> tuple[Words, Words, Design]:
    words, design = plain(name, pattern="mixed")
    return words, storing.compress(words, design), design


def resealed(words: Words) -> Words:
    return np.append(words[:-1], np.uint32(zlib.crc32(words[:-1].astype("<u4").tobytes())))


@given(
    st.sampled_from([*SPECS, *SKIP_SPECS]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["random", "random", "full", "mixed", "row", "none"]),
    st.sampled_from(["auto", "full"]),
)
@settings(max_examples=60, deadline=None)
def test_every_image_is_decoded_to_itself(name: str, seed: int, pattern: str, storage: Storage) -> None:
    words, design = plain(name, seed, pattern, storage)
    coded = storing.compress(words, design)
    np.testing.assert_array_equal(compressed.expand(coded, design, "image"), words)


SYMBOLS = st.one_of(
    st.lists(st.integers(0, 40), max_size=3 * CHUNK),
    st.builds(
        lambda n, seed: np.random.default_rng(seed).geometric(0.3, n) % 40, st.integers(1, 9000), st.integers(0, 99)
    ),
)


@given(SYMBOLS)
@settings(max_examples=60, deadline=None)
def test_streams_are_canonical_and_as_short_as_bitarrays(given_symbols: list[int]) -> None:
    symbols = np.array(given_symbols, dtype=np.int64)
    lengths = storing.code_lengths(symbols, 41)
    bits, chunks = storing.encode_stream(symbols, lengths)
    np.testing.assert_array_equal(decode_stream(np.packbits(bits), chunks, lengths, len(symbols), "stream"), symbols)
    if len(symbols):
        counts: dict[Any, int | float] = {int(s): int((symbols == s).sum()) for s in np.unique(symbols)}
        best = huffman_code(counts)
        assert len(bits) == sum(len(best[s]) * n for s, n in counts.items()) == chunks.sum()
        order = np.lexsort((np.arange(41), lengths))
        of_length = np.bincount(lengths[lengths > 0]).tolist()
        theirs = canonical_decode(bitarray(bits.tolist()), of_length, order[lengths[order] > 0].tolist())
        assert list(theirs) == symbols.tolist()


def test_long_codes_are_shortened() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 24:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    symbols = np.repeat(np.arange(24), fibonacci)
    assert max(len(code) for code in huffman_code(dict(enumerate(fibonacci))).values()) > LIMIT
    lengths = storing.code_lengths(symbols, 24)
    assert lengths.max() <= LIMIT and int((1 << (LIMIT - lengths)).sum()) == 1 << LIMIT
    bits, chunks = storing.encode_stream(symbols, lengths)
    np.testing.assert_array_equal(decode_stream(np.packbits(bits), chunks, lengths, len(symbols), "stream"), symbols)
    assert (np.diff(canonical(lengths)[np.lexsort((np.arange(24), lengths))]) > 0).all()


def test_files_of_both_forms_are_read(tmp_path: Path) -> None:
    words, design = plain("stacked")
    coded = storing.compress(words, design)
    (tmp_path / "image.bin").write_bytes(coded.astype("<u4").tobytes())
    read = read_image(tmp_path / "image.bin", design)
    np.testing.assert_array_equal(read.words, words)
    assert read.image_id == int(words[-1])


@pytest.mark.parametrize(
    ("word", "value", "error", "message"),
    [
        (1, 2, FormatError, r"^image: version is 0x2; expected 0x1: pack the image again$"),
        (2, 9, FormatError, r"^image: words is 0x9; expected 0x[0-9a-f]+: pack the image again$"),
        (3, 77, FormatError, r"^image: words is 0x[0-9a-f]+; expected 0x4d: emit the image again$"),
        (4, 1, FormatError, r"^image: \d+ words; its header asks for \d+: pack it again$"),
        (6, 1, FormatError, r"^image: magic is 0x1; expected 0x34455345: emit the image again$"),
        (9, 1, MismatchError, r"^image is for design 0x00000001; expected 0x[0-9a-f]{8}: rebuild one of the two .*$"),
        (
            11,
            1 << 30,
            CapacityError,
            r"^image: entry_words is 1073741824; the design holds \d+: choose a larger",
        ),
    ],
)
def test_fields_are_checked_before_memory_is_taken(word: int, value: int, error: type, message: str) -> None:
    words, design = plain("keras-lstm")
    coded = storing.compress(words, design)
    coded[word] = value
    with pytest.raises(error, match=message):
        compressed.expand(resealed(coded), design, "image")


def test_streams_that_lie_are_refused() -> None:
    words, design = plain("uneven")
    coded = storing.compress(words, design)
    inner = image.read_header(coded[len(compressed.FIELDS) :])
    entries = image.section_slices(inner, design)["entries"]
    rest = len(words) - (entries.stop - entries.start)
    counts = compressed.symbol_counts(np.zeros(inner["entry_words"], dtype=np.bool_), design)
    parts = compressed.layout_of(dict(zip(compressed.FIELDS, coded.tolist(), strict=False)), rest, counts, design)
    for section, change, message in (
        ("gap chunks", 1, r"^image: gap_bits is \d+; its chunks have \d+: copy or pack the image again$"),
        ("code lengths", 3, r"^image: codes: the codes fill \d+ of 65536 prefixes; a Huffman code fills all: .*$"),
        ("gap lengths", 31, r"^image: gaps: a code has \d+ bits; at most 16 are allowed: pack it again$"),
    ):
        broken = coded.copy()
        broken[parts[section].start] ^= change
        with pytest.raises(FormatError, match=message):
            compressed.expand(resealed(broken), design, "image")
    with pytest.raises(FormatError, match=r"^image: CRC is 0x[0-9a-f]{8}; its content has 0x[0-9a-f]{8}: copy or .*$"):
        compressed.expand(np.append(coded[:-1], coded[-1] ^ 1).astype(np.uint32), design, "image")
    with pytest.raises(FormatError, match=r"^image: 7 words; a stored image has at least 22: pack it again$"):
        compressed.expand(coded[:7], design, "image")


@given(st.sampled_from(["keras-lstm", "fc", "int8"]), st.integers(0, 10**9), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_damage_gives_another_image(name: str, place: int, value: int, seal: bool) -> None:
    """A stored image with any word changed is refused or expands to the same image, even with a matching checksum."""
    words, sound, design = coded_of(name)
    coded = sound.copy()
    coded[place % (len(coded) - seal)] = value
    try:
        found = compressed.expand(resealed(coded) if seal else coded, design, "image")
        image.parse(found, design)
    except EseError:
        return
    np.testing.assert_array_equal(found, words)


@pytest.mark.parametrize("size", [0, 1, 5, 21, 22, 60])
def test_truncated_files_are_refused(size: int, tmp_path: Path) -> None:
    words, design = plain("keras-lstm")
    (tmp_path / "image.bin").write_bytes(storing.compress(words, design)[:size].astype("<u4").tobytes())
    with pytest.raises(FormatError, match="words"):
        read_image(tmp_path / "image.bin", design)


def test_bits_that_no_entry_owns_are_refused() -> None:
    words, design = plain("one-pe")
    assert design.widths.word_bits % design.widths.entry_bits
    start = image.parse(words, design).sections["entries"].start
    words = words.copy()
    words[start] |= np.uint32(1 << (design.widths.word_bits - 1))
    message = r"^image: bits beyond its entries are set; they are zero in a sound image: emit it again$"
    with pytest.raises(FormatError, match=message):
        storing.compress(resealed(words), design)


def test_ese_layer_is_coded_and_decoded_within_its_time() -> None:
    """Times for 3,248,128 weights, of which 11% are kept; docs/explanation/compression.md has the measured times."""
    net = ese_layer(64, density=0.11, weights="int4", family="pe-balanced")
    design = fit_design.choose_design(net, pes=64)
    start = time.process_time()
    words = np.frombuffer(encoder.encode(net, design), dtype="<u4").astype(np.uint32)
    coded = storing.compress(words, design)
    middle = time.process_time()
    found = compressed.expand(coded, design, "image")
    assert time.process_time() - middle < 1
    assert middle - start < 2
    np.testing.assert_array_equal(found, words)
    assert len(coded) < 0.9 * len(words)
