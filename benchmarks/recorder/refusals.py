# SPDX-License-Identifier: Apache-2.0
"""Models, configurations and inputs that the plugin refuses, for the recorder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers as kl
from qkeras import QActivation, QConv1D, bernoulli, binary, quantized_bits, ternary

from benchmarks.recorder.designs import RecordedCase, convert
from benchmarks.recorder.items import Recording
from benchmarks.recorder.models import (
    bits,
    chain,
    dense,
    fill,
    float_model,
    frames,
    functional,
    int4_classifier,
    layers_after,
    learned,
    lstm,
    projected,
    softmax,
    ternary_classifier,
    two_inputs,
)


def started() -> Any:
    """A model of an LSTM with its initial state as inputs."""
    x, h, c = keras.Input((6, 7), name="x"), keras.Input((4,), name="h"), keras.Input((4,), name="c")
    return fill(keras.Model([x, h, c], lstm("l", 4)(x, initial_state=[h, c])))


def unknown_axes() -> Any:
    """A model with an input of which two axes may vary."""
    x = keras.Input((None, None, 3), name="x")
    return fill(keras.Model(x, dense()(QActivation(bits(8, 2), name="q")(x))))


def spoiled(value: float, tensor: str = "kernel") -> Any:
    """A classifier with one weight set to a value such as NaN."""
    model = int4_classifier()
    variable = getattr(model.get_layer("lstm").cell, tensor)
    array = np.array(variable)
    array[(1,) * array.ndim] = value
    variable.assign(array)
    return model


def two_of(make: Callable[..., Any], *units: int, **options: Any) -> Callable[[Any], Any]:
    """A function that merges two Dense layers of the quantized input."""
    return lambda q: make(**options)([dense(name, size)(q) for name, size in zip("ab", units, strict=True)])


def masked(*layers: Any) -> Any:
    """A model of layers after a Masking layer."""
    return layers_after(kl.Masking(0.0, name="mask"), *layers)


def inner(*layers: Any) -> Any:
    """Layers as a model that can be a layer of another."""
    return keras.Sequential([keras.Input((6, 7)), *layers], name="inner")


MODELS: dict[str, Callable[[], Any]] = {
    "convolution": lambda: chain(kl.Conv2D(2, 2, name="conv"), shape=(6, 7, 1)),
    "SimpleRNN": lambda: chain(kl.SimpleRNN(3, name="rnn")),
    "convolution of QKeras": lambda: layers_after(QConv1D(2, 2, name="every")),
    "states": lambda: functional(lambda q: dense()(lstm("l", return_state=True)(q)[0])),
    "stateful": lambda: fill(keras.Sequential([keras.Input(batch_shape=(2, 6, 7)), lstm(stateful=True), dense()])),
    "initial state": started,
    "SimpleRNN both ways": lambda: layers_after(kl.Bidirectional(kl.SimpleRNN(3), name="both")),
    "convolution at every step": lambda: layers_after(kl.TimeDistributed(kl.Conv1D(2, 2)), shape=(6, 7, 3)),
    "bounded ReLU": lambda: layers_after(dense(), kl.ReLU(max_value=6, name="six")),
    "leaky ReLU": lambda: layers_after(dense(), kl.LeakyReLU(name="leaky")),
    "function": lambda: layers_after(dense(), kl.Activation("gelu", name="bent")),
    "ternary of a batch": lambda: layers_after(dense(), QActivation(ternary(alpha="auto"), name="three"), dense("b")),
    "binary activation": lambda: layers_after(dense(), QActivation(binary(alpha=1.0), name="two"), dense("b")),
    "softmax along steps": lambda: layers_after(dense(), kl.Softmax(axis=1, name="along")),
    "softmax inside": lambda: chain(dense("a", 4, activation="softmax"), dense("b"), shape=(7,)),
    "normalization along steps": lambda: layers_after(kl.BatchNormalization(axis=1, name="norm"), dense()),
    "shapes that differ": lambda: functional(two_of(kl.Add, 4, 1, name="sum"), (7,)),
    "joined along steps": lambda: functional(two_of(kl.Concatenate, 4, 4, axis=1, name="join")),
    "swapped axes": lambda: layers_after(kl.Permute((2, 1), name="swap"), dense()),
    "reshaped, of any length": lambda: layers_after(kl.Reshape((-1, 14), name="r"), dense(), shape=(None, 7)),
    "mask value": lambda: layers_after(kl.Masking(-0.3, name="mask"), lstm("l"), dense()),
    "mask through a Dense layer": lambda: masked(dense("d", 4, activation=bits(8, 2)), lstm("l")),
    "masked and backwards": lambda: masked(lstm("l", go_backwards=True, return_sequences=True), dense()),
    "nested, masked from outside": lambda: masked(inner(lstm("l")), dense()),
    "masked softmax": lambda: masked(dense(), kl.Softmax(name="soft")),
    "nested convolution": lambda: layers_after(inner(kl.Conv1D(2, 2, name="conv"))),
    "two formats of LSTM": lambda: layers_after(
        lstm("a", return_sequences=True), QActivation(bits(8), name="q"), lstm("b", state_quantizer=bits(8, 2))
    ),
    "axes that vary": unknown_axes,
    "wide state": lambda: chain(lstm(state_quantizer=bits(20, 2)), dense()),
    "scale of a state": lambda: chain(lstm(state_quantizer=quantized_bits(8, 1, alpha="auto")), dense()),
    "linear cell": lambda: chain(lstm(activation="linear"), dense()),
    "noise in weights": lambda: chain(dense(kernel=lambda: bits(8, 0, qnoise_factor=0.5)), shape=(7,)),
    "softmax before a layer": lambda: layers_after(softmax(), dense()),
    "random weights": lambda: chain(dense(kernel=bernoulli), shape=(7,)),
    "weights of 20 bits": lambda: chain(dense(kernel=lambda: bits(20, 1)), shape=(7,)),
    "NaN": lambda: spoiled(np.nan),
    "infinity": lambda: spoiled(np.inf, "recurrent_kernel"),
    "infinite bias": lambda: spoiled(-np.inf, "bias"),
    "codebook of 6 bits": lambda: learned("Codebook", bits=6),
    "a layer's size": lambda: projected(units=0),
}
SETTINGS: dict[str, Any] = {
    "PE": 8, "PEs": 0, "PEs ": 1000, "AccBanks": 3, "GapBits": 20, "Mode": "dense", "WeightCode": "ternary",
    "WeightCode ": "int5", "WeightCode  ": "codebook4", "FifoDepth": 6, "ReuseFactor": 4, "WeightSource": "rom",
    "CellsPerCycle": 4, "Storage": "dense", "Board": "de10", "ClockMHz": 0, "PEs  ": "8", "Precision": "float",
}  # fmt: skip
"""Keys of hls_config["Model"] and values. Trailing spaces keep entries of the same key apart; they are stripped."""
LAYERS: dict[str, tuple[Callable[[], Any], dict[str, dict[str, Any]], dict[str, Any]]] = {
    "threshold of a Dense layer": (int4_classifier, {"dense": {"DeltaInput": 0.5}}, {"Mode": "skip"}),
    "threshold below zero": (int4_classifier, {"lstm": {"DeltaInput": -1}}, {"Mode": "skip"}),
    "threshold in words": (int4_classifier, {"lstm": {"DeltaState": "much"}}, {"Mode": "skip"}),
    "threshold in stream mode": (int4_classifier, {"lstm": {"DeltaInput": 0.5}}, {}),
    "unsigned state": (float_model, {"lstm": {"Precision": {"state": "ufixed<8,2>"}}}, {}),
    "wide input": (float_model, {"x": {"Precision": {"result": "fixed<64,50>"}}}, {}),
    "precision of no form": (float_model, {"x": {"Precision": {"result": "float"}}}, {}),
    "two units, three PEs": (int4_classifier, {}, {"PEs": 3, "CellsPerCycle": 2}),
    "too few bits of a gap": (lambda: chain(dense(units=300), shape=(600,), density=0.01), {}, {"GapBits": 2}),
    "larger than a board": (lambda: chain(dense(units=2000), shape=(4000,), density=0.9), {}, {"PEs": 128}),
    "wider than a frame": (lambda: chain(dense(units=2), shape=(70000,), density=0.001), {}, {}),
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "io_type": {"io_type": "io_fast"},
    "board": {"board": "de10"},
    "part": {"part": "xcu250-figd2104-2L-e"},
    "clock_uncertainty": {"clock_uncertainty": "12.5%"},
    "input_data_tb": {"input_data_tb": "x.npy"},
    "clock_period": {"clock_period": 0.5},
    "files": {"files": {"testset.npz": "/none/there.npz"}},
}
WITHOUT: dict[str, Callable[[], Any]] = {
    "float LSTM": lambda: chain(kl.LSTM(3, name="plain"), dense()),
    "no state quantizer": lambda: chain(lstm(state_quantizer=None), dense()),
    "no input quantizer": lambda: chain(dense(), shape=(7,), source=None),
    "wide values between layers": lambda: chain(lstm(activation="tanh", recurrent_activation="sigmoid"), dense()),
    "exact sum into a layer": lambda: chain(dense("first", 4), dense("second"), shape=(7,)),
}
"""Models that lack a quantizer, converted with Precision "auto"."""
INPUTS: dict[str, Any] = {
    "another width": np.zeros((3, 6, 8), np.float32),
    "another length": np.zeros((3, 5, 7), np.float32),
    "no steps": np.zeros((3, 7), np.float32),
    "no samples": np.zeros((0, 6, 7), np.float32),
    "NaN": np.full((3, 6, 7), np.nan, np.float32),
    "infinity": np.full((3, 6, 7), np.inf, np.float32),
    "text": "x",
    "two arrays": [np.zeros((3, 6, 7), np.float32)] * 2,
    "another name": {"y": np.zeros((3, 6, 7), np.float32)},
    "far beyond the format": np.full((3, 6, 7), 1e30, np.float32),
}


def models(record: Recording) -> None:
    """Record how the plugin refuses models, configurations, arguments and inputs."""

    def refused(name: str, build: Callable[[], Any], case: RecordedCase) -> None:
        record.attempt(f"refused {name}", lambda: convert(build(), record.work / "refused", case), always=True)

    for name, build in MODELS.items():
        refused(f"model: {name}", build, RecordedCase(build))
    for key, value in SETTINGS.items():
        refused(f"setting: {key}: {value}", int4_classifier, RecordedCase(int4_classifier, {key.strip(): value}))
    for name, (build, layers, model) in LAYERS.items():
        refused(f"configuration: {name}", build, RecordedCase(build, model, layers))
    for name, arguments in ARGUMENTS.items():
        refused(f"argument: {name}", int4_classifier, RecordedCase(int4_classifier, arguments=arguments))
    auto = {"hls_config": {"Model": {"Precision": "auto"}}}
    for name, build in WITHOUT.items():
        refused(f"without a precision: {name}", build, RecordedCase(build, {"none": True}, arguments=auto))
    _uses(record)


def _uses(record: Recording) -> None:
    """Record graphs that are used out of order or with wrong inputs, and folders that hold other files."""
    graph = convert(int4_classifier(), record.work / "uses", RecordedCase(int4_classifier, {"PEs": 2}))
    x = frames(int4_classifier(), 3)[0]
    record.attempt("refused use: predict before compile", lambda: graph.predict(x), always=True)
    record.attempt("refused use: build without tools", lambda: graph.build(csim=True), always=True)
    record.attempt("refused use: build by fifo_opt", lambda: graph.build(fifo_opt=True), always=True)
    graph.compile()
    for name, given in INPUTS.items():
        for what in ("predict", "trace"):
            outputs = record.attempt(f"refused {what}: {name}", partial(getattr(graph, what), given), always=True)
            if outputs is not None:
                record.arrays(f"{what} of {name}", outputs)
    several = convert(two_inputs(), record.work / "several", RecordedCase(two_inputs))
    several.compile()
    x, y = frames(two_inputs(), 3)
    pairs = {"one of two": x, "swapped": [y, x], "of two counts": [x, y[:2]], "by name": {"x": x, "y": y}}
    for name, given in pairs.items():
        outputs = record.attempt(f"refused inputs: {name}", partial(several.predict, given), always=True)
        if outputs is not None:
            record.arrays(f"inputs {name}", outputs)
    foreign = record.work / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("not ours", encoding="utf-8")
    other = convert(ternary_classifier(), foreign, RecordedCase(ternary_classifier))
    record.attempt("refused use: somebody's folder", other.write, always=True)
