# SPDX-License-Identifier: Apache-2.0
"""Conversion of layers that the host computes between the engine's chains.

inputs.py       the program's inputs
activations.py  activations, quantizers and other functions of single elements
evaluated.py    functions that are known only by calling them
moves.py        layers that only move elements
host_steps.py   all other layers, and the table of conversions by operation
"""

from ese_hls.lower.host_operations.activations import activation, head_of
from ese_hls.lower.host_operations.host_steps import OPERATIONS
from ese_hls.lower.host_operations.inputs import input_port

__all__ = ["OPERATIONS", "activation", "head_of", "input_port"]
