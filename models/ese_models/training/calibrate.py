# SPDX-License-Identifier: Apache-2.0
"""Post-training calibration: measures the ranges of a model's values and chooses the integer bits that hold them.

The model runs on data with its formats removed, so that an earlier format does not limit the values that are measured.
Inputs, states, layer outputs and biases keep their number of bits, and with it the widths of the engine; only the
binary point moves. Sums before an activation are reported but not changed: the engine computes them exactly, and its
activations saturate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from qkeras import QGRU, QLSTM, QActivation, quantized_bits, quantized_relu

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir import Fixed

PERCENTILES = (0.1, 50.0, 99.9)
"""Percentiles that are reported of each tensor."""
Floats = npt.NDArray[np.float32]
_LSTM = (("h", "c"), ("i", "f", "o"), ("sum of g", "c before tanh"))
"""What an LSTM's state quantizer, the activation of its gates and the other activation are applied to in turn."""
_GRU = (("h",), ("z", "r"), ("sum of the candidate",))


@dataclass(frozen=True)
class ValueRange:
    """Range of one tensor's values, and the format chosen for it.

    Attributes:
        tensor: name of the layer and of the tensor in it.
        low: smallest value.
        high: largest value.
        percentiles: the values at `PERCENTILES`.
        bits: bits of the tensor's quantizer, 0 if it has none.
        before: integer bits before calibration, in QKeras's counting (without the sign).
        integer: integer bits chosen, in the same counting.
        clipped_before: share of values outside the format before calibration, 0 to 1.
        clipped: share of values outside the chosen format, 0 to 1.
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
    """Result of a calibration.

    Attributes:
        ranges: of all tensors, in the order of the layers.
        quantizers: quantizers whose format may move, each with the integer bits chosen.
    """

    ranges: tuple[ValueRange, ...]
    quantizers: tuple[tuple[Any, int], ...]

    def apply(self, model: Any) -> None:
        """Set the chosen integer bits; the model will compile its functions again."""
        for quantizer, integer in self.quantizers:
            quantizer.integer = integer
        model.train_function = model.test_function = model.predict_function = None

    def to_json(self) -> list[dict[str, Any]]:
        """The ranges as plain values for JSON, one dictionary per tensor."""
        return [asdict(item) for item in self.ranges]

    def __str__(self) -> str:
        lines = ["| tensor | least | largest | bits | integer bits | clipped before | clipped |", "|---|" + "---:|" * 6]
        for item in self.ranges:
            moved = f"{item.before} -> {item.integer}" if item.bits else "exact"
            shares = f"{100 * item.clipped_before:.3g}% | {100 * item.clipped:.3g}%"
            lines.append(f"| {item.tensor} | {item.low:.4g} | {item.high:.4g} | {item.bits} | {moved} | {shares} |")
        return "\n".join(lines)


class _Recorder:
    """Replaces a quantizer or an activation and records its arguments; it computes `inner`, or the identity."""

    def __init__(self, inner: Any = None) -> None:
        self._inner = inner
        self.values: list[Floats] = []

    def __call__(self, x: Any) -> Any:
        self.values.append(keras.ops.convert_to_numpy(x).astype(np.float32).ravel())
        return x if self._inner is None else self._inner(x)


@dataclass(frozen=True, eq=False)
class _Site:
    """A quantizer or an activation whose arguments are recorded.

    Attributes:
        holder: object that has it as an attribute.
        attribute: name of that attribute.
        roles: names of the tensors to which it is applied in turn.
        lifted: whether it is a format, which is replaced by the identity; otherwise it is computed as before.
    """

    holder: Any
    attribute: str
    roles: tuple[str, ...]
    lifted: bool

    @property
    def quantizer(self) -> Any:
        """The quantizer or activation that is there now."""
        return getattr(self.holder, self.attribute)


def format_with(quantizer: Any, integer: int) -> Fixed:
    """Format that a `quantized_bits` or `quantized_relu` would have with these integer bits."""
    signed = isinstance(quantizer, quantized_bits) and bool(quantizer.keep_negative)
    symmetric = signed and bool(getattr(quantizer, "symmetric", False))
    return Fixed(int(quantizer.bits), integer + signed, signed, symmetric)


def clipped(values: Floats, form: Fixed) -> float:
    """Share of values whose rounded code lies outside a format; values that a ReLU cuts off below zero do not count.

    >>> clipped(np.array([0.5, 7.99, 8.1, -9.0], dtype=np.float32), Fixed(8, 4))
    0.75
    """
    codes = np.rint(np.ldexp(values.astype(np.float64), form.frac))
    low = form.low if form.signed else -np.inf
    return float(((codes > form.high) | (codes < low)).mean()) if values.size else 0.0


def calibrate(model: Any, inputs: Floats, share: float = 0.0, batch: int = 256) -> Calibration:
    """Run a model on data and choose integer bits; the model does not change until `Calibration.apply`.

    Args:
        model: with QActivation, QLSTM and QGRU layers.
        inputs: (samples, ...) representative of the data on which the model will run.
        share: largest share of a tensor's values that may be clipped, from 0 to below 1.
        batch: samples that are computed at once.

    Returns:
        Ranges in the order of the layers. If not even the largest number of integer bits holds a tensor's values, that
        number is chosen, and `ValueRange.clipped` tells the share that remains clipped.

    Raises:
        FormatError: if there is no sample, or a value is not finite.
        UnsupportedError: if `share` is below 0, or 1 or more.
    """
    if not 0 <= share < 1:
        raise UnsupportedError(f"share of clipped values is {share}; 0 or more, below 1 is allowed")
    if not len(inputs) or not np.isfinite(inputs).all():
        raise FormatError(f"inputs have shape {inputs.shape}; at least one sample of finite values is needed")
    sites = list(_sites(model))
    with _recording(sites) as recorders:
        for start in range(0, len(inputs), batch):
            model(inputs[start : start + batch])
    ranges, chosen = [], []
    for site, recorder in zip(sites, recorders, strict=True):
        turns = len(site.roles)
        tensors = [np.concatenate(recorder.values[turn::turns]) for turn in range(turns)]
        if not site.lifted:
            ranges += [_range(role, values) for role, values in zip(site.roles, tensors, strict=True)]
            continue
        integer = max(_least(site.quantizer, values, share) for values in tensors)
        chosen.append((site.quantizer, integer))
        ranges += [
            _range(role, values, site.quantizer, integer) for role, values in zip(site.roles, tensors, strict=True)
        ]
    return Calibration(tuple(ranges), tuple(chosen))


def _sites(model: Any) -> Iterator[_Site]:
    """All quantizers and activations of a model whose arguments are recorded, layer by layer."""
    for layer in model.layers:
        if isinstance(layer, QActivation) and isinstance(layer.activation, (quantized_bits, quantized_relu)):
            yield _Site(layer, "activation", (layer.name,), True)
        if isinstance(layer, (QLSTM, QGRU)):
            cell, name = layer.cell, layer.name
            states, gates, sums = _LSTM if isinstance(layer, QLSTM) else _GRU
            if isinstance(cell.bias_quantizer_internal, quantized_bits):
                yield _Site(cell, "bias_quantizer_internal", (f"{name}: bias",), True)
            if isinstance(cell.state_quantizer_internal, quantized_bits):
                yield _Site(cell, "state_quantizer_internal", tuple(f"{name}: {state}" for state in states), True)
            yield _Site(cell, "recurrent_activation", tuple(f"{name}: sum of {gate}" for gate in gates), False)
            yield _Site(cell, "activation", tuple(f"{name}: {part}" for part in sums), False)


@contextmanager
def _recording(sites: list[_Site]) -> Iterator[list[_Recorder]]:
    """Put recorders in place of quantizers and activations within the block."""
    originals = [site.quantizer for site in sites]
    recorders = [_Recorder(None if site.lifted else site.quantizer) for site in sites]
    try:
        for site, recorder in zip(sites, recorders, strict=True):
            setattr(site.holder, site.attribute, recorder)
        yield recorders
    finally:
        for site, quantizer in zip(sites, originals, strict=True):
            setattr(site.holder, site.attribute, quantizer)


def _least(quantizer: Any, values: Floats, share: float) -> int:
    """Fewest integer bits with which at most `share` of the values are clipped, or the most that the bits allow."""
    most = int(quantizer.bits) - int(isinstance(quantizer, quantized_bits) and bool(quantizer.keep_negative))
    allowed = range(most + 1)
    return next((bits for bits in allowed if clipped(values, format_with(quantizer, bits)) <= share), most)


def _range(tensor: str, values: Floats, quantizer: Any = None, integer: int = 0) -> ValueRange:
    """Range of a tensor's values, and with a quantizer the share of them that is clipped."""
    percentiles = tuple(float(value) for value in np.percentile(values, PERCENTILES))
    plain = ValueRange(tensor, float(values.min()), float(values.max()), percentiles)
    if quantizer is None:
        return plain
    before = int(quantizer.integer)
    shares = [clipped(values, format_with(quantizer, bits)) for bits in (before, integer)]
    return ValueRange(tensor, plain.low, plain.high, percentiles, int(quantizer.bits), before, integer, *shares)
