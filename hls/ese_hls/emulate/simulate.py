"""`predict` runs float inputs on the compiled engine, with the same packets that a board would get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.emulate.interface import Floats
from ese_hls.emulate.saturation import report_saturated
from ese_hls.frontend import Extents
from ese_hls.lower import Conversion
from ese_host.device.emulated import EmulatedEngine
from ese_host.ir import Codes
from ese_host.ir.program import Port, ProgramRun
from ese_host.protocol import Words
from ese_host.runtime import DirectEngine, ProgramResult, run_program


def read_words(path: Path) -> Words:
    """Read a file as 32-bit little-endian words."""
    return np.frombuffer(path.read_bytes(), dtype="<u4").astype(np.uint32)


def predict(graph: Any, x: Any) -> Any:
    """Outputs as Keras's `predict` returns them: an array, or a list or dict of arrays as the model has them.

    Args:
        graph: a compiled `EseGraph`.
        x: inputs as for Keras's `predict`.

    Raises:
        FormatError: if an input is missing, has another shape, or is not finite.
        UnsupportedError: if values are saturated and the model was converted with `strict`.
    """
    interface, arrays = graph.ese_interface, graph.ese_interface.arrays(x)
    finished = run(graph, arrays).run if samples_of(arrays) else None
    return interface.packed(values_of(finished, graph.ese_conversion, arrays))


def run(graph: Any, arrays: Mapping[str, Floats], trace: bool = False) -> ProgramResult:
    """Run a converted model, its chains on the engine and its host operations on the host.

    Args:
        graph: a compiled `EseGraph`.
        arrays: at least one sample of each input, as `ModelInterface.arrays` returns them.
        trace: whether the results of the chains hold the values of every stage.

    Raises:
        FormatError: if the samples do not fit the model.
        UnsupportedError: if values are saturated and the model was converted with `strict`.
    """
    with EmulatedEngine(graph._top_function_lib) as engine:
        direct = DirectEngine(engine, graph.ese_conversion.program, graph.ese_images)
        result = run_program(direct, codes_of(graph.ese_conversion, arrays), trace=trace, strict=True)
    report_saturated(graph, arrays, result.run)
    return result


def samples_of(arrays: Mapping[str, Floats]) -> int:
    """The number of samples."""
    return len(next(iter(arrays.values())))


def values_of(
    finished: ProgramRun | None, conversion: Conversion, arrays: Mapping[str, Floats] | None = None
) -> list[npt.NDArray[np.float32]]:
    """The outputs of a run in Keras's shapes.

    Args:
        finished: the run, or None if there were no samples.
        conversion: the conversion.
        arrays: the inputs; only needed without a run, for the lengths of sequences that have none.
    """
    if finished is None:
        return [empty(extents, arrays or {}) for extents in conversion.outputs]
    return [
        shaped(finished.values(output.name), extents)
        for output, extents in zip(conversion.program.outputs, conversion.outputs, strict=True)
    ]


def shaped(values: npt.NDArray[np.float64], extents: Extents) -> npt.NDArray[np.float32]:
    """Values (samples, steps, width) in the Keras shape (samples, *extents); None in `extents` means `steps`."""
    shape = [values.shape[1] if extent is None else extent for extent in extents]
    return values.reshape(len(values), *shape).astype(np.float32)


def empty(extents: Extents, arrays: Mapping[str, Floats]) -> npt.NDArray[np.float32]:
    """Values (0, *extents) of no sample; None in `extents` means the steps of the first sequence in `arrays`."""
    steps = next((array.shape[1] for array in arrays.values() if array.ndim > 2), 1)
    return np.zeros((0, *(steps if extent is None else extent for extent in extents)), np.float32)


def codes_of(conversion: Conversion, x: Mapping[str, Floats] | Sequence[Floats]) -> dict[str, Codes]:
    """Codes (samples, steps, features) of the program's inputs, by their names in the program.

    Args:
        conversion: the conversion.
        x: the samples of each input, by its name or in the model's order.
    """
    given = x if isinstance(x, Mapping) else {port.name: item for port, item in zip(conversion.inputs, x, strict=True)}
    return {
        inner.name: port.codes(_framed(given[port.name], port))
        for port, inner in zip(conversion.inputs, conversion.program.inputs, strict=True)
    }


def _framed(x: Floats, port: Port) -> Floats:
    """An input as (samples, steps, features); all axes between the first and the last count as steps."""
    return x.reshape(len(x), x.size // (len(x) * port.width), port.width)
