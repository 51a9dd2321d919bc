"""`predict`: float inputs through the compiled engine, by the packets that a board would get."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ese_hls.frontend.call import Extents
from ese_hls.lower.conversion import Conversion
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import DeviceError, FormatError
from ese_host.ir.fixed import Codes
from ese_host.ir.network import Network
from ese_host.ir.program import Chain, Port, ProgramRun, Value
from ese_host.ir.program import run as run_program
from ese_host.ir.sequences import are_frames, by_name
from ese_host.protocol import packets
from ese_host.protocol.answers import Shape
from ese_host.protocol.packets import Operation, Words
from ese_host.protocol.results import Result, joined

Floats = npt.NDArray[np.floating[Any]]
Inputs = Union[Floats, Sequence[Floats], Mapping[str, Floats]]
BATCH = 64
"""Sequences a packet."""


def read_words(path: Path) -> Words:
    """The 32-bit words of a file."""
    return np.frombuffer(path.read_bytes(), dtype="<u4").astype(np.uint32)


def predict(
    library: ctypes.CDLL, images: Sequence[Words], conversion: Conversion, x: Inputs
) -> npt.NDArray[np.float32] | list[npt.NDArray[np.float32]]:
    """What Keras's `predict` would return: an array, or a list of them for several outputs.

    Args:
        library: the compiled engine.
        images: what the engine shall hold, one for each chain.
        conversion: what they were emitted from.
        x: an array of the input's shape with a sample axis before it; for several inputs a list, or a dict by name.

    Raises:
        FormatError: `x` has another shape, or is not finite.
    """
    outputs = values_of(run(library, images, conversion, x)[0], conversion)
    return outputs[0] if len(outputs) == 1 else outputs


def run(
    library: ctypes.CDLL, images: Sequence[Words], conversion: Conversion, x: Inputs, trace: bool = False
) -> tuple[ProgramRun, dict[str, Result]]:
    """A program's run with its chains on the engine, and what the engine answered, by chain.

    Library, images, conversion and x are as for `predict`; with `trace` the answers hold every stage's results.
    """
    program = conversion.program
    words = dict(zip((chain.name for chain in program.chains), images, strict=True))
    answers: dict[str, Result] = {}
    with EmulatedEngine(library) as engine:

        def execute(chain: Chain, fed: Value) -> Codes:
            found = run_chain(engine, words[chain.name], chain.network, fed, trace)
            answers[chain.name] = found
            return _exactly(found.outputs, found.frac - program.tensors[chain.target].frac, chain.name)

        return run_program(program, codes_of(conversion, x), execute=execute), answers


def _exactly(codes: Codes, zeros: int, name: str) -> Codes:
    """Codes without `zeros` fractional bits that an exact sum has more than its terms."""
    less = np.right_shift(codes, zeros)
    if not np.array_equal(np.left_shift(less, zeros), codes):
        raise DeviceError(f"chain {name!r}: the engine's sums have bits that no term has; compile the project again")
    return less


def run_chain(engine: EmulatedEngine, image: Words, network: Network, fed: Value, trace: bool = False) -> Result:
    """Load an image and run samples, each for its own steps."""
    shape = Shape.of(network)
    parts: list[Result] = []
    loaded = packets.read_trailer(engine.packet(packets.load_packet(image), packets.TRAILER_WORDS))
    loaded.require(Operation.LOAD)
    for start in range(0, len(fed.steps), BATCH):
        steps = fed.steps[start : start + BATCH]
        chosen = [codes[:n] for codes, n in zip(fed.codes[start : start + BATCH], steps, strict=True)]
        request = packets.run_packet(loaded.image_id, chosen, network.source, trace=trace)
        begin = time.perf_counter()
        answer = engine.packet(request, shape.words(steps, trace))
        seconds = time.perf_counter() - begin
        trailer = packets.read_trailer(answer)
        trailer.require(Operation.RUN)
        outputs, traces = shape.read(answer, steps, trace)
        parts.append(Result(outputs, shape.frac, steps, shape.every_step, traces, trailer.cycles, seconds))
    return joined(parts)


def values_of(done: ProgramRun, conversion: Conversion) -> list[npt.NDArray[np.float32]]:
    """The outputs in Keras's shapes."""
    return [
        shaped(done.values(output.name), extents)
        for output, extents in zip(conversion.program.outputs, conversion.outputs, strict=True)
    ]


def shaped(values: npt.NDArray[np.float64], extents: Extents) -> npt.NDArray[np.float32]:
    """Values (samples, steps, width) in a Keras shape."""
    known = [values.shape[1] if extent is None else extent for extent in extents]
    return values.reshape(len(values), *known).astype(np.float32)


def codes_of(conversion: Conversion, x: Inputs) -> dict[str, Codes]:
    """(samples, steps, features) codes of the program's inputs.

    Raises:
        FormatError: an input is missing, has another shape, or is not finite.
    """
    names = [port.name for port in conversion.inputs]
    given = by_name(x, names, alone=len(names) == 1 and isinstance(x, np.ndarray))
    if sorted(given) != sorted(names):
        raise FormatError(f"inputs are {sorted(given) or len(x)}; expected one array for each of {names}")
    inside = dict(zip(names, (port.name for port in conversion.program.inputs), strict=True))
    return {
        inside[port.name]: port.format.from_float(_framed(np.asarray(given[port.name]), port))
        for port in conversion.inputs
    }


def _framed(x: Floats, port: Port) -> Floats:
    """An input as (samples, steps, features); flat or longer shapes with as many values are taken, as by hls4ml."""
    steps = 1 if port.kind == "vector" else port.steps
    if are_frames(x, 3, port.width, kinds=None) and x.shape[1] == (steps or x.shape[1]):
        return x
    if steps and x.ndim > 1 and x.size % (steps * port.width) == 0 and (x.ndim == 2 or x[0].size == steps * port.width):
        return x.reshape(-1, steps, port.width)
    expected = "(samples, features)" if port.kind == "vector" else f"(samples, {steps or 'steps'}, features)"
    raise FormatError(f"input {port.name!r} has shape {x.shape}; expected {expected} with {port.width} features")
