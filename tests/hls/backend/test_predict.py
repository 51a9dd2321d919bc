# SPDX-License-Identifier: Apache-2.0
"""`predict` and `trace` take and give what Keras's `predict` does; the rest is refused in words, or warned of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ese_hls.emulate import interface_of
from ese_hls.warnings import ConversionWarning
from ese_host.errors import FormatError, UnsupportedError
from ese_host.interface import ModelInput, ModelInterface, ModelOutput
from support.keras_models.plugin_models import chain, convert, fill, lstm

X = np.random.default_rng(4).normal(size=(5, 3)).astype(np.float32)
V = np.random.default_rng(5).normal(size=(5, 1)).astype(np.float32)
QUIET = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A Keras model of two inputs with a dict of outputs, and the converted model."""
    x, v = keras.Input((3,), name="x"), keras.Input((1,), name="v")
    both = keras.layers.Concatenate(name="both")([x, v])
    outputs = {"z": keras.layers.Dense(2, name="first")(both), "b": keras.layers.Dense(4, name="second")(both)}
    model = fill(keras.Model([x, v], outputs), density=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tests that allow no warning mean those of `predict`
        graph = convert(model, tmp_path_factory.mktemp("two") / "prj")
    graph.compile()
    return model, graph


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = chain(lstm(4, return_sequences=True), shape=(None, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tests that allow no warning mean those of `predict`
        graph = convert(model, tmp_path_factory.mktemp("seq") / "prj")
    graph.compile()
    return graph


class OtherArray:
    """What other libraries give: an object that NumPy can convert, and nothing else."""

    def __init__(self, values: Any) -> None:
        self.values, self.shape = values, values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype)


# of tests/hls/conftest.py
@pytest.mark.filterwarnings("error", "ignore:Even though the `tf.config.experimental_run_functions_eagerly` option")
def test_inputs_of_every_kind_that_keras_takes(two: Any) -> None:
    model, graph = two
    expected = graph.predict([X, V])
    assert list(expected) == ["z", "b"]
    for name, values in model.predict([X, V], verbose=0).items():
        np.testing.assert_allclose(expected[name], values, rtol=0, atol=0.01)
    named = {"x": X, "v": V}
    given = [
        (X, V), named, {**named, "more": 7}, [X, V[:, 0]], [X.astype(np.float64), V], [X.tolist(), V.tolist()],
        [OtherArray(X), OtherArray(V)], {"x": list(X), "v": V[:, 0].tolist()}, [keras.ops.convert_to_tensor(X), V],
    ]  # fmt: skip
    for inputs in given:
        found = graph.predict(inputs)
        assert list(found) == ["z", "b"]
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    half = graph.predict([X.astype(np.float16), V.astype(np.float16)])["z"]
    np.testing.assert_array_equal(
        half, graph.predict([X.astype(np.float16).astype(np.float64), V.astype(np.float16)])["z"]
    )
    ones = np.ones((2, 3)), np.ones((2, 1))
    for kind in (np.int8, np.uint64, bool):
        np.testing.assert_array_equal(graph.predict([one.astype(kind) for one in ones])["b"], graph.predict(ones)["b"])
    np.testing.assert_array_equal(graph.predict([X, V], batch_size=2, verbose=0)["z"], expected["z"])
    outputs, traced = graph.trace({"x": X.tolist(), "v": OtherArray(V)})
    np.testing.assert_array_equal(outputs["z"], expected["z"])
    np.testing.assert_array_equal(traced["second"], expected["b"])


@QUIET
def test_one_sample_and_none_keep_their_axis(two: Any, recurrent: Any) -> None:
    _, graph = two
    one, none = graph.predict([X[:1], V[:1]]), graph.predict([X[:0], V[:0]])
    assert {name: values.shape for name, values in one.items()} == {"z": (1, 2), "b": (1, 4)}
    assert {name: values.shape for name, values in none.items()} == {"z": (0, 2), "b": (0, 4)}
    empty = recurrent.predict(np.zeros((0, 5, 7)))
    assert empty.shape == (0, 5, 4) and empty.dtype == np.float32
    outputs, traced = recurrent.trace(np.zeros((0, 5, 7)))
    assert outputs.shape == (0, 5, 4) and {name: v.shape for name, v in traced.items()} == {
        "source": (0, 5, 7), "lstm": (0, 5, 4)
    }  # fmt: skip
    np.testing.assert_array_equal(recurrent.predict([np.ones((2, 5, 7))]), recurrent.predict(np.ones((2, 5, 7))))


def generator() -> Iterator[Any]:
    yield X


NAN, INF = X.copy(), X.copy()
NAN[2, 1], INF[4, 0] = np.nan, -np.inf
MASKED: Any = np.ma.array(X, mask=X > 0)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([np.ones((2, 6)), V], "input 'x' has shape (2, 6); the model takes (samples, 3)"),
        (
            [X[0], V[0]],
            "input 'x' has shape (3,); the model takes (samples, 3): give a single sample as a batch of one, x[None]",
        ),
        ([X[:, :, None], V], "input 'x' has shape (5, 3, 1); the model takes (samples, 3)"),
        ([X, V[:3]], "inputs have {'x': 5, 'v': 3} samples; all must have the same number"),
        ([NAN, V], "input 'x' is nan at (2, 1); only finite numbers are taken: check the samples"),
        ({"x": INF, "v": V}, "input 'x' is -inf at (4, 0); only finite numbers are taken: check the samples"),
        ({"x": X, "w": V}, "x has ['w', 'x']; the model's inputs are ['v', 'x']"),
        (
            [X],
            "x is 1 arrays; the model has the inputs x, v: give a list of one array for each in this order, or a dict "
            "by name",
        ),
        (
            X,
            "x is a single ndarray; the model has the inputs x, v: give a list of one array for each in this order, or "
            "a dict by name",
        ),
        (
            [generator(), V],
            "input 'x' is a generator; NumPy arrays, lists of numbers, and tensors are taken: for a data set or "
            "generator, collect the samples in an array first",
        ),
        ([[[1.0, 2.0, 3.0], [1.0]], V], "input 'x' cannot become an array; all samples must have the same shape"),
        ([X.astype(str), V], "input 'x' holds values of type <U"),
        ([X * 1j, V], "input 'x' holds values of type complex64"),
        ([MASKED, V], "input 'x' is a masked array; fill the masked values first"),
    ],
)
def test_what_keras_refuses_is_refused_by_name(two: Any, x: Any, message: str) -> None:
    for run in (two[1].predict, two[1].trace):
        with pytest.raises(FormatError) as caught:
            run(x)
        assert str(caught.value).startswith(message)


