# SPDX-License-Identifier: Apache-2.0
"""The engine and its parts as Verilog: compared with the golden model and g++, and counted by Yosys."""
