"""Quantizers and functions of QKeras and Keras, as fixed-point formats and as activations of the engine."""

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
"""Output format of a tanh without quantizer."""
SIGMOID_OUT = Fixed(16, 0, signed=False)
"""Output format of a sigmoid without quantizer."""
Read = TypeVar("Read")


@dataclass(frozen=True)
class Format:
    """The fixed-point format of a quantizer.

    Attributes:
        fixed: the format to which it rounds, and in which it saturates.
        relu: whether it sets negative values to zero.
    """

    fixed: Fixed
    relu: bool = False


@dataclass(frozen=True)
class ActivationForm:
    """The function that an activation computes.

    Attributes:
        kind: the function.
        out: format of its outputs.
        line: slope and offset of a hard (piecewise linear) function, else None.
    """

    kind: ActivationKind
    out: Fixed
    line: tuple[float, float] | None = None


@dataclass(frozen=True)
class QuantizerMeaning:
    """How to read the quantizers of one QKeras class. A reader is None if the class does not serve its purpose.

    Attributes:
        step_size: gives the step sizes of weights that the quantizer has rounded; by default from their values only.
        form: gives the format of a quantizer that only rounds and saturates, and may set negative values to zero.
        activation: gives the function of a quantizer that computes a function before it rounds.
        threshold: whether the quantizer, as an activation, gives the sign of values beyond a threshold and zero for the
            others.
    """

    step_size: StepSize | None = step_sizes.of_values
    form: Callable[[Any, str], Format] | None = None
    activation: Callable[[Any, str], ActivationForm] | None = None
    threshold: bool = False


def meaning_of(function: Any) -> QuantizerMeaning:
    """How to read a quantizer, by its class (`QUANTIZERS`)."""
    return QUANTIZERS.get(type(function).__name__, QuantizerMeaning())


def is_format(function: Any) -> bool:
    """Whether the function is a quantizer that only rounds and saturates, and may set negative values to zero."""
    return meaning_of(function).form is not None


def is_sigmoidal(function: Any) -> bool:
    """Whether the function is a tanh or sigmoid, smooth or hard, that does not round its outputs."""
    return getattr(function, "__name__", "") in FUNCTIONS


def is_rounded_activation(function: Any) -> bool:
    """Whether the function is a quantizer that computes a tanh or sigmoid before it rounds."""
    return meaning_of(function).activation is not None


def format_of(quantizer: Any, where: str) -> Format:
    """The format of a `quantized_bits`, `quantized_linear` or `quantized_relu` object; `where` names it in messages.

    Raises:
        UnsupportedError: if the quantizer does more than round and saturate.
    """
    allowed = "quantized_bits(bits, integer) or quantized_relu(bits, integer)"
    return _read(meaning_of(quantizer).form, quantizer, where, allowed)


def _read(reader: Callable[[Any, str], Read] | None, function: Any, where: str, allowed: str) -> Read:
    """A function or quantizer as its reader reads it; `allowed` lists those that have a reader.

    Raises:
        UnsupportedError: if there is no reader.
    """
    if reader is None:
        raise UnsupportedError(f"{where} is {describe(function)}; {allowed} are allowed: use one of them")
    return reader(function, where)


def _bits(quantizer: Any, where: str) -> Format:
    """The format of a quantized_bits; it multiplies by alpha after rounding, so that alpha must be 1."""
    if _alpha(quantizer) != 1.0:
        raise _scaled(quantizer, where, "alpha=None or 1.0 are")
    return _rounded(quantizer)


def _linear(quantizer: Any, where: str) -> Format:
    """The format of a quantized_linear; it divides by alpha before rounding, so that powers of two are allowed."""
    mantissa, exponent = math.frexp(_alpha(quantizer))
    if mantissa != 0.5:
        raise _scaled(quantizer, where, "alpha=None or a power of two is")
    if quantizer.use_sign_function:
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}, which gives only a sign; 2 bits or more are allowed: use "
            "quantized_linear(2, ...)"
        )
    return _rounded(quantizer, exponent - 1)


