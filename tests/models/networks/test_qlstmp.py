# SPDX-License-Identifier: Apache-2.0
"""QLSTMP against the equations of ESE in NumPy and against the golden model; masks, saving."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from qkeras import QBidirectional, quantized_bits, quantized_sigmoid, quantized_tanh

from ese_host.errors import UnsupportedError
from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Lstm, Matrix, Network
from ese_models.networks.mask_constraint import MaskConstraint
from ese_models.networks.qlstmp import QLSTMP
from ese_models.quantizers import MaskedInt4, MaskedTernary

Reals = npt.NDArray[np.float64]

INPUTS, UNITS, PROJECTED, STEPS = 5, 6, 3, 7
GATE, CELL, STATE, SOURCE = Fixed(8, 0, signed=False), Fixed(8, 1), Fixed(8, 3), Fixed(8, 4)


def bits(width: int, integer: int) -> Any:
    return quantized_bits(width, integer, alpha=1)


def sigmoid(x: Reals) -> Reals:
    return 1 / (1 + np.exp(-x))


def filled(layer: Any, seed: int = 0, scale: float = 0.5) -> Any:
    """A built layer with random, seeded weights."""
    if not layer.built:
        layer.build((None, STEPS, INPUTS))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, scale, weight.shape).astype(np.float32) for weight in layer.weights])
    return layer


def inputs(seed: int = 1, batch: int = 4) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 1.5, (batch, STEPS, INPUTS)).astype(np.float32)


def reference(cell: Any, values: npt.NDArray[np.float32]) -> Iterator[tuple[Reals, Reals]]:
    """ESE's equations 1 to 6, gate by gate and step by step, in float64."""

    def weight(name: str) -> Reals:
        return np.asarray(getattr(cell, name), dtype=np.float64)

    w_i, w_f, w_c, w_o = np.split(weight("kernel"), 4, axis=1)
    r_i, r_f, r_c, r_o = np.split(weight("recurrent_kernel"), 4, axis=1)
    b_i, b_f, b_c, b_o = np.split(weight("bias"), 4) if cell.use_bias else np.zeros((4, 1))
    p_i, p_f, p_o = weight("peephole_kernel") if cell.use_peepholes else np.zeros((3, 1))
    y, c = np.zeros((len(values), PROJECTED)), np.zeros((len(values), UNITS))
    for step in range(values.shape[1]):
        x = values[:, step].astype(np.float64)
        i = sigmoid(x @ w_i + y @ r_i + p_i * c + b_i)
        f = sigmoid(x @ w_f + y @ r_f + p_f * c + b_f)
        c = f * c + i * np.tanh(x @ w_c + y @ r_c + b_c)
        o = sigmoid(x @ w_o + y @ r_o + p_o * c + b_o)
        y = (o * np.tanh(c)) @ weight("projection_kernel")
        yield y, c


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("peepholes", [True, False])
def test_every_step_is_eses_equations(bias: bool, peepholes: bool) -> None:
    layer = QLSTMP(
        UNITS,
        PROJECTED,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=bias,
        use_peepholes=peepholes,
        return_sequences=True,
    )
    cell, values = filled(layer).cell, inputs()
    assert (cell.bias is None) == (not bias) and (cell.peephole_kernel is None) == (not peepholes)
    whole = np.asarray(layer(values))
    states = cell.get_initial_state(len(values))
    for step, (y, c) in enumerate(reference(cell, values)):
        found, states = cell(values[:, step], states)
        np.testing.assert_allclose(found, y, atol=2e-6)
        np.testing.assert_allclose(states[1], c, atol=2e-6)
        np.testing.assert_allclose(whole[:, step], y, atol=2e-6)
    last = QLSTMP.from_config({**layer.get_config(), "return_sequences": False})
    filled(last).set_weights(layer.get_weights())
    np.testing.assert_array_equal(last(values), whole[:, -1])


def hard(kind: type[Any] = MaskedInt4, **options: Any) -> Any:
    """8-bit hard quantizers with power-of-two scales, for which float32 is exact."""
    quantizers = {f"{name}_quantizer": kind(power_of_two=True) for name in ("kernel", "recurrent", "projection")}
    return QLSTMP(
        UNITS,
        PROJECTED,
        activation=quantized_tanh(8),
        recurrent_activation=quantized_sigmoid(8),
        bias_quantizer=bits(8, 2),
        peephole_quantizer=bits(8, 2),
        state_quantizer=bits(8, 2),
        **quantizers,
        **options,
    )


