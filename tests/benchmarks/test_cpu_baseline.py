# SPDX-License-Identifier: Apache-2.0
"""benchmarks/cpu: its own sparse product, its record and its page."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cpu import baseline, modelled, page


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([0.0, 0.05, 0.5, 1.0]), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_csr_by_reduceat_is_the_dense_product(rows: int, columns: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = baseline.random_csr(rows, columns, density, rng)
    x = rng.standard_normal(columns, dtype=np.float32)
    assert np.count_nonzero(matrix.dense()) == len(matrix.data)
    np.testing.assert_allclose(matrix @ x, matrix.dense() @ x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scipy", [True, False])
def test_a_layer_is_measured_with_and_without_scipy(monkeypatch: pytest.MonkeyPatch, scipy: bool) -> None:
    if scipy:
        pytest.importorskip("scipy")
    else:
        monkeypatch.setattr(baseline, "csr_matrix", None)
    record = baseline.baseline(((40, 30), (20, 40)), 0.2, 0.5, repeats=5, seed=1)
    assert record["weights"] == 2000 and record["rows"] == 60
    assert ("csr_scipy" in record) == scipy
    assert 0 < record["dense"]["best_ms"] <= record["dense"]["median_ms"]


def test_the_quietest_round_counts() -> None:
    noisy, quiet = ({"rows": 1, "dense": {"median_ms": m, "best_ms": b}} for m, b in ((3.0, 1.0), (2.0, 1.5)))
    assert baseline.quietest([noisy, quiet]) == {"rows": 1, "dense": {"median_ms": 2.0, "best_ms": 1.0}}


def test_a_matrix_beyond_the_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "available_bytes", lambda: 100)
    assert "dense" not in baseline.baseline(((40, 30),), 0.2, 0.5, repeats=5, seed=1)


def test_energy_by_the_talks_table() -> None:
    assert modelled.nanojoules_dense(1000) == pytest.approx(650.6)
    assert modelled.nanojoules_csr(1000, 0) == pytest.approx(1290.6)
    assert modelled.nanojoules_skip(1000) == pytest.approx(1.25 + 0.5 + 2.25 + 3.2)


def test_page_labels_what_is_measured_and_what_is_modelled() -> None:
    engine = {"microseconds": 10.0, "cycles": 1e3, "entries": 5, "stored_bits": 9e6, "fits": False, "nanojoules": 2.0}
    known = {
        "engine": {"board": "pynq-z2", "seed": 0, "block_ram_bits": 5160960, "layers": {"L": engine}},
        "machines": [
            {
                **baseline.machine(),
                "load_after": 0.5,
                "seed": 0,
                "rounds": 1,
                "layers": {"L": {"weights": 1e6, "nonzeros": 1e5, "rows": 10, "csr_numpy": baseline.measure(int, 5)}},
            }
        ],
    }
    text = page.render(known)
    assert "| L | not measured | not measured | " in text
    assert text.count("(measured)") >= 4 and text.count("(modelled)") >= 4
    assert "| L | 10.0 | 5 | 9.0 | no | 0.00 |" in text


def test_ese_step_by_the_cycle_model() -> None:
    engine = modelled.ese_layer("pynq-z2")
    assert 5_000 < engine.cycles < 5_600 and engine.fits
    assert engine.entries == pytest.approx(324_813, rel=1e-3)
