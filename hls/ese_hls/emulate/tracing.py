"""`trace`: every layer's output by its Keras name, of the engine's own trace packets.

The engine streams what each of its stages computes (docs/packets.md). A Keras layer is a stage, or it was absorbed into
the one before it; the value of an absorbed layer follows from the stage's exact value: a quantizer rounds it. What the
host computes is at hand. What was folded into the sums (batch norm) leaves the layer before it without a value. A ReLU
within a stage hides the sum before it: that sum is the golden model's, and the engine's value must be its ReLU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ese_hls.emulate.simulate import Inputs, run, shaped, values_of
from ese_hls.frontend import Extents
from ese_hls.lower import UNMASKED, Conversion
from ese_hls.quantize import format_of
from ese_host.check import scaled
from ese_host.errors import DeviceError
from ese_host.ir import Codes, Dense, Layer, Lstm, golden
from ese_host.ir.program import Chain, ProgramRun
from ese_host.protocol import Trace, Words

Kind = Literal["input", "linear", "relu", "softmax", "format", "reverse", "other"]
Values = npt.NDArray[np.float64]
UNTRACED = ("InputLayer", "Dropout")
"""Keras classes that hls4ml's `get_ymodel_keras` leaves out too."""


@dataclass(frozen=True, eq=False)
class KerasLayer:
    """A layer of the model as it was read.

    Attributes:
        name: in Keras; the activation of a Dense layer is a layer `<name>_<activation>` of its own, as in hls4ml.
        kind: what it does to values; "other" is for the engine's own layers and for what conversion folds into them.
        sources: names of the layers it reads. function: an activation's function or quantizer. keras_class: its class.
        extents: shape of its output without the sample axis, None where it varies.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    function: Any
    keras_class: str
    extents: Extents = ()


def chosen_layers(settings: Mapping[str, Mapping[str, Any]]) -> set[str] | None:
    """The layers with `Trace: True` in hls_config["LayerName"]; None, which means all, where there is none."""
    return {name for name, values in settings.items() if values.get("Trace")} or None


def trace(
    library: ctypes.CDLL,
    images: Sequence[Words],
    conversion: Conversion,
    layers: Sequence[KerasLayer],
    x: Inputs,
    chosen: set[str] | None = None,
) -> tuple[Any, dict[str, npt.NDArray[np.float32]]]:
    """Outputs as `predict` returns them, and each layer's by name.

    A layer within a chain that lacks its masked frames has no value, unless it is the chain's last one.

    Args:
        library: the compiled engine.
        images: what the engine shall hold, one for each chain.
        conversion: what they were emitted from.
        layers: of the model, in order.
        x: as for `predict`.
        chosen: names of layers; None for all.

    Raises:
        FormatError: `x` has another shape, or is not finite. DeviceError: engine and golden model differ in a sum.
    """
    program = conversion.program
    made = run(library, images, conversion, x, trace=True)
    done = made.run
    values = _host_values(conversion, done)
    values.update(_input_values(layers, conversion, done))
    engine = {layer.name for chain in program.chains for layer in chain.network.layers}
    own = engine | set(program.tensors) | set(_heads(conversion))
    for chain in program.chains:
        fed = done.fed[chain.name]
        if (fed.steps == fed.codes.shape[1]).all():
            values.update(_chain_layers(chain, fed.codes, made.chains[chain.name].traces, layers, own))
        elif (value := _all_frames(done, chain.target)) is not None:
            values[_chain(chain.network.layers[-1].name, layers, own)[-1].name] = value
    extents = {item.name: item.extents for item in layers if item.keras_class not in UNTRACED}
    outputs = values_of(done, conversion)
    return outputs[0] if len(outputs) == 1 else outputs, {
        name: shaped(values[name], extents[name])
        for name in extents
        if name in values and (chosen is None or name in chosen)
    }


def _heads(conversion: Conversion) -> dict[str, str]:
    """Layers that the host computes in floating point, and the outputs that they are."""
    ends = zip(conversion.ends, conversion.program.outputs, strict=True)
    return {name: output.name for name, output in ends if output.head != "none"}


def _host_values(conversion: Conversion, done: ProgramRun) -> dict[str, Values]:
    """What the host computed, by the names of its tensors."""
    chains = {chain.target for chain in conversion.program.chains}
    found = {name: _all_frames(done, name) for name in done.tensors if name not in chains}
    values = {name: value for name, value in found.items() if value is not None}
    return {**values, **{name: done.values(output) for name, output in _heads(conversion).items()}}


def _all_frames(done: ProgramRun, name: str) -> Values | None:
    """A tensor with its masked frames; None where it lacks them."""
    value = done.tensors.get(f"{name}{UNMASKED}", done.tensors[name])
    whole = (value.steps == value.codes.shape[1]).all()
    return np.ldexp(value.codes.astype(np.float64), -value.tensor.frac) if whole else None


def _input_values(layers: Iterable[KerasLayer], conversion: Conversion, done: ProgramRun) -> dict[str, Values]:
    """The inputs, and whatever is read in their place: the codes that the program got."""
    values: dict[str, Values] = {}
    for port, inside in zip(conversion.inputs, conversion.program.inputs, strict=True):
        values[port.name] = port.format.to_float(done.tensors[inside.name].codes)
    own = set(conversion.program.tensors)
    for item in layers:
        if item.kind in ("format", "linear") and set(item.sources) <= set(values) and item.name not in own:
            values[item.name] = values[item.sources[0]]
    return values


def _chain_layers(
    chain: Chain, fed: Codes, traces: Sequence[Trace], layers: Sequence[KerasLayer], own: set[str]
) -> dict[str, Values]:
    """Values of a chain's layers and of what they absorbed; `own` names the layers that have values of their own.

    Keras leaves a backward layer's outputs in the engine's order; what stands behind it in the chain reads the input's.
    """
    values: dict[str, Values] = {}
    stages = {item.stage.layer: item for item in traces}  # of an LSTM with projection, the projection
    here = fed
    for index, layer in enumerate(chain.network.layers):
        exact, frac = _exact(layer, stages[layer.name])
        if isinstance(layer, Lstm) and not layer.return_sequences:
            exact = exact[:, -1:]
        before = _before_relu(layer, here, exact, frac) if isinstance(layer, Dense) and layer.relu else exact
        ordered = before[:, ::-1] if chain.backwards and index else before
        values.update(_chain_values(_chain(layer.name, layers, own), ordered, frac))
        here = exact if layer.output is None else layer.output.quantize(exact, frac)
    return values


def _exact(layer: Layer, found: Trace) -> tuple[Codes, int]:
    """What a layer hands on before any output quantizer, and its fractional bits."""
    if isinstance(layer, Lstm) and layer.projection is not None:
        return found.stored, layer.state.frac
    return found.exact, found.stage.frac


def _before_relu(layer: Dense, source: Codes, after: Codes, frac: int) -> Codes:
    """The (N, T, rows) sums whose ReLU is what the engine gave.

    Raises:
        DeviceError: it is not.
    """
    sums, bits = golden.weighted_sum(layer.kernel, source.reshape(-1, source.shape[-1]), layer.source)
    total, bits = golden.align((sums, bits), (layer.bias, layer.bias_frac))
    before = scaled(total, bits, frac, layer.name).reshape(after.shape)
    if not np.array_equal(np.maximum(before, 0), after):
        raise DeviceError(
            f"layer {layer.name!r}: the engine's sums are not the ReLU of the golden model's; compile the project again"
        )
    return before


def _chain(name: str, layers: Sequence[KerasLayer], own: set[str]) -> list[KerasLayer]:
    """An engine layer and those that were absorbed into it, in order."""
    chain = [next(item for item in layers if item.name == name)]
    while True:
        readers = [item for item in layers if chain[-1].name in item.sources and item.name not in own]
        if len(readers) != 1:
            return chain
        chain += readers


def _chain_values(chain: Sequence[KerasLayer], codes: Codes, frac: int) -> dict[str, Values]:
    """Values of a chain's layers from the last one that was folded into the sums onwards; those before have none."""
    values: dict[str, Values] = {}
    folded = max(place for place, item in enumerate(chain) if item.kind == "other")
    for item in chain[folded:]:
        if item.kind == "reverse":
            codes = codes[:, ::-1]
        elif item.kind == "relu":
            codes = np.maximum(codes, 0)
        elif item.kind == "format":
            form = format_of(item.function, f"layer {item.name!r}").fixed
            codes, frac = form.quantize(codes, frac), form.frac
        values[item.name] = np.ldexp(codes.astype(np.float64), -frac)
    return values
