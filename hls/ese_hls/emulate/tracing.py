# SPDX-License-Identifier: Apache-2.0
"""`trace` returns the output of every layer by its Keras name, from the trace packets of the engine.

The engine sends what each of its stages computes (packets.md). A Keras layer is either a stage or absorbed into
the stage before it. The value of an absorbed layer follows from the exact value of the stage; a quantizer, for
example, rounds it. Values that the host computes are known.

If a layer was folded into the sums (a batch normalization), the layer before it has no value. If a stage contains a
ReLU, the engine does not send the sum before it. That sum is taken from the golden model, and the engine's value is
checked to be its ReLU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ese_hls.emulate.simulate import run, samples_of
from ese_hls.lower import UNMASKED, Conversion
from ese_hls.quantize import format_of
from ese_host.check import scaled
from ese_host.errors import DeviceError
from ese_host.interface import Extents, empty, shaped
from ese_host.ir import Codes, Dense, Layer, Lstm, Recurrent, golden
from ese_host.ir.program import Chain, ProgramRun
from ese_host.protocol import Trace
from ese_host.runtime import ProgramResult

Kind = Literal["input", "linear", "relu", "softmax", "format", "reverse", "other"]
Values = npt.NDArray[np.float64]
UNTRACED = ("InputLayer", "Dropout")
"""Keras classes whose layers are not traced; hls4ml's `get_ymodel_keras` leaves them out too."""


