# SPDX-License-Identifier: Apache-2.0
"""Generated models with random arguments of every mapped layer: each converts exactly as Keras computes, or is refused.

All quantizers are hard and have few bits, so that Keras's float32 sums are exact and every value must be equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers, ops
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
    golden_values,
    gru,
    gru_cell,
    recurrent,
)

Draw = Callable[[Any], Any]
MERGES = (layers.Add, layers.Subtract, layers.Multiply, layers.Maximum, layers.Minimum, layers.Average)
FLAGS = ("go_backwards", "zero_output_for_mask", "unroll")


def flags(draw: Draw, *names: str) -> dict[str, bool]:
    return {name: draw(st.booleans()) for name in names}


def made(draw: Draw, name: str, units: int, **options: Any) -> Any:
    """A recurrent layer of either kind."""
    kind = draw(st.sampled_from(["lstm", "after", "before"]))
    return (
        recurrent(name, units, **options)
        if kind == "lstm"
        else gru(units, name, reset_after=kind == "after", **options)
    )


def one_layer(draw: Draw, name: str, x: Any, sequences: bool) -> Any:
    return made(draw, name, 4, return_sequences=sequences, **flags(draw, *FLAGS))(x)


def states(draw: Draw, name: str, x: Any, sequences: bool) -> Any:
    options = {"return_sequences": sequences, "return_state": True, **flags(draw, "go_backwards")}
    out, h, *others = made(draw, name, 4, **options)(x)
    if sequences:
        return out
    return layers.Concatenate()([out, draw(st.sampled_from([h, h, out, *others]))])


def both_ways(draw: Draw, name: str, x: Any, sequences: bool) -> Any:
    turned = draw(st.booleans())
    pair = [
        made(draw, f"{name}{way}", 3, return_sequences=sequences, go_backwards=turned != way) for way in (False, True)
    ]
    merge = draw(st.sampled_from(["concat", "sum", "mul", "ave"]))
    return layers.Bidirectional(pair[0], backward_layer=pair[1], merge_mode=merge, name=name)(x)


def cells(draw: Draw, name: str, x: Any, sequences: bool) -> Any:
    kinds = [draw(st.sampled_from([cell, gru_cell])) for _ in range(draw(st.integers(1, 2)))]
    stack = [kind(3, f"c{index}") for index, kind in enumerate(kinds)]
    options = {"return_sequences": sequences, "name": name, **flags(draw, *FLAGS)}
    return layers.RNN(stack if len(stack) > 1 else stack[0], **options)(x)


def within(draw: Draw, name: str, x: Any, sequences: bool) -> Any:
    length = draw(st.sampled_from([None, x.shape[1]]))
    y = keras.Input((length, x.shape[2]))
    kind = draw(st.sampled_from([one_layer, both_ways, cells]))
    return keras.Model(y, kind(draw, "in", y, sequences), name=name)(x)


def elementwise(draw: Draw, name: str, x: Any, _: bool) -> Any:
    merge = draw(st.sampled_from(MERGES))
    kind = draw(st.integers(0, 6))
    if kind == 0:
        return layers.TimeDistributed(dense(4), name=name)(x)
    if kind == 1:
        return dense(4, name=name)(x)
    if kind == 2:
        return merge(name=name)([x, ops.flip(x, axis=1)])
    if kind == 3:
        return (x * draw(st.sampled_from([0.5, -2.0, 0.75]))) - draw(st.sampled_from([0.25, -1.0]))
    if kind == 4:
        return 1.0 - x / 2.0
    if kind == 5:
        return layers.Dropout(0.4, name=name)(x)
    return layers.Masking(draw(st.sampled_from([0.0, 1.0])), name=name)(x)


@st.composite
def models(draw: Draw) -> Any:
    """A model of up to three blocks on sequences, and one that ends them."""
    x = keras.Input((5, 4), name="x")
    value = QActivation(bits(8, 2), name="source")(x)
    if draw(st.booleans()):
        value = layers.Masking(0.0, name="mask")(value)
    kinds = (one_layer, both_ways, cells, within)
    for index in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from((*kinds, elementwise, elementwise)))
        value = kind(draw, f"block{index}", value, True)
        if kind not in (one_layer, cells) or draw(st.booleans()):  # others may give more bits than Keras sums exactly
            value = QActivation(bits(8, 1), name=f"round{index}")(value)
    value = draw(st.sampled_from((*kinds, states)))(draw, "end", value, draw(st.booleans()))
    return fill(keras.Model(x, dense(name="last")(QActivation(bits(8, 0), name="h")(value))), density=0.6)


def check(model: Any) -> None:
    x = frames(model, samples=6, masked=True)
    try:
        graph = convert(model)
    except UnsupportedError as error:
        assert str(error).startswith("layer '"), error
        return
    value = golden_values(graph.ese_conversion, x)[0]
    if graph.ese_conversion.summary.exact:
        assert np.array_equal(value, as_list(model(x, training=False))[0])
    else:
        assert np.abs(value - as_list(model(x, training=False))[0]).max() < 0.1


QUIET: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=6, **QUIET)
@given(models())
def test_generated_models_are_exact_or_refused(model: Any) -> None:
    check(model)


@pytest.mark.slow
@settings(max_examples=200, **QUIET)
@given(models())
def test_many_generated_models_are_exact_or_refused(model: Any) -> None:
    check(model)
