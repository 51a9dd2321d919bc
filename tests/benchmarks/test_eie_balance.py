# SPDX-License-Identifier: Apache-2.0
"""ESE's load balance: what balanced masks gain over unbalanced ones, in simulation."""

import numpy as np
import pytest

from benchmarks.machines.balance import ESE_SHAPES, BalanceRun, draw_lstm, run_step

Runs = dict[bool, BalanceRun]


@pytest.fixture(scope="module")
def runs() -> Runs:
    weights = draw_lstm(0, heavy_tailed=True, row_spread=0.2)
    return {balance: run_step(weights, balance=balance) for balance in (True, False)}


def test_the_layer_is_eses() -> None:
    assert sum(rows * columns for rows, columns in ESE_SHAPES.values()) == 3_248_128


def test_balance_gains_what_it_must_and_no_more_than_sparsity_allows(runs: Runs) -> None:
    balanced, magnitude = runs[True], runs[False]
    assert balanced.density == pytest.approx(0.1, abs=1e-3) and magnitude.density == pytest.approx(0.1, abs=1e-3)
    assert magnitude.fifo_speedup < balanced.fifo_speedup < balanced.stream_speedup < 1 / balanced.entry_density
    assert balanced.fifo_speedup / magnitude.fifo_speedup > 1.03
    assert balanced.stream_speedup > 0.97 / balanced.entry_density  # padding alone unbalances it


def test_entry_density_is_near_eses(runs: Runs) -> None:
    assert runs[True].entry_density == pytest.approx(0.112, abs=0.006)


def test_a_dense_matrix_gains_nothing() -> None:
    weights = {"W": np.ones((64, 20))}
    run = run_step(weights, balance=True, density=1.0, pes=32)
    assert run.dense_cycles == run.stream_cycles == 40
    assert run.fifo_cycles == 41


def test_unbalanced_rows_cost_the_unbalanced_mask_alone() -> None:
    rng = np.random.default_rng(5)
    weights = {"W": rng.standard_normal((256, 100)) * np.where(np.arange(256) % 32 == 0, 3.0, 1.0)[:, None]}
    balanced, magnitude = (run_step(weights, balance=balance) for balance in (True, False))
    assert magnitude.stream_cycles > 2 * balanced.stream_cycles
