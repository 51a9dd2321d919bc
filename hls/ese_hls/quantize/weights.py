# SPDX-License-Identifier: Apache-2.0
"""Conversion of weight arrays to integer matrices, and of biases to 16-bit codes.

A quantizer either gives its codes itself (`kind` and `codes_and_scale(weights)`, weights.md), or is called on the
weights as Keras calls it. Either way, the result is compared with the values that Keras computes with. An array without
quantizer is rounded to the precision that hls4ml's configuration sets for it, else to 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ese_hls.keras_version import is_keras2
from ese_hls.quantize.fixed_point import BIAS_BITS, Doubles, codes16, fit, rows16, scaled
from ese_hls.quantize.formats import describe
from ese_hls.quantize.summary import TensorReport
from ese_hls.quantize.tensors import Floats, WeightTensor
from ese_hls.quantize.weight_kind import narrowest
from ese_hls.quantize.weight_levels import LEVEL, ROUNDING, levels_of, step_size_of
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir import WEIGHT_KINDS, Codes, Matrix, TellsCodebook, TellsCodes, tells_codes

RowsOfBias = Callable[[Doubles], Doubles]
"""Gives the biases of a layer's rows of sums from the array that Keras has: each is a sum of some of its elements."""
TOLERANCE = 0.01
"""Largest allowed deviation of the engine's values from a quantizer's, as a share of the largest weight."""


