# SPDX-License-Identifier: Apache-2.0
"""Conversion of quantizers, precisions and weight arrays into fixed-point formats and integer codes with scales."""

from ese_hls.quantize.fixed_point import BIAS_BITS, Doubles, codes16, fit
from ese_hls.quantize.formats import (
    Format,
    Place,
    activation_of,
    describe,
    format_of,
    is_format,
    is_known,
    is_quantizer,
    is_rounded_activation,
    is_sigmoidal,
    line_of,
    name_of,
)
from ese_hls.quantize.precision import (
    SPLIT_BITS,
    fits_split,
    holding,
    key_of,
    narrowed,
    of_layer,
    of_model,
    with_precision,
)
from ese_hls.quantize.summary import CheckedTensor, ConversionSummary, TensorReport
from ese_hls.quantize.tensors import LayerTensors, WeightTensor
from ese_hls.quantize.weight_kind import as_kind, common_kind
from ese_hls.quantize.weight_levels import ROUNDING
from ese_hls.quantize.weights import TOLERANCE, RowsOfBias, bias_of, evaluate, gru_bias, matrix_of, values_of

__all__ = [
    "BIAS_BITS",
    "ROUNDING",
    "SPLIT_BITS",
    "TOLERANCE",
    "CheckedTensor",
    "ConversionSummary",
    "Doubles",
    "Format",
    "LayerTensors",
    "Place",
    "RowsOfBias",
    "TensorReport",
    "WeightTensor",
    "activation_of",
    "as_kind",
    "bias_of",
    "codes16",
    "common_kind",
    "describe",
    "evaluate",
    "fit",
    "fits_split",
    "format_of",
    "gru_bias",
    "holding",
    "is_format",
    "is_known",
    "is_quantizer",
    "is_rounded_activation",
    "is_sigmoidal",
    "key_of",
    "line_of",
    "matrix_of",
    "name_of",
    "narrowed",
    "of_layer",
    "of_model",
    "values_of",
    "with_precision",
]
