# SPDX-License-Identifier: Apache-2.0
"""One last bit of error in any constant or value of a converted layer is found, and the layer is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras import layers
from qkeras import QActivation, quantized_bits, quantized_relu

from ese_hls.selfcheck import self_check
from ese_host.errors import MismatchError
from ese_host.ir import Dense, Fixed, Lstm, golden
from ese_host.ir.program import Affine, Chain, Mask, Program
from support.keras_models.plugin_models import bits, dense, fill, gru, lstm


def sequential(*stack: Any) -> Any:
    return fill(keras.Sequential(list(stack)), density=0.6)


def two_branches() -> Any:
    first, second = keras.Input((6,)), keras.Input((6,))
    total = layers.Add()([layers.Dense(4, activation="relu")(first), layers.Dense(4)(second)])
    joined = layers.Concatenate()([total, layers.Dense(3)(first)])
    return fill(keras.Model([first, second], [layers.Dense(2)(joined), joined]))


def projected() -> Any:
    from ese_models.networks.qlstmp import QLSTMP

    kernels = {f"{name}_quantizer": quantized_bits(4, 0, alpha=1) for name in ("kernel", "recurrent", "projection")}
    others = {f"{name}_quantizer": bits(8, 1) for name in ("bias", "peephole", "state")}
    return sequential(keras.Input((None, 6)), QActivation(bits(8, 2)), QLSTMP(6, 4, **kernels, **others))


MODELS: dict[str, Callable[[], Any]] = {
    "quantized LSTM": lambda: sequential(keras.Input((None, 6)), QActivation(bits(8, 2)), lstm(), dense()),
    "smooth LSTM": lambda: sequential(
        keras.Input((None, 6)), QActivation(bits(8, 2)),
        lstm(activation="tanh", recurrent_activation="sigmoid", state_quantizer=bits(16, 3)),
    ),
    "projected LSTM": projected,
    "quantized GRU": lambda: sequential(
        keras.Input((None, 6)), QActivation(bits(8, 2)), gru(8, reset_after=True), dense()
    ),
    "GRU with r before": lambda: sequential(keras.Input((None, 6)), QActivation(bits(8, 2)), gru(8), dense()),
    "smooth GRU": lambda: sequential(
        keras.Input((None, 6)), QActivation(bits(8, 2)),
        gru(8, activation="tanh", recurrent_activation="sigmoid", state_quantizer=bits(16, 1)),
    ),
    "float GRU": lambda: sequential(keras.Input((None, 6)), layers.GRU(5, return_sequences=True), layers.Dense(3)),
    "float GRU with r before": lambda: sequential(
        keras.Input((5, 6)), layers.Bidirectional(layers.GRU(4, reset_after=False)), layers.Dense(3)
    ),
    "float LSTM": lambda: sequential(keras.Input((None, 6)), layers.LSTM(5, return_sequences=True), layers.Dense(3)),
    "bidirectional": lambda: sequential(keras.Input((5, 6)), layers.Bidirectional(layers.LSTM(4)), layers.Dense(3)),
    "quantized Dense": lambda: sequential(
        keras.Input((6,)), QActivation(bits(8, 2)), dense(8), QActivation(quantized_relu(6, 2)), dense(4, name="last")
    ),
    "float Dense": lambda: sequential(keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(4)),
    "normalized": lambda: sequential(keras.Input((6,)), dense(8), layers.BatchNormalization(), layers.Dense(3)),
    "normalized input": lambda: sequential(keras.Input((6,)), layers.BatchNormalization(), layers.Dense(3)),
    "branches": two_branches,
}  # fmt: skip


def converted(model: Any) -> Any:
    config = {"Model": {"PEs": 2, "SelfCheck": 0}}
    return hls4ml.converters.convert_from_keras_model(model, hls_config=config, backend="ESE", output_dir="build/none")


def with_program(graph: Any, program: Program) -> Any:
    """The graph with another program, and with the check on."""
    conversion = graph.ese_conversion
    graph.ese_conversion = replace(conversion, program=program, options=replace(conversion.options, self_check=32))
    return graph


def changed(codes: Any) -> Any:
    """Codes of which one, of middle size, differs by one."""
    result = codes.copy()
    order = np.abs(result).ravel().argsort()
    place = np.unravel_index(order[3 * len(order) // 4], result.shape)
    result[place] -= np.sign(result[place]) or 1
    return result


def faulty_layers(layer: Any) -> Iterator[tuple[str, Any]]:
    """The layer with one constant off by one, for each kind of constant that it has."""
    for part, matrix in layer.matrices().items():
        yield f"{part} code", replace(layer, **{part: replace(matrix, codes=changed(matrix.codes))})
        scale = matrix.scale.copy()
        scale[:, np.abs(matrix.levels).sum(axis=1).argmax()] += 1
        yield f"{part} scale", replace(layer, **{part: replace(matrix, scale=scale)})
    if layer.bias.any():
        yield "bias", replace(layer, bias=changed(layer.bias))
    if isinstance(layer, Lstm) and layer.peepholes is not None:
        yield "peephole", replace(layer, peepholes=changed(layer.peepholes))


def faults(program: Program) -> Iterator[tuple[str, str, Program]]:
    """Name of the layer, name of the constant, and the program with that constant off by one."""
    for number, step in enumerate(program.steps):
        others: list[tuple[str, str, Any]] = []
        if isinstance(step, Chain):
            network = step.network
            for index, layer in enumerate(network.layers):
                for what, faulty in faulty_layers(layer):
                    stack = (*network.layers[:index], faulty, *network.layers[index + 1 :])
                    others.append((layer.name, what, replace(step, network=replace(network, layers=stack))))
        elif isinstance(step, Affine):
            others.append((step.target, "factor", replace(step, scale=changed(step.scale))))
        for name, what, other in others:
            yield name, what, replace(program, steps=(*program.steps[:number], other, *program.steps[number + 1 :]))


SLOW = ("smooth GRU", "float GRU")
OF_ENGINE = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MODELS]


@pytest.mark.parametrize("name", OF_ENGINE)
def test_one_last_bit_of_a_constant_is_found(name: str) -> None:
    graph = converted(MODELS[name]())
    program = graph.ese_conversion.program
    self_check(with_program(graph, program))
    for layer, what, faulty in faults(program):
        with pytest.raises(MismatchError, match=f"layer '{layer}'|Bidirectional"):
            self_check(with_program(graph, faulty))
            pytest.fail(f"{layer}: {what} off by one was not found")


@pytest.mark.parametrize("name", OF_ENGINE)
def test_one_last_bit_of_what_a_layer_hands_on_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = converted(MODELS[name]())
    program = graph.ese_conversion.program
    run = golden.run
    for target in [layer for chain in program.chains for layer in chain.network.layers]:
        form = target.state if isinstance(target, Lstm) and target.projection is not None else target.output
        last_bit = form or (target.source if isinstance(target, Dense) else Fixed(16, 1))

        def faulty(network: Any, inputs: Any, target: Any = target, frac: int = last_bit.frac) -> Any:
            results = run(network, inputs).layers
            return golden.GoldenResult(
                tuple(
                    replace(
                        r,
                        exact=r.exact + (1 << max(0, r.exact_frac - frac)),
                        output=r.output + (1 << max(0, r.output_frac - frac)),
                    )
                    if r.name == target.name
                    else r
                    for r in results
                )
            )

        monkeypatch.setattr(golden, "run", faulty)
        with pytest.raises(MismatchError, match=f"layer '{target.name}'|Bidirectional"):
            self_check(with_program(graph, program))
            pytest.fail(f"{target.name}: an output off by one was not found")
        monkeypatch.setattr(golden, "run", run)


def on_host(*stack: Any, shape: tuple[int | None, ...] = (6, 4)) -> Any:
    """A model of exact values on which layers of the host work."""
    return sequential(keras.Input(shape), QActivation(bits(8, 2)), *stack)


ON_HOST: dict[str, Callable[[], Any]] = {
    "sigmoid": lambda: on_host(layers.Activation("sigmoid"), layers.Dense(2)),
    "table": lambda: on_host(layers.Activation("gelu"), layers.Dense(2)),
    "pieces": lambda: on_host(layers.LeakyReLU(0.25), layers.Dense(2)),
    "quantizer": lambda: on_host(layers.ReLU(), QActivation(bits(4, 1)), layers.Dense(2)),
    "softmax": lambda: on_host(layers.Softmax(), layers.Dense(2)),
    "softmax over steps": lambda: on_host(layers.Softmax(axis=1), layers.Dense(2)),
    "mean": lambda: on_host(layers.GlobalAveragePooling1D(), layers.Dense(2)),
    "windows": lambda: on_host(layers.MaxPooling1D(2), layers.Dense(2)),
    "means of windows": lambda: on_host(layers.AveragePooling1D(3, padding="same"), layers.Dense(2)),
    "order": lambda: on_host(layers.Permute((2, 1)), layers.Dense(2)),
    "padding": lambda: on_host(layers.ZeroPadding1D(1), layers.Dense(2)),
    "standardized": lambda: on_host(layers.LayerNormalization(), layers.Dense(2)),
    "scaled": lambda: on_host(layers.BatchNormalization(), layers.ReLU(), layers.Dense(2)),
    "numbers": lambda: sequential(keras.Input((6,)), layers.Embedding(9, 4), layers.LSTM(3)),
    "sums": two_branches,
}


@pytest.mark.parametrize("name", ON_HOST)
def test_one_last_bit_of_a_host_operation_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = converted(ON_HOST[name]())
    conversion = graph.ese_conversion
    operations = [step for step in conversion.program.steps if not isinstance(step, (Chain, Mask))]
    assert operations
    for target in operations:
        kind = type(target)

        def faulty(self: Any, *values: Any, target: Any = target, apply: Any = kind.apply) -> Any:
            value = apply(self, *values)
            last_bit = 1 << max(0, value.tensor.frac - 15)  # finer bits are lost in float32
            codes = np.where(value.codes > value.tensor.low, value.codes - last_bit, value.codes + last_bit)
            return value if self.target != target.target else value.with_codes(value.tensor, codes)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "apply", faulty)
            with pytest.raises(MismatchError, match=r"^(layer|tensor) '"):
                self_check(with_program(graph, conversion.program))
                pytest.fail(f"{kind.__name__} {target.target!r}: a last bit was not found")
