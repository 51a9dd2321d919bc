"""config.h: the one generated file of the engine's sources, every constant of a design."""

from __future__ import annotations

from pathlib import Path

import jinja2

from ese_host.design import Design
from ese_host.fixed import Fixed
from ese_host.network import Activation

_TEMPLATES = Path(__file__).parent / "templates"


def render(design: Design) -> str:
    """The text of config.h."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (C++)
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters["fixed"] = _format
    environment.filters["activation"] = _activation
    return environment.get_template("config.h.jinja").render(design=design)


def _format(value: Fixed) -> str:
    return f"{{{value.bits}, {value.frac}, {value.low}, {value.high}}}"


def _activation(value: Activation) -> str:
    return f"{{Kind::{value.kind}, {_format(value.out)}}}"
