# SPDX-License-Identifier: Apache-2.0
"""Running a program step by step, its chains by the golden model or by any other function."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir import golden
from ese_host.ir.fixed import Codes
from ese_host.ir.program.chain import Chain
from ese_host.ir.program.graph import Output, Port, Program
from ese_host.ir.program.order import reverse
from ese_host.ir.program.tensor import Tensor, Value
from ese_host.ir.sequences import Lengths, alike, by_name, check_codes, lengths_of, sequences_of, shown

Inputs = Union[Codes, Mapping[str, Any], Sequence[Any]]
Execute = Callable[[Chain, Value], Codes]
"""Runs a chain: given the chain and its input in the order of feeding, returns (N, T or 1, width) output codes."""


@dataclass(frozen=True, eq=False)
class ProgramRun:
    """All values of one run of a program.

    Attributes:
        program: the program.
        tensors: values of every tensor by name.
        fed: input of each chain by the chain's name, in the order of feeding (from the last step to the first if the
            chain runs backwards).
    """

    program: Program
    tensors: dict[str, Value]
    fed: dict[str, Value]

    def output(self, name: str | None = None) -> Value:
        """Exact values of an output before its head is applied; the first output by default.

        Raises:
            FormatError: if there is no output of that name.
        """
        return self.tensors[self._output(name).tensor]

    def values(self, name: str | None = None) -> npt.NDArray[np.float64]:
        """(N, T or 1, width) real values of an output after its head; zero beyond the steps of a sample."""
        value = self.output(name)
        real = np.ldexp(value.codes.astype(np.float64), -value.tensor.frac)
        values: npt.NDArray[np.float64] = np.where(value.inside, HEADS[self._output(name).head](real), 0.0)
        return values

    def classes(self, name: str | None = None) -> npt.NDArray[np.int64]:
        """(N,) class of each sample by its last frame: the index of the largest value.

        A single sigmoid gives class 1 if its value is above 1/2, else 0.
        """
        value = self.output(name)
        last = value.codes[np.arange(len(value.steps)), value.steps - 1]
        if last.shape[1] == 1 and self._output(name).head == "sigmoid":
            last = np.concatenate([np.zeros_like(last), last], axis=1)
        classes: npt.NDArray[np.int64] = last.argmax(axis=1)
        return classes

    def _output(self, name: str | None) -> Output:
        outputs = self.program.outputs
        for output in outputs:
            if name is None or output.name == name:
                return output
        raise FormatError(f"there is no output {name!r}; the program has {[output.name for output in outputs]}")


def _softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers: npt.NDArray[np.float64] = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.divide(powers, powers.sum(axis=-1, keepdims=True))


HEADS: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "none": lambda values: values,
    "softmax": _softmax,
    "sigmoid": lambda values: 0.5 + 0.5 * np.tanh(0.5 * values),
    "tanh": np.tanh,
}
"""Functions that the host applies to an output's real values, over the last axis."""


def golden_chain(chain: Chain, fed: Value) -> Codes:
    """Compute a chain's outputs by the golden model; frames beyond the steps of a sample are zero."""
    network = chain.network
    outputs = np.zeros((len(fed.steps), fed.codes.shape[1] if network.every_step else 1, network.outputs), np.int64)
    for steps, index in alike(fed.steps):
        codes = golden.run(network, fed.codes[index, :steps]).outputs
        outputs[index, : codes.shape[1]] = codes
    return outputs


def run(program: Program, inputs: Inputs, lengths: Any = None, execute: Execute = golden_chain) -> ProgramRun:
    """Run a program.

    Args:
        program: the program.
        inputs: codes of all inputs, as in `values_of`.
        lengths: steps of each sample, as in `values_of`.
        execute: function that runs a chain; the golden model by default.

    Raises:
        FormatError: if an input has a wrong shape or range, or a sample has different numbers of steps in two tensors
            that are combined.
    """
    steps = running(program, inputs, lengths)
    codes: Codes | None = None
    while True:
        try:
            chain, fed = steps.send(codes)
        except StopIteration as end:
            finished: ProgramRun = end.value
            return finished
        codes = execute(chain, fed)


