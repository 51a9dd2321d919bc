# SPDX-License-Identifier: Apache-2.0
"""Engines compiled for the tests: one library for each design and kind of integer, kept for the test run."""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

import ese_hls
from ese_hls.emulate import compile_emulator
from ese_hls.encode import Storage, encoder
from ese_hls.project import config_header
from ese_host import image
from ese_host.device.emulated import EmulatedEngine
from ese_host.image import SUM_FRAC, Design, Image
from ese_host.ir import Codes, Network, Recurrent, golden
from ese_host.protocol import AnswerShape, Operation, packets
from support.compiling import AP_TYPES

CSRC = Path(ese_hls.__file__).parent / "csrc"


def write_sources(folder: Path, design: Design) -> None:
    """Write the engine's sources and the design's config.h, laid out as in an emitted project."""
    shutil.copytree(CSRC, folder / "csrc")
    (folder / "csrc" / "config.h").write_text(config_header.render(design))
    (folder / "ap_types").symlink_to(AP_TYPES)


def compiled(design: Design, machine_words: bool = True) -> Path:
    """The shared library of a design's engine, compiled once per test run, whichever worker needs it first.

    Args:
        design: the design.
        machine_words: whether the engine computes on machine integers, or on ap_int as in the emitted project.
    """
    with tempfile.TemporaryDirectory(prefix="ese-engine-") as name:
        folder = Path(name)
        write_sources(folder, design)
        sources = hashlib.sha256(str(machine_words).encode())
        for path in sorted(path for path in (folder / "csrc").rglob("*") if path.is_file()):
            sources.update(path.read_bytes())
        library = _engines() / f"{sources.hexdigest()}.so"
        return library if library.is_file() else compile_emulator(folder, library, machine_words=machine_words)


@functools.cache
def _engines() -> Path:
    """Folder of the libraries: that of the test run (tests/conftest.py), or one of this process."""
    if folder := os.environ.get("ESE4ML_TEST_ENGINES"):
        return Path(folder)
    made = tempfile.mkdtemp(prefix="ese-engines-")
    atexit.register(shutil.rmtree, made)
    return Path(made)


@functools.cache
def library(design: Design, machine_words: bool = True) -> ctypes.CDLL:
    """The loaded engine of a design; see `compiled`."""
    return ctypes.CDLL(str(compiled(design, machine_words)))


def encoded(network: Network, design: Design, storage: Storage = "auto") -> Image:
    """The checked image of a network.

    Args:
        network: the network to encode.
        design: the design that the image is for.
        storage: how matrices are stored; only used if the design has full phases.
    """
    data = encoder.encode(network, design, storage if design.full_phases else "auto")
    return image.parse(np.frombuffer(data, dtype="<u4"), design)


def load(engine: EmulatedEngine, network: Network, design: Design, storage: Storage = "auto") -> Image:
    """Encode a network, load it into an engine, and return its checked image.

    Args:
        engine: an open engine of the design.
        network: the network to encode.
        design: the design that the engine was compiled for.
        storage: how matrices are stored; only used if the design has full phases.
    """
    checked = encoded(network, design, storage)
    trailer = packets.read_trailer(engine.packet(packets.load_packet(checked.words), packets.TRAILER_WORDS))
    trailer.require(Operation.LOAD)
    assert trailer.image_id == checked.image_id
    return checked


def compare(engine: EmulatedEngine, network: Network, loaded: Image, codes: Codes) -> int:
    """Run sequences with and without trace, and compare every value of every layer with the golden model's.

    Args:
        engine: an engine that holds the image.
        network: the network of the image.
        loaded: the checked image, as `load` returns it.
        codes: (sequences, steps, inputs) input codes.

    Returns:
        Number of values compared.

    Raises:
        AssertionError: if a value differs.
    """
    shape = AnswerShape.of(network)
    steps = [codes.shape[1]] * len(codes)
    expected = golden.run(network, codes)
    answer = engine.packet(packets.run_packet(loaded.image_id, list(codes), network.source), shape.words(steps, False))
    packets.read_trailer(answer).require(Operation.RUN)
    outputs, _ = shape.read(answer, steps, trace=False)
    np.testing.assert_array_equal(outputs, expected.outputs << (shape.frac - expected.frac))
    request = packets.run_packet(loaded.image_id, list(codes), network.source, trace=True)
    answer = engine.packet(request, shape.words(steps, True))
    packets.read_trailer(answer).require(Operation.RUN)
    _, traces = shape.read(answer, steps, trace=True)
    compared = outputs.size
    results = {result.name: result for result in expected.layers}
    layers = {layer.name: layer for layer in network.layers}
    for trace in traces:
        result, layer = results[trace.stage.layer], layers[trace.stage.layer]
        pairs: list[tuple[Codes, Codes | None]]
        if trace.stage.kind == "cells":
            assert isinstance(layer, Recurrent) and result.c is not None
            exact, stored = (result.exact, result.h) if result.m is None else (result.m_exact, result.m)
            pairs = [(trace.exact, exact), (trace.stored, stored), (trace.cell, result.c)]
        elif trace.stage.kind == "reset":
            pairs = [(trace.exact, result.reset_exact), (trace.stored, result.reset)]
            assert not trace.cell.any()
        else:
            pairs = [(trace.exact, result.exact << (trace.stage.frac - result.exact_frac))]
            if trace.stage.kind == "projection":
                pairs.append((trace.stored, result.h))
            elif layer.output is not None:
                pairs.append((trace.stored, result.output))
        for found, wanted in pairs:
            assert wanted is not None
            np.testing.assert_array_equal(found, wanted, err_msg=f"{trace.stage}")
            compared += found.size
    sums = [result.exact_frac for result in expected.layers if result.c is None or result.m is not None]
    assert max(sums, default=0) <= SUM_FRAC
    return compared


def compare_integers(network: Network, design: Design, codes: Codes) -> None:
    """Assert that the engine on ap_int answers word for word like the engine on machine words.

    Args:
        network: the network to run.
        design: a design that holds it.
        codes: (sequences, steps, inputs) input codes.
    """
    answers = []
    for machine_words in (True, False):
        with EmulatedEngine(library(design, machine_words)) as engine:
            for storage in ("auto", "full"):
                loaded = load(engine, network, design, storage)
                request = packets.run_packet(loaded.image_id, list(codes), network.source, trace=True)
                answers.append(engine.packet(request, 1 << 16))
    for machine, arbitrary in zip(answers[:2], answers[2:], strict=True):
        np.testing.assert_array_equal(machine, arbitrary)
