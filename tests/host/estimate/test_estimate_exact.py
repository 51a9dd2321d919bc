# SPDX-License-Identifier: Apache-2.0
"""An estimate by sizes equals the encoded image in every phase, memory and iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="gap-aware masks come with the 'train' extra")
pytest.importorskip("ese_hls.encode.encoder", reason="the encoder comes with the 'hls' extra")

from ese_hls.encode import encoder, fit_design
from ese_hls.encode.packing import pack_sparse
from ese_host import image
from ese_host.estimate import cycles, masks
from ese_host.estimate.design_choice import DesignOptions, design_of
from ese_host.estimate.masks import Pruning
from ese_host.estimate.timing import TimedNetwork, of_image, of_sizes
from ese_host.image.design import Design
from ese_host.image.entry_widths import EntryWidths
from ese_host.image.interleave import Interleave
from ese_host.image.reader import Image
from ese_host.image.sizes import LayerSize, LstmSize, MatrixSize, sizes_of
from ese_host.ir.mask_families import ESTIMATED, MASK_FAMILIES
from ese_host.ir.network import Layer, Matrix, Network
from ese_host.ir.weight_kinds import WeightKind
from ese_models.pruning import gap_aware
from support.networks import HARD8, SMOOTH16, Rng, Spec, network

CASES = {
    "keras-lstm": (Spec(inputs=13, units=(24,), outputs=5), 8, 5, 0.2, 2),
    "google-lstm": (
        Spec(inputs=19, units=(64,), projection=32, peepholes=True, outputs=0, sequences=True, activations=SMOOTH16),
        16, 5, 0.1, 2,
    ),
    "projected, then classes": (Spec(inputs=7, units=(32,), projection=12, outputs=6), 8, 4, 0.3, 1),
    "stacked": (Spec(inputs=9, units=(16, 24), outputs=4, sequences=True, kind="codebook4"), 8, 4, 0.25, 2),
    "stored outputs": (Spec(inputs=9, units=(16, 16), outputs=0, sequences=True, activations=SMOOTH16), 4, 4, 0.3, 2),
    "hidden": (Spec(inputs=10, units=(20,), hidden=(12,), outputs=6, activations=SMOOTH16), 4, 5, 0.3, 1),
    "dense": (Spec(inputs=40, units=(), hidden=(32,), outputs=8, sequences=True, kind="int4"), 16, 5, 0.2, 2),
    "odd": (Spec(inputs=11, units=(21,), outputs=5, kind="int4", activations=HARD8, sequences=True), 7, 6, 0.4, 1),
    "more PEs than cells": (Spec(inputs=6, units=(5,), outputs=3), 16, 4, 0.5, 2),
    "gru": (Spec(inputs=13, units=(24,), cells=("gru",), outputs=5), 8, 5, 0.2, 2),
    "gru, reset before": (Spec(inputs=13, units=(24,), cells=("gru_before",), outputs=5), 8, 6, 0.3, 1),
    "gru, lstm, gru": (
        Spec(inputs=9, units=(16, 20, 12), cells=("gru", "lstm", "gru_before"), outputs=4, sequences=True),
        8, 5, 0.4, 2,
    ),
    "one PE": (Spec(inputs=6, units=(6,), outputs=3, kind="int4"), 1, 5, 0.3, 1),
}  # fmt: skip


def pruned(rng: Rng, spec: Spec, pes: int, gap_bits: int, density: float) -> Network:
    """A network of random weights with gap-aware masks; the code of every kept weight is not zero."""

    def sparse(matrix: Matrix, places: tuple[int, ...]) -> Matrix:
        interleave = Interleave(len(matrix.codes), pes, places)
        mask = gap_aware(rng.laplace(size=matrix.codes.shape), density, interleave, matrix.kind, gap_bits)
        return replace(matrix, codes=matrix.codes * mask)

    net = network(rng, replace(spec, pattern="full"))
    layers: list[Layer] = [
        replace(layer, **{part: sparse(matrix, layer.places(part)) for part, matrix in layer.matrices().items()})  # type: ignore[arg-type]
        for layer in net.layers
    ]
    return replace(net, layers=tuple(layers))


def encoded(net: Network, pes: int, gap_bits: int, units: int) -> tuple[Image, Design]:
    design = fit_design.choose_design(net, pes=pes, gap_bits=gap_bits, cells_per_cycle=units)
    words = np.frombuffer(encoder.encode(net, design), dtype="<u4").astype(np.uint32)
    return image.parse(words, design), design


def assert_equal(made: Image, design: Design, layers: Sequence[LayerSize], pruning: Pruning) -> TimedNetwork:
    """Check that phases, memories and iterations of an image are those that follow from the sizes."""
    choices = DesignOptions(design.pes, design.cells_per_cycle, 100, design.acc_banks, design.acc_bits)
    timed, table, works = of_sizes(layers, pruning, design.pes, design.cells_per_cycle)
    assert timed.exact
    for phase, expected, work, counts in zip(timed.model.phases, made.phases, works, made.counts, strict=True):
        assert phase.flags == expected.flags - {"relu"}  # ReLU changes values, not time
        for name in ("layer", "part", "items", "entry_count", "source_base", "first_base", "second_base"):
            assert getattr(phase, name) == getattr(expected, name), name
        np.testing.assert_array_equal(work.entries, counts)
    sized = design_of(table, works, pruning, choices)
    depths = [
        "entry_depth", "group_depth", "vector_depth", "param_depth", "cell_depth", "phases", "weights", "gap_bits",
        "cells",
    ]  # fmt: skip
    assert {name: getattr(sized, name) for name in depths} == {name: getattr(design, name) for name in depths}
    for steps in (1, 2, 3, 6):
        assert timed.sequence(steps) == cycles.account(made, design, steps)
    assert timed.step() == of_image(made, design).step()
    return timed


@pytest.mark.parametrize("name", CASES)
def test_sizes_give_what_the_encoder_and_the_engine_do(name: str) -> None:
    spec, pes, gap_bits, density, units = CASES[name]
    net = pruned(np.random.default_rng(1), spec, pes, gap_bits, density)
    made, design = encoded(net, pes, gap_bits, units)
    assert_equal(made, design, sizes_of(net), Pruning(density, "gap-aware", spec.kind, gap_bits))


@pytest.mark.slow
@pytest.mark.parametrize("pes", [64, 128])
def test_the_ese_layer_as_encoded(pes: int) -> None:
    spec = Spec(inputs=153, units=(1024,), projection=512, peepholes=True, outputs=0, activations=SMOOTH16)
    spec = replace(spec, sequences=True)
    net = pruned(np.random.default_rng(2), spec, pes, 5, 0.1)
    design = fit_design.choose_design(net, pes=pes, gap_bits=5)
    words = np.frombuffer(encoder.encode(net, design), dtype="<u4").astype(np.uint32)
    assert_equal(image.parse(words, design), design, sizes_of(net), Pruning(0.1))


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 90),
    density=st.floats(0.02, 1),
    pes=st.integers(1, 9),
    kind=st.sampled_from(["ternary", "int4"]),
    held=st.sampled_from([8, 32]),
)
def test_modelled_waits_are_those_of_the_encoder(
    rows: int, columns: int, density: float, pes: int, kind: WeightKind, held: int
) -> None:
    """The modelled entries are those that the encoder makes of the same positions."""
    size, pruning = MatrixSize("kernel", rows, columns), Pruning(density, "magnitude", kind, 3, window=held)
    mask = np.zeros((rows, columns), dtype=np.int64)
    mask[np.divmod(masks._random_weights(size, 0, density, 0), columns)] = 1
    matrix = Matrix(mask, kind, np.ones((2, rows), dtype=np.int64), 0)
    encoded = pack_sparse(matrix, size.interleave(pes), EntryWidths(kind, 3), "stream", held)
    np.testing.assert_array_equal(masks.entries_of(size, 0, pruning, pes).entries, encoded.counts)


def test_the_waits_of_gap_aware_masks_are_modelled() -> None:
    """Without a window ESE's layer at 128 PEs has exact entries; with one its projection waits for the vector."""
    layer = LstmSize(153, 1024, 512, peepholes=True)
    for window, exact, fullest in ((0, True, [1638, 490, 410]), (64, False, [1638, 490, 522])):
        timed, plan, matrices = of_sizes([layer], Pruning(0.1, window=window), 128, 2)
        assert (timed.exact, [int(matrix.entries.max()) for matrix in matrices]) == (exact, fullest)
        design = design_of(plan, matrices, Pruning(0.1, window=window), DesignOptions(128, 2, 100))
        assert design.window == window


def test_mask_families_are_among_those_of_training() -> None:
    assert set(ESTIMATED) < set(MASK_FAMILIES)
