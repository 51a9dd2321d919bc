# SPDX-License-Identifier: Apache-2.0
"""Dense layers whose inputs have more bits than a vector element are computed in parts, and exactly."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as kl
from qkeras import QActivation, QDense, quantized_bits, quantized_relu

from ese_hls.emulate import codes_of
from ese_hls.encode import fit_design
from ese_hls.selfcheck import self_check
from ese_hls.warnings import ConversionWarning
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.files import encode
from ese_host.image.sizing import SizeError
from ese_host.ir import Fixed, golden
from ese_host.ir.program import Affine, Chain, Quantize, run
from support.keras_models.plugin_models import bits, convert, golden_values
from support.second_decoder import SampleFrames, apply

IN_PARTS = "in parts of 16 bits whose sums the host adds up"


def two_outputs() -> Any:
    x = keras.Input((10,), name="x")
    return keras.Model(x, [kl.Dense(10, name="first")(x), kl.Dense(10, activation="relu", name="second")(x)])


def clones() -> Any:
    """Sums of sums, in which the rounding of single layers adds up."""
    x = keras.Input((10,), name="x")
    values = [kl.Dense(10)(x) for _ in range(7)]
    while len(values) > 1:
        values = [kl.Add()([values[0], other]) for other in values[1:]]
    return keras.Model(x, values[0])


def stacked(*layers: Any, shape: tuple[int | None, ...] = (5,)) -> Any:
    model = keras.Sequential([keras.Input(shape, name="x"), *layers])
    rng = np.random.default_rng(4)
    for layer in model.layers:
        if isinstance(layer, kl.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, value.shape) for value in layer.get_weights()])
        else:
            layer.set_weights([rng.normal(size=value.shape) for value in layer.get_weights()])
    return model


def quietly(model: Any, out: Any = "unused", **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)
        return convert(model, out, **options)


@pytest.mark.parametrize(
    ("build", "precision", "scale", "allowed"),
    [(two_outputs, "fixed<32,5>", 1.0, 1e-5), (clones, "fixed<24,3>", 0.2, 1e-4)],
)
def test_wide_precisions_are_as_precise_as_they_ask(
    build: Any, precision: str, scale: float, allowed: float, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = build()
    graph = quietly(model, tmp_path, Precision=precision)
    x = np.clip(np.random.default_rng(0).normal(0, scale, (200, 10)), -2, 2)
    graph.compile()
    found, expected = graph.predict(x), model.predict(x, verbose=0)
    pairs = zip(found, expected, strict=True) if isinstance(found, list) else [(found, expected)]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=allowed, rtol=0)
    places = [place for _, kind, place in graph.ese_conversion.summary.layers if kind == "Dense"]
    assert len(places) > 1
    assert all(IN_PARTS in place or "folded" in place for place in places)


def test_engine_golden_model_and_second_decoder_agree(tmp_path: Path) -> None:
    model = stacked(kl.Dense(4, activation="relu"), kl.Dense(3), shape=(3, 5))
    graph = quietly(model, tmp_path, Precision="fixed<32,6>")
    conversion = graph.ese_conversion
    assert len(conversion.splits) == 2
    x = np.random.default_rng(1).normal(size=(4, 3, 5)).astype(np.float32)
    graph.compile()
    assert np.array_equal(graph.predict(x), golden_values(conversion, [x])[0])
    result = run(conversion.program, codes_of(conversion, {conversion.inputs[0].name: x}))
    frames = {name: SampleFrames(v.tensor.frac, v.codes[0].tolist()) for name, v in result.tensors.items()}
    for step in conversion.program.steps:
        sources = [frames[name] for name in step.sources]
        if isinstance(step, Chain):
            outputs = golden.run(step.network, np.array([sources[0].codes])).outputs[0].tolist()
            assert frames[step.target].codes == outputs
        else:
            fields = encode(step, lambda array, _: array.tolist(), "class")
            assert frames[step.target] == apply(fields, *sources), step


@settings(max_examples=12)
@given(
    precision=st.tuples(st.integers(17, 48), st.integers(1, 20), st.booleans()),
    width=st.integers(1, 6),
    units=st.integers(1, 6),
    steps=st.sampled_from([(), (3,), (None,)]),
    activation=st.sampled_from(["linear", "relu"]),
    normalized=st.booleans(),
    second=st.booleans(),
    seed=st.integers(0, 1 << 16),
)
def test_generated_layers_are_bounded(
    precision: tuple[int, int, bool], width: int, units: int, steps: Any, activation: str,
    normalized: bool, second: bool, seed: int,
) -> None:  # fmt: skip
    """The self-check, which every conversion runs, holds each value; here the whole model's error is bounded, too."""
    total, integer, signed = precision
    layers = [kl.Dense(units, activation=activation), *[kl.BatchNormalization()] * normalized, *[kl.Dense(2)] * second]
    model = stacked(*layers, shape=(*steps, width))
    text = f"{'' if signed else 'u'}fixed<{total},{integer}>"
    conversion = quietly(model, layers={"x": {"Precision": {"result": text}}}, Precision="fixed<28,14>").ese_conversion
    assert conversion.splits
    assert conversion.inputs[0].format.frac >= min(total - integer, 9)
    form = conversion.inputs[0].format
    shape = (20, *((3,) if steps else ()), width)
    x = form.to_float(form.from_float(np.random.default_rng(seed).uniform(0, 0.99, shape))).astype(np.float32)
    found, expected = golden_values(conversion, [x])[0], np.asarray(model(x))
    forms = [step.format for step in conversion.program.steps if isinstance(step, Quantize)]
    last = max([2.0**-form.frac for form in forms if form.bits > 16], default=0.0)
    of_constants = 2.0 ** (-13 if normalized else -16)  # those of a normalization that cannot be folded have 16 bits
    np.testing.assert_allclose(found, expected, atol=100 * last + of_constants * (1 + np.abs(expected).max()))


