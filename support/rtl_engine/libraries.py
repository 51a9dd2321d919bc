# SPDX-License-Identifier: Apache-2.0
"""The libraries of engines in RTL, compiled quickly, once in a test run."""

from __future__ import annotations

import ctypes
import functools
import gc
from importlib.resources import files

import ese_rtl.simulate
from ese_host.image import Design
from ese_rtl.simulate import TOP, patience
from support.simulated_component import library_of


def harness(design: Design) -> str:
    """The C++ around the simulated engine of a design, the same as in an emulated bitstream."""
    text = files(ese_rtl.simulate).joinpath("harness.cpp").read_text(encoding="utf-8")
    return f"#define ESE_PATIENCE {patience(design)}\n{text}"


def opened(source: str, design: Design, optimize: bool = True) -> ctypes.CDLL:
    """The loaded library of an engine in RTLIL.

    It is compiled with fewer optimizations than an emulated bitstream and as one file, which takes a fifth of the time.

    Args:
        source: the engine.
        design: its design.
        optimize: whether g++ optimizes at all, which pays from some ten thousand clocks on.
    """
    library = ctypes.CDLL(str(library_of(source, TOP, lambda _: harness(design), optimize)))
    return declared(library)


def declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """A library of an engine in RTL, with the types of the functions that only such engines have."""
    library.ese_stall.restype, library.ese_stall.argtypes = None, [ctypes.c_void_p, *[ctypes.c_uint32] * 3]
    library.ese_clocks.restype, library.ese_clocks.argtypes = ctypes.c_uint64, [ctypes.c_void_p]
    return library


@functools.cache
def library(design: Design, optimize: bool = False) -> ctypes.CDLL:
    """The loaded engine of a design, compiled once per test run; see `opened`. It runs for less time than g++ would."""
    gc.disable()  # a third of the time; what is made has no circles worth collecting
    try:
        source = ese_rtl.simulate.rtlil_of(design)
    finally:
        gc.enable()
    return opened(source, design, optimize)