def _alpha(quantizer: Any) -> float:
    """A quantizer's alpha; 1.0 if it has none, 0.0 if it is not a single number."""
    alpha: Any = getattr(quantizer, "alpha", None)
    number = not isinstance(alpha, str) and np.size(alpha) == 1
    return 1.0 if alpha is None else float(np.ravel(alpha)[0]) if number else 0.0


def _scaled(quantizer: Any, where: str, allowed: str) -> UnsupportedError:
    """The error for an alpha that a format cannot express."""
    return UnsupportedError(
        f"{where} is {describe(quantizer)} with alpha={quantizer.alpha!r}, a scale that no fixed-point format has; "
        f"{allowed} allowed here: set the range by the integer bits instead"
    )


def _rounded(quantizer: Any, shift: int = 0) -> Format:
    """The format of the quantizer's bits and integer bits, its range scaled by 2 ** `shift`."""
    signed = bool(quantizer.keep_negative)
    integer = int(quantizer.integer) + shift + signed
    return Format(Fixed(int(quantizer.bits), integer, signed, bool(quantizer.symmetric) and signed))


def _relu(quantizer: Any, where: str) -> Format:
    """The format of a quantized_relu, with fewer bits if it has an upper bound that takes effect."""
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
    codes = math.ldexp(float(bound), form.frac) + 1
    if math.frexp(codes)[0] != 0.5 or codes < 2:
        best = math.ldexp(1, math.frexp(bound)[1] - 1) - math.ldexp(1, -form.frac)
        raise UnsupportedError(
            f"{where} is {describe(quantizer)} with relu_upper_bound={bound}; only a power of two minus the step size "
            f"{math.ldexp(1, -form.frac)} is allowed, the upper end of a format: use {best}, or leave the option out"
        )
    bits = math.frexp(codes)[1] - 1
    return Format(Fixed(bits, bits - form.frac, signed=False), relu=True)


def is_ternary(function: Any) -> bool:
    """Whether the function is QKeras's `ternary` or `stochastic_ternary`, which are the same at inference."""
    return meaning_of(function).threshold


def ternary_of(quantizer: Any, where: str) -> tuple[int, int, int]:
    """Read a `ternary` activation; `where` names it in messages.

    Returns:
        The threshold's code, its fractional bits, and the fractional bits of the output codes -1, 0 and 1.

    Raises:
        UnsupportedError: if alpha is not a power of two, or the threshold is not positive.
    """
    alpha: Any = 1.0 if quantizer.alpha is None else quantizer.alpha
    number = not isinstance(alpha, str) and np.size(alpha) == 1
    mantissa, exponent = math.frexp(float(np.ravel(alpha)[0])) if number else (0.0, 0)
    threshold = np.float32(quantizer.default_threshold if quantizer.threshold is None else quantizer.threshold)
    if mantissa != 0.5 or not 2.0**-64 < threshold < 2.0**64:
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}, used as an activation; alpha=None or a power of two, and a positive "
            "threshold are allowed: set alpha and threshold so"
        )
    significand, point = math.frexp(float(threshold))  # QKeras compares in float32
    return int(math.ldexp(significand, 24)), 24 - point, 1 - exponent


def activation_of(function: Any, where: str) -> tuple[Activation, str]:
    """A tanh or sigmoid as an activation of the engine; `where` names it in messages.

    Returns:
        The activation, and a sentence for the summary if its slope or offset had to be rounded (else "").

    Raises:
        UnsupportedError: if the function is neither a tanh nor a sigmoid.
    """
    form = _activation_form(function, where)
    if form.line is None:
        return Activation(form.kind, form.out), ""
    slope, offset = (int(SLOPE.from_float(value)) for value in form.line)
    error = max(
        abs(float(SLOPE.to_float(code)) - value) for code, value in zip((slope, offset), form.line, strict=True)
    )
    constants = f"slope {form.line[0]:.6g} and offset {form.line[1]:.6g}"
    note = f"{where}: {constants} are rounded to {SLOPE.frac} fractional bits, by at most {error:.2g}"
    return Activation(form.kind, form.out, slope, offset), note if error else ""


