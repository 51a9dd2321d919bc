"""Weight arrays to integer matrices, and biases to 16-bit codes.

A quantizer either names its codes itself (`kind` and `codes_and_scale(weights)`, docs/weights.md), or is called on the
weights as Keras calls it. Both ways the result is compared with the values that Keras computes with. An array without
a quantizer is rounded to the precision that hls4ml's configuration gives it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.keras_version import is_keras2
from ese_hls.quantize.fixed_point import Doubles, codes16, fit, scaled
from ese_hls.quantize.formats import describe
from ese_hls.quantize.summary import TensorReport
from ese_hls.quantize.tensors import Floats, WeightTensor
from ese_hls.quantize.weight_kind import narrowest
from ese_hls.quantize.weight_levels import LEVEL, ROUNDING, levels_of, to_16_bits
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir import WEIGHT_KINDS, Codes, Matrix, TellsCodebook, TellsCodes, tells_codes

TOLERANCE = 0.01
"""Share of the largest weight by which our values may differ from a quantizer's, before they are refused."""


def matrix_of(tensor: WeightTensor, max_frac: int) -> tuple[Matrix, TensorReport]:
    """The engine's matrix of a kernel, (outputs, inputs), of the narrowest kind that holds it.

    Args:
        tensor: the kernel.
        max_frac: fractional bits of its scales at most, so that sums stay exact.

    Raises:
        UnsupportedError: neither quantizer nor precision, or a quantizer whose values are not fixed-point numbers.
        MismatchError: the codes are not the values that the quantizer computes.
    """
    values = values_of(tensor)
    told = tells_codes(tensor.quantizer)
    matrix = _named(tensor, tensor.quantizer, values, max_frac) if told else _matrix(tensor, values, max_frac)
    exact = matrix.values().T
    deviation = _deviation(tensor, values, exact)
    largest = max(float(np.abs(values).max()), 1e-30)
    if tensor.quantizer is not None and deviation > TOLERANCE * largest:
        raise MismatchError(
            f"{tensor.where}: {tensor.described} as {matrix.kind} codes with 16-bit scales of at most {max_frac} "
            f"fractional bits is {deviation:.3g} off the values that it computes; {TOLERANCE:.0%} of the largest is "
            "allowed: correct its codes_and_scale, or give the layer's input fewer fractional bits"
        )
    return matrix, TensorReport(
        tensor.layer,
        tensor.name,
        tensor.described,
        matrix.kind,
        tensor.values.shape,
        kept=int((matrix.levels != 0).sum()),
        deviation=deviation,
        zeroed=int(((tensor.values != 0) & (exact == 0)).sum()),
        filled=int(((tensor.values == 0) & (exact != 0)).sum()),
    )


def values_of(tensor: WeightTensor) -> Doubles:
    """What Keras computes with, as float64; without a quantizer, the float weights themselves."""
    floats = np.asarray(tensor.values, dtype=np.float64)
    return floats if tensor.quantizer is None else evaluate(tensor.quantizer, tensor.values)


def evaluate(quantizer: Any, values: Floats) -> Doubles:
    """The quantizer's float32 values, as float64, under Keras 3 or Keras 2."""
    if is_keras2():
        import tensorflow as tf

        return np.asarray(quantizer(tf.convert_to_tensor(values)), dtype=np.float64)
    from keras import ops

    return np.asarray(ops.convert_to_numpy(quantizer(ops.convert_to_tensor(values))), dtype=np.float64)


def _deviation(tensor: WeightTensor, values: Doubles, exact: Doubles) -> float:
    """Largest difference beyond the last-bit noise of a quantizer's straight-through form."""
    noise = 0.0 if tensor.quantizer is None else ROUNDING * np.maximum(np.abs(tensor.values), np.abs(values))
    difference = np.abs(exact - values)
    return float(np.where(difference <= noise, 0, difference).max())


