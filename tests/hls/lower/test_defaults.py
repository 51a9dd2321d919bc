# SPDX-License-Identifier: Apache-2.0
"""Float models with hls4ml's default configuration convert, and predict what Keras predicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from qkeras import QActivation, QDense, quantized_bits, quantized_po2, quantized_relu

from ese_hls.warnings import ConversionWarning
from ese_host.errors import CapacityError, UnsupportedError
from ese_host.ir.fixed import Fixed
from support.keras_models.plugin_models import bits, chain, convert, dense, fill, functional, golden_values, recurrent

SAMPLES = 1000


def stacked(shape: tuple[int, ...], *layers: Any) -> Any:
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


def mlp(activation: str) -> Any:
    hidden = [kl.Dense(width, activation=activation) for width in (64, 32)]
    return stacked((16,), *hidden, kl.Dense(5, activation="softmax"))


def digits() -> Any:
    """The dense network for 28 x 28 pixels, whose sums need more than 48 bits with 36 fractional ones."""
    model = stacked((784,), kl.Dense(64, activation="relu"), kl.Dense(10, activation="softmax"))
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.1, array.shape) for array in layer.get_weights()])
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "relu": lambda: mlp("relu"),
    "sigmoid": lambda: mlp("sigmoid"),
    "tanh": lambda: mlp("tanh"),
    "head of a CNN": lambda: stacked(
        (4, 4, 8), kl.Flatten(), kl.Dense(32, activation="relu"), kl.Dense(16), kl.ReLU(), kl.Dense(10), kl.Softmax()
    ),
    "LSTM": lambda: stacked((8, 6), kl.LSTM(16), kl.Dense(4, activation="softmax")),
    "two LSTMs": lambda: stacked((8, 6), kl.LSTM(12, return_sequences=True), kl.LSTM(8), kl.Dense(4)),
    "784 pixels": digits,
}


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
@pytest.mark.parametrize("data", ["normal", "uniform"])
@pytest.mark.parametrize("case", MODELS)
def test_a_float_model_agrees_with_keras(case: str, data: str) -> None:
    agreed = []
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        model, rng = MODELS[case](), np.random.default_rng(seed)
        shape = (SAMPLES, *model.input_shape[1:])
        x = (rng.normal(size=shape) if data == "normal" else rng.random(shape)).astype(np.float32)
        found = golden_values(convert(model).ese_conversion, [x])[0]
        agreed.append(float((found.argmax(-1) == model.predict(x, SAMPLES, verbose=0).argmax(-1)).mean()))
    assert min(agreed) >= 0.995


def test_large_weights_are_not_clipped() -> None:
    model = stacked((2,), kl.Dense(1, name="d"))
    model.set_weights([np.array([[50.0], [1.0]]), np.zeros(1)])
    assert golden_values(convert(model).ese_conversion, [np.ones((1, 2))])[0].tolist() == [[51]]


def test_a_quantized_layer_with_scales_of_its_own_takes_784_inputs() -> None:
    quantizers = [quantized_bits(4, 0, alpha=None) for _ in range(2)]
    model = stacked((784,), QDense(10, kernel_quantizer=quantizers[0], bias_quantizer=quantizers[1], name="d"))
    x = np.random.default_rng(0).random((500, 784)).astype(np.float32)
    with pytest.warns(ConversionWarning, match=r"^layer 'd': kernel: quantized_bits.* turns \d+ non-zero weights into"):
        conversion = convert(model).ese_conversion
    exact = Fixed(16, 6).to_float(Fixed(16, 6).from_float(x))
    expected = exact @ conversion.network.layers[0].kernel.values().T
    assert np.array_equal(golden_values(conversion, [x])[0], expected.astype(np.float32))


def test_powers_of_two_up_to_2_18_are_exact() -> None:
    kernel_quantizer = quantized_po2(18, max_value=2**20)
    model = stacked((26,), QDense(6, kernel_quantizer=kernel_quantizer, name="d"))
    rng = np.random.default_rng(0)
    model.get_layer("d").kernel.assign(2**18 * rng.random((26, 6)))
    conversion = convert(model, Precision="ap_fixed<64,32>").ese_conversion
    x = rng.integers(0, 1 << 10, (100, 26)) / 2.0**10
    assert np.array_equal(golden_values(conversion, [x])[0], model.predict(x, verbose=0))


def ranged(model: Any, ranges: dict[str, tuple[float, float]], **arguments: Any) -> Any:
    """Convert a model as `calibration=` does, with the ranges of its tensors."""
    import hls4ml

    from ese_hls import selfcheck

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selfcheck, "observed_ranges", lambda _graph: ranges)
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
        return hls4ml.converters.convert_from_keras_model(
            model, backend="ESE", output_dir="unused", hls_config=config, **arguments
        ).ese_conversion


def test_samples_set_the_format_of_an_input() -> None:
    model = stacked((2,), kl.Dense(1, name="d"))
    model.set_weights([np.array([[1.0], [-1.0]]), np.zeros(1)])
    conversion = ranged(model, {model.inputs[0].name: (0.0, 255.0)})
    assert conversion.inputs[0].format == Fixed(16, 10)
    assert golden_values(conversion, [np.array([[255.0, 3.5]])])[0].tolist() == [[251.5]]


def test_samples_set_the_format_of_a_wide_result() -> None:
    model = stacked((16,), kl.Dense(64, activation="relu", name="wide"), kl.Dense(3, name="d"))
    model.get_layer("wide").kernel.assign(np.full((16, 64), 4.0))
    with pytest.warns(ConversionWarning) as caught:
        conversion = convert(model).ese_conversion
    assert conversion.network.layers[0].output == Fixed(16, 6)
    (warning,) = (item.message for item in caught if isinstance(item.message, ConversionWarning))
    key = "hls_config['LayerName']['wide_relu']['Precision']['result']"
    assert (warning.layer, warning.key, warning.loss) == ("wide_relu", key, None)
    assert conversion.summary.warnings == (str(warning),)
    assert str(warning) == (
        "layer 'wide_relu': values from 0 to 2048 are possible at its output, and saturated beyond fixed<16,6> of the "
        f"configuration; give samples as calibration=, or set {key} to, say, 'fixed<16,12>'"
    )
    assert (
        convert(model, layers={"wide_relu": {"Precision": {"result": "fixed<16,12>"}}}).ese_conversion.summary.warnings
        == ()
    )
    seen = {model.get_layer("wide").output.name: (0.0, 100.0)}
    conversion = ranged(model, seen, strict=True)
    assert conversion.network.layers[0].output == Fixed(16, 9)
    (note,) = (note for note in conversion.summary.notes if "of the samples" in note)
    assert note == (
        "layer 'wide_relu' has no quantizer; its output is rounded to fixed<16,9>, which holds 2 times the range 0 to "
        "100 of the samples; 0 to 2048 are possible, and saturated beyond the format"
    ).replace("0 to 2048 are", "values from 0 to 2048 are")


def test_strict_makes_a_loss_an_error() -> None:
    model = stacked((16,), kl.Dense(64, activation="relu", name="wide"), kl.Dense(3, name="d"))
    model.get_layer("wide").kernel.assign(np.full((16, 64), 4.0))
    with pytest.raises(UnsupportedError, match=r"^layer 'wide_relu': values from 0 to 2048 are possible at its output"):
        ranged(model, {}, strict=True)
    quantized = chain(dense(kernel_quantizer=bits(4, 0)), shape=(7,))
    with pytest.warns(ConversionWarning, match="non-zero weights into zero$") as caught:
        ranged(quantized, {}, strict=True)  # Keras computes with the same zeros
    assert [item.message.loss for item in caught if isinstance(item.message, ConversionWarning)] == [0]


def test_clipped_weights_are_a_warning() -> None:
    model = stacked((2,), kl.Dense(2, name="d"))
    model.set_weights([np.array([[5.0, 0.25], [1.0, -0.001]]), np.zeros(2)])
    with pytest.warns(ConversionWarning) as caught:
        conversion = convert(model, layers={"d": {"Precision": {"weight": "fixed<8,2>"}}}).ese_conversion
    key = "hls_config['LayerName']['d']['Precision']['weight']"
    assert list(conversion.summary.warnings) == [
        "layer 'd': kernel has no quantizer; it is rounded to fixed<8,2>, by at most 3: values from -0.001 to 5 are "
        f"clipped; give {key} more integer bits, or leave it out",
        f"layer 'd': kernel: fixed<8,2> turns 1 non-zero weights into zero; more fractional bits in {key} keep them",
    ]
    ours = [item.message for item in caught if isinstance(item.message, ConversionWarning)]
    assert [(warning.layer, warning.key) for warning in ours] == [("d", key)] * 2
    assert ours[0].loss == pytest.approx(5 - 127 / 64)


def lstms(*options: dict[str, Any], between: Any = None) -> Any:
    """LSTMs in a row, with quantizers between, and a Dense layer."""

    def build(q: Any) -> Any:
        for number, changes in enumerate(options):
            last = number == len(options) - 1
            q = recurrent(f"l{number}", return_sequences=not last, **changes)(q)
            if not last:
                q = QActivation(between[number], name=f"q{number}")(q)
        return dense()(q)

    return functional(build)


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_lstms_of_different_output_formats_are_exact() -> None:
    model = lstms({}, {}, {}, between=(bits(6, 0), bits(5, 0)))
    conversion = convert(model).ese_conversion
    x = np.random.default_rng(3).normal(size=(20, 6, 7)).astype(np.float32)
    assert np.array_equal(golden_values(conversion, [x])[0], model.predict(x, verbose=0))
    assert len(conversion.program.chains) == 3  # the second LSTM and the last one leave their chains exactly
    assert conversion.mapping.design.output == Fixed(6, 1)


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_lstms_of_different_states_have_a_format_set_each() -> None:
    model = lstms({}, {"state_quantizer": bits(8, 2)}, between=(bits(8, 0),))
    conversion = convert(model).ese_conversion
    x = np.random.default_rng(4).normal(size=(20, 6, 7)).astype(np.float32)
    assert np.array_equal(golden_values(conversion, [x])[0], model.predict(x, verbose=0))
    assert [formats.state for formats in conversion.mapping.design.sets] == [Fixed(8, 2), Fixed(8, 3)]


def two_signs(unsigned: Any) -> Any:
    """A model with a signed chain and one that reads what `unsigned` makes of a Dense layer."""

    def build(q: Any) -> Any:
        return dense(2, name="last")(unsigned(dense(3, name="first")(q)))

    return functional(build, (7,))


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_a_hidden_sigmoid_lives_beside_signed_chains() -> None:
    model = two_signs(kl.Activation("sigmoid", name="s"))
    conversion = convert(model).ese_conversion
    x = np.random.default_rng(3).normal(size=(200, 7)).astype(np.float32)
    np.testing.assert_allclose(golden_values(conversion, [x])[0], model.predict(x, verbose=0), rtol=0, atol=2e-4)
    assert conversion.program.chains[1].network.source.signed


def test_unsigned_16_bits_of_the_model_beside_signed_chains_are_refused() -> None:
    model = two_signs(QActivation("quantized_sigmoid(16)", name="s"))
    with pytest.raises(
        UnsupportedError,
        match=r"^layer 's' hands unsigned values of 16 bits \(ufixed<16,0>\) to layer 'last', and other layers on "
        r"the engine read signed values; beside those, 15 bits are allowed: give 's' a quantizer of 15 bits or a si",
    ):
        convert(model)


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_a_large_model_gets_more_pes() -> None:
    model = stacked((1024,), kl.Dense(512, name="big"))
    conversion = convert(model).ese_conversion
    cause = "layer 'big', with 8 PEs: 65,536 words of weights in each PE are needed, and at most 65,535 are possible"
    assert conversion.mapping.design.pes == 16
    assert f"16 PEs instead of 8: {cause}" in conversion.summary.notes
    with pytest.raises(CapacityError) as caught:
        convert(model, PEs=8)
    assert str(caught.value) == f"{cause}: set hls_config['Model']['PEs'] to 16, leave it out, or prune the model more"


def test_chosen_pes_without_rows_of_the_largest_layer_are_a_warning() -> None:
    """A number of PEs that the user has not chosen is a note only."""
    model = chain(dense(4), shape=(6,))
    sentence = "layer 'dense', which has the most weights, has 4 outputs, so that {} of {} PEs have none of them: "
    with pytest.warns(ConversionWarning) as caught:
        warned = convert(model, PEs=16).ese_conversion.summary
    [warning] = [each.message for each in caught if "serve it as well" in str(each.message)]
    assert isinstance(warning, ConversionWarning) and (warning.layer, warning.loss) == ("dense", 0.0)
    assert str(warning) == sentence.format(12, 16) + "4 PEs serve it as well (hls_config['Model']['PEs'])"
    assert str(warning) in warned.warnings
    assert sentence.format(4, 8) + "4 PEs serve it as well" in convert(model).ese_conversion.summary.notes


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_an_lstm_whose_sums_are_too_large_names_the_cause() -> None:
    model = stacked((3, 784), kl.LSTM(4, name="l"))
    model.get_layer("l").cell.kernel.assign(np.full((784, 16), 0.2))
    with pytest.raises(CapacityError, match=r"^layer 'l': .*fixed<16,6>.*\['Precision'\]\['result'\]"):
        convert(model)
    narrow = convert(model, layers={"x": {"Precision": {"result": "fixed<16,3>"}}}).ese_conversion
    assert narrow.inputs[0].format == Fixed(16, 3)


def test_relu_of_a_quantizer_in_between_is_kept() -> None:
    hidden = [kl.Dense(8, name="a"), QActivation(quantized_relu(16, 2), name="q"), kl.Dense(3, name="b")]
    conversion = convert(fill(stacked((7,), *hidden))).ese_conversion
    assert conversion.network.layers[1].source == Fixed(16, 2, signed=False)


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_a_normalization_is_folded_into_weights_before_they_are_rounded() -> None:
    """The scales alone have too few bits for a factor: a kernel's step times the factor may be 2^-17 of 2^-26."""
    model = stacked((12,), kl.Dense(16, name="d"), kl.BatchNormalization(name="norm"))
    rng = np.random.default_rng(0)
    gamma, beta, mean, variance = (
        rng.uniform(0.1, 2, 16),
        rng.normal(size=16),
        rng.normal(size=16),
        rng.random(16) + 0.1,
    )
    model.get_layer("norm").set_weights([gamma, beta, mean, variance])
    conversion = convert(fill(model, density=1)).ese_conversion
    (layer,) = conversion.network.layers
    norm, kernel = model.get_layer("norm"), np.asarray(model.get_layer("d").kernel, np.float64)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    bound = np.abs(kernel * factor).max(axis=0) * 2.0**-15
    assert (np.abs(layer.kernel.values().T - kernel * factor).max(axis=0) <= bound).all()
    assert conversion.summary.warnings == ()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: stacked((70000,), kl.Dense(2, name="d")),
            "input 'x': a tensor has 70000 elements; 1 to 65536 are allowed: make the input smaller",
        ),
        (
            lambda: stacked((3,), *(kl.Dense(2, activation="relu", name=f"d{number}") for number in range(65))),
            "layer 'd0', with 8 PEs: 65 weight matrices are needed, and at most 64 are possible: make the model "
            "smaller, or several models of it",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_what_more_pes_do_not_help(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(CapacityError) as caught:
        convert(build())
    assert str(caught.value) == message


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_an_lstm_of_many_steps_may_saturate() -> None:
    key = "hls_config['LayerName']['l']['Precision']['state']"
    for steps, count in ((32, 0), (33, 1), (None, 1)):
        model = stacked((steps, 3), kl.LSTM(4, name="l"), kl.Dense(2))  # type: ignore[arg-type]
        text = "layer 'l' (LSTM): c may grow by 1 at each step, and is saturated beyond fixed<16,6>; "
        assert convert(model).ese_conversion.summary.warnings == (f"{text}{key} sets another format",)[:count]
    chosen = convert(model, layers={"l": {"Precision": {"state": "fixed<16,8>"}}}).ese_conversion
    assert chosen.summary.warnings == ()


def test_a_configured_unsigned_format_beside_signed_chains_is_refused() -> None:
    model = two_signs(kl.Activation("sigmoid", name="s"))
    with pytest.raises(
        UnsupportedError, match=r"^layer 's' hands unsigned values of 16 bits \(ufixed<16,0>\) to layer "
    ):
        convert(model, layers={"s": {"Precision": {"result": "ufixed<16,0>"}}})


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_values_that_use_only_15_bits_of_a_16_bit_quantizer_are_exact() -> None:
    """h is below 1, so that quantized_relu(16, 1) gives codes of 15 bits."""
    model = functional(lambda q: dense()(QActivation(quantized_relu(16, 1), name="r")(recurrent("l")(q))))
    x = np.random.default_rng(3).normal(size=(20, 6, 7)).astype(np.float32)
    assert np.array_equal(golden_values(convert(model).ese_conversion, [x])[0], model.predict(x, verbose=0))


def test_a_quantizer_of_more_than_30_bits_is_narrowed_with_a_warning() -> None:
    wide = QActivation(bits(32, 3), name="wide")
    with pytest.warns(ConversionWarning) as caught:
        conversion = convert(functional(lambda q: dense(2)(wide(kl.Add(name="sum")([q, q]))), (7,))).ese_conversion
    text = (
        "layer 'wide' gives values of fixed<32,4>; layers on the engine read 30 bits: they are rounded to fixed<30,4>, "
        "by at most 7.5e-09. Give it a quantizer of 30 bits"
    )
    assert text in conversion.summary.warnings
    assert [item.message.loss for item in caught if str(item.message) == text] == [2.0**-27]  # type: ignore[union-attr]
