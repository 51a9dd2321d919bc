# SPDX-License-Identifier: Apache-2.0
"""The matrices that the engine makes of a model's kernels: their rows, and masks that balance each by itself."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as kl
from qkeras import QGRU, QLSTM, QDense

from ese_host.image import Interleave, entries_per_pe
from ese_host.ir import CELL_ROWS, MASK_FAMILIES, MaskFamily
from ese_models.masking import (
    MaskPlan,
    by_matrix,
    gap_bits_of,
    interleaves,
    kernel_mask,
    masks_for,
    matrices,
    matrix_loads,
    sparsity,
)
from ese_models.networks.qlstmp import QLSTMP
from ese_models.pruning import keep_per_pe
from ese_models.training.own_model import prune, quantize

BALANCED = [family for family in MASK_FAMILIES if family != "magnitude"]
GRU = {"kernel": (24, (0, 1, 2)), "recurrent_kernel": (24, (0, 1, 3))}
BEFORE = {"kernel": (24, (0, 1, 2)), "recurrent_kernel": (16, (0, 1)), "candidate_kernel": (8, (3,))}
LSTM = {"kernel": (32, CELL_ROWS), "recurrent_kernel": (32, CELL_ROWS)}


def built(layer: Any) -> Any:
    return keras.Sequential([keras.Input((6, 5)), layer])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: kl.GRU(8, name="it"), GRU),
        (lambda: QGRU(8, reset_after=True), GRU),
        (lambda: kl.GRU(8, reset_after=False, name="it"), BEFORE),
        (lambda: QGRU(8), BEFORE),
        (lambda: kl.LSTM(8, name="it"), LSTM),
        (lambda: QLSTM(8), LSTM),
        (lambda: QLSTMP(8, 3, name="it"), {**LSTM, "projection_kernel": (3, (0,))}),
        (lambda: QDense(8, name="it"), {"kernel": (8, (0,))}),
    ],
)
def test_rows_and_places_of_each_kind_of_layer(make: Any, expected: dict[str, tuple[int, tuple[int, ...]]]) -> None:
    layer = make()
    layer.name = "it"
    rows = interleaves(built(layer), 2)
    assert {name: (row.rows, row.places) for kernel in rows.values() for name, row in kernel.items()} == {
        f"it/{name}": value for name, value in expected.items()
    }
    assert list(rows) == [f"it/{name}" for name in expected if name != "candidate_kernel"]


@given(
    st.sampled_from(BALANCED),
    st.integers(1, 20),
    st.integers(1, 6),
    st.sampled_from([0.05, 0.1, 0.3, 0.7]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_each_matrix_of_a_kernel_is_balanced_by_itself(
    family: MaskFamily, units: int, pes: int, density: float, seed: int
) -> None:
    weights = np.random.default_rng(seed).normal(size=(3 * units, units)).astype(np.float32)
    rows = {"a": Interleave(2 * units, pes, (0, 1)), "b": Interleave(units, pes, (3,))}
    gap_bits = gap_bits_of({"k": rows}, "ternary")
    mask = kernel_mask(family, weights, density, rows, "ternary", gap_bits)
    assert mask.shape == weights.shape
    for name, part in by_matrix({"k": mask}, {"k": rows}).items():
        counts = [int(part[rows[name].rows_of(pe)].sum()) for pe in range(pes)]
        keep = keep_per_pe(part.size, density, pes)
        assert counts == [min(keep, part[rows[name].rows_of(pe)].size) for pe in range(pes)]
        if family == "gap-aware":
            assert entries_per_pe(part, rows[name], "ternary", gap_bits).tolist() == counts


@pytest.mark.parametrize("pes", [3, 8])
@pytest.mark.parametrize("reset_after", [True, False])
def test_masks_of_a_gru_give_every_pe_the_same_entries(reset_after: bool, pes: int) -> None:
    keras.utils.set_random_seed(1)
    model = built(kl.GRU(48, reset_after=reset_after, name="g"))
    rows, weights = interleaves(model, pes), matrices(model)
    plan = MaskPlan(density=0.1, pes=pes, gap_bits=gap_bits_of(rows, "ternary"))
    masks = masks_for(weights, rows, plan, plan.density, plan.family)
    found = matrix_loads(weights, masks, rows, dict.fromkeys(weights, plan.kind), plan.gap_bits)
    assert len(found) == 3 - reset_after
    for name, load in found.items():
        assert len(set(load.entries_per_pe)) == 1 and load.padding == 0, name


def test_the_summary_and_the_twin_of_a_gru_without_reset_after() -> None:
    model = keras.Sequential([keras.Input((6, 5)), kl.GRU(8, reset_after=False, name="g"), kl.Dense(3, name="out")])
    coded = quantize(prune(model, density=0.25, pes=4, emphasis=(1, 1)), "int4")
    assert str(sparsity(coded)).splitlines() == [
        "kernel              shape  kept  of   density  entries per PE  masked",
        "g/kernel            5x24   32    120  26.7%    8 to 8          yes",
        "g/recurrent_kernel  8x16   32    128  25.0%    8 to 8          yes",
        "g/candidate_kernel  8x8    16    64   25.0%    4 to 4          yes",
        "out/kernel          8x3    6     24   25.0%    0 to 2          yes",
        "all                        86    336  25.6%",
        f"balance over 4 PEs: {sparsity(coded).balance:.1%}",
    ]
    layer = coded.get_layer("g")
    assert type(layer) is QGRU and not layer.reset_after and layer.cell.bias.shape == (24,)
    quantizers = ("kernel", "recurrent", "bias", "state")
    assert all(getattr(layer, f"{name}_quantizer_internal") is not None for name in quantizers)
    with_reset = quantize(built(kl.GRU(8, name="g")), "ternary").get_layer("g")
    assert with_reset.reset_after and with_reset.cell.bias.shape == (2, 24)
