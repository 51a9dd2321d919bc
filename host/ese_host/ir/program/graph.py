# SPDX-License-Identifier: Apache-2.0
"""Programs: their inputs, their steps in the order of computation, and their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Union

import numpy as np
import numpy.typing as npt

from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.ir.engine_formats import common_formats
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Network
from ese_host.ir.program.arithmetic import Affine, Apply, Merge, Quantize, Relu
from ese_host.ir.program.chain import Chain
from ese_host.ir.program.frames import Pool, Softmax, Standardize
from ese_host.ir.program.functions import Lookup, Piecewise
from ese_host.ir.program.gather import Embedding, Gather
from ese_host.ir.program.order import Concatenate, Last, Mask, Repeat, Reshape, Reverse, Unmask
from ese_host.ir.program.tensor import Kind, Tensor

Head = Literal["none", "softmax", "sigmoid", "tanh"]
ProgramStep = Union[
    Chain, Concatenate, Merge, Affine, Apply, Relu, Quantize, Piecewise, Lookup, Softmax, Standardize, Pool, Gather,
    Embedding, Last, Mask, Unmask, Reverse, Reshape, Repeat,
]  # fmt: skip

CHAIN, INPUT, OUTPUT = "chain", "input", "output"
"""Names of the chain, its input and its output in a program made by `Program.of`."""
MAX_NAMES = 4096
MAX_NAME = 200


@dataclass(frozen=True)
class Port:
    """An input of a program.

    Attributes:
        name: name of the input and of its tensor.
        width: elements of a frame.
        format: format of the codes.
        kind: whether samples are sequences of frames or single vectors.
        steps: frames of every sequence; None if lengths vary. Not used for a vector.
        exact: a code that stands only for its own value, since a step decides by it, such as a `Mask`. Values that
            would be rounded or saturated to it get a code next to it.
    """

    name: str
    width: int
    format: Fixed
    kind: Kind = "sequence"
    steps: int | None = None
    exact: int | None = None

    def __post_init__(self) -> None:
        if self.exact is not None and not self.format.low <= self.exact <= self.format.high:
            raise FormatError(
                f"input {self.name!r} has the exact code {self.exact}; its format holds {self.format.low}.."
                f"{self.format.high}: choose one of these"
            )

    def codes(self, values: npt.ArrayLike) -> Codes:
        """Codes of real values, rounded half to even and saturated; the code `exact` only for its own value.

        Raises:
            FormatError: if a value is NaN, masked or no real number.
        """
        codes = self.format.from_float(values)
        if self.exact is None:
            return codes
        single = np.asarray(values).astype(np.float32).astype(np.float64)  # Keras compares in float32
        codes, own = self.format.from_float(single), float(self.format.to_float(self.exact))
        up = (single > own) & (self.exact < self.format.high) | (self.exact == self.format.low)
        beside = np.where(up, np.int64(1), np.int64(-1)) + np.int64(self.exact)
        return np.where((codes == self.exact) & (single != own), beside, codes)

    @property
    def tensor(self) -> Tensor:
        """The input as a tensor."""
        return Tensor.of(self.format, self.width, self.kind, 1 if self.kind == "vector" else self.steps)


@dataclass(frozen=True)
class Output:
    """An output of a program.

    Attributes:
        tensor: name of the tensor.
        name: name of the output.
        head: function that the host applies to the tensor's real values, over the last axis.
    """

    tensor: str
    name: str
    head: Head = "none"


@dataclass(frozen=True, eq=False)
class Program:
    """Chains, which the engine runs with one image each, and exact steps on the host between them.

    Attributes:
        inputs: the program's inputs.
        steps: chains and host steps in the order of computation.
        outputs: the program's outputs.

    Raises:
        FormatError: if names are not unique, or a step reads a tensor that does not exist or does not fit.
        CapacityError: if a value may need more bits than a code may have.
        UnsupportedError: if there is no chain, or the chains cannot share an engine.
    """

    inputs: tuple[Port, ...]
    steps: tuple[ProgramStep, ...]
    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        if not self.chains:
            raise UnsupportedError("the program has no chain; it needs one LSTM, GRU or Dense layer at least")
        if not self.inputs or not self.outputs:
            raise FormatError(
                f"the program has {len(self.inputs)} inputs and {len(self.outputs)} outputs; "
                "at least one of each is needed"
            )
        tensors = [port.name for port in self.inputs] + [step.target for step in self.steps]
        groups = {"tensor": tensors, "chain": [chain.name for chain in self.chains]}
        for what, names in {**groups, "output": [output.name for output in self.outputs]}.items():
            _check_names(what, names)
        common_formats([chain.network for chain in self.chains])
        for output in self.outputs:
            if output.tensor not in self.tensors:
                raise FormatError(
                    f"output {output.name!r} is tensor {output.tensor!r}; there are {sorted(self.tensors)}"
                )

    @classmethod
    def of(cls, network: Network) -> Program:
        """The program that consists of one chain."""
        chain = Chain(CHAIN, network, INPUT, OUTPUT)
        return cls((Port(INPUT, network.inputs, network.source),), (chain,), (Output(OUTPUT, OUTPUT, network.head),))

    @property
    def lone(self) -> Network | None:
        """The network, if this program is the one that `of` makes of it; else None."""
        chain, output = self.chains[0], self.outputs[0]
        network = chain.network
        names = [chain.name, *self.tensors, *(output.name for output in self.outputs), output.tensor]
        default_names = names == [CHAIN, INPUT, OUTPUT, OUTPUT, OUTPUT] and not chain.backwards
        if not default_names or self.inputs != (Port(INPUT, network.inputs, network.source),):
            return None
        return network if output.head == network.head else None

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name, in the order of computation.

        Raises:
            FormatError: if a step reads a tensor that is not computed before it.
            EseError: if a step refuses the tensors that it reads.
        """
        known = {port.name: port.tensor for port in self.inputs}
        for step in self.steps:
            missing = [name for name in step.sources if name not in known]
            if missing:
                raise FormatError(f"step {describe(step)} reads {missing[0]!r}; computed before it are {sorted(known)}")
            try:
                known[step.target] = step.infer(*(known[name] for name in step.sources))
            except EseError as error:
                raise type(error)(f"step {describe(step)}: {error}") from error
        return known

    @property
    def chains(self) -> tuple[Chain, ...]:
        """The chains in the order of computation, which is also the order of the images."""
        return tuple(step for step in self.steps if isinstance(step, Chain))

    def has_classes(self, output: Output) -> bool:
        """Whether an output tells classes: it has several values, or is a single sigmoid."""
        return self.tensors[output.tensor].width > 1 or output.head == "sigmoid"


def describe(step: ProgramStep) -> str:
    """Name of a step in messages: its class and its target, or a chain's name."""
    return f"{type(step).__name__} {(step.name if isinstance(step, Chain) else step.target)!r}"


def _check_names(what: str, names: list[str]) -> None:
    if len(names) > MAX_NAMES:
        raise FormatError(f"the program has {len(names)} {what}s; at most {MAX_NAMES} are allowed")
    for name in names:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise FormatError(f"a {what} is called {name!r}; 1 to {MAX_NAME} printable characters are expected")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise FormatError(f"the {what} name {repeated[0]!r} occurs twice; names must be unique")
