# SPDX-License-Identifier: Apache-2.0
"""`predict` runs float inputs on the compiled engine, with the same packets that a board would get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ese_hls.emulate.saturation import report_saturated
from ese_hls.lower import Conversion
from ese_host import interface
from ese_host.device.emulated import EmulatedEngine
from ese_host.interface import Floats
from ese_host.ir import Codes
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
    arrays = graph.ese_interface.arrays(x)
    finished = run(graph, arrays).run if samples_of(arrays) else None
    return graph.ese_interface.packed(graph.ese_interface.values(finished, arrays))


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


def codes_of(conversion: Conversion, x: Mapping[str, Floats] | Sequence[Floats]) -> dict[str, Codes]:
    """Codes (samples, steps, features) of the program's inputs, by their names in the program.

    Args:
        conversion: the conversion.
        x: the samples of each input, by its name or in the model's order.
    """
    given = x if isinstance(x, Mapping) else {port.name: item for port, item in zip(conversion.inputs, x, strict=True)}
    return interface.codes_of(conversion.program, [given[port.name] for port in conversion.inputs])
