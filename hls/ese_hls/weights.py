"""Weight quantizers to integer matrices, and biases to 16-bit codes.

A quantizer either names its codes itself (`kind` and `codes_and_scale(weights)`: this project's own quantizers), or is
one of QKeras's, which is called on the weights; its values are then divided by its own step. Both ways the result is
compared with the values that Keras computes with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.formats import describe, power_of_two_below
from ese_hls.summary import TensorReport
from ese_hls.tensors import Floats, WeightTensor
from ese_host.design import SUM_FRAC
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.fixed import Codes, round_half_even
from ese_host.network import CODE_RANGE, SCALE_BITS, Matrix, WeightKind

Doubles = npt.NDArray[np.float64]

BIAS_BITS = 16
ROUNDING = 2.0**-21
"""Relative noise of QKeras's straight-through form x + (q - x) in float32."""
TOLERANCE = 0.01
"""Share of the largest weight by which a quantizer's own codes may differ from its call, before they are refused."""


def matrix_of(tensor: WeightTensor, max_frac: int) -> tuple[Matrix, TensorReport]:
    """The engine's matrix of a kernel, (outputs, inputs).

    Args:
        tensor: the kernel.
        max_frac: fractional bits of its scales at most, so that sums stay exact.

    Raises:
        UnsupportedError: no quantizer, or one that does not give ternary or 4-bit weights with one scale per output.
        MismatchError: the quantizer's own codes are not the values it computes.
    """
    quantizer = tensor.quantizer
    if quantizer is None:
        raise UnsupportedError(
            f"{tensor.where} has no quantizer; the engine holds ternary or 4-bit weights: "
            "give the layer one, e.g. kernel_quantizer=quantized_bits(4, 0, alpha='auto_po2')"
        )
    values = evaluate(quantizer, tensor.values)
    make = _named if hasattr(quantizer, "codes_and_scale") else _qkeras
    matrix = make(tensor, values, max_frac)
    exact = matrix.values().T
    noise = ROUNDING * np.maximum(np.abs(tensor.values), np.abs(values))
    difference = np.abs(exact - values)
    deviation = float(np.where(difference <= noise, 0, difference).max())
    if deviation > TOLERANCE * max(float(np.abs(values).max()), 1e-30):
        raise MismatchError(
            f"{tensor.where}: {describe(quantizer)} as {matrix.kind} codes with 16-bit scales of at most {max_frac} "
            f"fractional bits is {deviation:.3g} off the values that it computes; {TOLERANCE:.0%} of the largest is "
            "allowed: correct its codes_and_scale, or give the layer's input fewer fractional bits"
        )
    zeroed = int(((tensor.values != 0) & (exact == 0)).sum())
    kept = int((matrix.levels != 0).sum())
    report = TensorReport(
        tensor.layer, tensor.name, describe(quantizer), matrix.kind, tensor.values.shape, kept, deviation, zeroed
    )
    return matrix, report


def evaluate(quantizer: Any, values: Floats) -> Doubles:
    """The quantizer's float32 values, as float64."""
    from keras import ops

    return np.asarray(ops.convert_to_numpy(quantizer(ops.convert_to_tensor(values))), dtype=np.float64)


def _named(tensor: WeightTensor, values: Doubles, max_frac: int) -> Matrix:
    """Matrix of a quantizer that tells its codes."""
    codes, scale, frac = tensor.quantizer.codes_and_scale(tensor.values)
    codes, scale = np.asarray(codes, dtype=np.int64), np.asarray(scale, dtype=np.int64)
    outputs = values.shape[1]
    if codes.shape != values.shape or scale.shape not in ((outputs,), (2, outputs)):
        raise MismatchError(
            f"{tensor.where}: {describe(tensor.quantizer)}.codes_and_scale gives shapes {codes.shape} and "
            f"{scale.shape}; expected {values.shape} and ({outputs},) or (2, {outputs})"
        )
    scale, frac = fit(scale, int(frac), max_frac)
    pair = np.ascontiguousarray(np.broadcast_to(scale, (2, outputs)))
    book = getattr(tensor.quantizer, "codebook", None)
    return Matrix(np.ascontiguousarray(codes.T), tensor.quantizer.kind, pair, frac, book)


