# SPDX-License-Identifier: Apache-2.0
"""GRU layers, with every argument that changes what they compute: exact or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from qkeras import QActivation, QBidirectional, QSimpleRNN

from ese_hls.frontend.saved_model import load_model
from ese_host.errors import UnsupportedError
from ese_host.ir import Gru
from support.keras_models.plugin_models import (
    as_list,
    bits,
    cell,
    chain,
    convert,
    dense,
    fill,
    frames,
    functional,
    golden_values,
    gru,
    gru_cell,
    recurrent,
)

FORMS = pytest.mark.parametrize("reset_after", [True, False], ids=["after", "before"])


def equal(model: Any, masked: bool = False, **options: Any) -> Any:
    x = frames(model, masked=masked)
    graph = convert(model, **options)
    for value, expected in zip(golden_values(graph.ese_conversion, x), as_list(model(x, training=False)), strict=True):
        assert np.array_equal(value, expected)
    return graph


def both(first_backwards: bool, masked: bool = False, merge: str | None = "concat", **options: Any) -> Any:
    """A Bidirectional of two layers; only `first_backwards` says which of the two runs backwards."""
    first = gru(4, "one", go_backwards=first_backwards, **options)
    second = gru(4, "two", go_backwards=not first_backwards, **options)

    def build(q: Any) -> Any:
        value = layers.Masking(0.0, name="mask")(q) if masked else q
        return layers.Bidirectional(first, backward_layer=second, merge_mode=merge, name="both")(value)

    return functional(build)


@pytest.mark.parametrize(
    "merge", ["concat", "sum", *(pytest.param(m, marks=pytest.mark.slow) for m in ("mul", "ave", None))]
)
def test_bidirectional_turns_the_second_layer(merge: str | None) -> None:
    sequences = merge in ("sum", None)
    equal(both(merge in ("mul", None), merge=merge, return_sequences=sequences, reset_after=sequences))


def test_bidirectional_of_different_widths_and_cells() -> None:
    pair = recurrent("one", 3), gru(5, "two", go_backwards=True)
    graph = equal(functional(lambda q: layers.Bidirectional(pair[0], backward_layer=pair[1], name="both")(q)))
    assert graph.ese_conversion.outputs == ((8,),)


def test_bidirectional_behind_a_mask() -> None:
    equal(both(False, masked=True, merge="mul", return_sequences=True, reset_after=True), masked=True)
    equal(both(True, masked=True, merge="ave"), masked=True)


@pytest.mark.slow
def test_qbidirectional_of_keras_own_layers() -> None:
    equal(chain(QBidirectional(gru(3, reset_after=True), name="both"), QActivation(bits(8, 0)), dense()))


@FORMS
def test_a_layer_that_runs_backwards(reset_after: bool) -> None:
    equal(functional(lambda q: gru(5, reset_after=reset_after, go_backwards=True, return_sequences=True)(q)))


@FORMS
def test_masked_frames_leave_h_as_it_is(reset_after: bool) -> None:
    options = {"reset_after": reset_after, "return_sequences": True}

    def build(q: Any) -> Any:
        value = gru(5, "first", zero_output_for_mask=reset_after, **options)(layers.Masking()(q))
        return gru(4, "last", reset_after=reset_after)(value)

    equal(functional(build), masked=True)


@FORMS
def test_rnn_of_cells_becomes_a_layer_for_each_cell(reset_after: bool) -> None:
    cells = [gru_cell(5, "low", reset_after=reset_after), cell(4, "middle"), gru_cell(3, "high")]
    graph = equal(functional(lambda q: layers.RNN(cells, name="stack", return_sequences=reset_after)(q)))
    found = [(node.name, node.class_name) for node in graph.get_layers() if node.name.startswith("stack")]
    assert found == [("stack_low", "SparseGRU"), ("stack_middle", "SparseLSTM"), ("stack_high", "SparseGRU")]


def test_rnn_of_keras_cells_is_the_gru() -> None:
    options = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    x = keras.Input((6, 7), name="x")
    pair = keras.layers.StackedRNNCells([layers.GRUCell(5, **options), layers.GRUCell(3, reset_after=False, **options)])
    model = fill(keras.Model(x, layers.RNN(pair, unroll=True, name="rnn")(x)))
    samples = frames(model)
    graph = convert(model)
    forms = [layer.reset_after for layer in graph.ese_conversion.network.layers if isinstance(layer, Gru)]
    assert forms == [True, False]
    value = golden_values(graph.ese_conversion, samples)[0]
    assert np.abs(value - model.predict(samples, verbose=0)).max() < 0.02


def test_the_state_h_is_the_last_output() -> None:
    def build(q: Any) -> Any:
        out, h = gru(5, return_state=True)(layers.Masking()(q))
        return dense()(layers.Concatenate()([out, h]))

    equal(functional(build), masked=True)
    equal(functional(lambda q: dense()(gru(5, return_state=True, return_sequences=True)(q)[1])))


def test_states_of_both_directions() -> None:
    def build(q: Any) -> Any:
        out, h, back = layers.Bidirectional(gru(4, return_state=True), name="both")(q)
        return dense()(layers.Concatenate()([out, back, h]))

    equal(functional(build))


def test_a_layer_within_a_model_within_a_model() -> None:
    y = keras.Input((None, 7), name="y")
    inner = keras.Model(y, gru(4, return_sequences=True)(y), name="inner")
    graph = equal(functional(lambda q: dense()(layers.Flatten()(inner(q)))))
    assert "inner_gru" in [node.name for node in graph.get_layers()]


@FORMS
def test_a_saved_model_is_read_back(reset_after: bool, tmp_path: Path) -> None:
    model = chain(gru(4, reset_after=reset_after), dense())
    model.save(tmp_path / "model.keras")
    x = frames(model)
    found = golden_values(convert(load_model(tmp_path / "model.keras")).ese_conversion, x)[0]
    assert np.array_equal(found, np.asarray(model(x[0])))


class OwnGru(layers.GRU):  # type: ignore[misc]
    """A layer with a call() of its own."""

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        return super().call(sequences, initial_state, mask, training) * 2


def state_of_another_cell() -> Any:
    cells = [gru_cell(4, "low"), gru_cell(3, "high")]
    return functional(lambda q: layers.RNN(cells, return_state=True, name="rnn")(q)[1])


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "SimpleRNN": (
        lambda: functional(lambda q: layers.SimpleRNN(3, name="l")(q)),
        r"^layer 'l' \(SimpleRNN\) is a recurrent layer without gates; the engine has the cells of LSTM and GRU: train "
        r"the model with GRU or LSTM in its place$",
    ),
    "QSimpleRNN": (
        lambda: functional(lambda q: QSimpleRNN(3, name="l")(q)),
        r"\(QSimpleRNN\) is a recurrent layer without gates; .*: train the model with QGRU or QLSTM in its place$",
    ),
    "SimpleRNN both ways": (
        lambda: functional(lambda q: layers.Bidirectional(layers.SimpleRNN(3), name="b")(q)),
        r"^layer 'b' \(Bidirectional\) wraps SimpleRNN; LSTM, QLSTM, QLSTMP, GRU, QGRU and RNN are allowed: use one of",
    ),
    "stateful": (
        lambda: fill(keras.Sequential([keras.Input(batch_shape=(2, 6, 7)), layers.GRU(3, stateful=True, name="l")])),
        r"layer 'l' \(GRU\) has stateful=True; only False is allowed, .*: build the layer with stateful=False",
    ),
    "initial state of ones": (
        lambda: functional(lambda q: gru(6, "l")(q, initial_state=[np.ones((1, 6), np.float32)])),
        r"layer 'l' \(QGRU\) is called with an initial state; the engine starts with states of zero: call",
    ),
    "state of another cell": (
        state_of_another_cell,
        r"layer 'rnn' \(RNN\) returns a state that the model reads; of the states only h of the last cell is allowed",
    ),
    "layer with a call of its own": (
        lambda: functional(lambda q: OwnGru(3, name="own")(q)),
        r"layer 'own' \(OwnGru\) has no place in the engine; it runs LSTM, .*: replace the layer or leave it out",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_changes_the_result_is_refused_by_name(case: str) -> None:
    build, message = REFUSALS[case]
    with pytest.raises(UnsupportedError, match=message):
        convert(build())
