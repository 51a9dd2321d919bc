"""testset.npz: a design folder's inputs, labels and Keras predictions (docs/design-folder.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files import Source, npz
from ese_host.ir import INTEGERS, NUMBERS, Codes, Lengths, are_frames, are_lengths, full_lengths, integers_of
from ese_host.ir.program import Port, Program, Value, values_of

MAX_BYTES = 1 << 30
AT_ONCE = 1 << 20
"""Most numbers of the inputs that are run at once."""
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class TestSet:
    """Samples with their labels and predictions.

    Attributes:
        inputs: {input of the program: its codes and each sample's steps}.
        labels: (N,) class of each sample, or None if unknown.
        predictions: (N, width) values that Keras computes for the last frame of the first output, or None if unknown.
        binary: whether the first output is a single sigmoid.
    """

    __test__ = False

    inputs: dict[str, Value]
    labels: npt.NDArray[np.int64] | None
    predictions: npt.NDArray[np.float64] | None
    binary: bool = False

    @property
    def predicted(self) -> Lengths | None:
        """(N,) classes that Keras predicts: the index of the largest value, or 1 if a single sigmoid is above 1/2."""
        if self.predictions is None:
            return None
        return (self.predictions[:, 0] > 0.5).astype(np.int64) if self.binary else self.predictions.argmax(axis=1)

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
    inputs has `inputs_0`, `inputs_1` and so on instead. These arrays may be there too:

    - `labels` (N,): classes.
    - `keras_predictions` (N, width) or (N, T, width): Keras's values of the first output.
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
    predictions = arrays.get("keras_predictions")
    count, width = len(first.steps), program.tensors[program.outputs[0].tensor].width
    if predictions is not None:
        if predictions.ndim == 3 and len(predictions) == count and predictions.shape[1] >= first.steps.max():
            last = first.steps - 1 if ports[0].kind == "sequence" else np.full(count, predictions.shape[1] - 1)
            predictions = predictions[np.arange(count), last]
        if predictions.shape != (count, width) or predictions.dtype.kind not in NUMBERS:
            raise FormatError(
                f"{path}: keras_predictions are {predictions.shape}; expected {(count, width)}, of a number type "
                f"(the type is {predictions.dtype})"
            )
        predictions = predictions.astype(np.float64)
    binary = width == 1 and program.outputs[0].head == "sigmoid"
    return TestSet(values, _integers(path, arrays, "labels", count), predictions, binary)


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
    try:
        return port.format.from_float(raw) if raw.dtype.kind == "f" else integers_of(raw, name, "codes of 64 bits")
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


def _integers(path: Source, arrays: Arrays, name: str, count: int) -> npt.NDArray[np.int64] | None:
    """(N,) integers of an array, or None if the file does not have it."""
    if name not in arrays:
        return None
    array = arrays[name]
    if array.shape != (count,) or array.dtype.kind not in INTEGERS:
        raise FormatError(f"{path}: {name} are {array.dtype} {array.shape}; expected integers {(count,)}")
    return np.asarray(array, dtype=np.int64)