def _named(tensor: WeightTensor, quantizer: TellsCodes, values: Doubles, max_frac: int) -> Matrix:
    """Matrix of a quantizer that tells its codes."""
    kind = next((known for known in WEIGHT_KINDS if known == quantizer.kind), None)
    if kind is None:
        raise UnsupportedError(
            f"{tensor.where}: {describe(quantizer)} has {quantizer.kind} codes; {', '.join(WEIGHT_KINDS)} are allowed: "
            "codebooks of more than 4 bits serve storage reports alone, compress with 4 or fewer"
        )
    codes, scale, frac = quantizer.codes_and_scale(tensor.values)
    codes, scale = np.asarray(codes, dtype=np.int64), np.asarray(scale, dtype=np.int64)
    outputs = values.shape[1]
    if codes.shape != values.shape or scale.shape not in ((outputs,), (2, outputs)):
        raise MismatchError(
            f"{tensor.where}: {describe(quantizer)}.codes_and_scale gives shapes {codes.shape} and "
            f"{scale.shape}; expected {values.shape} and ({outputs},) or (2, {outputs})"
        )
    scale, frac = fit(scale, int(frac), max_frac)
    pair = np.ascontiguousarray(np.broadcast_to(scale, (2, outputs)))
    book = quantizer.codebook if isinstance(quantizer, TellsCodebook) else None
    return Matrix(np.ascontiguousarray(codes.T), kind, pair, frac, book)


def _matrix(tensor: WeightTensor, values: Doubles, max_frac: int) -> Matrix:
    """Matrix of a QKeras quantizer that has just been called, or of a plain array and its precision."""
    levels, step = _precise(tensor, values) if tensor.quantizer is None else levels_of(tensor, values)
    levels, scale, frac = scaled(levels, step, max_frac)
    kind = narrowest(levels)
    if kind is None:
        raise UnsupportedError(
            f"{tensor.where}: {tensor.described} gives levels {levels.min()}..{levels.max()}; -{LEVEL + 1}..{LEVEL} "
            "are held: give it at most 16 bits"
        )
    return Matrix(np.ascontiguousarray(levels.T), kind, np.stack([scale, scale]), frac)


def _precise(tensor: WeightTensor, values: Doubles) -> tuple[Codes, Doubles]:
    """Levels and steps of a float kernel: rounded half to even and saturated, then to 16 bits where that is wider."""
    form = tensor.precision
    if form is None:
        raise UnsupportedError(
            f"{tensor.where} has no quantizer; the engine holds weights of 2 to 16 bits: "
            "give the layer one, e.g. kernel_quantizer=quantized_bits(4, 0, alpha='auto_po2'), or set "
            f"hls_config['LayerName'][{tensor.layer!r}]['Precision'][{tensor.precision_name!r}] to, say, 'fixed<8,1>'"
        )
    if form.bits - form.signed < 16:
        return form.from_float(values), np.full(values.shape[1], 2.0**-form.frac)
    return to_16_bits(np.clip(values, form.to_float(form.low), form.to_float(form.high)), axis=None)


def bias_of(tensor: WeightTensor | None, outputs: int) -> tuple[Codes, int, TensorReport | None]:
    """(outputs,) bias codes, their fractional bits, and the report of the tensor where there is one.

    A bias without quantizer and without a precision of its own gets 16 bits, as many of them fractional as fit.
    """
    if tensor is None:
        return np.zeros(outputs, dtype=np.int64), 0, None
    values = np.broadcast_to(values_of(tensor), (outputs,))
    form = tensor.precision
    rounded = values if form is None else form.to_float(form.from_float(values))
    codes, frac = codes16(rounded)
    deviation = _deviation(tensor, values, np.ldexp(codes.astype(np.float64), -frac))
    kept = int((codes != 0).sum())
    shape = tensor.values.shape
    report = TensorReport(tensor.layer, tensor.name, tensor.described, "fixed16", shape, kept, deviation)
    return codes, frac, report