def matrix_of(tensor: WeightTensor, max_frac: int) -> tuple[Matrix, TensorReport]:
    """The engine's (outputs, inputs) matrix of a kernel, and a report for the summary.

    The matrix has the weight kind of a quantizer that gives its codes itself, otherwise the narrowest one.

    Args:
        tensor: the (inputs, outputs) kernel.
        max_frac: largest number of fractional bits of its scales, so that sums stay exact.

    Raises:
        UnsupportedError: if the engine cannot hold the values.
        MismatchError: if the codes do not stand for the values that the quantizer computes.
    """
    values = values_of(tensor)
    if tells_codes(tensor.quantizer):
        matrix = _from_codes(tensor, tensor.quantizer, values, max_frac)
    else:
        matrix = _from_values(tensor, values, max_frac)
    exact = matrix.values().T
    deviation = _deviation(values, exact, _noise(tensor, values))
    largest = max(float(np.abs(values).max()), 1e-30)
    if tensor.quantizer is not None and deviation > TOLERANCE * largest:
        raise MismatchError(
            f"{tensor.where}: {tensor.described} as {matrix.kind} codes with 16-bit scales of at most {max_frac} "
            f"fractional bits deviates by {deviation:.3g} from the values that the quantizer computes; at most "
            f"{TOLERANCE:.0%} of the largest value ({largest:.3g}) is allowed: correct its codes_and_scale, or give "
            "the layer's input fewer fractional bits"
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
    """The values that Keras computes with, as float64: quantized, or the float weights if there is no quantizer."""
    floats = np.asarray(tensor.values, dtype=np.float64)
    return floats if tensor.quantizer is None else evaluate(tensor.quantizer, tensor.values)


def evaluate(quantizer: Any, values: Floats) -> Doubles:
    """Call a quantizer on float32 values, under Keras 3 or Keras 2; its results, as float64."""
    if is_keras2():
        import tensorflow as tf

        return np.asarray(quantizer(tf.convert_to_tensor(values)), dtype=np.float64)
    from keras import ops

    return np.asarray(ops.convert_to_numpy(quantizer(ops.convert_to_tensor(values))), dtype=np.float64)


def _noise(tensor: WeightTensor, values: Doubles) -> Doubles:
    """Errors in the last bit of a quantizer's straight-through form x + (q - x), for its results `values`."""
    size = np.maximum(np.abs(tensor.values), np.abs(values))
    return size * (0.0 if tensor.quantizer is None else ROUNDING)


def _deviation(values: Doubles, exact: Doubles, noise: Doubles) -> float:
    """The largest difference of `exact`, the engine's values, from Keras's `values`; up to `noise` does not count."""
    difference = np.abs(exact - values)
    return float(np.where(difference <= noise, 0, difference).max())


def _from_codes(tensor: WeightTensor, quantizer: TellsCodes, values: Doubles, max_frac: int) -> Matrix:
    """The matrix of a quantizer that gives its codes itself."""
    kind = next((known for known in WEIGHT_KINDS if known == quantizer.kind), None)
    if kind is None:
        raise UnsupportedError(
            f"{tensor.where}: {describe(quantizer)} has codes of kind {quantizer.kind}; {', '.join(WEIGHT_KINDS)} are "
            "allowed (wider codebooks serve only storage reports): compress with a codebook of 4 bits, or with another "
            "kind"
        )
    codes, scale, frac = quantizer.codes_and_scale(tensor.values)
    codes, scale = np.asarray(codes, dtype=np.int64), np.asarray(scale, dtype=np.int64)
    outputs = values.shape[1]
    if codes.shape != values.shape or scale.shape not in ((outputs,), (2, outputs)):
        raise MismatchError(
            f"{tensor.where}: {describe(quantizer)}.codes_and_scale gives codes of shape {codes.shape} and "
            f"scales of shape {scale.shape}; codes of shape {values.shape} and scales of shape ({outputs},) or "
            f"(2, {outputs}) are allowed: correct codes_and_scale (docs/reference/weights.md)"
        )
    scale, frac = fit(scale, int(frac), max_frac)
    pair = np.ascontiguousarray(np.broadcast_to(scale, (2, outputs)))
    codebook = quantizer.codebook if isinstance(quantizer, TellsCodebook) else None
    return Matrix(np.ascontiguousarray(codes.T), kind, pair, frac, codebook)


def _from_values(tensor: WeightTensor, values: Doubles, max_frac: int) -> Matrix:
    """The matrix of the values of a QKeras quantizer that has just been called, or of an array with a precision."""
    levels, step_sizes = _rounded(tensor, values, max_frac) if tensor.quantizer is None else levels_of(tensor, values)
    levels, scale, frac = scaled(levels, step_sizes, max_frac)
    kind = narrowest(levels)
    if kind is None:
        raise UnsupportedError(
            f"{tensor.where}: {tensor.described} gives levels {levels.min()}..{levels.max()}; the engine holds "
            f"levels {-LEVEL - 1}..{LEVEL}: give the quantizer at most 16 bits"
        )
    return Matrix(np.ascontiguousarray(levels.T), kind, np.stack([scale, scale]), frac)


def _rounded(tensor: WeightTensor, values: Doubles, max_frac: int) -> tuple[Codes, Doubles]:
    """Levels and step sizes of a float kernel, rounded to its precision; to 16 bits if that is wider, or there is none.

    The 16 bits of each output stand where its largest weight allows.
    """
    form = tensor.precision
    if form is not None and form.bits - form.signed < 16:
        return form.from_float(values), np.full(values.shape[1], 2.0**-form.frac)
    if form is not None:
        values = np.clip(values, form.to_float(form.low), form.to_float(form.high))
    return rows16(values, max_frac)


def gru_bias(values: Doubles) -> Doubles:
    """(4 * units,) biases of a GRU's rows of sums: of z, r, and of the candidate's input and recurrent part.

    Args:
        values: the array of Keras: (2, 3 * units), the biases of both kernels, with `reset_after`; (3 * units,), those
            of the input kernel, without.

    >>> gru_bias(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])).tolist(), gru_bias(np.array([1.0, 2.0, 3.0])).tolist()
    ([11.0, 22.0, 3.0, 30.0], [1.0, 2.0, 3.0, 0.0])
    """
    of_input, of_h = values if values.ndim == 2 else (values, np.zeros_like(values))
    gates = slice(2 * len(of_input) // 3)
    candidate = slice(gates.stop, None)
    return np.concatenate([of_input[gates] + of_h[gates], of_input[candidate], of_h[candidate]])


def bias_of(
    tensor: WeightTensor | None, outputs: int, bits: int = BIAS_BITS, rows: RowsOfBias | None = None
) -> tuple[Codes, int, TensorReport | None]:
    """(outputs,) codes of a bias, their fractional bits, and a report; if `tensor` is None, zeros, 0 and None.

    There are as many fractional bits as the largest value leaves room for, but no more than the values need.

    Args:
        tensor: the bias, or None if the layer has none.
        outputs: number of the layer's outputs.
        bits: bits of a code.
        rows: gives the (outputs,) biases that the engine adds, if these are not the elements of the array.
    """
    if tensor is None:
        return np.zeros(outputs, dtype=np.int64), 0, None
    if tensor.quantizer is not None:
        step_size_of(tensor)  # refuses a quantizer that is not for weights
    arranged = rows or (lambda array: np.broadcast_to(array, (outputs,)))
    values, form = values_of(tensor), tensor.precision
    rounded = values if form is None else form.to_float(form.from_float(values))
    codes, frac = codes16(arranged(rounded), bits=bits)
    noise = arranged(_noise(tensor, values))
    deviation = _deviation(arranged(values), np.ldexp(codes.astype(np.float64), -frac), noise)
    kept = int((codes != 0).sum())
    shape = tensor.values.shape
    report = TensorReport(tensor.layer, tensor.name, tensor.described, f"fixed{bits}", shape, kept, deviation)
    return codes, frac, report