@dataclass(frozen=True, eq=False)
class KerasLayer:
    """A layer of the model before any pass has absorbed it.

    Attributes:
        name: name in Keras; as in hls4ml, the activation of a Dense layer is a separate layer `<name>_<activation>`.
        kind: what the layer does to values; "other" for layers that the engine runs, or that are folded into them.
        sources: names of the layers that it reads.
        function: function or quantizer of an activation.
        keras_class: name of its Keras class.
        extents: shape of its output without the sample axis; None for an axis that varies.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    function: Any
    keras_class: str
    extents: Extents = ()


def chosen_layers(settings: Mapping[str, Mapping[str, Any]]) -> set[str] | None:
    """Names of the layers with `Trace: True` in hls_config["LayerName"], or None (trace all) if there are none."""
    return {name for name, values in settings.items() if values.get("Trace")} or None


def trace(graph: Any, x: Any, chosen: set[str] | None = None) -> tuple[Any, dict[str, npt.NDArray[np.float32]]]:
    """Outputs as `predict` returns them, and the output of each layer by its name.

    If a chain was fed without its masked frames, only its last layer has a value.

    Args:
        graph: a compiled `EseGraph`.
        x: inputs as for `predict`.
        chosen: names of the layers to return; None for all.

    Raises:
        FormatError: if an input is missing, has another shape, or is not finite.
        UnsupportedError: if values are saturated and the model was converted with `strict`.
        DeviceError: if a value of the engine is not the ReLU of the golden model's sum.
    """
    conversion, layers = graph.ese_conversion, graph.ese_layers
    arrays = graph.ese_interface.arrays(x)
    extents = {
        item.name: item.extents
        for item in layers
        if item.keras_class not in UNTRACED and (chosen is None or item.name in chosen)
    }
    if not samples_of(arrays):
        outputs = graph.ese_interface.packed(graph.ese_interface.values(None, arrays))
        return outputs, {name: empty(shape, arrays) for name, shape in extents.items()}
    result = run(graph, arrays, trace=True)
    values = _layer_values(result, conversion, layers)
    return graph.ese_interface.packed(graph.ese_interface.values(result.run, arrays)), {
        name: shaped(values[name], shape) for name, shape in extents.items() if name in values
    }


def _layer_values(result: ProgramResult, conversion: Conversion, layers: Sequence[KerasLayer]) -> dict[str, Values]:
    """The values of all layers that have any, by name."""
    program, finished = conversion.program, result.run
    values = _host_values(conversion, finished)
    values.update(_input_values(layers, conversion, finished))
    engine_layers = {layer.name for chain in program.chains for layer in chain.network.layers}
    computed = engine_layers | set(program.tensors) | set(_heads(conversion))
    for split in conversion.splits:
        total = finished.tensors[split.total]
        if (total.steps == total.codes.shape[1]).all():
            group = _with_absorbed(split.name, layers, computed)
            values.update(_absorbed_values(group, total.codes, total.tensor.frac))
            rounded = finished.tensors[split.target]
            values[group[-1].name] = np.ldexp(rounded.codes.astype(np.float64), -rounded.tensor.frac)
    parts = {split.layer for split in conversion.splits}
    for chain in program.chains:
        fed = finished.fed[chain.name]
        if chain.network.layers[0].name in parts:
            continue
        if (fed.steps == fed.codes.shape[1]).all():
            values.update(_chain_layers(chain, fed.codes, result.chains[chain.name].traces, layers, computed))
        elif (value := _all_frames(finished, chain.target)) is not None:
            values[_with_absorbed(chain.network.layers[-1].name, layers, computed)[-1].name] = value
    return values


def _heads(conversion: Conversion) -> dict[str, str]:
    """Names of the layers that the host computes in floating point, with the outputs that they give."""
    ends = zip(conversion.ends, conversion.program.outputs, strict=True)
    return {name: output.name for name, output in ends if output.head != "none"}


def _host_values(conversion: Conversion, finished: ProgramRun) -> dict[str, Values]:
    """Values that the host computed, by the names of their tensors."""
    chains = {chain.target for chain in conversion.program.chains}
    tensors = {name: _all_frames(finished, name) for name in finished.tensors if name not in chains}
    values = {name: value for name, value in tensors.items() if value is not None}
    return {**values, **{name: finished.values(output) for name, output in _heads(conversion).items()}}


def _all_frames(finished: ProgramRun, name: str) -> Values | None:
    """The values of a tensor, masked frames included, or None if it lacks them."""
    value = finished.tensors.get(f"{name}{UNMASKED}", finished.tensors[name])
    complete = (value.steps == value.codes.shape[1]).all()
    return np.ldexp(value.codes.astype(np.float64), -value.tensor.frac) if complete else None


def _input_values(layers: Iterable[KerasLayer], conversion: Conversion, finished: ProgramRun) -> dict[str, Values]:
    """Values of the inputs, and of the layers behind them that became the format of an input."""
    values: dict[str, Values] = {}
    for port, program_port in zip(conversion.inputs, conversion.program.inputs, strict=True):
        values[port.name] = port.format.to_float(finished.tensors[program_port.name].codes)
    computed = set(conversion.program.tensors)
    for item in layers:
        if item.kind in ("format", "linear") and set(item.sources) <= set(values) and item.name not in computed:
            values[item.name] = values[item.sources[0]]
    return values


def _chain_layers(
    chain: Chain, fed: Codes, traces: Sequence[Trace], layers: Sequence[KerasLayer], computed: set[str]
) -> dict[str, Values]:
    """Values of the layers of a chain and of those that they absorbed.

    `computed` names all layers that engine or host compute, and that are therefore not absorbed. A backward chain runs
    from the last step to the first; Keras keeps this order for the outputs of its first layer, the backward one, but
    has the outputs of the layers behind it in the order of the input.
    """
    values: dict[str, Values] = {}
    stages = {item.stage.layer: item for item in traces}  # the later of two stages gives the output
    source = fed
    for index, layer in enumerate(chain.network.layers):
        exact, frac = _exact(layer, stages[layer.name])
        if isinstance(layer, Recurrent) and not layer.return_sequences:
            exact = exact[:, -1:]
        before = _before_relu(layer, source, exact, frac) if isinstance(layer, Dense) and layer.relu else exact
        ordered = before[:, ::-1] if chain.backwards and index else before
        values.update(_absorbed_values(_with_absorbed(layer.name, layers, computed), ordered, frac))
        source = exact if layer.output is None else layer.output.quantize(exact, frac)
    return values


def _exact(layer: Layer, stage_trace: Trace) -> tuple[Codes, int]:
    """The output of a layer before any output quantizer, and its fractional bits."""
    if isinstance(layer, Lstm) and layer.projection is not None:
        return stage_trace.stored, layer.state.frac
    return stage_trace.exact, stage_trace.stage.frac


def _before_relu(layer: Dense, source: Codes, after: Codes, frac: int) -> Codes:
    """The golden model's sums (N, T, rows) before a ReLU; `after` holds the engine's values behind it.

    Raises:
        DeviceError: if `after` is not the ReLU of the sums.
    """
    sums, sums_frac = golden.weighted_sum(layer.kernel, source.reshape(-1, source.shape[-1]), layer.source)
    total, total_frac = golden.add_exactly((sums, sums_frac), (layer.bias, layer.bias_frac))
    before = scaled(total, total_frac, frac, layer.name).reshape(after.shape)
    if not np.array_equal(np.maximum(before, 0), after):
        raise DeviceError(
            f"layer {layer.name!r}: the engine's sums are not the ReLU of the golden model's; compile the project again"
        )
    return before


def _with_absorbed(name: str, layers: Sequence[KerasLayer], computed: set[str]) -> list[KerasLayer]:
    """An engine layer and the layers that were absorbed into it, in order."""
    group = [next(item for item in layers if item.name == name)]
    while True:
        readers = [item for item in layers if group[-1].name in item.sources and item.name not in computed]
        if len(readers) != 1:
            return group
        group += readers


def _absorbed_values(group: Sequence[KerasLayer], codes: Codes, frac: int) -> dict[str, Values]:
    """Values of the last layer of a group that contributes to the engine's sums, and of the layers behind it."""
    values: dict[str, Values] = {}
    last = max(place for place, item in enumerate(group) if item.kind == "other")
    for item in group[last:]:
        if item.kind == "reverse":
            codes = codes[:, ::-1]
        elif item.kind == "relu":
            codes = np.maximum(codes, 0)
        elif item.kind == "format":
            form = format_of(item.function, f"layer {item.name!r}").fixed
            codes, frac = form.quantize(codes, frac), form.frac
        values[item.name] = np.ldexp(codes.astype(np.float64), -frac)
    return values
