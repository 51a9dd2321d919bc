# SPDX-License-Identifier: Apache-2.0
"""Values that a run saturated, although the model itself has no quantizer there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.warnings import ConversionWarning
from ese_host.errors import UnsupportedError
from ese_host.interface import Floats
from ese_host.ir import Fixed
from ese_host.ir.program import ProgramRun, Quantize

PACKAGE_FRAMES = 6
"""Calls between a user's `predict` and the warning: hls4ml's, the backend's, and those of this room."""


def report_saturated(graph: Any, arrays: Mapping[str, Floats], finished: ProgramRun) -> None:
    """Warn of inputs, and of values between layers, that lie outside a format which the conversion chose.

    A quantizer of the model saturates in Keras too, and is no reason to warn.

    Args:
        graph: the `EseGraph` that was run.
        arrays: the samples of each input, by name.
        finished: the run.

    Raises:
        UnsupportedError: if there are such values and the model was converted with `strict`.
    """
    for warning in (*_of_inputs(graph, arrays), *_of_steps(graph, finished)):
        if (graph.config.config.get("ESE") or {}).get("strict"):
            raise UnsupportedError(f"{warning}; without strict=True this is a warning")
        warnings.warn(warning, stacklevel=PACKAGE_FRAMES)


def _of_inputs(graph: Any, arrays: Mapping[str, Floats]) -> Iterator[ConversionWarning]:
    for port in graph.ese_conversion.inputs:
        if not graph.graph[port.name].get_attr("quantized"):
            yield from _outside(f"input {port.name!r}", port.name, arrays[port.name], port.format)


def _of_steps(graph: Any, finished: ProgramRun) -> Iterator[ConversionWarning]:
    """Warnings of roundings that no layer of the model stands for."""
    layers = {item.name for item in graph.ese_layers}
    for step in finished.program.steps:
        if isinstance(step, Quantize) and step.target not in layers:
            value = finished.tensors[step.source]
            real = np.ldexp(np.where(value.inside, value.codes, 0).astype(np.float64), -value.tensor.frac)
            owners = [name for name in layers if f"{step.source}_".startswith(f"{name}_")]
            layer = max(owners, key=len, default=step.source)  # names of tensors are those of layers, with suffixes
            yield from _outside(f"the output of layer {layer!r}", layer, real, step.format)


def _outside(
    what: str, layer: str, values: Floats | npt.NDArray[np.float64], form: Fixed
) -> Iterator[ConversionWarning]:
    """A warning if values lie outside a format by half a step or more.

    Args:
        what: begins the message.
        layer: name of the layer or input.
        values: its values.
        form: the format that saturates them.
    """
    low, high = form.to_float([form.low, form.high]).tolist()
    least, most = float(values.min()), float(values.max())
    half = 2.0 ** -(form.frac + 1)
    if least >= low - half and most <= high + half:
        return
    count = int(np.count_nonzero((values < low - half) | (values > high + half)))
    furthest, becomes = (most, high) if most - high > low - least else (least, low)
    key = f"hls_config['LayerName'][{layer!r}]['Precision']['result']"
    yield ConversionWarning(
        f"{what}: {count:,} of {values.size:,} values lie outside {form}, which holds {low:g} to {high:g}; "
        f"the furthest, {furthest:g}, becomes {becomes:g}: set {key} to a format with more integer bits, or convert "
        "with calibration= samples of this range",
        layer,
        key,
        abs(furthest - becomes),
    )
