# SPDX-License-Identifier: Apache-2.0
"""The energy of a delta LSTM: what is sent, and what the table makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.machines import skip_energy
from ese_host.estimate import TABLE, DesignOptions, Pruning, Scanned, design_of, energy_of, of_sizes
from ese_host.image import LstmSize
from support.ese_layer import ese_layer


def test_an_element_is_sent_if_it_left_what_was_sent_last_by_more_than_the_threshold() -> None:
    vectors = np.array([[3, 0, 2], [5, 0, 5], [6, 1, 5], [5, 2, -1]])
    assert skip_energy.sent(vectors, None).tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 1], [1, 1, 1]]
    assert skip_energy.sent(vectors, 0).tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
    assert skip_energy.sent(vectors, 2).tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]]


def test_skip_mode_adds_what_is_scanned_and_sent() -> None:
    """Vectors are read once for all PEs and written once; each PE reads two pointers for a column."""
    timed, plan, matrices = of_sizes([LstmSize(20, 32)], Pruning(0.3), 8, 1, "rtl")
    design, step = design_of(plan, matrices, Pruning(0.3), DesignOptions(8, 1, 100)), timed.step()
    scanned = Scanned(elements=60, compared=40, columns=10)
    stream, skip = energy_of(step, 1, design).parts, energy_of(step, 1, design, scanned).parts
    assert skip["SRAM: column pointers"] == pytest.approx(2 * 10 * 8 * TABLE["SRAM"] * 18 / 32)
    assert skip["SRAM: what was sent last"] == pytest.approx(2 * 40 * TABLE["SRAM"] * 18 / 32)
    assert skip["registers and LUTRAM: FIFOs"] == pytest.approx(2 * 10 * 8 * TABLE["register"] * 54 / 32)
    written = step.items["lstm"] + 2 * step.frame_words
    assert skip["SRAM: vectors"] == pytest.approx((60 + written) * TABLE["SRAM"] * 18 / 32)
    assert stream["SRAM: vectors"] == pytest.approx((step.entries + 4 * written) * TABLE["SRAM"] * 18 / 32)
    alike = [cause for cause in stream if cause != "SRAM: vectors"]
    assert [stream[cause] for cause in alike] == [skip[cause] for cause in alike]
    fewer = energy_of(replace(step, entries=1, weights=1), 1, design, scanned)
    assert fewer.total < energy_of(step, 1, design, scanned).total


def test_every_cause_of_energy_is_in_the_table() -> None:
    network = ese_layer(skip_energy.PES)
    causes = [cause for column in skip_energy.COLUMNS.values() for cause in column]
    run = skip_energy.delta(skip_energy.delta_network(network, (64, 16)), skip_energy.inputs_of(network))
    assert sorted(run.energy.parts) == sorted(causes)
