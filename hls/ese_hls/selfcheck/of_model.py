# SPDX-License-Identifier: Apache-2.0
"""The self-check of a converted graph, and what Keras computes for the samples of the user."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.emulate import codes_of
from ese_hls.frontend import calls_of
from ese_hls.lower import Conversion
from ese_hls.selfcheck.check import check
from ese_hls.selfcheck.keras_run import KerasRun
from ese_hls.selfcheck.samples import STEPS, random_samples
from ese_hls.warnings import ConversionWarning
from ese_host.ir.program import Mask

BATCH = 256
"""Samples of the user that Keras computes at once."""
KEY = "hls_config['Model']['SelfCheck']"


def observed_ranges(model: Any) -> dict[str, tuple[float, float]] | None:
    """The smallest and the largest value of each Keras tensor for the user's samples; None if there are none.

    Args:
        model: the `ModelGraph`, before it is converted.
    """
    samples, keras_model = model.config.config.get("ESECalibration"), model.config.config.get("KerasModel")
    if samples is None or keras_model is None:
        return None
    calls = calls_of(keras_model)
    tensors = {node.name: node.get_attr("output_keras_tensor_names")[0] for node in map(model.graph.get, model.inputs)}
    count = len(next(iter(samples.values())))
    ranges: dict[str, tuple[float, float]] = {}
    for start in range(0, count, BATCH):
        part = {tensors[name]: values[start : start + BATCH] for name, values in samples.items()}
        for name, value in KerasRun(calls, part, {}).values.items():
            array = np.asarray(value)
            if array.dtype.kind == "f" and array.size:
                low, high = ranges.get(name, (np.inf, -np.inf))
                ranges[name] = (min(low, float(array.min())), max(high, float(array.max())))
    return ranges


def self_check(model: Any) -> None:
    """Check a converted graph, and keep the samples with it.

    The samples are the user's, or random ones if there are none. Of sequences, only the first steps are taken where the
    program allows any length.

    Args:
        model: the `ModelGraph`. Its `ese_conversion` is replaced by one with the results of the check, and the samples
            become its `ese_samples`.

    Raises:
        MismatchError: if a layer differs by more than the formats explain.
    """
    conversion: Conversion = model.ese_conversion
    config = model.config.config
    keras_model, count = config.get("KerasModel"), conversion.options.self_check
    if keras_model is None:
        return
    given = config.get("ESECalibration")
    extents = {node.name: tuple(node.get_attr("extents")) for node in map(model.graph.get, model.inputs)}
    batch = keras_model.inputs[0].shape[0]  # a model may take batches of one size only
    samples = random_samples(conversion, extents, batch or count or 1, batch or 1) if given is None else given
    model.ese_samples = samples
    summary = conversion.summary
    if count == 0:
        text = f"the model was converted without self-check: leave {KEY} out to compare it with Keras"
        warnings.warn(ConversionWarning(text, key=KEY), stacklevel=2)
        summary = replace(summary, warnings=(*summary.warnings, text))
    else:
        checked = _shortened(conversion, samples, batch or count)
        tensors = {conversion.input_tensors[name]: value for name, value in checked.items()}
        found = check(calls_of(keras_model), model.graph, conversion, tensors, codes_of(conversion, checked))
        size = len(next(iter(checked.values())))
        note = f"self-check: Keras and the converted model agree on {size} samples, as far as rounding lets them"
        summary = replace(summary, checked=found, notes=(*summary.notes, note))
    model.ese_conversion = replace(conversion, summary=summary)


def _shortened(conversion: Conversion, samples: Mapping[str, Any], count: int) -> dict[str, Any]:
    """At most `count` samples, of few steps if the program takes sequences of any length."""
    fixed = any(isinstance(step, Mask) for step in conversion.program.steps)
    shortens = conversion.program.lone is not None or all(port.steps is None for port in conversion.inputs)
    steps = slice(STEPS if shortens and not fixed else None)
    first = {port.name: samples[port.name][:count] for port in conversion.inputs}
    return {
        port.name: first[port.name] if port.kind == "vector" else first[port.name][:, steps]
        for port in conversion.inputs
    }
