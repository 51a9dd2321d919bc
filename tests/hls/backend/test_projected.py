# SPDX-License-Identifier: Apache-2.0
"""QLSTMP through the plugin: with peepholes and projection, every value equals Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qkeras import QActivation, quantized_bits, quantized_sigmoid, quantized_tanh

from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Lstm
from support.keras_models.plugin_models import bits, convert, dense, frames, functional, golden_values

qlstmp = pytest.importorskip("ese_models.networks.qlstmp")


def projected(name: str = "p", **changes: Any) -> Any:
    quantizers = {what: bits(4, 0) for what in ("kernel", "recurrent", "projection")}
    options: dict[str, Any] = {
        **{f"{what}_quantizer": quantizer for what, quantizer in quantizers.items()},
        "bias_quantizer": bits(8, 2),
        "peephole_quantizer": bits(6, 0),
        "state_quantizer": bits(8, 1),
        "output_quantizer": quantized_bits(8, 0, alpha=1),
        "activation": quantized_tanh(8),
        "recurrent_activation": quantized_sigmoid(8),
    }
    return qlstmp.QLSTMP(6, 4, name=name, **{**options, **changes})


def peepholes(model: Any, name: str = "p") -> Any:
    cell = model.get_layer(name).cell
    if cell.peephole_kernel is not None:
        cell.peephole_kernel.assign(np.random.default_rng(4).normal(scale=0.4, size=(3, 6)))
    shape = cell.projection_kernel.shape
    cell.projection_kernel.assign(np.random.default_rng(5).normal(scale=0.5, size=shape))
    return model


@pytest.mark.parametrize(
    "changes",
    [{}, {"use_peepholes": False}, {"use_bias": False}, {"output_quantizer": None}, {"go_backwards": True}],
    ids=str,
)
def test_projected_layer_and_dense(changes: dict[str, Any]) -> None:
    model = peepholes(functional(lambda q: dense(3)(QActivation(bits(8, 1), name="same")(projected(**changes)(q)))))
    conversion = convert(model).ese_conversion
    layer = conversion.program.chains[0].network.layers[0]
    assert isinstance(layer, Lstm) and layer.projection is not None and layer.outputs == 4
    assert (layer.peepholes is None) == (changes.get("use_peepholes") is False)
    assert layer.output == (None if "output_quantizer" in changes else Fixed(8, 1))
    assert len(conversion.program.chains) == 1
    x = frames(model)
    np.testing.assert_array_equal(golden_values(conversion, x)[0], np.asarray(model(x[0])))
