# SPDX-License-Identifier: Apache-2.0
"""From float samples to a program's codes, and from a program's run to float outputs in Keras's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.interface.arrays import Extents, Floats
from ese_host.ir import Codes
from ese_host.ir.program import Program, ProgramRun


def codes_of(program: Program, samples: Sequence[Floats]) -> dict[str, Codes]:
    """Codes (samples, steps, features) of a program's inputs, by their names.

    All axes of an input between the first and the last count as steps.

    Args:
        program: the program.
        samples: at least one sample of each input, in the order of the inputs.

    Raises:
        FormatError: if the elements of an input make no whole frames.
    """
    codes = {}
    for port, x in zip(program.inputs, samples, strict=True):
        if x[0].size % port.width:
            raise FormatError(
                f"input {port.name!r} has samples of shape {x.shape[1:]}; the program takes frames of {port.width}: "
                "give samples of this model"
            )
        codes[port.name] = port.codes(x.reshape(len(x), x[0].size // port.width, port.width))
    return codes


def outputs_of(run: ProgramRun, shapes: Sequence[Extents]) -> list[Floats]:
    """The outputs of a run in Keras's shapes, in the order of the program's outputs.

    Raises:
        FormatError: if a shape has another number of elements than the output.
    """
    outputs = zip(run.program.outputs, shapes, strict=True)
    return [shaped(run.values(output.name), extents) for output, extents in outputs]


def shaped(values: npt.NDArray[np.float64], extents: Extents) -> Floats:
    """Values (samples, steps, width) in the Keras shape (samples, *extents); None in `extents` means `steps`.

    Raises:
        FormatError: if the shape has another number of elements.
    """
    shape = [values.shape[1] if extent is None else extent for extent in extents]
    try:
        return values.reshape(len(values), *shape).astype(np.float32)
    except ValueError as error:
        raise FormatError(
            f"an output has {values.shape[1]} steps of {values.shape[2]} values; the shape {extents} that is given for "
            "it has another number of elements: convert the model again"
        ) from error


def empty(extents: Extents, arrays: Mapping[str, Floats]) -> Floats:
    """Values (0, *extents) of no sample; None in `extents` means the steps of the first sequence in `arrays`."""
    steps = next((array.shape[1] for array in arrays.values() if array.ndim > 2), 1)
    return np.zeros((0, *(steps if extent is None else extent for extent in extents)), np.float32)