@given(bits_of_x=st.integers(17, 30), kernel_bits=st.integers(2, 8), seed=st.integers(0, 1 << 16))
@settings(max_examples=10)
def test_quantized_kernels_are_exact(bits_of_x: int, kernel_bits: int, seed: int) -> None:
    source = quantized_bits(bits_of_x, 2, alpha=1)
    kernel, bias = quantized_bits(kernel_bits, 0, alpha=1), bits(kernel_bits, 1)
    dense = QDense(4, kernel_quantizer=kernel, bias_quantizer=bias, name="d")
    conversion = quietly(stacked(QActivation(source, name="q"), dense)).ese_conversion
    assert conversion.splits
    form = conversion.inputs[0].format
    assert form == Fixed(bits_of_x, 3)
    codes = np.random.default_rng(seed).integers(form.low, form.high + 1, (30, 5))
    result = run(conversion.program, {conversion.inputs[0].name: codes[:, None, :]})
    total = result.tensors[conversion.splits[0].total]
    weights = [np.asarray(kernel(dense.kernel), np.float64), np.asarray(bias(dense.bias), np.float64)]
    of_weights = [np.rint(np.ldexp(values, kernel_bits)).astype(np.int64) for values in weights]
    exact = codes @ of_weights[0] + (of_weights[1] << form.frac)
    assert np.array_equal(total.codes[:, 0] << (form.frac + kernel_bits), exact << total.tensor.frac)


def test_a_sum_of_wide_results_is_read_in_parts_too() -> None:
    x = keras.Input((5,), name="x")
    total = kl.Add(name="sum")([kl.Dense(4)(x), kl.Dense(4)(x)])
    model = keras.Model(x, kl.Dense(2, name="last")(total))
    conversion = quietly(model, Precision="fixed<28,8>").ese_conversion
    assert [split.name for split in conversion.splits][-1] == "last"
    assert conversion.splits[-1].source == "sum_wide"


def test_a_recurrent_layer_reads_16_bits_and_warns() -> None:
    x = keras.Input((4, 5), name="x")
    model = keras.Model(x, [kl.LSTM(3, name="l")(x), kl.Dense(2, name="d")(x)])
    with pytest.warns(ConversionWarning) as caught:
        conversion = convert(model, Precision="fixed<24,6>").ese_conversion
    assert [split.name for split in conversion.splits] == ["d"]
    key = "hls_config['LayerName']['x']['Precision']['result']"
    texts = [str(item.message) for item in caught]
    assert (
        "input 'x' has no quantizer; its values are rounded to fixed<16,6> instead of fixed<24,6> of the "
        f"configuration, half to even, and saturated: a vector element has 16 bits; {key} sets other ones"
    ) in texts
    with pytest.raises(UnsupportedError, match=r"^input 'x' has no quantizer; its values are rounded to fixed<16,6>"):
        converted_strictly(model, "fixed<24,6>")


def converted_strictly(model: Any, precision: str) -> Any:
    import hls4ml

    config = {"Model": {"Precision": precision}}
    return hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir="unused", hls_config=config, strict=True
    ).ese_conversion


def test_what_fits_30_bits_loses_nothing() -> None:
    conversion = converted_strictly(stacked(kl.Dense(3)), "fixed<30,6>")
    assert conversion.inputs[0].format == Fixed(30, 6)
    assert conversion.summary.warnings == ()


def test_more_than_30_bits_are_narrowed_with_a_warning() -> None:
    with pytest.warns(ConversionWarning) as caught:
        convert(stacked(kl.Dense(3)), Precision="fixed<40,24>")
    key = "hls_config['LayerName']['x']['Precision']['result']"
    assert [str(item.message) for item in caught if isinstance(item.message, ConversionWarning)] == [
        "input 'x' has no quantizer; its values are rounded to fixed<30,20> instead of fixed<40,24> of the "
        "configuration, half to even, and saturated: a Dense layer reads, in two parts, 30 bits; "
        f"{key} sets other ones"
    ]


