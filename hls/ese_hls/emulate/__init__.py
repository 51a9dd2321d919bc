# SPDX-License-Identifier: Apache-2.0
"""The emulated engine: its C++ compiled with g++, run and traced."""

from ese_hls.emulate.gxx import compile_emulator, find_compiler
from ese_hls.emulate.keras_interface import interface_of
from ese_hls.emulate.simulate import codes_of, predict, read_words
from ese_hls.emulate.tracing import UNTRACED, KerasLayer, Kind, chosen_layers, trace

__all__ = [
    "UNTRACED",
    "KerasLayer",
    "Kind",
    "chosen_layers",
    "codes_of",
    "compile_emulator",
    "find_compiler",
    "interface_of",
    "predict",
    "read_words",
    "trace",
]
