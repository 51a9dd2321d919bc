"""Quantizers of activations and states, QKeras's or Keras's own functions, as fixed-point formats and activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ese_hls.keras_version import is_keras2
from ese_hls.quantize import step_sizes
from ese_hls.quantize.step_sizes import StepSize
from ese_host.errors import UnsupportedError
from ese_host.ir import SLOPE, Activation, ActivationKind, Fixed

TANH_OUT = Fixed(16, 1)
"""Format of a tanh that has no quantizer of its own."""
SIGMOID_OUT = Fixed(16, 0, signed=False)
Read = TypeVar("Read")


@dataclass(frozen=True)
class Format:
    """A quantizer as a format, and whether it cuts negative values off."""

    fixed: Fixed
    relu: bool = False


@dataclass(frozen=True)
class ActivationForm:
    """What an activation computes: its kind, its output's format, and slope and offset where it is hard."""

    kind: ActivationKind
    out: Fixed
    line: tuple[float, float] | None = None


@dataclass(frozen=True)
class QuantizerMeaning:
    """What a QKeras quantizer of one class means where it may stand; None where it may not.

    Attributes:
        unit: of weights: the value of code 1; read from the values where nothing is known of the class.
        form: where it only rounds and saturates, and perhaps cuts off below zero: its format.
        activation: of one that computes a function too: what that is.
        threshold: whether, as an activation, it is a sign beyond a threshold.
    """

    unit: StepSize | None = step_sizes.of_values
    form: Callable[[Any, str], Format] | None = None
    activation: Callable[[Any, str], ActivationForm] | None = None
    threshold: bool = False


def meaning_of(function: Any) -> QuantizerMeaning:
    """What a quantizer means, by its class (`QUANTIZERS`)."""
    return QUANTIZERS.get(type(function).__name__, QuantizerMeaning())


def is_format(function: Any) -> bool:
    """Whether the function is a quantizer that only rounds and saturates (and perhaps cuts off below zero)."""
    return meaning_of(function).form is not None


def is_sigmoidal(function: Any) -> bool:
    """Whether the function is a tanh or sigmoid, smooth or hard, that rounds nothing itself."""
    return getattr(function, "__name__", "") in FUNCTIONS


def is_rounded_activation(function: Any) -> bool:
    """Whether the function is a quantizer that computes a tanh or sigmoid first."""
    return meaning_of(function).activation is not None


def format_of(quantizer: Any, where: str) -> Format:
    """The format of a `quantized_bits`, `quantized_linear` or `quantized_relu` object.

    Raises:
        UnsupportedError: the quantizer does more than round and saturate.
    """
    allowed = "quantized_bits(bits, integer) or quantized_relu(bits, integer)"
    return _read(meaning_of(quantizer).form, quantizer, where, allowed)


def _read(reader: Callable[[Any, str], Read] | None, function: Any, where: str, allowed: str) -> Read:
    """What a function or quantizer means by its reader.

    Raises:
        UnsupportedError: there is none; `allowed` are those that have one.
    """
    if reader is None:
        raise UnsupportedError(f"{where} is {describe(function)}; {allowed} are allowed: use one of them")
    return reader(function, where)


def _bits(quantizer: Any, where: str) -> Format:
    """quantized_bits multiplies by alpha after it has rounded: that is a gain, and no format."""
    if _alpha(quantizer) != 1.0:
        raise _scaled(quantizer, where, "alpha=None or 1.0 are")
    return _rounded(quantizer)


def _linear(quantizer: Any, where: str) -> Format:
    """quantized_linear divides by alpha before it rounds: a power of two moves the binary point."""
    mantissa, exponent = math.frexp(_alpha(quantizer))
    if mantissa != 0.5:
        raise _scaled(quantizer, where, "alpha=None or a power of two is")
    if quantizer.use_sign_function:
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}, a sign; 2 bits or more are allowed: use quantized_linear(2, ...)"
        )
    return _rounded(quantizer, exponent - 1)


def _alpha(quantizer: Any) -> float:
    """A quantizer's alpha, 1.0 without one; 0.0 where it is no single number."""
    alpha: Any = getattr(quantizer, "alpha", None)
    number = not isinstance(alpha, str) and np.size(alpha) == 1
    return 1.0 if alpha is None else float(np.ravel(alpha)[0]) if number else 0.0


