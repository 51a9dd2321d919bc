# SPDX-License-Identifier: Apache-2.0
"""Networks: properties on which the engine relies, saving and loading, error messages."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ese_host.errors import FormatError, MismatchError, MissingError, UnsupportedError
from ese_models.masking import stored_codes
from ese_models.networks.builder import Formats, Weights, classifier
from ese_models.networks.inspection import check_finite, constraints, formats_of, kernels, load
from ese_models.networks.mask_constraint import SMALLEST_KEPT, MaskConstraint
from ese_models.pruning.masks import Mask

SIZES = {"units": 6, "outputs": 3, "steps": 5, "features": 4}
SHAPES = {"lstm/kernel": (4, 24), "lstm/recurrent_kernel": (6, 24), "dense/kernel": (6, 3)}


def masked(weights: Weights, formats: Formats | None = None, seed: int = 0) -> tuple[Any, dict[str, Mask]]:
    rng = np.random.default_rng(seed)
    masks = {name: rng.random(shape) < 0.4 for name, shape in SHAPES.items()}
    model = classifier(**SIZES, weights=weights, masks=masks, formats=formats)
    for variable in kernels(model).values():
        variable.assign(variable.constraint(variable))
    return model, masks


@pytest.mark.parametrize(
    ("formats", "weights"),
    [
        pytest.param(formats, weights, id=f"{name}-{weights}", marks=pytest.mark.slow if weights == "int4" else [])
        for name, formats in (("smooth", Formats()), ("hard", Formats.hard()))
        for weights in ("float", "ternary", "int4")
    ],
)
def test_save_and_load_round_trip(tmp_path: Path, weights: Weights, formats: Formats) -> None:
    model, masks = masked(weights, formats)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    inputs = np.random.default_rng(1).normal(size=(7, 5, 4)).astype(np.float32)
    assert (again.predict(inputs, verbose=0) == model.predict(inputs, verbose=0)).all()
    assert formats_of(again) == formats_of(model) == formats
    for name, held in constraints(again).items():
        assert (held.mask == masks[name]).all()
    assert [layer.name for layer in again.layers] == ["source", "lstm", "dense", "softmax"]


@pytest.mark.parametrize("weights", ["ternary", "int4"])
def test_codes_are_zero_exactly_where_the_mask_is(weights: Weights) -> None:
    model, masks = masked(weights)
    for name, codes in stored_codes(model).items():
        assert ((codes != 0) == masks[name].T).all()
    assert model.get_layer("lstm").kernel_quantizer_internal.kind == weights
    assert model.get_layer("dense").kernel_quantizer_internal.kind == weights


def test_hard_network_has_eight_bit_formats_and_power_of_two_scales() -> None:
    model, _ = masked("int4", Formats.hard())
    _, scale, _ = model.get_layer("lstm").kernel_quantizer_internal.codes_and_scale(kernels(model)["lstm/kernel"])
    assert all(value & (value - 1) == 0 for value in scale.tolist())
    lstm = model.get_layer("lstm")
    assert lstm.state_quantizer_internal.bits == 8 and not lstm.activation.use_real_tanh
    assert not lstm.recurrent_activation.use_real_sigmoid


def test_constraint_keeps_kept_weights_from_zero() -> None:
    held = MaskConstraint([[True, True], [False, True]])
    found = keras.ops.convert_to_numpy(held(keras.ops.convert_to_tensor([[0.0, -0.5], [3.0, -1e-9]])))
    assert found.tolist() == [[SMALLEST_KEPT, -0.5], [0.0, -SMALLEST_KEPT]]
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(held))
    assert (again.mask == held.mask).all()
    held.assign(np.array([[False, True], [True, True]]))
    assert held.mask.tolist() == [[False, True], [True, True]]
    with pytest.raises(MismatchError, match=r"mask has shape \(3,\); the weight's is \(2, 2\)"):
        held.assign(np.ones(3, dtype=bool))


def test_a_weight_that_is_nan_is_refused_by_layer_and_name(tmp_path: Path) -> None:
    model, _ = masked("ternary")
    cell = model.get_layer("lstm").cell
    array = cell.recurrent_kernel.numpy()
    array[2, 5] = np.nan
    cell.recurrent_kernel.assign(array)
    message = r"layer 'lstm': recurrent_kernel at \(2, 5\) is nan; finite weights are needed"
    with pytest.raises(FormatError, match=message):
        check_finite(model)
    model.save(tmp_path / "nan.keras")
    with pytest.raises(FormatError, match=message):
        load(tmp_path / "nan.keras")


def test_files_and_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="is not there; make it with `ese4ml train`"):
        load(tmp_path / "none.keras")
    (tmp_path / "bad.keras").write_bytes(b"no archive")
    with pytest.raises(FormatError, match=r"bad\.keras cannot be read as a Keras model"):
        load(tmp_path / "bad.keras")
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(UnsupportedError, match="layers Dense; QLSTM, QLSTMP, QGRU or QBidirectional, then QDense"):
        load(tmp_path / "other.keras")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"source": (17, 2)}, "source quantizer has 17 bits"),
        ({"gate_bits": 9}, r"9 \+ 8 bits; their product o \* tanh\(c\) may have"),
    ],
)
def test_formats_wider_than_the_engine_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Formats(**config)
