# SPDX-License-Identifier: Apache-2.0
"""Quantizers and functions of QKeras and Keras, as fixed-point formats and as activations of the engine."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from ese_hls.keras_version import is_keras2
from ese_hls.quantize import step_sizes
from ese_hls.quantize.step_sizes import StepSize
from ese_host.errors import UnsupportedError
from ese_host.ir import SLOPE, Activation, ActivationKind, Fixed

Place = Literal["host", "gate", "cell"]
"""Where an activation is computed: on the host, or as the activation of an LSTM's gates or of its cell."""
_FORMATS: tuple[tuple[Place, Fixed, Fixed, Fixed], ...] = (
    ("host", Fixed(16, 1, signed=False), Fixed(16, 2), Fixed(16, 2)),
    ("gate", Fixed(17, 1, signed=False), Fixed(18, 2), Fixed(18, 2)),
    ("cell", Fixed(17, 1, signed=False), Fixed(18, 2), Fixed(25, 2)),
)
UNROUNDED: dict[Place, dict[ActivationKind, Fixed]] = {
    place: {"sigmoid": sigmoid, "hard_sigmoid": sigmoid, "tanh": tanh, "hard_tanh": hard_tanh}
    for place, sigmoid, tanh, hard_tanh in _FORMATS
}
for _forms in UNROUNDED.values():
    _forms["hard_sigmoid"] = _forms["sigmoid"]
"""Formats of functions without quantizer, both of whose end points are values. The multipliers of an LSTM's cell take
18 bits by 25, signs included; 25 hold a piecewise linear tanh of most unrounded c's exactly."""
OWNERS = ("keras", "tf_keras", "tensorflow", "qkeras")
"""Packages whose functions and quantizers are known by their names."""
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
        out: format of its outputs, or None if it does not round them.
        line: slope and offset of a hard (piecewise linear) function, else None.
    """

    kind: ActivationKind
    out: Fixed | None = None
    line: tuple[float, float] | None = None


@dataclass(frozen=True)
class QuantizerMeaning:
    """How to read the quantizers of one QKeras class. A reader is None if the class does not serve its purpose.

    Attributes:
        step_size: gives the step sizes of weights that the quantizer has rounded; by default from their values only.
        form: gives the format of a quantizer that only rounds and saturates, and may set negative values to zero.
        activation: gives the function of a quantizer that computes a function before it rounds.
        levels: whether its values are signs, or signs and zero.
    """

    step_size: StepSize | None = step_sizes.of_values
    form: Callable[[Any, str], Format] | None = None
    activation: Callable[[Any, str], ActivationForm] | None = None
    levels: bool = False


def is_known(function: Any) -> bool:
    """Whether a function, or the class of a quantizer, is Keras's or QKeras's own, and not one that has such a name."""
    owner = function if hasattr(function, "__name__") else type(function)
    module = str(getattr(owner, "__module__", ""))
    return module.split(".")[0] in OWNERS and getattr(sys.modules.get(module), owner.__name__, None) is owner


def meaning_of(function: Any) -> QuantizerMeaning:
    """How to read a quantizer, by its class (`QUANTIZERS`)."""
    return QUANTIZERS.get(type(function).__name__, QuantizerMeaning()) if is_known(function) else QuantizerMeaning()


def is_format(function: Any) -> bool:
    """Whether the function is a quantizer that only rounds and saturates, and may set negative values to zero."""
    form = meaning_of(function).form
    try:
        return form is not None and bool(form(function, ""))
    except UnsupportedError:
        return False


def is_quantizer(function: Any) -> bool:
    """Whether the function is a quantizer: it rounds every value to one of its own values."""
    return is_format(function) or meaning_of(function).levels or is_rounded_activation(function) or is_sign(function)


def is_sign(function: Any) -> bool:
    """Whether the function is a quantized_bits or quantized_linear of one signed bit, which is a sign."""
    signed = meaning_of(function).form is not None and bool(getattr(function, "keep_negative", False))
    return signed and bool(function.bits == 1)


def is_sigmoidal(function: Any) -> bool:
    """Whether the function is a tanh or sigmoid, smooth or hard, that does not round its outputs."""
    return is_known(function) and getattr(function, "__name__", "") in FUNCTIONS


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
    """A function or quantizer as its reader reads it, or a refusal; `allowed` lists those that have a reader."""
    if reader is None:
        other = "" if function is None or is_known(function) else ", which is none of Keras's or QKeras's own"
        raise UnsupportedError(f"{where} is {describe(function)}{other}; {allowed} are allowed: use one of them")
    return reader(function, where)


def _bits(quantizer: Any, where: str) -> Format:
    """The format of a quantized_bits; it multiplies by alpha after rounding, so that alpha must be 1."""
    if _alpha(quantizer) != 1.0:
        raise _scaled(quantizer, where, "alpha=None or 1.0 are")
    return _rounded(quantizer, where)


def _linear(quantizer: Any, where: str) -> Format:
    """The format of a quantized_linear; it divides by alpha before rounding, so that powers of two are allowed."""
    mantissa, exponent = math.frexp(_alpha(quantizer))
    if mantissa != 0.5:
        raise _scaled(quantizer, where, "alpha=None or a power of two is")
    return _rounded(quantizer, where, exponent - 1)


def _check_numbers(quantizer: Any, where: str) -> None:
    """Refuse options that let a quantizer do something else than round to its number of bits."""
    rules: dict[str, tuple[str, Callable[[float], bool]]] = {
        "bits": ("whole numbers of 1 and more are", lambda value: value >= 1 and value % 1 == 0),
        "integer": ("whole numbers are", lambda value: value % 1 == 0),
        "symmetric": ("True and False are", lambda value: value in (0, 1)),
        "keep_negative": ("True and False are", lambda value: value in (0, 1)),
        "qnoise_factor": ("1 is", lambda value: value == 1),
    }
    for option, (allowed, holds) in rules.items():
        value = np.asarray(getattr(quantizer, option, 1), dtype=np.float64)
        if value.size != 1 or not holds(value.item()):
            raise UnsupportedError(
                f"{where} is {describe(quantizer)} with {option}={value}; {allowed} allowed: change {option}"
            )


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


def _rounded(quantizer: Any, where: str, shift: int = 0) -> Format:
    """The format of the quantizer's bits and integer bits, its range scaled by 2 ** `shift`."""
    _check_numbers(quantizer, where)
    signed = bool(quantizer.keep_negative)
    if is_sign(quantizer):
        raise UnsupportedError(
            f"{where} is {describe(quantizer)}, whose single bit is a sign; 2 bits or more are allowed here: use, say, "
            "quantized_bits(2, 0, alpha=1)"
        )
    integer = int(quantizer.integer) + shift + signed
    return Format(Fixed(int(quantizer.bits), integer, signed, bool(quantizer.symmetric) and signed))


