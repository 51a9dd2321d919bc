"""`predict`: float inputs through the compiled engine, by the packets that a board would get."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.convert import Conversion
from ese_host import packets
from ese_host.errors import DeviceError, FormatError
from ese_host.fixed import Codes
from ese_host.outputs import Shape
from ese_host.packets import Operation, Words
from ese_host.results import Result, joined

Floats = npt.NDArray[np.floating[Any]]
BATCH = 64
"""Sequences a packet."""


class Emulator:
    """One engine of an emulated bitstream; a context manager.

    Args:
        library: the loaded shared library (docs/packets.md, "The emulated bitstream").
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        words = ctypes.POINTER(ctypes.c_uint32)
        library.ese_open.restype = ctypes.c_void_p
        library.ese_close.argtypes = [ctypes.c_void_p]
        library.ese_close.restype = None
        library.ese_packet.argtypes = [ctypes.c_void_p, words, ctypes.c_size_t, words, ctypes.c_size_t]
        library.ese_packet.restype = ctypes.c_size_t
        self._library, self._words = library, words
        self._engine: int | None = None

    def __enter__(self) -> Emulator:
        self._engine = self._library.ese_open()
        if not self._engine:
            raise DeviceError("the emulated engine did not start: there is too little memory")
        return self

    def __exit__(self, *_: object) -> None:
        self._library.ese_close(self._engine)
        self._engine = None

    def packet(self, words: Words, answer_words: int) -> Words:
        """Send one packet; returns its answer of at most `answer_words` words.

        Raises:
            DeviceError: the answer is longer.
        """
        if self._engine is None:
            raise DeviceError("the emulated engine is not open: use it in a `with` statement")
        sent = np.ascontiguousarray(words, dtype=np.uint32)
        answer = np.zeros(answer_words, dtype=np.uint32)
        count = self._library.ese_packet(
            self._engine, sent.ctypes.data_as(self._words), len(sent), answer.ctypes.data_as(self._words), answer_words
        )
        if count > answer_words:
            raise DeviceError(f"answer has {count} words; {answer_words} were expected: compile the project again")
        return answer[:count]


def read_words(path: Path) -> Words:
    """The 32-bit words of a file."""
    return np.frombuffer(path.read_bytes(), dtype="<u4").astype(np.uint32)


def predict(library: ctypes.CDLL, image: Words, conversion: Conversion, x: Floats) -> npt.NDArray[np.float32]:
    """Outputs of shape (samples, outputs), or (samples, steps, outputs) where every step has one.

    Args:
        library: the compiled engine.
        image: what the engine shall hold.
        conversion: what it was emitted from.
        x: (samples, steps, features), or (samples, features) for a model without a step axis.

    Raises:
        FormatError: `x` has another shape, or is not finite.
    """
    codes = conversion.network.source.from_float(shaped(x, conversion))
    return values_of(run(library, image, conversion, codes), conversion)


def run(library: ctypes.CDLL, image: Words, conversion: Conversion, codes: Codes, trace: bool = False) -> Result:
    """What the engine makes of (samples, steps, features) codes; with `trace`, every stage's results too."""
    network, shape = conversion.network, Shape.of(conversion.network)
    lengths = np.full(len(codes), codes.shape[1], dtype=np.int64)
    parts: list[Result] = []
    with Emulator(library) as engine:
        loaded = packets.read_trailer(engine.packet(packets.load_packet(image), packets.TRAILER_WORDS))
        loaded.require(Operation.LOAD)
        for start in range(0, len(codes), BATCH):
            steps, chosen = lengths[start : start + BATCH], codes[start : start + BATCH]
            request = packets.run_packet(loaded.image_id, chosen, network.source, trace=trace)
            begin = time.perf_counter()
            answer = engine.packet(request, shape.words(steps, trace))
            seconds = time.perf_counter() - begin
            trailer = packets.read_trailer(answer)
            trailer.require(Operation.RUN)
            outputs, traces = shape.read(answer, steps, trace)
            parts.append(Result(outputs, shape.frac, steps, shape.every_step, traces, trailer.cycles, seconds))
    return joined(parts)


def values_of(result: Result, conversion: Conversion) -> npt.NDArray[np.float32]:
    """What Keras's `predict` would return."""
    values = result.values()
    if conversion.network.head == "softmax":
        values = softmax(values)
    if not (result.every_step and conversion.steps is not None):
        values = values[:, 0]
    return values.astype(np.float32)


def softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Over the last axis."""
    exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def shaped(x: Floats, conversion: Conversion) -> Floats:
    """The input as (samples, steps, features)."""
    features, steps = conversion.network.inputs, conversion.steps
    expected = "(samples, features)" if steps is None else f"(samples, {steps or 'steps'}, features)"
    if steps is None and x.ndim == 2 and x.shape[1] == features:
        return x[:, None, :]
    if steps is not None and x.ndim == 3 and x.shape[2] == features and x.shape[1] in (steps or x.shape[1], x.shape[1]):
        return x
    if steps and x.size % (steps * features) == 0:
        return x.reshape(-1, steps, features)
    raise FormatError(f"input has shape {x.shape}; expected {expected} with {features} features")
