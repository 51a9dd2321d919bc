# SPDX-License-Identifier: Apache-2.0
"""Every kind of weights through the plugin: the integers are Keras's own values, and the engine computes with them."""

from __future__ import annotations

from typing import Any

import hls4ml
import numpy as np
import pytest

from ese_hls.encode.fit_design import choose_design
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import UnsupportedError
from ese_models.networks.builder import Formats, classifier
from ese_models.networks.inspection import kernels, weight_quantizers
from support import compiled_engine

SIZES = {"units": 6, "outputs": 3, "steps": 4, "features": 5}


def random_model(weights: Any, bits: int = 4, per_channel: bool = True) -> Any:
    """A classifier with seeded weights, 40% of them kept, and seeded states of its quantizers."""
    rng = np.random.default_rng(5)
    scales = {} if weights == "codebook4" else {"per_channel": per_channel}
    model = classifier(**SIZES, weights=weights, formats=Formats(scales=scales, codebook_bits=bits))
    for name, variable in kernels(model).items():
        values = rng.normal(size=variable.shape) * (rng.random(variable.shape) < 0.4)
        variable.assign(values)
        quantizer = weight_quantizers(model)[name]
        if weights == "codebook4":
            quantizer.fit(values)
        if weights in ("twn", "ttq"):
            quantizer.assign(values != 0)
        if weights == "ttq":
            quantizer.start(values)
    return model


def converted(model: Any) -> Any:
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", hls_config=config, output_dir="unused")
    return graph.ese_conversion


@pytest.mark.parametrize(
    ("weights", "bits", "per_channel"),
    [
        ("twn", 4, True),
        ("ttq", 4, True),
        ("ttq", 4, False),
        ("int4", 4, False),
        ("codebook4", 2, True),
        ("codebook4", 4, True),
    ],
)
def test_the_engine_computes_with_keras_values(weights: str, bits: int, per_channel: bool) -> None:
    model = random_model(weights, bits, per_channel)
    conversion = converted(model)
    assert conversion.summary.exact
    network = conversion.network
    matrices = [network.layers[0].kernel, network.layers[0].recurrent, network.layers[1].kernel]
    for (name, variable), matrix in zip(kernels(model).items(), matrices, strict=True):
        expected = np.asarray(weight_quantizers(model)[name](variable))
        assert np.array_equal(matrix.values().T.astype(np.float32), expected)
        assert np.array_equal(expected != 0, np.asarray(variable) != 0)
        assert matrix.two_scales == (weights == "ttq")
    if weights == "ttq" and not per_channel:
        return  # the same engine as with a scale a row
    design = choose_design(network, pes=2, gap_bits=4)
    codes = network.source.from_float(np.random.default_rng(6).normal(size=(3, 4, 5)))
    with EmulatedEngine(compiled_engine.library(design)) as engine:
        made = compiled_engine.load(engine, network, design)
        assert compiled_engine.compare(engine, network, made, codes) == 3 * (4 * 6 * 3 + 3) + 3 * 3


def test_wider_codebooks_are_refused_by_name() -> None:
    message = (
        r"^layer 'lstm': kernel: Codebook\(shape=\[5, 24\], bits=6, max_frac=15\) has codes of kind codebook6; "
        r"ternary, .*codebook4 are allowed \(wider codebooks serve only storage reports\): compress with a codebook of "
        r"4 bits, or with another kind$"
    )
    with pytest.raises(UnsupportedError, match=message):
        converted(random_model("codebook4", 6))
