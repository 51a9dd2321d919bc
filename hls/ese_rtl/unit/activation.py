"""Which component computes an activation."""

from __future__ import annotations

from ese_host.ir import Activation
from ese_rtl.unit.hard import Hard
from ese_rtl.unit.smooth import Smooth


def component_of(activation: Activation) -> type[Smooth] | type[Hard]:
    """A component with the ports `x` and `code`, and `lookup` (smooth) or `line` (hard)."""
    return Hard if activation.hard else Smooth
