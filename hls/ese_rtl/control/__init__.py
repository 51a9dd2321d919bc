"""The core: the sequencer of phases, input frames, the element-wise stage, and the memories of parameters and phases."""

from ese_rtl.control.core import Core

__all__ = ["Core"]
