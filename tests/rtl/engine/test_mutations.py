# SPDX-License-Identifier: Apache-2.0
"""The tests of the engine in RTL can fail: each of the faults of mutants.py is found by what they compare."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from mutants import MUTATIONS, NUMBERS, OF_GRU, OF_TWO_UNITS_AND_WINDOW, Mutation, mutants

from ese_hls.encode import choose_design
from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import DeviceError
from ese_host.image import Design
from support import compiled_engine
from support.networks import Spec, inputs, network
from support.rtl_engine import WatchedEngine, opened

SPEC = Spec(inputs=200, units=(6,), projection=4, peepholes=True, outputs=2, density=0.1)
"""With 2 PEs: two rows a PE of the projection, one of the last layer, and frames that are long beside the matrices."""
FULL = Spec(inputs=200, units=(6,), projection=4, peepholes=True, outputs=2, pattern="full")
ODD = Spec(inputs=9, units=(5,), projection=7, peepholes=True, outputs=3, pattern="full")
"""With two units and 4 PEs: the second unit has fewer items than the first in every stage."""
GRU = Spec(inputs=9, units=(6, 5), cells=("gru_before", "gru"), outputs=2, pattern="full")


@pytest.fixture(scope="module")
def design() -> Design:
    return choose_design(
        network(np.random.default_rng(0), FULL), pes=2, gap_bits=4, cells_per_cycle=1, storage="sparse"
    )


@pytest.fixture(scope="module")
def library(design: Design) -> ctypes.CDLL:
    return opened(mutants(design), design)


def compare(design: Design, engine: EmulatedEngine, number: int) -> None:
    """Compare two networks, one with few weights and one with all of them, while a mutation is on.

    Args:
        design: the design.
        engine: its engine with the mutations.
        number: of the mutation, or 0 for none.
    """
    rng = np.random.default_rng(1)
    for spec in (SPEC, FULL):
        net = network(rng, spec)
        engine.register(1)
        loaded = compiled_engine.load(engine, net, design)
        engine.register(2 * number + 1)
        compiled_engine.compare(engine, net, loaded, inputs(rng, net, 2, 3))


def test_the_engine_with_its_mutations_off_is_right(design: Design, library: ctypes.CDLL) -> None:
    with WatchedEngine(design, library) as engine:
        compare(design, engine, 0)


def test_stalled_words_are_stored_beside_matrices(design: Design, library: ctypes.CDLL) -> None:
    """Frames that are longer than matrices, word by word: PEs read the RAM while words come late."""
    with WatchedEngine(design, library) as engine:
        for seed in range(1, 13):
            engine.stall(seed, 600, 300 * (seed % 2))
            compare(design, engine, 0)


@contextmanager
def finding(mutation: Mutation, library: ctypes.CDLL) -> Iterator[EmulatedEngine]:
    """An engine for a comparison, which must fail with the sign of a mutation."""
    with EmulatedEngine(library) as engine, pytest.raises((AssertionError, DeviceError), match=mutation.sign):
        yield engine


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_fault_is_found(name: str, design: Design, library: ctypes.CDLL) -> None:
    with finding(MUTATIONS[name], library) as engine:
        compare(design, engine, NUMBERS[name])


def test_a_stage_that_begins_early_is_found_by_the_cycle_model(design: Design, library: ctypes.CDLL) -> None:
    with WatchedEngine(design, library) as engine, pytest.raises(AssertionError, match="cycles of packet"):
        compare(design, engine, NUMBERS["a stage that begins a clock early"])


def compare_one(spec: Spec, design: Design, engine: EmulatedEngine, number: int) -> None:
    """Compare a network while a mutation is on.

    Args:
        spec: of the network: `ODD`, with odd numbers of items on two units and with a window, or `GRU`, of both forms.
        design: the design.
        engine: its engine with the mutations.
        number: of the mutation, or 0 for none.
    """
    rng = np.random.default_rng(1)
    net = network(rng, spec)
    engine.register(2 * number + 1)
    loaded = compiled_engine.load(engine, net, design)
    compiled_engine.compare(engine, net, loaded, inputs(rng, net, 2, 3))


@pytest.fixture(scope="module")
def odd_design() -> Design:
    return choose_design(
        network(np.random.default_rng(0), ODD), pes=4, gap_bits=4, cells_per_cycle=2, window=8, storage="sparse"
    )


@pytest.fixture(scope="module")
def odd_library(odd_design: Design) -> ctypes.CDLL:
    return opened(mutants(odd_design), odd_design, optimize=False)


@pytest.mark.slow
def test_two_units_with_their_mutations_off_are_right(odd_design: Design, odd_library: ctypes.CDLL) -> None:
    with WatchedEngine(odd_design, odd_library) as engine:
        compare_one(ODD, odd_design, engine, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_TWO_UNITS_AND_WINDOW)
def test_the_fault_of_two_units_is_found(name: str, odd_design: Design, odd_library: ctypes.CDLL) -> None:
    with finding(OF_TWO_UNITS_AND_WINDOW[name], odd_library) as engine:
        compare_one(ODD, odd_design, engine, NUMBERS[name])


@pytest.fixture(scope="module")
def gru_design() -> Design:
    return choose_design(network(np.random.default_rng(0), GRU), pes=4, gap_bits=4, cells_per_cycle=1, storage="sparse")


@pytest.fixture(scope="module")
def gru_library(gru_design: Design) -> ctypes.CDLL:
    return opened(mutants(gru_design), gru_design, optimize=False)


def test_gru_cells_with_their_mutations_off_are_right(gru_design: Design, gru_library: ctypes.CDLL) -> None:
    with WatchedEngine(gru_design, gru_library) as engine:
        compare_one(GRU, gru_design, engine, 0)


@pytest.mark.parametrize("name", OF_GRU)
def test_the_fault_of_gru_cells_is_found(name: str, gru_design: Design, gru_library: ctypes.CDLL) -> None:
    with finding(OF_GRU[name], gru_library) as engine:
        compare_one(GRU, gru_design, engine, NUMBERS[name])
