"""Conversion of quantizers, precisions and weight arrays into fixed-point formats and integer codes with scales."""

from ese_hls.quantize.fixed_point import Doubles, codes16
from ese_hls.quantize.formats import (
    Format,
    activation_of,
    describe,
    format_of,
    is_format,
    is_rounded_activation,
    is_sigmoidal,
    is_ternary,
    name_of,
    ternary_of,
)
from ese_hls.quantize.precision import with_precision
from ese_hls.quantize.result_precision import described, for_element, of_layer, of_model, text_of
from ese_hls.quantize.summary import ConversionSummary, TensorReport
from ese_hls.quantize.tensors import LayerTensors, WeightTensor
from ese_hls.quantize.weight_kind import as_kind, common_kind
from ese_hls.quantize.weights import bias_of, evaluate, matrix_of

__all__ = [
    "ConversionSummary",
    "Doubles",
    "Format",
    "LayerTensors",
    "TensorReport",
    "WeightTensor",
    "activation_of",
    "as_kind",
    "bias_of",
    "codes16",
    "common_kind",
    "describe",
    "described",
    "evaluate",
    "for_element",
    "format_of",
    "is_format",
    "is_rounded_activation",
    "is_sigmoidal",
    "is_ternary",
    "matrix_of",
    "name_of",
    "of_layer",
    "of_model",
    "ternary_of",
    "text_of",
    "with_precision",
]
