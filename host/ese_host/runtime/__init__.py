# SPDX-License-Identifier: Apache-2.0
"""Run a design: one accelerator, its transfers and their deadlines, programs of several chains, pools of engines."""

from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.direct import DirectEngine
from ese_host.runtime.engine import Engine, Session, open
from ese_host.runtime.pool import EnginePool
from ese_host.runtime.runner import ProgramResult, run_program

__all__ = ["Accelerator", "DirectEngine", "Engine", "EnginePool", "ProgramResult", "Session", "open", "run_program"]
