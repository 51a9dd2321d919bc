"""Writes config.h, which holds every constant of a design; no other source of the engine depends on the design."""

from __future__ import annotations

from ese_host.files import templates
from ese_host.image import Design
from ese_host.ir import Activation, Fixed


def render(design: Design) -> str:
    """The text of config.h for a design."""
    return (
        templates(__package__)
        .get_template("config.h.jinja")
        .render(design=design, fixed=_format, activation=_activation)
    )


def _format(value: Fixed) -> str:
    return _limited(value, value.low, value.high)


def _activation(value: Activation) -> str:
    """An activation saturates at the end points of its function."""
    return f"{{Kind::{value.kind}, {_limited(value.out, value.low, value.high)}}}"


def _limited(value: Fixed, low: int, high: int) -> str:
    return f"{{{value.bits}, {value.frac}, {low}, {high}}}"
