# SPDX-License-Identifier: Apache-2.0
"""Writes the Verilog of an engine, and compiles it with Verilator into a bitstream that simulates every clock."""

from ese_rtl.simulate.compilation import Say
from ese_rtl.simulate.verilator import patience, simulator, tools, verilate
from ese_rtl.simulate.verilog import TOP, converted, rtlil_of, run_yosys, verilog, without_zeros

__all__ = [
    "TOP",
    "Say",
    "converted",
    "patience",
    "rtlil_of",
    "run_yosys",
    "simulator",
    "tools",
    "verilate",
    "verilog",
    "without_zeros",
]
