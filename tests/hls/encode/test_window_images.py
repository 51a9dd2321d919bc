# SPDX-License-Identifier: Apache-2.0
"""Images of designs with an activation window: what both readers refuse, and what the encoder writes."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

import numpy as np
import pytest

from ese_hls.encode import encoder
from ese_host import image
from ese_host.errors import FormatError
from ese_host.files.words import Words, pack, unpack
from ese_host.image.design import Design
from ese_host.image.interleave import entries_per_pe
from ese_host.image.reader import Image
from ese_host.ir.fixed import Codes
from support.designs import GRU_WINDOW_SPECS, WINDOW_SPECS, roomy
from support.networks import network, widened
from support.second_decoder import Facts, RefusedImageError, decode


def made(name: str, seed: int = 1) -> tuple[Design, Image]:
    spec, design = roomy(name)
    net = network(np.random.default_rng(seed), spec)
    return design, image.parse(np.frombuffer(encoder.encode(net, design, "sparse"), dtype="<u4"), design)


def resealed(words: Words) -> Words:
    """The image with its checksum corrected."""
    return np.append(words[:-1], np.uint32(zlib.crc32(words[:-1].astype("<u4").tobytes())))


def advances(read: Image, design: Design) -> Codes:
    """(entry words, bits) advance bits of an image."""
    count, bits = read.header["entry_words"], design.widths.advance_bits
    return unpack(read.words[read.sections["window"]], count * bits, 1).reshape(count, bits)


def with_advances(read: Image, bits: Codes) -> Words:
    words = read.words.astype(np.uint32)
    words[read.sections["window"]] = pack(bits.reshape(-1), 1)
    return resealed(words)


def refusals(words: Words, design: Design) -> tuple[str, str]:
    """What the host's reader and the second decoder say of an image; empty if they take it."""
    said = []
    try:
        image.parse(words, design)
        said.append("")
    except FormatError as error:
        said.append(str(error))
    try:
        decode(words.astype("<u4").tobytes(), Facts.of(design.to_json()))
        said.append("")
    except RefusedImageError as error:
        said.append(str(error))
    return said[0], said[1]


@pytest.mark.parametrize("name", [*WINDOW_SPECS, *GRU_WINDOW_SPECS])
def test_both_readers_judge_every_bit_alike(name: str) -> None:
    """Whichever bit of the section is flipped, both readers take the image, or both refuse it for the same reason."""
    design, read = made(name)
    bits = advances(read, design)
    seen = set()
    for word, slot in np.random.default_rng(2).integers(0, bits.shape, (60, 2)):
        flipped = bits.copy()
        flipped[word, slot] ^= 1
        host, second = refusals(with_advances(read, flipped), design)
        reason = "behind" if "no phase has a beat" in host else "absent" if "the window has columns" in host else host
        says = {
            "behind": "the window advances where no beat is",
            "absent": "a weight whose column is not in the window",
            "": "",
        }
        assert second == says[reason]
        seen.add(reason)
    assert seen == {"behind", "absent", ""}


def test_the_messages_of_the_reader() -> None:
    design, read = made("window")
    bits = advances(read, design)
    late = bits.copy()
    late[0, 0] = 0
    weight = r"^image: phase 0 has a weight of column \d+ in slot \d+ of PE \d; the window has columns 0 to -?\d+ then"
    with pytest.raises(FormatError, match=weight):
        image.parse(with_advances(read, late), design)
    behind = bits.copy()
    behind[-1, -1] = 1
    place = f"slot {bits.shape[1] - 1} of entry word {len(bits) - 1}"
    with pytest.raises(
        FormatError, match=f"^image: the window advances in {place}, in which no phase has a beat: emit"
    ):
        image.parse(with_advances(read, behind), design)


@pytest.mark.parametrize(("name", "found", "columns"), [("window", 0, 8), ("dense", 1, 0)])
def test_the_window_bit_of_a_phase_is_that_of_the_design(name: str, found: int, columns: int) -> None:
    spec, design = roomy(name)
    words = np.frombuffer(encoder.encode(network(np.random.default_rng(1), spec), design), dtype="<u4").copy()
    records = image.parse(words, design).sections["phase table"].start
    words[records + 6] ^= 1 << 28
    message = f"image: phase 0 has window {found}; expected {1 - found}, as the design's window has {columns} columns"
    with pytest.raises(FormatError, match="^" + re.escape(message)):
        image.parse(resealed(words), design)


@pytest.mark.parametrize("name", [*WINDOW_SPECS, *GRU_WINDOW_SPECS])
def test_waits_are_all_that_a_window_adds_to_the_entries(name: str) -> None:
    """Without its waits each PE has the entries that it has without a window, and they count as padding."""
    spec, design = roomy(name)
    net = network(np.random.default_rng(4), widened(spec, density=0.1))
    memories = encoder.prepare(net, design, "sparse")
    read = image.parse(encoder.assemble(net, memories, design), design)
    plain = replace(design, window=0)
    without = image.parse(encoder.assemble(net, encoder.prepare(net, plain, "sparse"), plain), plain)
    assert design.canonical().replace(f', "window": {design.window}', "") == plain.canonical()
    assert all(phase.source_base % 4 == phase.first_base % 4 == phase.second_base % 4 == 0 for phase in read.phases)
    assert read.header["weights"] == without.header["weights"]
    for number, item in enumerate(memories.schedule.phases):
        entries = entries_per_pe(item.matrix.codes, item.interleave, item.matrix.kind, design.gap_bits)
        np.testing.assert_array_equal(without.counts[number], entries)
        added = read.counts[number] - entries
        assert (added >= 0).all()
        padding = image.padding_entries(read, design)[number] - image.padding_entries(without, plain)[number]
        np.testing.assert_array_equal(added, padding)
    assert read.counts.sum() > without.counts.sum()