def _relu(quantizer: Any, where: str) -> Format:
    """The format of a quantized_relu, with fewer bits if it has an upper bound that takes effect."""
    _check_numbers(quantizer, where)
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


def activation_of(
    function: Any, where: str, place: Place = "host", most_frac: int = 48
) -> tuple[Activation, tuple[str, ...]]:
    """A tanh or sigmoid as an activation that engine and host compute.

    Args:
        function: the function or quantizer.
        where: names it in messages.
        place: where it is computed.
        most_frac: most fractional bits of a function without quantizer.

    Returns:
        The activation, and sentences for the summary on what had to be rounded.

    Raises:
        UnsupportedError: if the function is neither a tanh nor a sigmoid.
    """
    form = _activation_form(function, where)
    out, notes = form.out, []
    if out is None:
        out = UNROUNDED[place][form.kind]
        out = Fixed(out.integer + min(out.frac, most_frac), out.integer, out.signed)
        if place != "host":
            notes.append(f"{where} has no quantizer; its value is rounded to {out}")
    if form.line is None:
        return Activation(form.kind, out), tuple(notes)
    slope, offset = (int(SLOPE.from_float(value)) for value in form.line)
    error = max(
        abs(float(SLOPE.to_float(code)) - value) for code, value in zip((slope, offset), form.line, strict=True)
    )
    if error:
        constants = f"slope {form.line[0]:.6g} and offset {form.line[1]:.6g}"
        notes.append(f"{where}: {constants} are rounded to {SLOPE.frac} fractional bits, by at most {error:.2g}")
    return Activation(form.kind, out, slope, offset), tuple(notes)