def _activation_form(function: Any, where: str) -> ActivationForm:
    """The function that an activation computes, by the name of the function or of the quantizer's class."""
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
    """QKeras's hard_sigmoid, or that of the installed generation of Keras."""
    of_qkeras = getattr(function, "__module__", type(function).__module__).startswith("qkeras")
    return ActivationForm("hard_sigmoid", SIGMOID_OUT, (0.5 if of_qkeras else _keras_slope(), 0.5))


def _always(form: ActivationForm) -> Callable[[Any, str], ActivationForm]:
    """A reader that gives the same form for every function."""
    return lambda _function, _where: form


def _keras_slope() -> float:
    """Slope of Keras's hard_sigmoid: relu6(x + 3) / 6 in Keras 3, clip(0.2 x + 0.5) in Keras 2."""
    return 0.2 if is_keras2() else 1 / 6


def _qkeras_line(where: str) -> tuple[float, float]:
    """Slope and offset of the sigmoid that QKeras currently uses (`set_internal_sigmoid`)."""
    from qkeras import quantizers

    name = quantizers._sigmoid.__name__
    lines = {"hard_sigmoid": (0.5, 0.5), "smooth_sigmoid": (0.1875, 0.5)}
    if name not in lines:
        raise UnsupportedError(
            f"{where} uses QKeras's internal sigmoid {name}; 'hard' and 'smooth' are allowed: call "
            "set_internal_sigmoid('hard'), or build the quantizer with use_real_sigmoid=True or use_real_tanh=True"
        )
    return lines[name]


def name_of(function: Any) -> str:
    """An activation's name: the name of a function, or the class of a quantizer."""
    return str(getattr(function, "__name__", type(function).__name__))


def describe(function: Any) -> str:
    """A function or quantizer as a user writes it, for messages."""
    if function is None:
        return "not given"
    try:
        return str(getattr(function, "__name__", function))
    except (ValueError, UnboundLocalError):  # str() of some QKeras quantizers fails if alpha is an array or a number
        options = ", ".join(f"{key}={value}" for key, value in function.get_config().items())
        return f"{type(function).__name__}({options})"


QUANTIZERS: dict[str, QuantizerMeaning] = {
    "quantized_bits": QuantizerMeaning(step_sizes.of_bits, form=_bits),
    "quantized_linear": QuantizerMeaning(step_sizes.of_linear, form=_linear),
    "quantized_relu": QuantizerMeaning(form=_relu),
    "quantized_po2": QuantizerMeaning(step_sizes.of_powers),
    "quantized_relu_po2": QuantizerMeaning(step_sizes.of_powers),
    "ternary": QuantizerMeaning(step_sizes.of_scale, threshold=True),
    "stochastic_ternary": QuantizerMeaning(step_sizes.of_scale, threshold=True),  # at inference, it is `ternary`
    "binary": QuantizerMeaning(step_sizes.of_scale),
    "stochastic_binary": QuantizerMeaning(step_sizes.of_scale),
    "quantized_tanh": QuantizerMeaning(activation=_quantized_tanh),
    "quantized_sigmoid": QuantizerMeaning(activation=_quantized_sigmoid),
    "bernoulli": QuantizerMeaning(step_size=None),
    "quantized_hswish": QuantizerMeaning(step_size=None),
}
"""How to read QKeras's quantizers, by the name of their class.

Quantizers of other classes are allowed only for weights, which are read from the values that they return."""
FUNCTIONS: dict[str, Callable[[Any, str], ActivationForm]] = {
    "tanh": _always(ActivationForm("tanh", TANH_OUT)),
    "sigmoid": _always(ActivationForm("sigmoid", SIGMOID_OUT)),
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _always(ActivationForm("hard_tanh", TANH_OUT, (1.0, 0.0))),
    "smooth_tanh": _always(ActivationForm("hard_tanh", TANH_OUT, (0.375, 0.0))),
    "smooth_sigmoid": _always(ActivationForm("hard_sigmoid", SIGMOID_OUT, (0.1875, 0.5))),
}
"""Activations that do not round their outputs, by the name of the function."""
