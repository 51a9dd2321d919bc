"""Quantizers of activations and states, QKeras's or Keras's own functions, as fixed-point formats and activations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ese_hls.generation import is_classic
from ese_host.errors import UnsupportedError
from ese_host.ir.activations import SLOPE, Activation
from ese_host.ir.fixed import Fixed

TANH_OUT = Fixed(16, 1)
"""Format of a tanh that has no quantizer of its own."""
SIGMOID_OUT = Fixed(16, 0, signed=False)


@dataclass(frozen=True)
class Format:
    """A quantizer as a format, and whether it cuts negative values off."""

    fixed: Fixed
    relu: bool = False


def is_format(function: Any) -> bool:
    """Whether the function is a quantizer that only rounds and saturates (and perhaps cuts off below zero)."""
    return type(function).__name__ in ("quantized_bits", "quantized_linear", "quantized_relu")


def is_sigmoidal(function: Any) -> bool:
    """Whether the function is a tanh or sigmoid, smooth or hard, that rounds nothing itself."""
    return getattr(function, "__name__", "") in (
        "tanh",
        "sigmoid",
        "hard_tanh",
        "hard_sigmoid",
        "smooth_tanh",
        "smooth_sigmoid",
    )


def format_of(quantizer: Any, where: str) -> Format:
    """The format of a `quantized_bits`, `quantized_linear` or `quantized_relu` object.

    Raises:
        UnsupportedError: the quantizer does more than round and saturate.
    """
    name = type(quantizer).__name__
    if not is_format(quantizer):
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}; quantized_bits(bits, integer) or quantized_relu(bits, integer) are "
            "allowed: use one of them"
        )
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if name == "quantized_relu":
        return Format(_relu(quantizer, where, Fixed(bits, integer, signed=False)), relu=True)
    signed = bool(quantizer.keep_negative)
    shift = _shift(quantizer, where)
    return Format(Fixed(bits, integer + shift + signed, signed, bool(quantizer.symmetric) and signed))


def _shift(quantizer: Any, where: str) -> int:
    """Binary places by which alpha moves the format.

    quantized_linear divides by alpha before it rounds: a power of two moves the binary point. quantized_bits multiplies
    by alpha after it has rounded: that is a gain, and no format.
    """
    alpha: Any = getattr(quantizer, "alpha", None)
    linear = type(quantizer).__name__ == "quantized_linear"
    number = not isinstance(alpha, str) and np.size(alpha) == 1
    value = 1.0 if alpha is None else float(np.ravel(alpha)[0]) if number else 0.0
    mantissa, exponent = math.frexp(value)
    if value != 1.0 and not (linear and mantissa == 0.5):
        allowed = "alpha=None or a power of two is" if linear else "alpha=None or 1.0 are"
        raise UnsupportedError(
            f"{where} is {describe(quantizer)} with alpha={alpha!r}, a scale outside the format; {allowed} allowed "
            "here: choose the range by the integer bits"
        )
    if linear and quantizer.use_sign_function:
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}, a sign; 2 bits or more are allowed: use quantized_linear(2, ...)"
        )
    return exponent - 1


def _relu(quantizer: Any, where: str, form: Fixed) -> Fixed:
    """The format of a `quantized_relu`, narrowed by its upper bound where it has one that acts."""
    for option in ("negative_slope", "use_sigmoid"):
        if getattr(quantizer, option, 0):
            raise UnsupportedError(
                f"{where} is {describe(quantizer)} with {option}={getattr(quantizer, option)}; only 0 is allowed: "
                "leave the option out"
            )
    bound = getattr(quantizer, "relu_upper_bound", None)
    if not bound or quantizer.is_quantized_clip or bound >= form.to_float(form.high):
        return form
    steps = math.ldexp(float(bound), form.frac) + 1
    if math.frexp(steps)[0] != 0.5 or steps < 2:
        best = math.ldexp(1, math.frexp(bound)[1] - 1) - math.ldexp(1, -form.frac)
        raise UnsupportedError(
            f"{where} is {describe(quantizer)} with relu_upper_bound={bound}; a power of two less one step of "
            f"{math.ldexp(1, -form.frac)} is where a format ends: use {best}, or leave the option out"
        )
    bits = math.frexp(steps)[1] - 1
    return Fixed(bits, bits - form.frac, signed=False)


def is_ternary(function: Any) -> bool:
    """Whether the function is QKeras's `ternary`, which `stochastic_ternary` is at inference."""
    return type(function).__name__ in ("ternary", "stochastic_ternary")


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
    kind, out, line = _parse(function, where)
    if line is None:
        return Activation(kind, out), ""  # type: ignore[arg-type]
    slope, offset = (int(SLOPE.from_float(value)) for value in line)
    error = max(abs(float(SLOPE.to_float(code)) - value) for code, value in zip((slope, offset), line, strict=True))
    note = f"{where}: slope {line[0]:.6g} and offset {line[1]:.6g} rounded to 15 bits, by {error:.2g}" if error else ""
    return Activation(kind, out, slope, offset), note  # type: ignore[arg-type]


def _parse(function: Any, where: str) -> tuple[str, Fixed, tuple[float, float] | None]:
    """Kind, output format, and slope and offset of a hard activation."""
    name = name_of(function)
    qkeras = getattr(function, "__module__", type(function).__module__).startswith("qkeras")
    if name == "quantized_tanh":
        out = Fixed(int(function.bits), 1, True, bool(function.symmetric))
        if function.use_real_tanh:
            return "tanh", out, None
        slope, _ = _qkeras_line(where)
        return "hard_tanh", out, (2 * slope, 0.0)
    if name == "quantized_sigmoid":
        out = Fixed(int(function.bits), 0, False, bool(function.symmetric))
        return ("sigmoid", out, None) if function.use_real_sigmoid else ("hard_sigmoid", out, _qkeras_line(where))
    if name == "tanh":
        return "tanh", TANH_OUT, None
    if name == "sigmoid":
        return "sigmoid", SIGMOID_OUT, None
    if name == "hard_sigmoid":
        return "hard_sigmoid", SIGMOID_OUT, (0.5, 0.5) if qkeras else (_keras_slope(), 0.5)
    if name in ("hard_tanh", "smooth_tanh"):
        return "hard_tanh", TANH_OUT, (1.0, 0.0) if name == "hard_tanh" else (0.375, 0.0)
    if name == "smooth_sigmoid":
        return "hard_sigmoid", SIGMOID_OUT, (0.1875, 0.5)
    raise UnsupportedError(
        f"{where} is {describe(function)}; tanh, sigmoid, hard_sigmoid, quantized_tanh(...) and quantized_sigmoid(...) "
        "are allowed: use one of them"
    )


def _keras_slope() -> float:
    """Slope of Keras's own hard_sigmoid: relu6(x + 3) / 6 in Keras 3, clip(0.2 x + 0.5) in Keras 2."""
    return 0.2 if is_classic() else 1 / 6


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
