"""Post-training calibration: the ranges of inputs, states, layer outputs and biases, and integer bits that hold them.

The model runs on data with its formats lifted, so that what is seen is not what an earlier range let through. The
number of bits stays, and so do the engine's widths; the binary point moves. Sums before an activation are reported
too: the engine holds them exactly, and its activations saturate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from qkeras import QLSTM, QActivation, quantized_bits, quantized_relu

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir import Fixed

PERCENTILES = (0.1, 50.0, 99.9)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ValueRange:
    """What one tensor was seen to be.

    Attributes:
        tensor: layer and role. low, high: extremes. percentiles: of `PERCENTILES`.
        bits: of its quantizer, 0 where it has none. before, integer: integer bits as QKeras counts them, before and
            as chosen. clipped_before, clipped: share of values outside of the format, before and as chosen.
    """

    tensor: str
    low: float
    high: float
    percentiles: tuple[float, ...]
    bits: int = 0
    before: int = 0
    integer: int = 0
    clipped_before: float = 0.0
    clipped: float = 0.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranges of a model, and the quantizers that they are for."""

    ranges: tuple[ValueRange, ...]
    quantizers: tuple[tuple[Any, int], ...]

    def apply(self, model: Any) -> None:
        """Set the integer bits; the model compiles its functions anew."""
        for quantizer, integer in self.quantizers:
            quantizer.integer = integer
        model.train_function = model.test_function = model.predict_function = None

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values, tensor by tensor."""
        return [asdict(item) for item in self.ranges]

    def __str__(self) -> str:
        lines = ["| tensor | least | largest | bits | integer bits | clipped before | clipped |", "|---|" + "---:|" * 6]
        for item in self.ranges:
            moved = f"{item.before} -> {item.integer}" if item.bits else "exact"
            shares = f"{100 * item.clipped_before:.3g}% | {100 * item.clipped:.3g}%"
            lines.append(f"| {item.tensor} | {item.low:.4g} | {item.high:.4g} | {item.bits} | {moved} | {shares} |")
        return "\n".join(lines)


class _Recorder:
    """Stands for a quantizer or an activation, keeps what it is given, and computes `inner` or nothing."""

    def __init__(self, inner: Any = None) -> None:
        self._inner = inner
        self.seen: list[Floats] = []

    def __call__(self, x: Any) -> Any:
        self.seen.append(keras.ops.convert_to_numpy(x).astype(np.float32).ravel())
        return x if self._inner is None else self._inner(x)


@dataclass(frozen=True, eq=False)
class _Site:
    """An attribute that is watched; `roles` are the tensors that it is given in turn."""

    holder: Any
    attribute: str
    roles: tuple[str, ...]
    lifted: bool

    @property
    def quantizer(self) -> Any:
        return getattr(self.holder, self.attribute)


def format_with(quantizer: Any, integer: int) -> Fixed:
    """The format of a `quantized_bits` or `quantized_relu` with other integer bits."""
    signed = isinstance(quantizer, quantized_bits) and bool(quantizer.keep_negative)
    symmetric = signed and bool(getattr(quantizer, "symmetric", False))
    return Fixed(int(quantizer.bits), integer + signed, signed, symmetric)


def clipped(values: Floats, form: Fixed) -> float:
    """Share of values whose rounded code is outside of a format; what a ReLU cuts off below zero does not count.

    >>> clipped(np.array([0.5, 7.99, 8.1, -9.0], dtype=np.float32), Fixed(8, 4))
    0.75
    """
    codes = np.rint(np.ldexp(values.astype(np.float64), form.frac))
    low = form.low if form.signed else -np.inf
    return float(((codes > form.high) | (codes < low)).mean()) if values.size else 0.0


def calibrate(model: Any, inputs: Floats, share: float = 0.0, batch: int = 256) -> Calibration:
    """Run a model on data and choose integer bits; the model itself is left as it is until `Calibration.apply`.

    Args:
        model: with QActivation layers and QLSTMs.
        inputs: (samples, ...) that stand for what it will see.
        share: of a tensor's values that may be clipped.
        batch: samples at a time.

    Returns:
        Ranges in the order of the layers. Where not even all bits hold a tensor, the most are chosen, and the share
        that is still clipped says so.

    Raises:
        FormatError: there is no sample, or a value is not finite. UnsupportedError: share is not within 0 to 1.
    """
    if not 0 <= share < 1:
        raise UnsupportedError(f"share is {share}; 0 or more, below 1, may be clipped")
    if not len(inputs) or not np.isfinite(inputs).all():
        raise FormatError(f"inputs have shape {inputs.shape}; at least one sample, all of it finite, is needed")
    sites = list(_sites(model))
    with _recording(sites) as recorders:
        for start in range(0, len(inputs), batch):
            model(inputs[start : start + batch])
    ranges, chosen = [], []
    for site, recorder in zip(sites, recorders, strict=True):
        tensors = [np.concatenate(recorder.seen[turn :: len(site.roles)]) for turn in range(len(site.roles))]
        if not site.lifted:
            ranges += [_range(role, seen) for role, seen in zip(site.roles, tensors, strict=True)]
            continue
        integer = max(_least(site.quantizer, seen, share) for seen in tensors)
        chosen.append((site.quantizer, integer))
        ranges += [_range(role, seen, site.quantizer, integer) for role, seen in zip(site.roles, tensors, strict=True)]
    return Calibration(tuple(ranges), tuple(chosen))


def _sites(model: Any) -> Iterator[_Site]:
    for layer in model.layers:
        if isinstance(layer, QActivation) and isinstance(layer.activation, (quantized_bits, quantized_relu)):
            yield _Site(layer, "activation", (layer.name,), True)
        if isinstance(layer, QLSTM):
            cell, name = layer.cell, layer.name
            if isinstance(cell.bias_quantizer_internal, quantized_bits):
                yield _Site(cell, "bias_quantizer_internal", (f"{name}: bias",), True)
            if isinstance(cell.state_quantizer_internal, quantized_bits):
                yield _Site(cell, "state_quantizer_internal", (f"{name}: h", f"{name}: c"), True)
            yield _Site(cell, "recurrent_activation", tuple(f"{name}: sum of {gate}" for gate in "ifo"), False)
            yield _Site(cell, "activation", (f"{name}: sum of g", f"{name}: c before tanh"), False)


@contextmanager
def _recording(sites: list[_Site]) -> Iterator[list[_Recorder]]:
    """Recorders in place of what is watched: formats are lifted, activations still computed."""
    kept = [site.quantizer for site in sites]
    recorders = [_Recorder(None if site.lifted else site.quantizer) for site in sites]
    try:
        for site, recorder in zip(sites, recorders, strict=True):
            setattr(site.holder, site.attribute, recorder)
        yield recorders
    finally:
        for site, quantizer in zip(sites, kept, strict=True):
            setattr(site.holder, site.attribute, quantizer)


def _least(quantizer: Any, values: Floats, share: float) -> int:
    """Fewest integer bits with which at most `share` of the values are clipped."""
    most = int(quantizer.bits) - int(isinstance(quantizer, quantized_bits) and bool(quantizer.keep_negative))
    allowed = range(most + 1)
    return next((bits for bits in allowed if clipped(values, format_with(quantizer, bits)) <= share), most)


def _range(tensor: str, values: Floats, quantizer: Any = None, integer: int = 0) -> ValueRange:
    percentiles = tuple(float(value) for value in np.percentile(values, PERCENTILES))
    plain = ValueRange(tensor, float(values.min()), float(values.max()), percentiles)
    if quantizer is None:
        return plain
    before = int(quantizer.integer)
    shares = [clipped(values, format_with(quantizer, bits)) for bits in (before, integer)]
    return ValueRange(tensor, plain.low, plain.high, percentiles, int(quantizer.bits), before, integer, *shares)
