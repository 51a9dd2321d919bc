# SPDX-License-Identifier: Apache-2.0
"""Writes config.h, which holds every constant of a design; no other source of the engine depends on the design."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ese_host.files import templates
from ese_host.image import Design
from ese_host.ir import Activation, Fixed


def render(design: Design) -> str:
    """The text of config.h for a design."""

    def by_set(render_one: Callable[[Any], str], name: str) -> str:
        """C++ for a field of the format sets, chosen by the number `set` if there are several."""
        first, *others = (render_one(getattr(formats, name)) for formats in design.sets)
        kind = "Format" if render_one is _format else "Activation"
        return "".join(f"set == {number} ? {kind}{value} : " for number, value in enumerate(others, 1)) + kind + first

    template = templates(__package__).get_template("config.h.jinja")
    return template.render(
        design=design, fixed=_format, activation=_activation, by_set=by_set, set=" set" if design.more_sets else ""
    )


def _format(value: Fixed) -> str:
    return _limited(value, value.low, value.high)


def _activation(value: Activation) -> str:
    """An activation saturates at the end points of its function."""
    return f"{{Kind::{value.kind}, {_limited(value.out, value.low, value.high)}}}"


def _limited(value: Fixed, low: int, high: int) -> str:
    return f"{{{value.bits}, {value.frac}, {low}, {high}}}"
