# SPDX-License-Identifier: Apache-2.0
"""TWN, TTQ and codebooks: codes equal Keras's values, gradients are those of the papers, state is saved."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from drawn import SETTINGS, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from qkeras import QLSTM, QDense, quantized_bits, ternary

from ese_host.errors import FormatError, MismatchError, UnsupportedError
from ese_host.ir.quantizers import TellsCodebook, TellsCodes, tells_codes
from ese_models.pruning.masks import Mask
from ese_models.quantizers import Codebook, MaskedInt4, MaskedTernary, Ttq, Twn
from ese_models.quantizers.kmeans import Start

Array = npt.NDArray[np.float32]

CONFIGS = st.fixed_dictionaries({**SETTINGS, "threshold": st.sampled_from([None, 0.05, 0.7])})


def real(quantizer: TellsCodes, array: Array) -> Array:
    """The values that codes and scales stand for, as float32."""
    codes, scale, frac = quantizer.codes_and_scale(array)
    levels = codes if not isinstance(quantizer, Codebook) else quantizer.codebook[codes]
    pair = np.broadcast_to(scale, (2, array.shape[1]))
    values = np.ldexp((levels * np.where(levels >= 0, pair[0], pair[1])).astype(np.float64), -frac)
    return np.asarray(values, dtype=np.float32)


@given(weights(), st.sampled_from([Twn, Ttq]), CONFIGS, st.floats(-1, 1000, width=32))
@settings(max_examples=120, deadline=None)
def test_ternary_codes_are_what_keras_computes_with_and_groups_stay(
    given_weights: tuple[Array, Mask], kind: type[Any], config: dict[str, Any], scale: float
) -> None:
    array, mask = given_weights
    quantizer = kind(array.shape, **config)
    quantizer.assign(mask)
    if kind is Ttq:
        quantizer.start(array)
        quantizer.negative.assign(np.full(quantizer.negative.shape, scale))
    codes, scales, frac = quantizer.codes_and_scale(array)
    assert scales.shape == ((2, array.shape[1]) if kind is Ttq else (array.shape[1],))
    assert scales.min() >= 0 and scales.max() < 1 << 16 and 0 <= frac <= config["max_frac"]
    assert (keras.ops.convert_to_numpy(quantizer(array)) == real(quantizer, array)).all()
    assert (codes[codes != 0] == np.sign(array[codes != 0])).all() and not codes[~mask].any()
    if config["threshold"] is None:
        assert ((codes != 0) == (mask & (array != 0))).all()
        assert ((real(quantizer, array) != 0) == (codes != 0)).all()


@given(weights(), st.integers(2, 8), st.sampled_from(["linear", "density", "random"]))
@settings(max_examples=80, deadline=None)
def test_codebook_codes_are_what_keras_computes_with_and_no_weight_is_lost(
    given_weights: tuple[Array, Mask], bits: int, start: Start
) -> None:
    array, mask = given_weights
    array = array * mask
    rows, columns = array.shape
    quantizer = Codebook((rows, columns), bits)
    quantizer.fit(array, start)
    codes, scale, _ = quantizer.codes_and_scale(array)
    assert ((codes != 0) == (array != 0)).all() and codes.max() < 1 << bits and (scale == 1).all()
    assert quantizer.codebook[0] == 0 and np.abs(quantizer.codebook).max() < 1 << 15
    assert quantizer.codebook[1 : 1 << bits].all() and len(quantizer.codebook) == max(16, 1 << bits)
    assert (keras.ops.convert_to_numpy(quantizer(array)) == real(quantizer, array)).all()


def test_thresholds_and_scales_are_those_of_the_papers() -> None:
    array = np.array([[0.9, -0.1], [-0.5, 0.05], [0.3, -0.7]], dtype=np.float32)  # mean |w| = 0.425
    codes, scale, frac = Twn((3, 2), per_channel=False, threshold=0.7).codes_and_scale(array)
    assert codes.tolist() == [[1, 0], [-1, 0], [1, -1]]
    assert np.allclose(scale / 2**frac, (0.9 + 0.5 + 0.3 + 0.7) / 4, atol=2**-16)
    quantizer = Ttq((3, 2), per_channel=False, threshold=0.1)  # 0.1 * 0.9
    quantizer.start(array)
    codes, scale, frac = quantizer.codes_and_scale(array)
    assert codes.tolist() == [[1, -1], [-1, 0], [1, -1]]
    assert np.allclose(scale / 2**frac, [[0.6] * 2, [(0.1 + 0.5 + 0.7) / 3] * 2], atol=2**-16)


def test_twn_under_a_mask_is_masked_ternary() -> None:
    rng = np.random.default_rng(0)
    array, mask = rng.normal(size=(9, 7)).astype(np.float32), rng.random((9, 7)) < 0.3
    quantizer = Twn((9, 7))
    quantizer.assign(mask)
    codes, scale, frac = quantizer.codes_and_scale(array)
    masked_codes, masked_scale, masked_frac = MaskedTernary().codes_and_scale(array * mask)
    assert np.array_equal(codes, masked_codes) and np.array_equal(scale, masked_scale) and frac == masked_frac


def test_gradients_of_ttq_are_equations_7_and_8() -> None:
    import tensorflow as tf

    array = np.array([[0.5, -0.2], [0.01, 0.9], [-0.4, -0.8]], dtype=np.float32)
    gradient = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=np.float32)
    quantizer = Ttq((3, 2), per_channel=False, threshold=0.05)
    quantizer.positive.assign([[0.75]])
    quantizer.negative.assign([[0.25]])
    variable = tf.Variable(array)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(quantizer(variable) * gradient)
    latent, positive, negative = tape.gradient(total, [variable, quantizer.positive.value, quantizer.negative.value])
    assert positive.numpy().tolist() == [[1 + 4]] and negative.numpy().tolist() == [[-(2 + 5 + 6)]]
    assert latent.numpy().tolist() == [[0.75, 0.5], [3, 3], [1.25, 1.5]]


def test_gradients_of_a_centroid_are_summed_over_its_weights() -> None:
    import tensorflow as tf

    array = np.array([[1.0, 0.0], [1.1, -2.0], [-2.1, 3.0]], dtype=np.float32)
    gradient = np.array([[1.0, 2.0], [4.0, 8.0], [16.0, 32.0]], dtype=np.float32)
    quantizer = Codebook((3, 2), bits=2)
    quantizer.fit(array)
    variable = tf.Variable(array)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(quantizer(variable) * gradient)
    centroids, latent = tape.gradient(total, [quantizer.centroids.value, variable])
    assert np.allclose(quantizer.centroids, [-2.05, 1.05, 3.0])
    assert centroids.numpy().tolist() == [8 + 16, 1 + 4, 32] and not latent.numpy().any()


def model_of(kind: type[Any]) -> tuple[Any, list[Any]]:
    rng = np.random.default_rng(1)
    lstm = QLSTM(4, kernel_quantizer=kind((3, 16)), recurrent_quantizer=kind((4, 16)), implementation=2)
    model = keras.Sequential([keras.Input((5, 3)), lstm, QDense(2, kernel_quantizer=kind((4, 2)))])
    holders = [(lstm.cell, "kernel"), (lstm.cell, "recurrent"), (model.layers[-1], "kernel")]
    for holder, name in holders:
        variable = getattr(holder, "kernel" if name == "kernel" else "recurrent_kernel")
        variable.assign(rng.normal(size=variable.shape))
        quantizer = getattr(holder, f"{name}_quantizer_internal")
        if kind is Codebook:
            quantizer.fit(variable)
        else:
            quantizer.assign(rng.random(variable.shape) < 0.6)
    return model, [getattr(holder, f"{name}_quantizer_internal") for holder, name in holders]


@pytest.mark.parametrize("kind", [Ttq, *(pytest.param(kind, marks=pytest.mark.slow) for kind in (Twn, Codebook))])
def test_state_is_trained_by_fit_and_survives_saving_twice(kind: type[Any], tmp_path: Path) -> None:
    model, quantizers = model_of(kind)
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(8, 5, 3)).astype(np.float32)
    learned = [variable for quantizer in quantizers for variable in quantizer.trainable_variables]
    assert len(learned) == {Twn: 0, Ttq: 6, Codebook: 3}[kind]
    assert {id(v) for v in learned} <= {id(v) for v in model.trainable_variables}
    before = [np.array(variable) for variable in learned]
    model.compile("adam", "mse")
    model.fit(inputs, rng.normal(size=(8, 2)), epochs=1, verbose=0)
    assert all((np.array(v) != b).any() for v, b in zip(learned, before, strict=True))
    expected = np.asarray(model(inputs))
    for _ in range(2):
        model.save(tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras")
        assert (np.asarray(model(inputs)) == expected).all()
    model.save_weights(tmp_path / "state.weights.h5")
    for variable in model.weights:
        variable.assign(keras.ops.zeros_like(variable))
    model.load_weights(tmp_path / "state.weights.h5")
    assert (np.asarray(model(inputs)) == expected).all()


def test_unsound_arguments_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^Codebook: bits is 9; 2 to 8 are allowed$"):
        Codebook((2, 2), 9)
    with pytest.raises(UnsupportedError, match=r"^Ttq: shape is \(2,\); it must be the kernel's \(inputs, outputs\)"):
        Ttq((2,))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match=r"^Twn: max_frac is 31; 0 to 30 are allowed$"):
        Twn((2, 2), max_frac=31)
    with pytest.raises(UnsupportedError, match=r"^Twn: threshold is -1; None, 0 or more is allowed$"):
        Twn((2, 2), threshold=-1)
    with pytest.raises(MismatchError, match=r"^weights have shape \(1, 2\); Ttq was made for \(2, 2\)$"):
        Ttq((2, 2)).codes_and_scale([[1.0, 2.0]])
    with pytest.raises(MismatchError, match=r"^mask has shape \(1, 2\); the weight's is \(2, 2\)$"):
        Ttq((2, 2)).assign(np.ones((1, 2), dtype=bool))
    with pytest.raises(FormatError, match=r"^weight at \(0, 1\) is nan; finite numbers are needed: check"):
        Twn((1, 2)).codes_and_scale([[1.0, np.nan]])
    quantizer = Codebook((1, 2))
    quantizer.fit([[1.0, 0.0]])
    message = r"^weight at \(0, 1\) is 2.0, but its codebook index is 0; the mask has changed since the clustering"
    with pytest.raises(MismatchError, match=message):
        quantizer.codes_and_scale([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"^the text holds 60 or more bytes; an array of shape \(31,\) has 124$"):
        Codebook.from_config({**quantizer.get_config(), "bits": 5})
    large = Codebook((1, 2), 3)
    large.fit([[1.0, 2.0]])
    places = large.get_config()
    with pytest.raises(ValueError, match=r"^the largest index is \d; the codebook has 3 values$"):
        Codebook.from_config({**Codebook((1, 2), 2).get_config(), "index": places["index"]})


@pytest.mark.parametrize("quantizer", [MaskedTernary(), MaskedInt4(), Twn((3, 2)), Ttq((3, 2)), Codebook((3, 2))])
def test_ours_tell_their_codes_and_qkeras_ones_do_not(quantizer: object) -> None:
    assert tells_codes(quantizer)
    assert isinstance(quantizer, TellsCodebook) == isinstance(quantizer, Codebook)
    assert not tells_codes(quantized_bits(4, 0, alpha=1)) and not tells_codes(ternary())
