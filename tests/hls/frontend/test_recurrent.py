# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers, with every argument that changes what they compute: exact or refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from qkeras import QActivation

from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import (
    as_list,
    bits,
    cell,
    convert,
    dense,
    fill,
    frames,
    functional,
    golden_values,
    recurrent,
)


def both(first_backwards: bool, masked: bool = False, **options: Any) -> Any:
    """A Bidirectional of two layers; only `first_backwards` says which of the two runs backwards."""
    merge = options.pop("merge_mode", "concat")
    first = recurrent("one", 4, go_backwards=first_backwards, **options)
    second = recurrent("two", 4, go_backwards=not first_backwards, **options)

    def build(q: Any) -> Any:
        value = layers.Masking(0.0, name="mask")(q) if masked else q
        return layers.Bidirectional(first, backward_layer=second, merge_mode=merge, name="both")(value)

    return functional(build)


def equal(model: Any, masked: bool = False, **options: Any) -> Any:
    x = frames(model, masked=masked)
    graph = convert(model, **options)
    for value, expected in zip(golden_values(graph.ese_conversion, x), as_list(model(x, training=False)), strict=True):
        assert np.array_equal(value, expected)
    return graph


EVERY = list(product([False, True], [False, True], ["concat", "sum", "mul", "ave", None]))


@pytest.mark.parametrize(
    ("first_backwards", "sequences", "merge"),
    [pytest.param(*case, marks=[pytest.mark.slow] if index % 7 else []) for index, case in enumerate(EVERY)],
)
def test_bidirectional_turns_the_second_layer(first_backwards: bool, sequences: bool, merge: str | None) -> None:
    equal(both(first_backwards, return_sequences=sequences, merge_mode=merge))


def test_bidirectional_turns_the_second_layer_behind_a_mask() -> None:
    equal(both(False, masked=True, return_sequences=True, merge_mode="mul"), masked=True)
    for first_backwards in (False, True):
        equal(both(first_backwards, masked=True, merge_mode="ave"), masked=True)


def test_masked_sequences_that_keras_orders_differently_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"layer 'both' \(Bidirectional\) gets a mask and returns seq"):
        convert(both(True, masked=True, return_sequences=True))


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_rnn_of_cells_becomes_a_layer_for_each_cell(sequences: bool, backwards: bool) -> None:
    cells = [cell(5, "low"), cell(4, "high")]
    options = {"return_sequences": sequences, "go_backwards": backwards}
    graph = equal(functional(lambda q: layers.RNN(cells, name="stack", **options)(q)))
    names = [node.name for node in graph.get_layers() if node.class_name == "SparseLSTM"]
    assert names == ["stack_low", "stack_high"]


def test_rnn_of_one_cell_behind_a_mask() -> None:
    equal(functional(lambda q: dense()(layers.RNN(cell(5, "one"), name="rnn")(layers.Masking()(q)))), masked=True)


def test_rnn_of_keras_cells_is_the_lstm() -> None:
    options = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    x = keras.Input((6, 7), name="x")
    pair = keras.layers.StackedRNNCells([layers.LSTMCell(5, **options), layers.LSTMCell(3, **options)])
    model = fill(keras.Model(x, layers.RNN(pair, unroll=True, name="rnn")(x)))
    samples = frames(model)
    value = golden_values(convert(model).ese_conversion, samples)[0]
    assert np.abs(value - model.predict(samples, verbose=0)).max() < 0.02


@pytest.mark.parametrize("sequences", [False, True])
def test_returned_states_that_nothing_reads_cost_nothing(sequences: bool) -> None:
    def build(q: Any) -> Any:
        return dense()(recurrent("l", return_state=True, return_sequences=sequences)(q)[0])

    equal(functional(build))


def test_the_state_h_is_the_last_output() -> None:
    def build(q: Any) -> Any:
        out, h, _ = recurrent("l", return_state=True)(layers.Masking()(q))
        return dense()(layers.Concatenate()([out, h]))

    equal(functional(build), masked=True)