def _scaled(quantizer: Any, where: str, allowed: str) -> UnsupportedError:
    return UnsupportedError(
        f"{where} is {describe(quantizer)} with alpha={quantizer.alpha!r}, a scale outside the format; {allowed} "
        "allowed here: choose the range by the integer bits"
    )


def _rounded(quantizer: Any, shift: int = 0) -> Format:
    """The format that the quantizer's own numbers give, its binary point moved by `shift`."""
    signed = bool(quantizer.keep_negative)
    integer = int(quantizer.integer) + shift + signed
    return Format(Fixed(int(quantizer.bits), integer, signed, bool(quantizer.symmetric) and signed))


def _relu(quantizer: Any, where: str) -> Format:
    """quantized_relu, narrowed by its upper bound where it has one that acts."""
    form = Fixed(int(quantizer.bits), int(quantizer.integer), signed=False)
    for option in ("negative_slope", "use_sigmoid"):
        if getattr(quantizer, option, 0):
            raise UnsupportedError(
                f"{where} is {describe(quantizer)} with {option}={getattr(quantizer, option)}; only 0 is allowed: "
                "leave the option out"
            )
    bound = getattr(quantizer, "relu_upper_bound", None)
    if not bound or quantizer.is_quantized_clip or bound >= form.to_float(form.high):
        return Format(form, relu=True)
    steps = math.ldexp(float(bound), form.frac) + 1
    if math.frexp(steps)[0] != 0.5 or steps < 2:
        best = math.ldexp(1, math.frexp(bound)[1] - 1) - math.ldexp(1, -form.frac)
        raise UnsupportedError(
            f"{where} is {describe(quantizer)} with relu_upper_bound={bound}; a power of two less one step of "
            f"{math.ldexp(1, -form.frac)} is where a format ends: use {best}, or leave the option out"
        )
    bits = math.frexp(steps)[1] - 1
    return Format(Fixed(bits, bits - form.frac, signed=False), relu=True)


def is_ternary(function: Any) -> bool:
    """Whether the function is QKeras's `ternary`, which `stochastic_ternary` is at inference."""
    return meaning_of(function).threshold


def ternary_of(quantizer: Any, where: str) -> tuple[int, int, int]:
    """Code and fractional bits of the threshold, and fractional bits of the scale, of a `ternary` activation.

    Raises:
        UnsupportedError: its scale comes from the values of a whole batch, or a number is not allowed.
    """
    alpha: Any = 1.0 if quantizer.alpha is None else quantizer.alpha
    number = not isinstance(alpha, str) and np.size(alpha) == 1
    mantissa, exponent = math.frexp(float(np.ravel(alpha)[0])) if number else (0.0, 0)
    threshold = np.float32(quantizer.default_threshold if quantizer.threshold is None else quantizer.threshold)
    if mantissa != 0.5 or not 2.0**-64 < threshold < 2.0**64:
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}; as an activation, alpha=None or a power of two and a positive "
            "threshold are allowed: choose them"
        )
    own, places = math.frexp(float(threshold))  # QKeras compares in float32
    return int(math.ldexp(own, 24)), 24 - places, 1 - exponent


def activation_of(function: Any, where: str) -> tuple[Activation, str]:
    """The activation that an LSTM applies, and a sentence where a constant had to be rounded (else empty).

    Raises:
        UnsupportedError: the function is no tanh and no sigmoid.
    """
    shape = _shape(function, where)
    if shape.line is None:
        return Activation(shape.kind, shape.out), ""
    slope, offset = (int(SLOPE.from_float(value)) for value in shape.line)
    error = max(
        abs(float(SLOPE.to_float(code)) - value) for code, value in zip((slope, offset), shape.line, strict=True)
    )
    words = f"{where}: slope {shape.line[0]:.6g} and offset {shape.line[1]:.6g} rounded to 15 bits, by {error:.2g}"
    return Activation(shape.kind, shape.out, slope, offset), words if error else ""


def _shape(function: Any, where: str) -> ActivationForm:
    """Kind, output format, and slope and offset of a hard activation."""
    name = name_of(function)
    reader = FUNCTIONS.get(name) or QUANTIZERS.get(name, QuantizerMeaning()).activation
    return _read(reader, function, where, "tanh, sigmoid, hard_sigmoid, quantized_tanh(...) and quantized_sigmoid(...)")