def test_a_model_that_is_too_large_in_parts_is_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    of_program = fit_design.fit

    def fit(networks: Any, **chosen: Any) -> Any:
        if any(layer.name.endswith("_parts") for network in networks for layer in network.layers):
            raise SizeError("too many weights", shared=False)
        return of_program(networks, **chosen)

    monkeypatch.setattr(fit_design, "fit", fit)
    with pytest.warns(ConversionWarning, match=r"fixed<16,6> instead of fixed<24,6>"):
        conversion = convert(stacked(kl.Dense(3)), Precision="fixed<24,6>").ese_conversion
    assert not conversion.splits
    assert conversion.network.source == Fixed(16, 6)


def test_trace_has_the_sums_before_a_relu(tmp_path: Path) -> None:
    model = stacked(kl.Dense(6, activation="relu", name="d"))
    graph = quietly(model, tmp_path, Precision="fixed<24,6>")
    graph.compile()
    x = np.random.default_rng(2).normal(size=(8, 5))
    found, trace = graph.trace(x)
    assert trace["d"].min() < 0
    assert np.array_equal(np.maximum(trace["d"], 0), trace["d_relu"])
    assert np.array_equal(trace["d_relu"], found)


def test_a_quantizer_behind_the_layer_rounds_its_exact_sums() -> None:
    quantizer = QActivation(quantized_relu(8, 3), name="r")
    model = stacked(QActivation(bits(24, 4), name="q"), QDense(4, kernel_quantizer=bits(6, 0), name="d"), quantizer)
    conversion = quietly(model).ese_conversion
    x = np.random.default_rng(3).normal(size=(200, 5)).astype(np.float32)
    assert conversion.splits
    assert np.array_equal(golden_values(conversion, [x])[0], model.predict(x, verbose=0))


def test_one_last_bit_of_a_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = quietly(stacked(kl.Dense(4, activation="relu", name="d")), Precision="fixed<28,5>")
    conversion = graph.ese_conversion
    (chain,) = conversion.program.chains
    (split,) = conversion.splits
    matrix = chain.network.layers[0].matrices()["kernel"]
    for row, column in zip(*(index[::7] for index in np.nonzero(matrix.codes)), strict=True):
        codes = matrix.codes.copy()
        codes[row, column] -= np.sign(codes[row, column])
        layer = replace(chain.network.layers[0], kernel=replace(matrix, codes=codes))
        faulty = replace(chain, network=replace(chain.network, layers=(layer,)))
        expect_mismatch(graph, conversion, [faulty if step is chain else step for step in conversion.program.steps])
    for at, step in enumerate(conversion.program.steps):
        if isinstance(step, Affine) and step.target == split.scaled:
            for name in ("scale", "offset"):
                values = getattr(step, name).copy()
                values[0] += 1
                steps = [*conversion.program.steps]
                steps[at] = replace(step, **{name: values})
                expect_mismatch(graph, conversion, steps)
    graph.ese_conversion = conversion
    for target in (chain.target, split.scaled, split.total, split.target):
        step = next(step for step in conversion.program.steps if step.target == target)
        if isinstance(step, Chain):
            continue

        kind, unchanged = type(step), type(step).apply
        last_bit = 1 << max(0, conversion.program.tensors[target].frac - 15) if target == split.target else 1

        def faulty_apply(
            self: Any, *values: Any, original: Any = unchanged, name: str = target, bit: int = last_bit
        ) -> Any:
            value = original(self, *values)
            codes = np.minimum(value.codes + bit, value.tensor.high)
            return value.with_codes(value.tensor, codes) if self.target == name else value

        with monkeypatch.context() as patch:
            patch.setattr(kind, "apply", faulty_apply)
            expect_mismatch(graph, conversion, conversion.program.steps)


def expect_mismatch(graph: Any, conversion: Any, steps: Any) -> None:
    graph.ese_conversion = replace(conversion, program=replace(conversion.program, steps=tuple(steps)))
    with pytest.raises(MismatchError, match=r"^layer 'd'"):
        self_check(graph)


def test_sums_without_room_are_narrowed() -> None:
    """Scales of 16 bits beside levels of 16 bits leave no room for two parts of an input."""
    kernel = quantized_bits(16, 0, alpha="auto")
    model = stacked(QActivation(bits(30, 2), name="q"), QDense(4, kernel_quantizer=kernel, name="d"), shape=(300,))
    with pytest.warns(ConversionWarning, match=r"^layer 'x' gives values of fixed<30,3>"):
        conversion = convert(model).ese_conversion
    assert not conversion.splits
