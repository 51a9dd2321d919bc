# SPDX-License-Identifier: Apache-2.0
"""Keras layers that become host operations: the golden model against Keras, within bounds that follow from rounding."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras.src.legacy.layers import ThresholdedReLU
from qkeras import (
    QActivation,
    binary,
    quantized_bits,
    quantized_hswish,
    quantized_po2,
    quantized_relu,
    quantized_relu_po2,
    stochastic_binary,
    ternary,
)

from ese_host.errors import UnsupportedError
from ese_host.ir import Fixed
from ese_host.ir.program import Port, Value
from support.keras_models.plugin_models import (
    as_list,
    bits,
    convert,
    dense,
    fill,
    frames,
    functional,
    golden_values,
    recurrent,
)

EXACT = 2.0**-21
"""What Keras's float32 may round in QKeras's form x + (q - x), and in a sum behind it."""


def model_of(*layers: Any, shape: tuple[int | None, ...] = (9,), source: Any = "bits") -> Any:
    """A model of an input, an 8-bit quantizer, the layers, and, if the layers have no Dense layer, one before them."""
    x = keras.Input(shape, name="x")
    q = QActivation(bits(8, 2), name="source")(x) if source == "bits" else x
    for layer in layers:
        q = layer(q)
    return fill(keras.Model(x, q))


def check(model: Any, bound: float, samples: int = 40, scale: float = 2.0) -> Any:
    """Convert a model and compare the golden model with Keras; returns the conversion."""
    conversion = convert(model).ese_conversion
    given = [scale * x for x in frames(model, samples)]
    expected = as_list(model.predict(given, verbose=0))
    for ours, theirs in zip(golden_values(conversion, given), expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= bound, np.abs(ours - theirs).max()
    return conversion


def prelu(name: str) -> Any:
    return kl.PReLU(alpha_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=3), name=name)


def act(function: Any) -> Callable[[str], Any]:
    return lambda name: kl.Activation(function, name=name)


def quantized(quantizer: Callable[[], Any]) -> Callable[[str], Any]:
    return lambda name: QActivation(quantizer(), name=name)


# how to build the layer, and its error behind an exact 16-bit or wider value
# fixed<16,6>, which the next Dense layer reads by default, rounds by 2**-11, and this layer adds nine of these
SLOPE, RESULT = 2.0**-9, 2.0**-8
LAYERS: dict[str, tuple[Callable[[str], Any], float]] = {
    "relu6": (act("relu6"), EXACT),
    "ReLU up to 1.5": (lambda name: kl.ReLU(max_value=1.5, name=name), EXACT),
    "ReLU of every option": (lambda name: kl.ReLU(1.25, 0.25, 0.5, name=name), EXACT),
    "ReLU that is never linear": (lambda name: kl.ReLU(0.5, 0.0, 0.75, name=name), EXACT),
    "thresholded ReLU": (lambda name: kl.ReLU(threshold=0.3, name=name), EXACT),
    "negative slope": (lambda name: kl.ReLU(negative_slope=0.125, name=name), EXACT),
    "thresholded": (lambda name: ThresholdedReLU(theta=0.5, name=name), EXACT),
    "leaky": (lambda name: kl.LeakyReLU(0.3, name=name), SLOPE),
    "leaky function": (act("leaky_relu"), SLOPE),
    "PReLU": (prelu, SLOPE),
    "ELU": (lambda name: kl.ELU(0.7, name=name), RESULT),
    **{
        name: (act(name), RESULT)
        for name in (
            "elu", "selu", "celu", "softplus", "softsign", "exponential", "gelu", "silu", "swish", "mish", "hard_silu",
            "squareplus", "log_sigmoid", "tanh_shrink", "soft_shrink", "hard_shrink", "sparse_plus", "sparse_sigmoid",
        )
    },
    "binary": (quantized(lambda: binary(alpha=1.0)), EXACT),
    "binary by default": (quantized(lambda: "binary"), EXACT),
    "binary of 0 and 1": (quantized(lambda: binary(use_01=True, alpha=0.5)), EXACT),
    "stochastic binary": (quantized(lambda: stochastic_binary(alpha=1.0)), EXACT),
    "binary_tanh": (quantized(lambda: "binary_tanh"), EXACT),
    "ternary": (quantized(lambda: ternary(threshold=0.2)), EXACT),
    "ternary of another scale": (quantized(lambda: ternary(alpha=0.75, threshold=0.3)), EXACT),
    "one bit": (quantized(lambda: quantized_bits(1, 0, alpha=1)), EXACT),
    "one bit of 2": (quantized(lambda: quantized_bits(1, 1, alpha=1)), EXACT),
    "scaled bits": (quantized(lambda: quantized_bits(4, 0, alpha=0.375)), EXACT),
    "leaky quantized ReLU": (quantized(lambda: quantized_relu(6, 1, negative_slope=0.25)), EXACT),
    "bounded quantized ReLU": (
        quantized(lambda: quantized_relu(6, 1, relu_upper_bound=1.3, is_quantized_clip=False)), SLOPE,
    ),
    "sigmoid in a ReLU": (quantized(lambda: quantized_relu(6, 1, use_sigmoid=1)), EXACT),
    "hswish": (quantized(lambda: quantized_hswish(8, 2)), RESULT),
    "powers of two": (quantized(lambda: quantized_po2(4)), EXACT),
    "positive powers of two": (quantized(lambda: quantized_relu_po2(4, 2)), EXACT),
}  # fmt: skip


@pytest.mark.parametrize("part", range(4))
def test_functions_behind_a_dense_layer_and_behind_a_quantizer(part: int) -> None:
    """Each function stands behind an exact sum, wider than a table, and between a quantizer and a Dense layer."""
    names = list(LAYERS)[part::4]
    x = keras.Input((9,), name="x")
    q, outputs = QActivation(bits(8, 2), name="source")(x), []
    for number, name in enumerate(names):
        build = LAYERS[name][0]
        outputs.append(build(f"wide{number}")(dense(6, name=f"d{number}")(q)))
        outputs.append(dense(4, name=f"e{number}")(build(f"narrow{number}")(q)))
    model = fill(keras.Model(x, outputs))
    conversion = convert(model).ese_conversion
    given = [2 * array for array in frames(model, 40)]
    pairs = zip(golden_values(conversion, given), model.predict(given, verbose=0), strict=True)
    for number, (ours, theirs) in enumerate(pairs):
        name = names[number // 2]
        assert np.abs(ours - theirs).max() <= LAYERS[name][1], (name, number % 2, np.abs(ours - theirs).max())
    places = {row[0]: row[2] for row in conversion.summary.layers}
    assert all(
        places[f"{kind}{number}"].startswith("host: ") for number in range(len(names)) for kind in ("wide", "narrow")
    )


def glu(x: Any) -> Any:
    return keras.activations.glu(keras.ops.concatenate([x, keras.ops.flip(x, -1)], axis=-1))


def relu(x: Any) -> Any:
    """A user's function that only shares its name with Keras's."""
    return keras.ops.abs(x) - 0.5


def tanh(x: Any) -> Any:
    return keras.ops.tanh(x) * 0.5


def softmax(x: Any) -> Any:
    return keras.ops.maximum(x, -0.25)


@pytest.mark.parametrize("function", [relu, tanh, softmax, keras.ops.sin, functools.partial(relu)])
def test_a_function_is_known_by_what_it_is_and_not_by_its_name(function: Any) -> None:
    check(model_of(dense(6, name="d"), kl.Activation(function, name="act"), dense(3, activation=function)), RESULT)


@pytest.mark.parametrize(
    "function",
    [
        keras.activations.log_softmax,
        keras.activations.sparsemax,
        glu,
        lambda x: x - keras.ops.mean(x),
        keras.ops.cumsum,
    ],
)
def test_functions_of_several_elements_are_refused_by_name(function: Any) -> None:
    with pytest.raises(
        UnsupportedError,
        match=r"^layer 'act' \(\S+\) (computes an element's value from other elements or by chance|cannot be called on "
        r"single values \(.*\)); only functions that compute each element by itself are allowed: use one of them, or ",
    ):
        convert(model_of(dense(6, name="d"), kl.Activation(function, name="act")))


def test_scales_that_a_quantizer_takes_from_its_batch_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^layer 'act' .*computes an element's value from other elements"):
        convert(model_of(dense(6, name="d"), QActivation(ternary(alpha="auto"), name="act")))


def test_a_function_without_finite_values_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^layer 'act' \(log\) gives (nan|-inf) for -?\d.*, a value that may "):
        convert(model_of(kl.Activation(keras.ops.log, name="act"), dense(6, name="d")))


SEQUENCE = (6, 7)


def norm(kind: Any = kl.LayerNormalization, **options: Any) -> Any:
    layer = kind(name="step", **options)

    def fill_variables(_width: int) -> None:
        rng = np.random.default_rng(2)
        for variable in layer.weights:
            variable.assign(rng.normal(size=variable.shape))

    layer.fill = fill_variables
    return layer


def joined(axis: int) -> Callable[[Any], Any]:
    return lambda q: kl.Concatenate(axis=axis, name="step")([q, dense(7, name="d")(q), q])


def applied(layer: Any, *behind: Any) -> Callable[[Any], Any]:
    def build(q: Any) -> Any:
        for item in (layer, *behind):
            q = item(q)
        return q

    return build


# what stands behind the quantized input, the input's shape, and the error
STEPS: dict[str, tuple[Callable[[], Callable[[Any], Any]], tuple[int | None, ...], float]] = {
    "softmax": (lambda: applied(kl.Activation("softmax", name="step"), dense(4)), SEQUENCE, 2.0**-14),
    "softmax of sums": (
        lambda: applied(dense(5, name="d"), kl.Softmax(name="step"), QActivation(bits(12, 0), name="q"), dense(4)),
        (7,), 2.0**-10,
    ),
    "softmax along steps": (lambda: applied(kl.Softmax(axis=1, name="step"), dense(4)), SEQUENCE, 2.0**-13),
    "softmax of any length": (lambda: applied(kl.Softmax(name="step"), dense(4)), (None, 7), 2.0**-13),
    "mean of all steps": (lambda: applied(kl.GlobalAveragePooling1D(name="step")), SEQUENCE, 2.0**-20),
    "mean, kept": (lambda: applied(kl.GlobalAveragePooling1D(keepdims=True, name="step"), dense(3)), SEQUENCE, 2.0**-8),
    "mean of any length": (lambda: applied(kl.GlobalAveragePooling1D(name="step")), (None, 7), 2.0**-20),
    "largest of all steps": (lambda: applied(kl.GlobalMaxPooling1D(name="step"), dense(3)), SEQUENCE, EXACT),
    "largest of any length": (lambda: applied(kl.GlobalMaxPooling1D(name="step"), dense(3)), (None, 7), EXACT),
    "mean of images": (lambda: applied(kl.GlobalAveragePooling2D(name="step")), (4, 5, 3), 2.0**-20),
    "largest of windows": (lambda: applied(kl.MaxPooling1D(name="step"), dense(3)), SEQUENCE, EXACT),
    "largest of windows beyond the end": (
        lambda: applied(kl.MaxPooling1D(4, 3, padding="same", name="step"), dense(3)), SEQUENCE, EXACT,
    ),
    "mean of windows": (lambda: applied(kl.AveragePooling1D(3, 2, name="step")), SEQUENCE, 2.0**-20),
    "mean of windows beyond the end": (
        lambda: applied(kl.AveragePooling1D(4, 3, padding="same", name="step")), SEQUENCE, 2.0**-20,
    ),
    "largest of image windows": (lambda: applied(kl.MaxPooling2D((2, 3), name="step"), dense(3)), (5, 7, 3), EXACT),
    "largest of image windows beyond the edges": (
        lambda: applied(kl.MaxPooling2D((3, 2), (2, 1), "same", name="step"), dense(3)), (4, 5, 3), EXACT,
    ),
    "mean of image windows": (lambda: applied(kl.AveragePooling2D(2, 1, name="step")), (4, 5, 3), 2.0**-20),
    "largest of windows of any length": (lambda: applied(kl.MaxPooling1D(name="step"), dense(3)), (None, 7), EXACT),
    "swapped": (lambda: applied(kl.Permute((2, 1), name="step"), dense(3)), SEQUENCE, EXACT),
    "turned": (lambda: applied(kl.Permute((3, 1, 2), name="step"), dense(3)), (4, 5, 3), EXACT),
    "in place": (lambda: applied(kl.Permute((1, 2), name="step"), dense(3)), (None, 7), EXACT),
    "joined along steps": (lambda: joined(1), SEQUENCE, EXACT),
    "joined along the last axis": (lambda: joined(-1), (None, 7), EXACT),
    "padded": (lambda: applied(kl.ZeroPadding1D((1, 2), name="step"), dense(3)), SEQUENCE, EXACT),
    "padded image": (lambda: applied(kl.ZeroPadding2D(((1, 0), (2, 1)), name="step"), dense(3)), (4, 5, 3), EXACT),
    "cropped": (lambda: applied(kl.Cropping1D((1, 2), name="step"), dense(3)), SEQUENCE, EXACT),
    "cropped image": (lambda: applied(kl.Cropping2D(1, name="step"), dense(3)), (4, 5, 3), EXACT),
    "repeated images": (lambda: applied(kl.UpSampling2D((2, 3), name="step"), dense(3)), (4, 5, 3), EXACT),
    "relu6 of a Dense layer": (lambda: applied(dense(5, name="step", activation="relu6"), dense(3)), (7,), 2.0**-6),
    "repeated steps": (lambda: applied(kl.UpSampling1D(3, name="step"), dense(3)), SEQUENCE, EXACT),
    "normalized": (lambda: applied(norm()), SEQUENCE, 2.0**-6),
    "normalized sums": (lambda: applied(dense(9, name="d"), norm()), (7,), 2.0**-6),
    "normalized over two axes": (lambda: applied(norm(axis=[1, 2])), SEQUENCE, 2.0**-6),
    "normalized without scale": (lambda: applied(norm(scale=False, center=False, epsilon=0.1)), SEQUENCE, 2.0**-6),
    "normalized by the variance": (lambda: applied(norm(rms_scaling=True)), SEQUENCE, 2.0**-6),
    "normalized by the mean square": (lambda: applied(norm(kl.RMSNormalization)), (None, 7), 2.0**-6),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")
def test_steps_on_the_host(name: str) -> None:
    build, shape, bound = STEPS[name]
    model = functional(build(), shape)
    conversion = convert(model).ese_conversion
    rng = np.random.default_rng(3)
    given = [2 * rng.normal(size=(30, *(5 if size is None else size for size in shape))).astype(np.float32)]
    ours, theirs = golden_values(conversion, given)[0], model.predict(given[0], verbose=0)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= bound, np.abs(ours - theirs).max()
    assert any(row[0].startswith("step") and row[2].startswith("host") for row in conversion.summary.layers)


def test_means_of_images_beyond_the_edges_are_refused() -> None:
    with pytest.raises(
        UnsupportedError,
        match=r"^layer 'step' \(AveragePooling2D\) averages windows that reach beyond the edges; only ",
    ):
        convert(functional(applied(kl.AveragePooling2D(2, padding="same", name="step")), (5, 4, 3)))


class Node(types.SimpleNamespace):
    """A graph node with the attributes that a slice needs."""

    name, class_name, inputs, outputs = "part", "HostStep", ("x",), ("part",)

    def get_attr(self, name: str) -> Any:
        return getattr(self, name, None)


SLICES: dict[str, tuple[tuple[int | None, ...], Any, str]] = {
    "last step": ((None, 5), (-1,), "Last"),
    "features": ((None, 5), (Ellipsis, slice(2, 5)), "Gather"),
    "features in reverse": ((None, 5), (slice(None), slice(None, None, -2)), "Gather"),
    "a step of a known length": ((4, 5), (2,), "Gather"),
    "every second step": ((4, 5), (slice(None, None, 2),), "Gather"),
    "one element": ((4, 5), (-1, 3), "Gather"),
    "of an image": ((2, 3, 5), (slice(None), -1, slice(1, 3)), "Gather"),
    "some steps of any length": ((None, 5), (slice(1, None),), ""),
    "first step of any length": ((None, 5), (0,), ""),
}


@pytest.mark.parametrize("name", SLICES)
def test_slices(name: str) -> None:
    # hls4ml, which loads this backend, must be imported before the modules that import it
    import hls4ml  # noqa: F401

    from ese_hls.lower.chosen_formats import ChosenFormats
    from ese_hls.lower.conversion_log import ConversionLog
    from ese_hls.lower.host_operations import OPERATIONS
    from ese_hls.lower.partition import Partition

    shape, index, kind = SLICES[name]
    steps = None if shape[0] is None else int(np.prod([size or 1 for size in shape[:-1]]))
    log = ConversionLog()
    partition = Partition(lambda node, _form: node, log, ChosenFormats(log))
    partition.add_port(Node(outputs=("x",), inputs=()), Port("x", 5, Fixed(8, 3), "sequence", steps))
    node = Node(input_shape=[shape], key=index, keras_class="GetItem")
    if not kind:
        with pytest.raises(
            UnsupportedError, match=r"^layer 'part' \(GetItem\) moves elements between steps of sequences "
        ):
            OPERATIONS["slice"](partition, node)
        return
    OPERATIONS["slice"](partition, node)
    given = np.random.default_rng(0).integers(-128, 128, (3, *(7 if size is None else size for size in shape)))
    frames = given.reshape(3, -1, 5)
    value = Value(partition.tensors["x"], frames, np.full(3, frames.shape[1]))
    step: Any = partition.steps[0]
    assert len(partition.steps) == 1 and type(step).__name__ == kind
    result = step.apply(value).codes
    np.testing.assert_array_equal(result.ravel(), given[(slice(None), *index)].ravel())


def test_embedding_and_its_mask() -> None:
    x = keras.Input((8,), name="x", dtype="int32")
    embedded = kl.Embedding(11, 5, mask_zero=True, name="step")(x)
    h = recurrent("l", return_sequences=True)(embedded)
    model = fill(keras.Model(x, [h, dense(3, name="d")(embedded), kl.GlobalAveragePooling1D(name="mean")(embedded)]))
    conversion = convert(model).ese_conversion
    numbers = np.random.default_rng(1).integers(0, 11, (20, 8)) * np.random.default_rng(2).integers(0, 2, (20, 8))
    numbers[:, 3] = 4
    for ours, theirs in zip(golden_values(conversion, [numbers]), model.predict(numbers, verbose=0), strict=True):
        assert np.abs(ours - theirs).max() <= 2.0**-6


def test_softmax_right_behind_an_input_without_quantizer() -> None:
    check(model_of(kl.Activation("softmax", name="step"), source=None), 2.0**-6)


@pytest.mark.parametrize("source", [None, "bits"])
def test_a_mask_is_decided_on_what_keras_sees(source: Any) -> None:
    """A frame that only rounds to the mask value is not masked if there is no quantizer before the mask."""
    x = keras.Input((3, 1), name="x")
    q = x if source is None else QActivation(bits(8, 2), name="q")(x)
    masked = kl.Masking(name="mask")(q)
    model = fill(keras.Model(x, [kl.LSTM(2, name="l")(masked), dense(2, name="d")(masked)]), density=1.0)
    frames = np.array([[[1.0], [0.0004], [0.5]], [[1.0], [0.0], [0.5]], [[1e-12], [-1e-12], [3.0]]], np.float32)
    expected = model.predict(frames, verbose=0)
    for ours, theirs in zip(golden_values(convert(model).ese_conversion, [frames]), expected, strict=True):
        assert np.abs(ours - theirs).max() <= 2.0**-8


def test_a_mean_leaves_masked_steps_out() -> None:
    x = keras.Input((6, 7), name="x")
    h = recurrent("l", return_sequences=True)(kl.Masking(name="mask")(QActivation(bits(8, 2), name="q")(x)))
    model = fill(keras.Model(x, kl.GlobalAveragePooling1D(name="mean")(h)))
    given = frames(model, 20, masked=True)
    ours = golden_values(convert(model).ese_conversion, given)[0]
    assert np.abs(ours - model.predict(given[0], verbose=0)).max() <= 2.0**-20


@pytest.mark.filterwarnings("ignore:Layer 'again' .of type QActivation. was passed an input with a mask")
def test_a_mask_passes_layers_that_keep_the_steps() -> None:
    x = keras.Input((5, 3), name="x")
    q = kl.Masking(-1.0, name="mask")(QActivation(bits(8, 2), name="q")(x))
    h = kl.LeakyReLU(0.25, name="leaky")(dense(4, name="d")(q))
    h = QActivation(bits(8, 2), name="again")(h)
    model = fill(keras.Model(x, [recurrent("l")(kl.ReLU(name="cut")(dense(4, name="e")(q))), dense(2, name="o")(h)]))
    given = np.random.default_rng(0).normal(size=(20, 5, 3)).astype(np.float32)
    given[np.random.default_rng(1).random((20, 5)) < 0.4] = -1
    given[:, 2] = 0.5
    expected = model.predict(given, verbose=0)
    for ours, theirs in zip(golden_values(convert(model).ese_conversion, [given]), expected, strict=True):
        assert np.abs(ours - theirs).max() <= 2.0**-8


def test_a_sign_of_an_input_is_that_of_what_keras_sees() -> None:
    x = keras.Input((6,), name="x")
    sign = QActivation(quantized_bits(1, 0, alpha=1), name="sign")(x)
    model = fill(keras.Model(x, [sign, dense(3, name="d")(sign), dense(3, name="e")(x)]))
    given = np.array([[-1.5, -0.9, -1e-9, 1e-9, 0.0, 1.5], [1e-30, -1e-30, -0.3, 0.3, 700, -900]], np.float32)
    expected = model.predict(given, verbose=0)
    for ours, theirs in list(zip(golden_values(convert(model).ese_conversion, [given]), expected, strict=True))[:2]:
        assert np.abs(ours - theirs).max() <= EXACT
