"""`predict` runs float inputs on the compiled engine, with the same packets that a board would get."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Union

import numpy as np
import numpy.typing as npt

from ese_hls.frontend import Extents
from ese_hls.lower import Conversion
from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import FormatError
from ese_host.ir import Codes, are_frames, by_name
from ese_host.ir.program import Port, ProgramRun
from ese_host.protocol import Words
from ese_host.runtime import DirectEngine, ProgramResult, run_program

Floats = npt.NDArray[np.floating]  # type: ignore[type-arg]  # NumPy 1.21 has no arguments for it at run time
Inputs = Union[Floats, Sequence[Floats], Mapping[str, Floats]]


def read_words(path: Path) -> Words:
    """Read a file as 32-bit little-endian words."""
    return np.frombuffer(path.read_bytes(), dtype="<u4").astype(np.uint32)


def predict(
    library: ctypes.CDLL, images: Sequence[Words], conversion: Conversion, x: Inputs
) -> npt.NDArray[np.float32] | list[npt.NDArray[np.float32]]:
    """Outputs as Keras's `predict` returns them: an array, or a list of arrays for several outputs.

    Args:
        library: the compiled engine.
        images: words of the image of each chain.
        conversion: the conversion that library and images were emitted from.
        x: an array of shape (samples, *input shape); for several inputs a list of arrays, or a dict by input name.

    Raises:
        FormatError: if an input is missing, has another shape, or is not finite.
    """
    outputs = values_of(run(library, images, conversion, x).run, conversion)
    return outputs[0] if len(outputs) == 1 else outputs


def run(
    library: ctypes.CDLL, images: Sequence[Words], conversion: Conversion, x: Inputs, trace: bool = False
) -> ProgramResult:
    """Run a converted model, its chains on the engine and its host operations on the host.

    Args:
        library: the compiled engine.
        images: words of the image of each chain.
        conversion: the conversion that library and images were emitted from.
        x: inputs as for `predict`.
        trace: whether the results of the chains hold the values of every stage.

    Raises:
        FormatError: if an input is missing, has another shape, or is not finite.
    """
    with EmulatedEngine(library) as engine:
        direct = DirectEngine(engine, conversion.program, images)
        return run_program(direct, codes_of(conversion, x), trace=trace, strict=True)


def values_of(finished: ProgramRun, conversion: Conversion) -> list[npt.NDArray[np.float32]]:
    """The outputs of a finished run in Keras's shapes."""
    return [
        shaped(finished.values(output.name), extents)
        for output, extents in zip(conversion.program.outputs, conversion.outputs, strict=True)
    ]


def shaped(values: npt.NDArray[np.float64], extents: Extents) -> npt.NDArray[np.float32]:
    """Values (samples, steps, width) in the Keras shape (samples, *extents); None in `extents` means `steps`."""
    shape = [values.shape[1] if extent is None else extent for extent in extents]
    return values.reshape(len(values), *shape).astype(np.float32)


def codes_of(conversion: Conversion, x: Inputs) -> dict[str, Codes]:
    """Codes (samples, steps, features) of the program's inputs, by their names in the program.

    Raises:
        FormatError: if an input is missing, has another shape, or is not finite.
    """
    names = [port.name for port in conversion.inputs]
    given = by_name(x, names, only_input=len(names) == 1 and isinstance(x, np.ndarray))
    if sorted(given) != sorted(names):
        raise FormatError(f"inputs are {sorted(given) or len(x)}; expected one array for each of {names}")
    program_names = dict(zip(names, (port.name for port in conversion.program.inputs), strict=True))
    return {
        program_names[port.name]: port.format.from_float(_framed(np.asarray(given[port.name]), port))
        for port in conversion.inputs
    }


def _framed(x: Floats, port: Port) -> Floats:
    """An input as (samples, steps, features); as in hls4ml, other shapes with as many values per sample are allowed."""
    steps = 1 if port.kind == "vector" else port.steps
    if are_frames(x, 3, port.width, kinds=None) and x.shape[1] == (steps or x.shape[1]):
        return x
    if steps and x.ndim > 1 and x.size % (steps * port.width) == 0 and (x.ndim == 2 or x[0].size == steps * port.width):
        return x.reshape(-1, steps, port.width)
    expected = "(samples, features)" if port.kind == "vector" else f"(samples, {steps or 'steps'}, features)"
    raise FormatError(f"input {port.name!r} has shape {x.shape}; expected {expected} with {port.width} features")