def converted(cell: Any) -> Lstm:
    """The layer as the golden model's integers, converted without the package's converter."""

    def matrix(name: str, quantizer: Any) -> Matrix:
        codes, scale, frac = quantizer.codes_and_scale(np.asarray(getattr(cell, name)))
        return Matrix(codes.T, quantizer.kind, np.stack([scale, scale]), frac)

    def codes(name: str) -> Codes:
        return Fixed(8, 3).from_float(getattr(cell, name))

    return Lstm(
        name="lstm",
        kernel=matrix("kernel", cell.kernel_quantizer_internal),
        recurrent=matrix("recurrent_kernel", cell.recurrent_quantizer_internal),
        bias=codes("bias") if cell.use_bias else np.zeros(4 * UNITS, dtype=np.int64),
        bias_frac=5,
        gate=Activation("hard_sigmoid", GATE, 16384, 16384),
        cell=Activation("hard_tanh", CELL, 32768, 0),
        source=SOURCE,
        state=STATE,
        output=None,
        return_sequences=True,
        peepholes=codes("peephole_kernel") if cell.use_peepholes else None,
        projection=matrix("projection_kernel", cell.projection_quantizer_internal),
    )


@pytest.mark.parametrize("kind", [MaskedInt4, MaskedTernary])
@pytest.mark.parametrize("peepholes", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_eight_hard_bits_equal_the_golden_model(kind: type[Any], peepholes: bool, bias: bool) -> None:
    layer = filled(hard(kind, use_peepholes=peepholes, use_bias=bias, return_sequences=True), scale=0.8)
    codes = SOURCE.from_float(inputs(batch=20) * 2)
    values = SOURCE.to_float(codes).astype(np.float32)
    expected = golden.run(Network((converted(layer.cell),), SOURCE), codes).layers[0]
    assert expected.c is not None and expected.h is not None
    assert np.abs(expected.c).max() > 60 and np.abs(expected.h).max() > 30  # nothing is trivially small
    np.testing.assert_array_equal(layer(values), STATE.to_float(expected.output))
    states = layer.cell.get_initial_state(len(values))
    for step in range(STEPS):
        _, states = layer.cell(values[:, step], states)
        np.testing.assert_array_equal(states[0], STATE.to_float(expected.h[:, step]))
        np.testing.assert_array_equal(
            layer.cell.state_quantizer_internal(states[1]), STATE.to_float(expected.c[:, step])
        )


def test_m_is_rounded_where_it_has_a_quantizer() -> None:
    layer = filled(hard(output_quantizer=bits(4, 0), return_sequences=True), scale=0.8)
    codes = SOURCE.from_float(inputs() * 2)
    lstm = converted(layer.cell)
    expected = golden.run(Network((Lstm(**{**vars(lstm), "output": Fixed(4, 1)}),), SOURCE), codes).layers[0]
    found = np.asarray(layer(SOURCE.to_float(codes).astype(np.float32)))
    np.testing.assert_array_equal(found, STATE.to_float(expected.output))
    assert (expected.output != golden.run(Network((lstm,), SOURCE), codes).layers[0].output).any()


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    masks = [
        np.random.default_rng(2).random(shape) < 0.5 for shape in ((INPUTS, 24), (PROJECTED, 24), (UNITS, PROJECTED))
    ]
    held = dict(zip(("kernel", "recurrent", "projection"), map(MaskConstraint, masks), strict=True))
    layer = hard(return_sequences=True, name="lstm", **{f"{name}_constraint": mask for name, mask in held.items()})
    model = keras.Sequential([keras.Input((STEPS, INPUTS)), layer])
    filled(layer)
    for weight in layer.get_prunable_weights():
        weight.assign(weight.constraint(weight))
    expected = np.asarray(model(inputs()))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs()), expected)
    (other,) = again.layers
    assert other.name == "lstm" and other.get_quantization_config() == layer.get_quantization_config()
    pairs = zip(other.get_prunable_weights(), other.get_quantizers(), masks, strict=False)
    for weight, quantizer, mask in pairs:
        assert (weight.constraint.mask == mask).all() and ((np.asarray(weight) != 0) == mask).all()
        assert isinstance(quantizer, MaskedInt4)
    assert other.cell.units == other.units == UNITS and other.projection_units == PROJECTED


