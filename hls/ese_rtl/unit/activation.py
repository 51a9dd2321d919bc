"""Which component computes an activation."""

from __future__ import annotations

from ese_host.ir import Activation
from ese_rtl.unit.hard import Hard
from ese_rtl.unit.smooth import Smooth

ACTIVATION_CLOCKS = max(Smooth.latency, Hard.latency)
"""Clocks of every activation, so that designs have one latency whatever functions they have."""


def component_of(activation: Activation) -> type[Smooth] | type[Hard]:
    """A component with the ports `x` and `code`, and `lookup` (smooth) or `line` (hard)."""
    return Hard if activation.hard else Smooth
