# SPDX-License-Identifier: Apache-2.0
"""Tests that image-format.md is complete: a decoder written from only that page gives every network back."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode import choose_design
from ese_hls.encode.compressed import compress
from ese_hls.encode.encoder import encode
from ese_hls.encode.storage_choice import Storage
from ese_host.bundle.golden_file import dump
from ese_host.image import parse
from ese_host.ir.weight_kinds import WeightKind
from support import image_example
from support.designs import (
    GRU_SKIP_SPECS,
    GRU_SPECS,
    GRU_WINDOW_SPECS,
    PATTERNS,
    SKIP_SPECS,
    SPECS,
    WINDOW_SPECS,
    roomy,
)
from support.images.decoded import PARTS, changed, check_image, facts
from support.networks import Spec, network, widened
from support.second_decoder import RefusedImageError, canonical_design, decode, design_id, expand, section_sizes

NAMES = [*SPECS, *SKIP_SPECS, *WINDOW_SPECS, *GRU_SPECS, *GRU_SKIP_SPECS, *GRU_WINDOW_SPECS]


@pytest.mark.parametrize("name", NAMES)
def test_second_decoder_gives_the_network_back(name: str) -> None:
    spec, design = roomy(name)

    @settings(max_examples=12)
    @given(
        seed=st.integers(0, 2**32 - 1),
        pattern=st.sampled_from([*PATTERNS, "none"]),
        density=st.sampled_from([0.02, 0.1, 0.5]),
        storage=st.sampled_from(["auto", "full"]),
    )
    def check(seed: int, pattern: str, density: float, storage: Storage) -> None:
        net = network(np.random.default_rng(seed), widened(spec, pattern=pattern, density=density))
        check_image(encode(net, design, storage if design.full_phases else "auto"), net, design)

    check()


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["ternary", "int4", "int8", "int12", "int16", "codebook4"]),
    pes=st.integers(1, 64),
    gap_bits=st.integers(2, 8),
    units=st.sampled_from([1, 2]),
    pattern=st.sampled_from(PATTERNS),
    skip=st.booleans(),
    window=st.sampled_from([0, 8, 64]),
    full=st.booleans(),
    delta=st.sampled_from([(None, None), (0, None), (5, 300)]),
    shape=st.sampled_from([((5,), 0, ()), ((), 0, (9,)), ((7,), 3, ()), ((4, 6), 0, (5,)), ((3, 3), 2, ())]),
    two_scales=st.booleans(),
    peepholes=st.booleans(),
)
def test_second_decoder_reads_any_design(
    seed: int, kind: WeightKind, pes: int, gap_bits: int, units: int, pattern: str, skip: bool, window: int,
    full: bool, delta: tuple[int | None, int | None], shape: tuple[tuple[int, ...], int, tuple[int, ...]],
    two_scales: bool, peepholes: bool,
) -> None:  # fmt: skip
    cells, projection, hidden = shape
    spec = Spec(
        kind=kind, inputs=6, units=cells, projection=projection, peepholes=peepholes, outputs=4, hidden=hidden,
        delta=delta if skip else (None, None), two_scales=two_scales and kind == "ternary", pattern=pattern,
    )  # fmt: skip
    net = network(np.random.default_rng(seed), spec)
    design = choose_design(
        net, pes=pes, gap_bits=gap_bits, cells_per_cycle=1 if pes % 2 else units, mode="skip" if skip else "stream",
        storage="full" if full else "auto", window=0 if skip else window,
    )  # fmt: skip
    data = encode(net, design, "full" if full else "auto")
    check_image(data, net, design)
    stored = compress(np.frombuffer(data, dtype="<u4"), design)
    assert expand(stored.astype("<u4").tobytes(), facts(design)) == data


def golden_network(data: bytes) -> Any:
    """The object in golden.npz as golden-model.md describes it, with arrays in place of their references."""
    arrays = np.load(io.BytesIO(data), allow_pickle=False)

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"array"}:
            return arrays[value["array"].replace("/", ".")]
        return {name: filled(item) for name, item in value.items()}

    return filled(json.loads(str(arrays["json"])))


@pytest.mark.parametrize("name", NAMES)
def test_image_and_golden_npz_agree_by_their_pages(name: str) -> None:
    spec, design = roomy(name)
    net = network(np.random.default_rng(3), spec)
    golden = golden_network(dump(net))
    image = decode(encode(net, design), facts(design))
    assert golden["class"] == "Network"
    for phase in image.phases:
        layer, part = golden["layers"][phase.record["layer"]], phase.record["part"]
        matrix = layer[PARTS[part]]
        levels = matrix["codes"] if matrix["codebook"] is None else matrix["codebook"][matrix["codes"]]
        np.testing.assert_array_equal(phase.matrix, levels)
        np.testing.assert_array_equal(np.transpose(phase.scales), matrix["scale"])
        if phase.bias and PARTS[part] != "projection":
            np.testing.assert_array_equal(phase.bias, layer["bias"])
        if phase.record["peephole"]:
            np.testing.assert_array_equal(np.transpose(phase.peepholes), layer["peepholes"])
    np.testing.assert_array_equal(np.transpose(image.table), golden["table"])


@pytest.mark.parametrize("at", [0, 40, 70, 400, -2])
def test_second_decoder_refuses_damage(at: int) -> None:
    spec, design = roomy("keras-lstm")
    data = bytearray(encode(network(np.random.default_rng(0), spec), design))
    data[at] ^= 1
    with pytest.raises(RefusedImageError, match=r"wrong checksum|not an image"):
        decode(bytes(data), facts(design))


@pytest.mark.parametrize(
    ("name", "record_word", "flipped", "message"),
    [
        ("dense", 5, 0x40, "without a meaning"),
        ("dense", 6, 0x80 << 8, "without a meaning"),
        ("dense", 6, 1 << 24, "a kind of cell or a format set without cells"),
        ("keras-lstm", 6, 1 << 24, "no such format set"),
        ("keras-lstm", 6, 1 << 27, "a kind of cell that the design lacks"),
        ("dense", 6, 1 << 28, "a window in a design without"),
        ("window", 6, 1 << 28, "none in a design with one"),
        ("window", 2, 2, "no multiple of 4"),
        ("dense", 6, 1 << 29, "without a meaning"),
        ("dense", 0, 1, "two stages at once"),
        ("dense", 0, 1 << 19, "without a meaning"),
        ("dense", 0, 1 << 14, "peepholes without an LSTM"),
        ("dense", 0, 3 << 24, "wrong stride|outside"),
        ("dense", 0, 1 << 28, "no such bank"),
        ("dense", 1, 1 << 16, "fullest|beyond|no padding"),
        ("dense", 2, 1 << 16, "wrong|outside|more"),
        ("dense", 3, 0x8000, "more items"),
        ("dense", 9, 1, "layers|twice"),
        ("dense", 9, 1 << 8, "parts|part"),
        ("dense", 9, 7 << 16, "rows of a full|full phase|fullest"),
        ("keras-lstm", 9, 4 << 16, "full phase in a design without"),
        ("fc", 10, 1 << 16, "wrong number of columns"),
        ("fc", 10, 0x7FFF, "beyond the pointers"),
        ("fc", 2, 1, "no multiple of 4"),
        ("fc", 11, 1 << 16, "threshold without delta"),
        ("fc", 12, 1 << 16, "without a meaning"),
    ],
)
def test_second_decoder_refuses_contradictions(name: str, record_word: int, flipped: int, message: str) -> None:
    spec, design = roomy(name)
    data = encode(network(np.random.default_rng(0), spec), design)
    decode(data, facts(design))
    with pytest.raises(RefusedImageError, match=message):
        decode(changed(data, (16 + record_word, flipped)), facts(design))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (1, 1),
        (3, 0),
        (4, 65),
        (5, 1 << 20),
        (6, 1 << 20),
        (7, 1 << 20),
        (8, 17),
        (9, 0),
        (10, 0),
        (14, 60 << 8),
        (15, 0),
    ],
)
def test_second_decoder_refuses_headers(field: int, value: int) -> None:
    spec, design = roomy("fc")
    data = encode(network(np.random.default_rng(0), spec), design)
    word = int.from_bytes(data[4 * field : 4 * field + 4], "little")
    with pytest.raises(RefusedImageError):
        decode(changed(data, (field, word ^ value)), facts(design))


def test_second_decoder_refuses_another_design() -> None:
    spec, design = roomy("fc")
    data = encode(network(np.random.default_rng(0), spec), design)
    with pytest.raises(RefusedImageError, match="another design"):
        decode(data, facts(replace(design, clock_mhz=design.clock_mhz + 1)))


@pytest.mark.parametrize(
    "name", ["fc", "delta-lstm", "dense", "keras-lstm", "fc-codebook", "window-int4", "gru-before"]
)
def test_a_flipped_entry_is_seen(name: str) -> None:
    """A flipped bit of entries or pointers is refused, or gives another matrix: no bit of them goes unread."""
    spec, design = roomy(name)
    data = encode(network(np.random.default_rng(1), spec), design)
    image = decode(data, facts(design))
    sizes = section_sizes(image.header, facts(design))
    begin = sum(sizes[part] for part in list(sizes)[: list(sizes).index("entries")])
    rng = np.random.default_rng(2)
    for word in rng.integers(begin, begin + sizes["entries"] + sizes["pointers"], 60):
        try:
            other = decode(changed(data, (int(word), 1 << int(rng.integers(32)))), facts(design))
        except RefusedImageError:
            continue
        assert [phase.matrix for phase in other.phases] != [phase.matrix for phase in image.phases]


@pytest.mark.parametrize(
    "name", ["uneven", "google-lstm", "stacked", "fc", "delta-google", "window", "gru-lstm", "zero-skipping-gru"]
)
def test_damage_below_the_checksum_is_refused_by_name(name: str) -> None:
    """Whatever a header or record says, the decoder gives matrices or refuses; it never fails in another way."""
    spec, design = roomy(name)
    data = encode(network(np.random.default_rng(4), spec), design)
    sizes = section_sizes(decode(data, facts(design)).header, facts(design))
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(80):
        word = int(rng.integers(4, sizes["header"] + sizes["phase table"]))
        damaged = changed(data, (word, 1 << int(rng.integers(32))))
        try:
            decode(damaged, facts(design))
            parse(np.frombuffer(damaged, dtype="<u4"), design)  # the host's reader refuses nothing else
        except RefusedImageError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("word", [0, 1, 2, 3, 4, 5, 8, 40, -5])
def test_stored_form_refuses_damage(word: int) -> None:
    spec, design = roomy("fc-codebook")
    data = encode(network(np.random.default_rng(0), spec), design)
    stored = compress(np.frombuffer(data, dtype="<u4"), design).astype("<u4").tobytes()
    assert expand(stored, facts(design)) == data
    damaged = bytearray(stored)
    damaged[4 * word] ^= 1
    for file in (bytes(damaged), changed(stored, (word, 1))):
        try:
            assert expand(file, facts(design)) != data
        except RefusedImageError:
            continue


def test_the_page_shows_the_small_image() -> None:
    page = image_example.PAGE.read_text(encoding="utf-8")
    assert page == image_example.written(page), "run `python -m support.image_example`"


def test_the_design_id_follows_from_the_page() -> None:
    for name in NAMES:
        _, design = roomy(name)
        assert canonical_design(design.to_json()) == design.canonical()
        assert design_id(design.to_json()) == design.design_id