def test_the_state_h_of_a_layer_that_gives_sequences() -> None:
    equal(functional(lambda q: dense()(recurrent("l", return_state=True, return_sequences=True)(q)[1])))


def test_states_of_both_directions() -> None:
    def build(q: Any) -> Any:
        out, h, _, back, _ = layers.Bidirectional(recurrent("l", 4, return_state=True), name="both")(q)
        return dense()(layers.Concatenate()([out, back, h]))

    equal(functional(build))


def test_an_initial_state_of_zeros_changes_nothing() -> None:
    x, zeros = keras.Input(batch_shape=(12, 6, 7), name="x"), [np.zeros((12, 6), np.float32)] * 2
    equal(fill(keras.Model(x, recurrent("l", 6)(QActivation(bits(8, 2))(x), initial_state=zeros))))


def with_mask_input() -> Any:
    x, mask = keras.Input((6, 7), name="x"), keras.Input((6,), dtype="bool", name="m")
    return fill(keras.Model([x, mask], recurrent("l")(x, mask=mask)))


def with_another_mask() -> Any:
    x = keras.Input((6, 7), name="x")
    other = layers.Masking(1.0, name="other").compute_mask(x)
    return fill(keras.Model(x, recurrent("l")(layers.Masking(0.0, name="mask")(x), mask=other)))


class OwnCell(layers.LSTMCell):  # type: ignore[misc]
    """A cell with a call() of its own."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        h, kept = super().call(inputs, states, training)
        return h * 2, kept


class OwnLstm(layers.LSTM):  # type: ignore[misc]
    """A layer with a call() of its own."""

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        return super().call(sequences, initial_state, mask, training) * 2


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "state c": (
        lambda: functional(lambda q: recurrent("l", return_state=True)(q)[2]),
        r"layer 'l' \(QLSTM\) returns a state that the model reads; of the states only h .*: build the layer with ret",
    ),
    "stateful": (
        lambda: fill(
            keras.Sequential([keras.Input(batch_shape=(2, 6, 7), name="x"), layers.LSTM(3, stateful=True, name="l")])
        ),
        r"layer 'l' \(LSTM\) has stateful=True; only False is allowed, .*: build the layer with stateful=False",
    ),
    "initial state of ones": (
        lambda: functional(lambda q: recurrent("l", 6)(q, initial_state=[np.ones((1, 6), np.float32)] * 2)),
        r"layer 'l' \(QLSTM\) is called with an initial state; the engine starts with states of zero: call",
    ),
    "mask as input": (with_mask_input, r"layer 'l' \(QLSTM\) gets a mask that is not that of one Masking or"),
    "other mask": (with_another_mask, r"layer 'l' \(QLSTM\) gets a mask that is not that of one Masking or"),
    "zeros for masked frames": (
        lambda: functional(lambda q: recurrent("l", zero_output_for_mask=True)(layers.Masking()(q))),
        r"layer 'l' \(QLSTM\) has zero_output_for_mask=True and gives only its last output.*: build the layer with",
    ),
    "cell of another kind": (
        lambda: functional(lambda q: layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(3)], name="rnn")(q)),
        r"layer 'rnn' \(RNN\) has a cell of class SimpleRNNCell; LSTMCell, .*, GRUCell and QGRUCell are allowed: use",
    ),
    "cell with a call of its own": (
        lambda: functional(lambda q: layers.RNN(OwnCell(3), name="rnn")(q)),
        r"layer 'rnn' \(RNN\) has a cell of class OwnCell; ",
    ),
    "layer with a call of its own": (
        lambda: functional(lambda q: OwnLstm(3, name="own")(q)),
        r"layer 'own' \(OwnLstm\) has no place in the engine; it runs LSTM, .*: replace the layer or leave it out",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_changes_the_result_is_refused_by_name(case: str) -> None:
    build, message = REFUSALS[case]
    with pytest.raises(UnsupportedError, match=message):
        convert(build())
