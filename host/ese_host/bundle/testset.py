# SPDX-License-Identifier: Apache-2.0
"""testset.npz: a design folder's inputs, labels and Keras predictions (docs/reference/design-folder.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files import Source, npz
from ese_host.ir import INTEGERS, NUMBERS, Codes, Lengths, are_frames, are_lengths, full_lengths, integers_of
from ese_host.ir.program import Port, Program, Tensor, Value, values_of

MAX_BYTES = 1 << 30
AT_ONCE = 1 << 20
"""Most numbers of the inputs that are run at once."""
LARGEST = float(np.finfo(np.float32).max)
"""Largest value that Keras computes; the squares of such values still are numbers."""
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ExpectedOutput:
    """Labels and predictions of one output of a program.

    Attributes:
        name: name of the output.
        labels: (N,) class of each sample, or None if unknown.
        predictions: (N, T, width) values that Keras computes, or None if unknown; T is 1 if they are those of the last
            frame only.
        targets: (N, T, width) values that the model was trained to give, or None if unknown; T as above.
        frame_labels: (N, T) class of each step, -1 for steps without one, or None if unknown.
    """

    name: str
    labels: npt.NDArray[np.int64] | None = None
    predictions: npt.NDArray[np.float64] | None = None
    targets: npt.NDArray[np.float64] | None = None
    frame_labels: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class TestSet:
    """Samples with what is expected of them.

    Attributes:
        inputs: {input of the program: its codes and each sample's steps}.
        outputs: labels and predictions of each output of the program.
    """

    __test__ = False

    inputs: dict[str, Value]
    outputs: tuple[ExpectedOutput, ...]

    @property
    def steps(self) -> Lengths:
        """(N,) steps of each sample of the first input."""
        return next(iter(self.inputs.values())).steps

    @property
    def at_once(self) -> int:
        """How many samples to run at once, one at least, so that a long test set takes little memory."""
        return max(1, AT_ONCE // sum(int(value.codes[0].size) for value in self.inputs.values()))

    def part(self, start: int, stop: int) -> tuple[dict[str, Codes], dict[str, Lengths]]:
        """Codes and steps of the samples from `start` to `stop`, as `ese_host.ir.program.values_of` takes them."""
        codes = {name: value.codes[start:stop] for name, value in self.inputs.items()}
        return codes, {name: value.steps[start:stop] for name, value in self.inputs.items()}


def read(path: Source, program: Program) -> TestSet:
    """Read a test set for a program.

    The file holds `inputs` (N, T, width): real numbers, or integers that are codes already. A program with several
    inputs has `inputs_0`, `inputs_1` and so on instead. These arrays may be there too, for the first output, and as
    `labels_1`, `keras_predictions_2` and so on for others, counted from 0:

    - `labels` (N,): classes.
    - `frame_labels` (N, T): classes of the steps, -1 for steps without one.
    - `keras_predictions` (N, width) or (N, T, width): Keras's values, of the last frame or of all.
    - `targets`: values that the model was trained to give, in the same shapes.

    And for the inputs:

    - `steps` (N,): how many of the T steps each sample has. `steps_0`, `steps_1` and so on say it for one input each.
    - `lengths`: frames of each sample without the padding in front. It is only information for people: the padding is
      run like any other input.

    Raises:
        FormatError: if the file is no test set, or its arrays do not fit each other or the program.
    """
    arrays = npz.read(path, MAX_BYTES)
    ports = program.inputs
    names = [""] if len(ports) == 1 else [f"_{number}" for number in range(len(ports))]
    for name in names:
        if f"inputs{name}" not in arrays:
            raise FormatError(f"{path}: has no array {f'inputs{name}'!r}; found {sorted(arrays)}")
    codes: dict[str, Codes] = {}
    steps: dict[str, Lengths | None] = {}
    for port, name in zip(ports, names, strict=True):
        codes[port.name] = _codes(path, arrays, f"inputs{name}", port)
        steps[port.name] = _steps(path, arrays, name, codes[port.name]) if port.kind == "sequence" else None
    try:
        values = values_of(program, codes, steps)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    first = values[ports[0].name]
    return TestSet(
        values, tuple(_expected(path, arrays, program, number, first) for number in range(len(program.outputs)))
    )


def _expected(path: Source, arrays: Arrays, program: Program, number: int, first: Value) -> ExpectedOutput:
    """Labels and predictions of an output.

    Args:
        path: the file, for messages.
        arrays: its arrays.
        program: the program.
        number: number of the output, from 0.
        first: samples of the program's first input.
    """
    output, suffix, count = program.outputs[number], f"_{number}" * (number > 0), len(first.steps)

    def values(name: str) -> npt.NDArray[np.float64] | None:
        """(N, T, width) values; for a vector, which is a single frame, that of the last step of the input."""
        array = arrays.get(f"{name}{suffix}")
        if array is None:
            return None
        tensor = program.tensors[output.tensor]
        longest = int(first.steps.max()) if tensor.steps is None or tensor.kind == "vector" else tensor.steps
        framed = array[:, None] if array.ndim == 2 else array
        sound = are_frames(framed, 3, tensor.width, NUMBERS) and len(framed) == count
        if not sound or (array.ndim == 3 and framed.shape[1] < longest):
            raise FormatError(
                f"{path}: {name}{suffix} are {array.shape}; expected {(count, tensor.width)} or (N, T, width), of a "
                f"number type (the type is {array.dtype})"
            )
        framed = framed.astype(np.float64)
        if not (np.abs(framed) <= LARGEST).all():
            raise FormatError(f"{path}: {name}{suffix} hold NaN or values beyond float32; give finite numbers")
        if tensor.kind == "vector" and framed.shape[1] > 1:
            last = first.steps - 1 if program.inputs[0].kind == "sequence" else np.full(count, framed.shape[1] - 1)
            framed = framed[np.arange(count), last][:, None]
        return framed

    labels = _integers(path, arrays, f"labels{suffix}", count)
    of_frames = _frame_labels(path, arrays, f"frame_labels{suffix}", program.tensors[output.tensor], first)
    return ExpectedOutput(output.name, labels, values("keras_predictions"), values("targets"), of_frames)


def _codes(path: Source, arrays: Arrays, name: str, port: Port) -> Codes:
    """(N, T, width) codes of one input; a vector is a sequence of one step."""
    raw = arrays.pop(name)  # not kept beside the codes, which may be as large
    given = raw.shape
    vector = port.kind == "vector"
    if raw.ndim == 2 and vector:
        raw = raw[:, None]
    if not are_frames(raw, 3, port.width, NUMBERS) or 0 in raw.shape:
        shape = f"(N, {port.width})" if vector else f"(N, T, {port.width})"
        raise FormatError(f"{path}: {name} are {raw.dtype} {given}; expected numbers {shape}")
    if raw.dtype.kind == "f" and np.isinf(raw).any():
        raise FormatError(f"{path}: {name} hold infinity; only finite numbers are taken")
    try:
        return port.codes(raw) if raw.dtype.kind == "f" else integers_of(raw, name, "codes of 64 bits")
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _steps(path: Source, arrays: Arrays, name: str, codes: Codes) -> Lengths:
    """(N,) steps of each sample of one input; all T if the file does not say."""
    full = full_lengths(codes)
    steps = _integers(path, arrays, f"steps{name}" if f"steps{name}" in arrays else "steps", len(full))
    if steps is None:
        return full
    if not are_lengths(steps, full):
        raise FormatError(f"{path}: steps span {steps.min()}..{steps.max()}; 1..{codes.shape[1]} are allowed")
    return steps


def _frame_labels(
    path: Source, arrays: Arrays, name: str, tensor: Tensor, first: Value
) -> npt.NDArray[np.int64] | None:
    """(N, T) classes of the steps of an output, or None if the file does not have them."""
    if name not in arrays:
        return None
    array = arrays[name]
    count, longest = len(first.steps), int(first.steps.max())
    sound = array.ndim == 2 and len(array) == count and array.shape[1] >= longest and array.dtype.kind in INTEGERS
    if not sound or tensor.kind != "sequence":
        raise FormatError(
            f"{path}: {name} are {array.dtype} {array.shape}; expected integers ({count}, T) with T at least "
            f"{longest}, for an output of every step"
        )
    if array.min() < -1 or array.max() >= tensor.width:
        raise FormatError(f"{path}: {name} span {array.min()}..{array.max()}; -1..{tensor.width - 1} are allowed")
    return np.asarray(array, dtype=np.int64)


def _integers(path: Source, arrays: Arrays, name: str, count: int) -> npt.NDArray[np.int64] | None:
    """(N,) integers of an array, or None if the file does not have it."""
    if name not in arrays:
        return None
    array = arrays[name]
    if array.shape != (count,) or array.dtype.kind not in INTEGERS:
        raise FormatError(f"{path}: {name} are {array.dtype} {array.shape}; expected integers {(count,)}")
    return np.asarray(array, dtype=np.int64)