def test_training_keeps_masks_and_reaches_every_weight() -> None:
    layer = hard(return_sequences=True, kernel_constraint=MaskConstraint(np.eye(INPUTS, 24, dtype=bool)))
    model = keras.Sequential([keras.Input((STEPS, INPUTS)), layer])
    filled(layer)
    before = [weight.numpy() for weight in layer.weights]
    model.compile("adam", "mse", run_eagerly=True)
    model.fit(inputs(), np.ones((4, STEPS, PROJECTED)), epochs=2, verbose=0)
    for weight, old in zip(layer.weights, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path
    assert ((layer.cell.kernel.numpy() != 0) == np.eye(INPUTS, 24, dtype=bool)).all()


def test_bidirectional_reads_both_ways() -> None:
    ways = [hard(return_sequences=True, go_backwards=back, name=f"way{back}") for back in (False, True)]
    both = QBidirectional(ways[0], backward_layer=ways[1], name="lstm")
    both.build((None, STEPS, INPUTS))
    forward, backward = filled(both.forward_layer, 1), filled(both.backward_layer, 2)
    values = inputs()
    expected = np.concatenate([forward(values), np.flip(backward(values), axis=1)], axis=2)
    np.testing.assert_array_equal(both(values), expected)


@pytest.mark.parametrize(("units", "projected"), [(0, 3), (4, -1), (2.5, 2)])
def test_sizes_that_are_none_are_refused(units: float, projected: int) -> None:
    what, value = ("units", units) if units != 4 else ("projection_units", projected)
    with pytest.raises(UnsupportedError, match=rf"^QLSTMP: {what} is {value}; a whole number of at least 1 is needed$"):
        QLSTMP(units, projected)  # type: ignore[arg-type]


def differentiated(layer: Any, values: Any, weights: Any, own: bool, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Outputs and states of a layer, and the gradients of its weights, inputs and states, in a graph."""
    with monkeypatch.context() as patch:
        if not own:
            patch.setattr(QLSTMP, "inner_loop", keras.layers.RNN.inner_loop)
        values = [tf.convert_to_tensor(value, layer.dtype) for value in values]

        def found() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(values)
                results = layer(values[0], initial_state=values[1:])
                loss = tf.add_n([tf.reduce_sum(r * tf.cast(w, r.dtype)) for r, w in zip(results, weights, strict=True)])
            sources = [*values, *(variable.value for variable in layer.trainable_variables)]
            return [*results, *tape.gradient(loss, sources)]

        return [np.asarray(array) for array in tf.function(found)()]


@pytest.fixture
def floatx(floats: str) -> Iterator[None]:
    """Layers and quantizers that compute in `floats`."""
    keras.config.set_floatx(floats)
    keras.config.set_dtype_policy(floats)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("floatx")
@pytest.mark.parametrize(
    ("options", "floats", "tolerance"),
    [
        ({"activation": "tanh", "recurrent_activation": "sigmoid"}, "float64", 1e-12),
        ({"activation": "tanh", "recurrent_activation": "sigmoid"}, "float32", 1e-5),
        ({"state_quantizer": bits(16, 4), "output_quantizer": bits(16, 1), "go_backwards": True}, "float64", 1e-12),
        ({"state_quantizer": bits(8, 2), "use_bias": False, "use_peepholes": False}, "float64", 1e-12),
    ],
)
def test_gradients_are_those_of_keras_loop(
    options: dict[str, Any], floats: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = filled(QLSTMP(UNITS, PROJECTED, return_sequences=True, return_state=True, **options))
    rng = np.random.default_rng(3)
    batch = 4
    values = [inputs(batch=batch), rng.normal(size=(batch, PROJECTED)), rng.normal(size=(batch, UNITS))]
    weights = [rng.normal(size=shape) for shape in ((batch, STEPS, PROJECTED), (batch, PROJECTED), (batch, UNITS))]
    pair = [differentiated(layer, values, weights, own, monkeypatch) for own in (True, False)]
    assert len(pair[0]) == 6 + len(layer.weights) and {array.dtype.name for array in pair[0]} == {floats}
    for mine, theirs in zip(*pair, strict=True):
        assert np.abs(theirs).max() > 1e-3
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def test_masked_steps_are_skipped() -> None:
    layer, values = filled(hard(return_sequences=True)), inputs()
    mask = np.ones((len(values), STEPS), dtype=bool)
    mask[:, 2] = False
    kept = np.delete(np.arange(STEPS), 2)
    np.testing.assert_array_equal(np.asarray(layer(values, mask=mask))[:, kept], layer(values[:, kept]))


def test_products_in_bfloat16_are_near_and_everything_else_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"activation": "tanh", "recurrent_activation": "sigmoid", "state_quantizer": bits(16, 4)}
    layer = filled(QLSTMP(UNITS, PROJECTED, return_sequences=True, return_state=True, **options))
    values = [inputs(), np.zeros((4, PROJECTED)), np.zeros((4, UNITS))]
    weights = [np.ones((4, STEPS, PROJECTED)), np.ones((4, PROJECTED)), np.ones((4, UNITS))]
    exact = differentiated(layer, values, weights, True, monkeypatch)
    layer.products = "bfloat16"
    for near, value in zip(differentiated(layer, values, weights, True, monkeypatch), exact, strict=True):
        assert near.dtype == value.dtype == np.float32
        assert 0 < np.abs(near - value).max() < 0.05 * np.abs(value).max()