def running(
    program: Program, inputs: Inputs, lengths: Any = None
) -> Generator[tuple[Chain, Value], Codes | None, ProgramRun]:
    """Run a program whose chains the caller runs: yields each chain with its input, and takes its output codes.

    Args:
        program: the program.
        inputs: codes of all inputs, as in `values_of`.
        lengths: steps of each sample, as in `values_of`.

    Raises:
        FormatError: as in `run`.
    """
    tensors = values_of(program, inputs, lengths)
    fed: dict[str, Value] = {}
    for step in program.steps:
        sources = [tensors[name] for name in step.sources]
        if isinstance(step, Chain):
            fed[step.name] = _reversed(sources[0]) if step.backwards else sources[0]
            codes = yield step, fed[step.name]
            assert codes is not None  # noqa: S101 - for the type checker
            tensors[step.target] = _made(step, program.tensors[step.target], fed[step.name], codes)
        else:
            tensors[step.target] = step.apply(*sources)
    return ProgramRun(program, tensors, fed)


def _made(chain: Chain, tensor: Tensor, fed: Value, codes: Codes) -> Value:
    """Outputs of a chain, in the order of its input even if it runs backwards."""
    if not chain.network.every_step:
        return Value(tensor, codes, np.ones_like(fed.steps))
    value = Value(tensor, codes, fed.steps)
    return _reversed(value) if chain.backwards else value


def _reversed(value: Value) -> Value:
    return Value(value.tensor, reverse(value), value.steps)


def values_of(program: Program, inputs: Inputs, lengths: Any = None) -> dict[str, Value]:
    """Check a program's inputs and convert them to values by name.

    Args:
        program: the program.
        inputs: codes of the inputs by name, or in the order of the program's inputs, or of the only input. The codes
            of one input are an array (N, T, width), or N arrays (steps, width), or for a vector (N, width).
        lengths: (N,) steps of each sample, for all inputs that are sequences, or by name of the input; None if all T
            steps count.

    Raises:
        FormatError: if an input is missing or unknown, or has a wrong shape or range.
    """
    names = [port.name for port in program.inputs]
    given = by_name(inputs, names, only_input=len(names) == 1)
    if set(given) != set(names):
        raise FormatError(
            f"inputs are {shown(list(given))}; the program has {names}: give each of them, by name or in order"
        )
    if isinstance(lengths, Mapping) and not set(lengths) <= set(names):
        raise FormatError(f"lengths are given for {shown(list(lengths))}; the program's inputs are {names}")
    lengths_by_name = lengths if isinstance(lengths, Mapping) else dict.fromkeys(names, lengths)
    values = {port.name: _value(port, given[port.name], lengths_by_name.get(port.name)) for port in program.inputs}
    counts = {name: len(value.steps) for name, value in values.items()}
    if len(set(counts.values())) > 1:
        raise FormatError(f"inputs have {counts} samples; all must have the same number")
    return values


def _value(port: Port, given: Any, lengths: Any) -> Value:
    what = f"input {port.name!r}"
    array, full = _padded(*sequences_of(given, port.width, what, vector=port.kind == "vector"))
    steps = lengths_of(None if port.kind == "vector" else lengths, full, f"{what}: lengths")
    check_codes(array, port.format, f"{what}: codes", "its format", "quantize with Fixed.from_float")
    longest = int(steps.max())
    inside = np.arange(longest) < steps[:, None]
    codes = np.where(inside[:, :, None], array[:, :longest], 0)
    try:
        return Value(port.tensor, codes, steps)
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from error


def _padded(given: Codes | list[Codes], full: Lengths) -> tuple[Codes, Lengths]:
    """(N, T, width) codes, padded with zeros, and the (N,) steps of each sample."""
    if isinstance(given, np.ndarray) or not given:
        return np.asarray(given), full
    array = np.zeros((len(given), int(full.max()), given[0].shape[1]), np.int64)
    for row, item in zip(array, given, strict=True):
        row[: len(item)] = item
    return array, full
