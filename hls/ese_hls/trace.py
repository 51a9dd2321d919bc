"""`trace`: every layer's output by its Keras name, of the engine's own trace packets.

The engine streams what each of its stages computes (docs/packets.md). A Keras layer is a stage, or it was absorbed into
the one before it; the value of an absorbed layer follows from the stage's exact value: a quantizer rounds it, a softmax
is the host's. What was folded into the sums (batch norm) leaves the layer before it without a value. A ReLU within a
stage hides the sum before it: that sum is the golden model's, and the engine's value must be its ReLU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ese_hls.convert import Conversion
from ese_hls.formats import format_of
from ese_hls.simulate import Floats, run, shaped, softmax, values_of
from ese_host import golden
from ese_host.compare import scaled
from ese_host.errors import DeviceError
from ese_host.fixed import Codes
from ese_host.network import Dense, Layer, Lstm
from ese_host.outputs import Trace
from ese_host.packets import Words

Kind = Literal["input", "linear", "relu", "softmax", "format", "other"]
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
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    function: Any
    keras_class: str


def chosen_layers(settings: Mapping[str, Mapping[str, Any]]) -> set[str] | None:
    """The layers with `Trace: True` in hls_config["LayerName"]; None, which means all, where there is none."""
    return {name for name, values in settings.items() if values.get("Trace")} or None


def trace(
    library: ctypes.CDLL,
    image: Words,
    conversion: Conversion,
    layers: Sequence[KerasLayer],
    x: Floats,
    chosen: set[str] | None = None,
) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
    """Outputs as `predict` returns them, and each layer's by name.

    Args:
        library: the compiled engine.
        image: what the engine shall hold.
        conversion: what it was emitted from.
        layers: of the model, in order.
        x: as for `predict`.
        chosen: names of layers; None for all.

    Raises:
        FormatError: `x` has another shape, or is not finite. DeviceError: engine and golden model differ in a sum.
    """
    network = conversion.network
    codes = network.source.from_float(shaped(x, conversion))
    result = run(library, image, conversion, codes, trace=True)
    stages = {item.stage.layer: item for item in result.traces}  # of an LSTM with projection, the projection
    engine = {layer.name for layer in network.layers}
    values = _input_values(layers, network.source.to_float(codes))
    stepless = set(values) if conversion.steps is None else set()
    here, steps = codes, conversion.steps is not None
    for layer in network.layers:
        exact, frac = _exact(layer, stages[layer.name])
        if isinstance(layer, Lstm) and not layer.return_sequences:
            exact, steps = exact[:, -1:], False
        before = _before_relu(layer, here, exact, frac) if isinstance(layer, Dense) and layer.relu else exact
        found = _chain_values(_chain(layer.name, layers, engine), before, frac)
        values.update(found)
        stepless.update(() if steps else found)
        here = exact if layer.output is None else layer.output.quantize(exact, frac)
    names = [item.name for item in layers if item.keras_class not in UNTRACED and item.name in values]
    return values_of(result, conversion), {
        name: (values[name][:, 0] if name in stepless else values[name]).astype(np.float32)
        for name in names
        if chosen is None or name in chosen
    }


def _input_values(layers: Iterable[KerasLayer], source: Values) -> dict[str, Values]:
    """The input, and whatever the engine reads in its place: the codes that it got."""
    values: dict[str, Values] = {}
    for item in layers:
        if item.kind == "input" or (item.kind in ("format", "linear") and set(item.sources) <= set(values)):
            values[item.name] = source
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


def _chain(name: str, layers: Sequence[KerasLayer], engine: set[str]) -> list[KerasLayer]:
    """An engine layer and those that were absorbed into it, in order."""
    chain = [next(item for item in layers if item.name == name)]
    while True:
        readers = [item for item in layers if chain[-1].name in item.sources and item.name not in engine]
        if len(readers) != 1:
            return chain
        chain += readers


def _chain_values(chain: Sequence[KerasLayer], codes: Codes, frac: int) -> dict[str, Values]:
    """Values of a chain's layers from the last one that was folded into the sums onwards; those before have none."""
    values: dict[str, Values] = {}
    folded = max(place for place, item in enumerate(chain) if item.kind == "other")
    for item in chain[folded:]:
        if item.kind == "softmax":
            values[item.name] = softmax(np.ldexp(codes.astype(np.float64), -frac))
            continue
        if item.kind == "relu":
            codes = np.maximum(codes, 0)
        elif item.kind == "format":
            form = format_of(item.function, f"layer {item.name!r}").fixed
            codes, frac = form.quantize(codes, frac), form.frac
        values[item.name] = np.ldexp(codes.astype(np.float64), -frac)
    return values
