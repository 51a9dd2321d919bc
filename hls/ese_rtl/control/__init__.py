# SPDX-License-Identifier: Apache-2.0
"""The core: sequencer, input frames, element-wise stage, and the memories of parameters and phases."""

from ese_rtl.control.core import Core

__all__ = ["Core"]