def _qkeras(tensor: WeightTensor, values: Doubles, max_frac: int) -> Matrix:
    """Matrix of a QKeras quantizer that has just been called."""
    kind, step = _step(tensor, values.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.where(step > 0, np.rint(values / step), 0)
    low, high = CODE_RANGE[kind]
    noise = ROUNDING * np.maximum(np.abs(tensor.values), np.abs(values))
    if not (np.abs(codes * step - values) <= noise).all() or codes.min() < low or codes.max() > high:
        raise UnsupportedError(
            f"{tensor.where}: {describe(tensor.quantizer)} gives values that are no {kind} codes {low}..{high} times "
            "one scale per output: use quantized_bits(4, ...) or ternary(...) with qnoise_factor 1"
        )
    scale, frac = codes16(step, max_frac, SCALE_BITS, signed=False)
    pair = np.stack([scale, scale])
    return Matrix(np.ascontiguousarray(codes.astype(np.int64).T), kind, pair, frac)


def _step(tensor: WeightTensor, outputs: int) -> tuple[WeightKind, Doubles]:
    """Kind and (outputs,) value of code 1 of a QKeras quantizer."""
    quantizer = tensor.quantizer
    name = type(quantizer).__name__
    kind: WeightKind
    if name in ("ternary", "stochastic_ternary"):
        kind, unit = "ternary", 1.0
    elif name == "quantized_bits" and 2 <= int(quantizer.bits) <= 4:
        kind = "int4"
        unit = 2.0 ** (int(quantizer.integer) - int(quantizer.bits) + bool(quantizer.keep_negative))
    else:
        raise UnsupportedError(
            f"{tensor.where} has quantizer {describe(quantizer)}; ternary, stochastic_ternary, quantized_bits of 2..4 "
            "bits and quantizers with codes_and_scale are allowed: use one of them"
        )
    scale = np.asarray(quantizer.scale, dtype=np.float64)
    if scale.size not in (1, outputs) or (scale < 0).any():
        raise UnsupportedError(
            f"{tensor.where}: {describe(quantizer)} has scales of shape {scale.shape}; one per tensor or output, none "
            "negative, is allowed: use scale_axis=None without elements_per_scale"
        )
    return kind, np.broadcast_to(scale.reshape(-1) * unit, (outputs,))


def codes16(values: Doubles, max_frac: int = SUM_FRAC, bits: int = BIAS_BITS, signed: bool = True) -> tuple[Codes, int]:
    """Codes of at most `bits` bits with as many fractional bits as fit and help, and that number.

    >>> codes, frac = codes16(np.array([0.5, -0.25]))
    >>> codes.tolist(), frac
    ([2, -1], 2)
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(values.shape, dtype=np.int64), 0
    top = (1 << (bits - signed)) - 1
    frac = bits - signed - 1 - power_of_two_below(largest)
    frac -= int(np.rint(np.ldexp(largest, frac)) > top)
    frac = min(frac, max_frac)
    return fit(np.rint(np.ldexp(values, frac)).astype(np.int64), frac, max_frac)


def fit(codes: Codes, frac: int, max_frac: int) -> tuple[Codes, int]:
    """The same values with the fewest fractional bits, rounded where those are still more than `max_frac`."""
    while frac > 0 and codes.any() and not (codes & 1).any():
        codes, frac = codes >> 1, frac - 1
    if frac > max_frac:
        codes, frac = round_half_even(codes, frac - max_frac), max_frac
    return codes, frac


def bias_of(tensor: WeightTensor | None, outputs: int) -> tuple[Codes, int, TensorReport | None]:
    """(outputs,) bias codes, their fractional bits, and the report of the tensor where there is one."""
    if tensor is None:
        return np.zeros(outputs, dtype=np.int64), 0, None
    quantizer = tensor.quantizer
    values = np.asarray(tensor.values, dtype=np.float64) if quantizer is None else evaluate(quantizer, tensor.values)
    values = np.broadcast_to(values, (outputs,))
    codes, frac = codes16(values)
    difference = np.abs(np.ldexp(codes.astype(np.float64), -frac) - values)
    noise = 0 if quantizer is None else ROUNDING * np.maximum(np.abs(tensor.values), np.abs(values))
    deviation = float(np.where(difference <= noise, 0, difference).max())
    name = "none" if quantizer is None else describe(quantizer)
    kept = int((codes != 0).sum())
    return codes, frac, TensorReport(tensor.layer, tensor.name, name, "fixed16", tensor.values.shape, kept, deviation)