def _quantized_tanh(quantizer: Any, where: str) -> ActivationForm:
    out = Fixed(int(quantizer.bits), 1, True, bool(quantizer.symmetric))
    if quantizer.use_real_tanh:
        return ActivationForm("tanh", out)
    slope, _ = _qkeras_line(where)
    return ActivationForm("hard_tanh", out, (2 * slope, 0.0))


def _quantized_sigmoid(quantizer: Any, where: str) -> ActivationForm:
    out = Fixed(int(quantizer.bits), 0, False, bool(quantizer.symmetric))
    return (
        ActivationForm("sigmoid", out)
        if quantizer.use_real_sigmoid
        else ActivationForm("hard_sigmoid", out, _qkeras_line(where))
    )


def _hard_sigmoid(function: Any, _where: str) -> ActivationForm:
    """QKeras's own, or that of the model's Keras generation."""
    qkeras = getattr(function, "__module__", type(function).__module__).startswith("qkeras")
    return ActivationForm("hard_sigmoid", SIGMOID_OUT, (0.5 if qkeras else _keras_slope(), 0.5))


def _always(shape: ActivationForm) -> Callable[[Any, str], ActivationForm]:
    return lambda _function, _where: shape


def _keras_slope() -> float:
    """Slope of Keras's own hard_sigmoid: relu6(x + 3) / 6 in Keras 3, clip(0.2 x + 0.5) in Keras 2."""
    return 0.2 if is_keras2() else 1 / 6


def _qkeras_line(where: str) -> tuple[float, float]:
    """Slope and offset of the sigmoid that QKeras uses now (`set_internal_sigmoid`)."""
    from qkeras import quantizers

    name = quantizers._sigmoid.__name__
    lines = {"hard_sigmoid": (0.5, 0.5), "smooth_sigmoid": (0.1875, 0.5)}
    if name not in lines:
        raise UnsupportedError(
            f"{where} uses QKeras's {name}; 'hard' and 'smooth' are allowed: call set_internal_sigmoid('hard'), "
            "or give the quantizer use_real_sigmoid / use_real_tanh"
        )
    return lines[name]


def name_of(function: Any) -> str:
    """What an activation is called: a function's name, a quantizer's class."""
    return str(getattr(function, "__name__", type(function).__name__))


def describe(function: Any) -> str:
    """A function or quantizer as a user wrote it."""
    if function is None:
        return "not given"
    try:
        return str(getattr(function, "__name__", function))
    except (ValueError, UnboundLocalError):  # QKeras's own text fails on an array (quantized_bits) or number as alpha
        options = ", ".join(f"{key}={value}" for key, value in function.get_config().items())
        return f"{type(function).__name__}({options})"


QUANTIZERS: dict[str, QuantizerMeaning] = {
    "quantized_bits": QuantizerMeaning(step_sizes.of_bits, form=_bits),
    "quantized_linear": QuantizerMeaning(step_sizes.of_linear, form=_linear),
    "quantized_relu": QuantizerMeaning(form=_relu),
    "quantized_po2": QuantizerMeaning(step_sizes.of_powers),
    "quantized_relu_po2": QuantizerMeaning(step_sizes.of_powers),
    "ternary": QuantizerMeaning(step_sizes.of_scale, threshold=True),
    "stochastic_ternary": QuantizerMeaning(step_sizes.of_scale, threshold=True),  # at inference the same
    "binary": QuantizerMeaning(step_sizes.of_scale),
    "stochastic_binary": QuantizerMeaning(step_sizes.of_scale),
    "quantized_tanh": QuantizerMeaning(activation=_quantized_tanh),
    "quantized_sigmoid": QuantizerMeaning(activation=_quantized_sigmoid),
    "bernoulli": QuantizerMeaning(unit=None),
    "quantized_hswish": QuantizerMeaning(unit=None),
}
"""What QKeras's quantizers mean, by the name of their class; of any other class only its values are known."""
FUNCTIONS: dict[str, Callable[[Any, str], ActivationForm]] = {
    "tanh": _always(ActivationForm("tanh", TANH_OUT)),
    "sigmoid": _always(ActivationForm("sigmoid", SIGMOID_OUT)),
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _always(ActivationForm("hard_tanh", TANH_OUT, (1.0, 0.0))),
    "smooth_tanh": _always(ActivationForm("hard_tanh", TANH_OUT, (0.375, 0.0))),
    "smooth_sigmoid": _always(ActivationForm("hard_sigmoid", SIGMOID_OUT, (0.1875, 0.5))),
}
"""Activations that round nothing themselves, by the name of the function."""