def line_of(function: Any, where: str) -> tuple[float, float] | None:
    """Slope and offset of a hard activation as Keras has them, or None if it is smooth; `where` names it in messages.

    Raises:
        UnsupportedError: if the function is neither a tanh nor a sigmoid.
    """
    return _activation_form(function, where).line


def _activation_form(function: Any, where: str) -> ActivationForm:
    """The function that an activation computes, by the name of the function or of the quantizer's class."""
    reader = FUNCTIONS.get(name_of(function)) or meaning_of(function).activation
    return _read(reader, function, where, "tanh, sigmoid, hard_sigmoid, quantized_tanh(...) and quantized_sigmoid(...)")


def _quantized_tanh(quantizer: Any, where: str) -> ActivationForm:
    _check_numbers(quantizer, where)
    out = Fixed(int(quantizer.bits), 1, True, bool(quantizer.symmetric))
    if quantizer.use_real_tanh:
        return ActivationForm("tanh", out)
    slope, _ = _qkeras_line(where)
    return ActivationForm("hard_tanh", out, (2 * slope, 0.0))


def _quantized_sigmoid(quantizer: Any, where: str) -> ActivationForm:
    _check_numbers(quantizer, where)
    out = Fixed(int(quantizer.bits), 0, False, bool(quantizer.symmetric))
    if quantizer.use_real_sigmoid:
        return ActivationForm("sigmoid", out)
    return ActivationForm("hard_sigmoid", out, _qkeras_line(where))


def _hard_sigmoid(function: Any, _where: str) -> ActivationForm:
    """QKeras's hard_sigmoid, or that of the installed generation of Keras."""
    of_qkeras = getattr(function, "__module__", type(function).__module__).startswith("qkeras")
    return ActivationForm("hard_sigmoid", None, (0.5 if of_qkeras else _keras_slope(), 0.5))


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
    """An activation's name: that of a function, or of a quantizer's class; for those of users, behind "custom_"."""
    name = str(getattr(function, "__name__", type(function).__name__))
    return name if is_known(function) else f"custom_{name}"


def describe(function: Any) -> str:
    """A function or quantizer as a user writes it, for messages."""
    if function is None:
        return "not given"
    try:
        return str(getattr(function, "__name__", function))
    except (ValueError, TypeError, UnboundLocalError, AssertionError):  # str() of some QKeras quantizers fails
        options = ", ".join(f"{key}={value}" for key, value in function.get_config().items())
        return f"{type(function).__name__}({options})"


QUANTIZERS: dict[str, QuantizerMeaning] = {
    "quantized_bits": QuantizerMeaning(step_sizes.of_bits, form=_bits),
    "quantized_linear": QuantizerMeaning(step_sizes.of_linear, form=_linear),
    "quantized_relu": QuantizerMeaning(form=_relu),
    "quantized_po2": QuantizerMeaning(step_sizes.of_powers),
    "quantized_relu_po2": QuantizerMeaning(step_sizes.of_powers),
    "ternary": QuantizerMeaning(step_sizes.of_scale, levels=True),
    "stochastic_ternary": QuantizerMeaning(step_sizes.of_scale, levels=True),  # at inference, it is `ternary`
    "binary": QuantizerMeaning(step_sizes.of_scale, levels=True),
    "stochastic_binary": QuantizerMeaning(step_sizes.of_scale, levels=True),
    "quantized_tanh": QuantizerMeaning(activation=_quantized_tanh),
    "quantized_sigmoid": QuantizerMeaning(activation=_quantized_sigmoid),
    "bernoulli": QuantizerMeaning(step_size=None),
    "quantized_hswish": QuantizerMeaning(step_size=None),
}
"""How to read QKeras's quantizers, by the name of their class.

Quantizers of other classes are allowed only for weights, which are read from the values that they return."""
FUNCTIONS: dict[str, Callable[[Any, str], ActivationForm]] = {
    "tanh": _always(ActivationForm("tanh")),
    "sigmoid": _always(ActivationForm("sigmoid")),
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _always(ActivationForm("hard_tanh", None, (1.0, 0.0))),
    "smooth_tanh": _always(ActivationForm("hard_tanh", None, (0.375, 0.0))),
    "smooth_sigmoid": _always(ActivationForm("hard_sigmoid", None, (0.1875, 0.5))),
}
"""Activations that do not round their outputs, by the name of the function."""
