# SPDX-License-Identifier: Apache-2.0
"""Images of GRU layers: their kinds of cells in the host's reader, and the layers that no image holds."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ese_hls.encode import choose_design, encoder
from ese_host import image
from ese_host.errors import CapacityError, MismatchError, UnsupportedError
from ese_host.files.words import Words
from ese_host.image import Design
from ese_host.ir import Fixed, Gru, Matrix, Network
from support.designs import roomy
from support.networks import Cell, Spec, network


def made(name: str) -> tuple[Design, Words]:
    spec, design = roomy(name)
    data = encoder.encode(network(np.random.default_rng(1), spec), design)
    return design, np.frombuffer(data, dtype="<u4").astype(np.uint32)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("gru", ["gru", None, None]),
        ("gru-before", ["reset", None, "gru_before"]),
        ("gru-lstm", ["reset", None, "gru_before", None, "lstm", None, "gru", None]),
        ("zero-skipping-gru", ["reset", None, "gru_before", None, "gru", None, None]),
    ],
)
def test_the_reader_tells_the_kinds_of_cells(name: str, kinds: list[str | None]) -> None:
    design, words = made(name)
    phases = image.parse(words, design).phases
    assert [phase.kind if phase.has("lstm") else None for phase in phases] == kinds
    cells = {"lstm" if kind == "lstm" else "gru" for kind in kinds if kind}
    assert set(design.cells.split("+")) == cells


def test_an_lstm_is_refused_where_the_design_has_only_gru_cells() -> None:
    design, words = made("gru")
    words[image.parse(words, design).sections["phase table"].start + 6] ^= 1 << 26
    words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
    with pytest.raises(
        MismatchError, match=r"^image: phase 0 has cells of kind 'lstm'; the design computes gru: emit a design for"
    ):
        image.parse(words, design)


def changed(cell: Cell, **changes: Any) -> Network:
    """A network of one GRU layer with some fields changed."""
    net = network(np.random.default_rng(0), Spec(units=(3,), cells=(cell,), outputs=0, output=None, pattern="full"))
    (layer,) = net.layers
    assert isinstance(layer, Gru)
    return Network((replace(layer, **changes),), net.source)


@pytest.mark.parametrize(
    ("reset", "message"),
    [
        (
            Fixed(17, 4),
            r"its format of r \* h is fixed<17,4>; at most 16 bits, the sign included, and no more fraction",
        ),
        (Fixed(16, 4, signed=False), r"its format of r \* h is ufixed<16,4>; at most 16 bits, the sign included, and"),
        (Fixed(16, -5), r"its format of r \* h is fixed<16,-5>; .* than the product's 20 can be stored: give it fewer"),
        (Fixed(16, 4), ""),
        (Fixed(15, -5, signed=False), ""),
    ],
)
def test_a_product_that_cannot_be_stored_is_refused(reset: Fixed, message: str) -> None:
    net = changed("gru_before", reset=reset)
    if not message:
        encoder.encode(net, choose_design(net, pes=2))
        return
    with pytest.raises(UnsupportedError, match=f"^layer 'gru0': {message}"):
        choose_design(net, pes=2)


@pytest.mark.parametrize(
    ("cell", "mode", "message"),
    [
        ("gru", "stream", "has delta thresholds; stream mode multiplies every element: use mode 'skip'"),
        ("gru_before", "skip", "has delta thresholds, and is a GRU without reset_after, in which r"),
    ],
)
def test_thresholds_are_refused_by_form_and_mode(cell: Cell, mode: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^layer 'gru0' {message}"):
        choose_design(changed(cell, delta_input=3), pes=2, mode=mode)


def with_codes(matrix: Matrix, *ones: tuple[int, int]) -> Matrix:
    """A matrix that is zero but for codes of one at some places."""
    codes = np.zeros_like(matrix.codes)
    for place in ones:
        codes[place] = 1
    return replace(matrix, codes=codes)


@pytest.mark.parametrize("cell", ["gru", "gru_before"])
@pytest.mark.parametrize(("share", "refused"), [(1000, False), (1100, True)])
def test_both_parts_of_the_candidate_count_in_its_sum(cell: Cell, share: int, refused: bool) -> None:
    """Each part alone may come near 2^11, and both together must stay below it."""
    (layer,) = changed(cell).layers
    assert isinstance(layer, Gru)
    bias = np.zeros_like(layer.bias)
    bias[2 * layer.units] = share
    parts: dict[str, Any] = {"kernel": with_codes(layer.kernel), "recurrent": with_codes(layer.recurrent)}
    if layer.candidate is None:
        bias[3 * layer.units] = share
    else:
        scale = np.full_like(layer.candidate.scale, share)
        parts["candidate"] = replace(with_codes(layer.candidate, (0, 0)), scale=scale, scale_frac=0)
        parts["reset"] = Fixed(8, 1)
    net = changed(cell, bias=bias, bias_frac=0, **parts)
    if not refused:
        encoder.encode(net, choose_design(net, pes=2))
        return
    with pytest.raises(CapacityError, match=r"^layer 'gru0': a sum of its weights times inputs .* need 49 bits"):
        choose_design(net, pes=2)
