# SPDX-License-Identifier: Apache-2.0
"""The golden model of programs gives exactly the values of Keras, for models that are not a single chain.

Quantizers have 8 bits, activations are hard and scales are powers of two, so that Keras's float32 is exact
(docs/reference/numerics.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from qkeras import (
    QActivation,
    QBatchNormalization,
    QBidirectional,
    quantized_relu,
    quantized_sigmoid,
    quantized_tanh,
    ternary,
)

from ese_hls.lower.conversion import Conversion
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

SEQUENCE, VECTOR = (6, 7), (7,)


def normalized(name: str = "norm", seed: int = 5, signed: bool = False) -> Any:
    """A BatchNormalization whose factors and offsets are powers of two or short fractions."""
    layer = kl.BatchNormalization(name=name)

    def assign_variables(width: int) -> None:
        rng = np.random.default_rng(seed)
        gamma = 2.0 ** rng.integers(-1, 2, width) * (rng.choice([-1, 1], width) if signed else 1)
        layer.gamma.assign(gamma)
        layer.moving_variance.assign(4.0 ** rng.integers(-1, 2, width) - layer.epsilon)
        layer.beta.assign(rng.integers(-8, 8, width) / 8)
        layer.moving_mean.assign(rng.integers(-8, 8, width) / 8)

    layer.fill = assign_variables
    return layer


def two_inputs() -> Any:
    x, y = keras.Input(SEQUENCE, name="x"), keras.Input((3,), name="y")
    h = QActivation(bits(8, 0), name="qh")(recurrent("l")(QActivation(bits(8, 2), name="qx")(x)))
    joined = kl.Concatenate(name="joined")([h, QActivation(bits(8, 1), name="qy")(y)])
    return fill(keras.Model([x, y], [dense(3, name="one")(joined), dense(2, name="two")(joined)]))


def swapped() -> Any:
    """A model that subtracts its first input from the second one."""
    x, y = keras.Input(VECTOR, name="one"), keras.Input(VECTOR, name="two")
    a, b = (QActivation(bits(8, 2), name=f"q{tensor.name}")(tensor) for tensor in (x, y))
    return fill(keras.Model([x, y], dense(4)(QActivation(bits(8, 2), name="d")(kl.Subtract(name="minus")([b, a])))))


def arithmetic(q: Any) -> Any:
    a, b, c = (dense(4, name=name)(q) for name in "abc")
    parts = [
        kl.Add(name="add")([a, b, c]),
        kl.Subtract(name="subtract")([a, b]),
        kl.Multiply(name="multiply")([a, b]),
        kl.Maximum(name="maximum")([a, c]),
        kl.Minimum(name="minimum")([b, c]),
        kl.Average(name="average")([a, b]),
    ]
    return kl.Concatenate(name="joined")(parts)


def behind_lstm(*behind: Any, **options: Any) -> Callable[[Any], Any]:
    def build(q: Any) -> Any:
        tensor = recurrent("l", **options)(q)
        for layer in behind:
            tensor = layer(tensor)
        return tensor

    return build


def both_ways(mode: str | None, wrapper: Any = kl.Bidirectional, **options: Any) -> Callable[[Any], Any]:
    return lambda q: wrapper(recurrent("l", **options), name="both", merge_mode=mode)(q)


def shared(q: Any) -> Any:
    layer, cut = dense(7, name="same"), QActivation(quantized_relu(8, 2), name="cut")
    return layer(cut(layer(q)))


def nested(q: Any) -> Any:
    inner = [keras.Input(VECTOR), dense(4, name="first"), QActivation(quantized_relu(8, 2), name="cut")]
    return dense(2, name="last")(keras.Sequential(inner, name="inner")(q))


def masked(*layers: Any) -> Callable[[Any], Any]:
    def build(q: Any) -> Any:
        tensor = kl.Masking(0.0, name="mask")(q)
        for layer in layers:
            tensor = layer(tensor)
        return tensor

    return build


def stacks() -> list[Any]:
    return [recurrent("a", return_sequences=True), recurrent("b", return_sequences=True)]


# how to build the model, number of chains, number of host operations
CASES: dict[str, tuple[Callable[[], Any], int, int]] = {
    "stacked": (lambda: functional(behind_lstm(recurrent("m"), dense(), return_sequences=True)), 1, 0),
    "time distributed": (
        lambda: functional(behind_lstm(kl.TimeDistributed(dense(3, name="d"), name="t"), return_sequences=True)), 1, 0,
    ),
    "without biases": (lambda: functional(behind_lstm(dense(use_bias=False), use_bias=False)), 1, 0),
    "backwards": (lambda: functional(behind_lstm(dense(), go_backwards=True)), 1, 0),
    "backwards, every step": (
        lambda: functional(behind_lstm(dense(), go_backwards=True, return_sequences=True)), 2, 1,
    ),
    "both ways, side by side": (lambda: functional(both_ways("concat", return_sequences=True)), 2, 1),
    "both ways, last step": (lambda: functional(both_ways("concat")), 2, 1),
    "both ways, QBidirectional": (lambda: functional(both_ways("sum", QBidirectional)), 2, 1),
    "both ways, product": (lambda: functional(both_ways("mul", return_sequences=True)), 2, 1),
    "both ways, mean": (lambda: functional(both_ways("ave", return_sequences=True)), 2, 1),
    "both ways, apart": (lambda: functional(both_ways(None, return_sequences=True)), 2, 0),
    "tanh between": (
        lambda: functional(behind_lstm(dense(5, name="d"), QActivation(quantized_tanh(8), name="a"), dense())), 2, 1,
    ),
    "sigmoid between": (
        lambda: functional(behind_lstm(dense(5, name="d"), QActivation(quantized_sigmoid(8), name="a"), dense())), 2, 1,
    ),
    "hard tanh, then quantized": (
        lambda: functional(
            behind_lstm(dense(5, name="d", activation="hard_tanh"), QActivation(bits(8, 0), name="a"), dense())
        ), 2, 1,
    ),
    "ternary between": (
        lambda: functional(behind_lstm(dense(9, name="d"), QActivation(ternary(threshold=0.2), name="a"), dense(8))),
        2, 1,
    ),
    "ternary of another scale and its own threshold": (
        lambda: functional(behind_lstm(QActivation(ternary(alpha=0.25), name="a"), dense(8))), 2, 1,
    ),
    "quantized ReLU behind an LSTM": (
        lambda: functional(behind_lstm(QActivation(quantized_relu(8, 0), name="a"), dense())), 2, 1,
    ),
    "ReLU behind an LSTM": (lambda: functional(behind_lstm(kl.ReLU(name="a"), dense())), 2, 1),
    "normalization folded": (
        lambda: functional(lambda q: kl.ReLU(name="r")(normalized()(dense(5)(q))), VECTOR), 1, 0,
    ),
    "normalization of either sign": (
        lambda: functional(lambda q: normalized(signed=True)(dense(5)(q)), VECTOR), 1, 1,
    ),
    "normalization behind an LSTM": (
        lambda: functional(behind_lstm(normalized(), QActivation(bits(8, 2), name="a"), dense())), 2, 2,
    ),
    "merges": (lambda: functional(arithmetic, VECTOR), 3, 7),
    "shapes": (
        lambda: functional(lambda q: dense(3)(kl.Flatten(name="f")(kl.Reshape((3, 14), name="r")(q)))), 1, 2,
    ),
    "an image, flat": (lambda: functional(lambda q: dense(3)(kl.Flatten(name="f")(q)), (2, 3, 4)), 1, 1),
    "permutation of nothing": (lambda: functional(lambda q: dense(3)(kl.Permute((1, 2), name="p")(q))), 1, 0),
    "repeated": (
        lambda: functional(
            behind_lstm(kl.RepeatVector(4, name="r"), recurrent("m", return_sequences=True), dense())
        ), 2, 1,
    ),
    "nested": (lambda: functional(nested, VECTOR), 1, 0),
    "shared": (lambda: functional(shared, VECTOR), 1, 0),
    "noise and dropout": (
        lambda: functional(
            lambda q: kl.GaussianNoise(0.1, name="n")(dense()(kl.Dropout(0.2, name="d")(q))), VECTOR
        ), 1, 0,
    ),
    "two inputs, two outputs": (two_inputs, 3, 1),
    "two inputs, the second one read first": (swapped, 1, 2),
    "masked": (lambda: functional(masked(recurrent("l"), dense())), 1, 1),
    "masked, every step": (lambda: functional(masked(*stacks(), dense())), 2, 2),
    "masked, both ways": (
        lambda: functional(masked(kl.Bidirectional(recurrent("l", return_sequences=True), name="both"))), 2, 4,
    ),
    "a mask that no LSTM gets": (
        lambda: functional(masked(QActivation(bits(8, 2), name="q"), recurrent("l"), dense())), 1, 2,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Layer 'q' .of type QActivation. was passed an input with a mask")
@pytest.mark.parametrize("case", CASES)
def test_golden_program_gives_exactly_what_keras_gives(case: str) -> None:
    build, chains, host_operations = CASES[case]
    model = build()
    conversion: Conversion = convert(model).ese_conversion
    x = frames(model, masked="mask" in case)
    found, expected = golden_values(conversion, x), as_list(model(x if len(x) > 1 else x[0]))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert len(np.unique(ours)) > 5
    assert len(conversion.program.chains) == chains
    assert len(conversion.program.steps) - chains == host_operations
    assert (conversion.program.lone is not None) == (chains == 1 and host_operations == 0 and case != "backwards")


def test_quantized_normalization_is_rounded_and_reported() -> None:
    model = functional(lambda q: QBatchNormalization(name="norm")(dense(5)(q)), VECTOR)
    conversion = convert(model).ese_conversion
    x = frames(model)
    np.testing.assert_allclose(golden_values(conversion, x)[0], np.asarray(model(x[0])), rtol=0, atol=2e-4)
    assert not conversion.summary.exact
    assert [note.split(", by")[0] for note in conversion.summary.notes if "folded" in note] == [
        "layer 'dense': folded scale rounded to 16 bits",
        "layer 'dense': folded bias rounded to 16 bits",
    ]


@pytest.mark.parametrize(("name", "head"), [("sigmoid", "sigmoid"), ("tanh", "tanh"), ("softmax", "softmax")])
def test_a_smooth_function_at_the_end_is_the_hosts(name: str, head: str) -> None:
    model = functional(behind_lstm(dense(3, activation=name)))
    conversion = convert(model).ese_conversion
    assert [output.head for output in conversion.program.outputs] == [head]
    x = frames(model)
    np.testing.assert_allclose(golden_values(conversion, x)[0], np.asarray(model(x[0])), rtol=0, atol=1e-6)


def test_summary_says_where_each_layer_is() -> None:
    model = functional(
        behind_lstm(
            kl.Dropout(0.1, name="drop"), normalized(), QActivation(bits(8, 2), name="a"), dense(4), normalized("fold"),
            kl.Activation("softmax", name="classes"),
        )
    )  # fmt: skip
    summary = convert(model).ese_conversion.summary
    assert summary.layers == (
        ("x", "InputLayer", "host: input"),
        ("source", "QActivation", "is the format of 'x'"),
        ("l", "QLSTM", "engine: chain 0"),
        ("drop", "Dropout", "left out behind 'l'"),
        ("norm", "BatchNormalization", "host: Affine"),
        ("a", "QActivation", "host: Quantize"),
        ("dense", "QDense", "engine: chain 1"),
        ("fold", "BatchNormalization", "folded into 'dense'"),
        ("classes", "Activation", "host: softmax of the output, in floating point"),
    )
    assert summary.to_json()["layers"][2] == {"layer": "l", "class": "QLSTM", "place": "engine: chain 0"}
    assert "engine: chain 1" in str(summary)