def test_sequences_are_not_reshaped(recurrent: Any) -> None:
    for shape, found in (((4, 7, 6), "(4, 7, 6)"), ((4, 7), "(4, 7)"), ((4, 2, 3, 7), "(4, 2, 3, 7)")):
        with pytest.raises(FormatError) as caught:
            recurrent.predict(np.zeros(shape))
        assert str(caught.value).startswith(f"input 'x' has shape {found}; the model takes (samples, steps, 7)")
    with pytest.raises(FormatError, match=r"^input 'x' has shape \(4, 0, 7\); a sample has at least one step$"):
        recurrent.predict(np.zeros((4, 0, 7)))


def test_samples_of_several_axes_keep_their_order() -> None:
    shape = ModelInterface((ModelInput("x", (2, 3)),), (ModelOutput("y", (1,)),))
    assert shape.arrays(np.zeros((5, 2, 3)))["x"].shape == (5, 2, 3)
    for wrong in ((5, 3, 2), (5, 6), (5, 2, 3, 1), (10, 3)):
        with pytest.raises(FormatError, match=r"the model takes \(samples, 2, 3\)"):
            shape.arrays(np.zeros(wrong))


def test_structures_of_inputs_and_outputs() -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    one, two = keras.layers.Dense(1)(a), keras.layers.Dense(2)(b)
    shapes = {"a": (3,), "b": (2,)}
    for outputs in ([one, [two]], {"p": one, "o": (two, one)}, {"only": two}, [two], two):
        model = keras.Model({"second": b, "first": a}, outputs)
        made = {f"y{place}": tensor.shape[1:] for place, tensor in enumerate(model.outputs)}
        face = interface_of({name: shapes[name] for name in (t.name for t in model.inputs)}, made, model)
        x = {"first": np.zeros((4, 3)), "second": np.zeros((4, 2))}
        expected = model.predict(x, verbose=0)
        values = [np.zeros((4, *tensor.shape[1:])) for tensor in model.outputs]
        packed = face.packed(values)
        keras.tree.assert_same_structure(keras.tree.lists_to_tuples(packed), keras.tree.lists_to_tuples(expected))
        assert [v.shape for v in keras.tree.flatten(packed)] == [v.shape for v in keras.tree.flatten(expected)]
        assert {name: v.shape for name, v in face.arrays(x).items()} == {"a": (4, 3), "b": (4, 2)}
        assert all(found is given for found, given in zip(face.listed(packed, "y"), values, strict=False))
    with pytest.raises(FormatError, match=r"^y has another structure than the model's outputs, which are "):
        ModelInterface(
            (ModelInput("a", (3,), "a"),), (ModelOutput("p", (1,)), ModelOutput("o", (1,))), {"p": 0, "o": [1]}
        ).listed({"p": 7}, "y")


def test_values_out_of_range_are_said_or_refused(two: Any) -> None:
    _, graph = two
    big = X.copy()
    big[1, 2], big[3, 0] = 255, -40
    with pytest.warns(ConversionWarning) as caught:
        graph.predict([big, V])
    warning: Any = caught[0].message
    assert str(warning) == (
        "input 'x': 2 of 15 values lie outside fixed<16,6>, which holds -32 to 31.999; the furthest, 255, becomes "
        "31.999: set hls_config['LayerName']['x']['Precision']['result'] to a format with more integer bits, or "
        "convert with calibration= samples of this range"
    )
    assert warning.layer == "x" and warning.key == "hls_config['LayerName']['x']['Precision']['result']"
    assert warning.loss == pytest.approx(223, abs=0.01) and caught[0].filename == __file__
    graph.config.config["ESE"]["strict"] = True
    try:
        with pytest.raises(UnsupportedError, match=r"^input 'x': 2 of 15 values .*; without strict=True this is "):
            graph.predict([big, V])
    finally:
        del graph.config.config["ESE"]["strict"]


@QUIET
def test_a_quantizer_of_the_model_saturates_in_silence(recurrent: Any) -> None:
    recurrent.predict(np.full((2, 3, 7), 1e30))


def test_sums_that_saturate_between_chains_are_said(tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(2, name="hidden")(x)
    model = keras.Model(x, [keras.layers.Dense(2, name="last")(hidden), hidden])
    model.get_layer("hidden").set_weights([np.full((4, 2), 1.5), np.zeros(2)])
    graph = convert(model, tmp_path / "prj")
    graph.compile()
    with pytest.warns(ConversionWarning) as caught:
        graph.predict(np.full((3, 4), 30.0))
    warning: Any = caught[0].message
    assert warning.layer == "hidden" and "180" in str(warning) and isinstance(warning, UserWarning)
