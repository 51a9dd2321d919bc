# SPDX-License-Identifier: Apache-2.0
"""Opened designs: floats in and out as in Keras, and sessions that keep the state from frame to frame."""

from ese_host.runtime.engine.engine import Engine, open
from ese_host.runtime.engine.session import Session

__all__ = ["Engine", "Session", "open"]
