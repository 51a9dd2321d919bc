# SPDX-License-Identifier: Apache-2.0
"""Keras and golden model, value for value: 8-bit hard quantizers everywhere, power-of-two scales (numerics.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest

from ese_hls.encode.bounds import partial_sums
from ese_host.ir import golden
from ese_host.ir.network import Lstm
from ese_models.data.japanese_vowels import load
from ese_models.networks.builder import Formats, Topology
from ese_models.training import compression, train
from ese_models.training.quantize_once import quantized_once
from ese_models.training.train import DENSE, shortened, train_dense


@pytest.fixture(scope="module")
def models() -> Callable[[str], Any]:
    """A ternary and an int4 network that were pruned as one, by kind of weights."""
    data = load()
    plan = compression.Plan(weights="ternary", density=0.3, emphasis=(1.0, 1.0))
    plan = replace(plan, prune=shortened(plan.prune, 4), tune=shortened(plan.tune, 2), updates=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "XLA", False)  # compiling takes longer than so few epochs
        recipe = shortened(DENSE, 6)
        dense = train_dense(data, seed=0, recipe=recipe, topology=Topology((16,)), formats=Formats.hard())
        ternary = compression.compress(dense, data, plan)

    def made(weights: str) -> Any:
        if weights == "ternary":
            return ternary.model
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train, "XLA", False)
            return compression.quantize(ternary.pruned, dense, ternary.masks, data, replace(plan, weights="int4"))

    return made


@pytest.mark.parametrize("weights", ["ternary", pytest.param("int4", marks=pytest.mark.slow)])
def test_every_logit_h_and_c_of_all_utterances_equals_keras(
    weights: str, models: Callable[[str], Any], tmp_path: Path
) -> None:
    data, model = load(), models(weights)
    graph = hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir=str(tmp_path / "project"), hls_config={"Model": {"PEs": 8}}
    )
    network = graph.ese_conversion.network
    # float32 holds every sum: the proven bound is at most 2**24
    for layer in network.layers:
        parts = [(layer.kernel, layer.source)]
        parts += [(layer.recurrent, layer.state)] if isinstance(layer, Lstm) else []
        for matrix, source in parts:
            lows, highs = partial_sums(matrix, source)
            assert max(-lows.min(), highs.max()) <= 1 << 24
    result = golden.run(network, network.source.from_float(data.test.inputs))
    source, lstm, classes = model.layers[0], model.layers[1], model.layers[2]
    cell, frames = lstm.cell, keras.ops.convert_to_numpy(source(data.test.inputs))
    h = c = np.zeros((len(frames), 16), dtype=np.float32)
    first = result.layers[0]
    assert first.h is not None
    assert first.c is not None
    state_frac = network.layers[0].state.frac
    with quantized_once(model):
        for step in range(frames.shape[1]):
            output, (h, c) = cell(frames[:, step], [h, c])
            stored_h, stored_c = cell.state_quantizer_internal(h), cell.state_quantizer_internal(c)
            for codes, frac, value in (
                (first.exact, first.exact_frac, output),
                (first.h, state_frac, stored_h),
                (first.c, state_frac, stored_c),
            ):
                found = np.ldexp(codes[:, step].astype(np.float64), -frac)
                np.testing.assert_array_equal(found, keras.ops.convert_to_numpy(value))
    logits = keras.ops.convert_to_numpy(classes(output))
    np.testing.assert_array_equal(np.ldexp(result.outputs[:, 0].astype(np.float64), -result.frac), logits)
    probabilities = model.predict(data.test.inputs, verbose=0)
    assert (probabilities.argmax(axis=1) == logits.argmax(axis=1)).all()
