"""A program: inputs, steps in the order of computation, outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Union

from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.ir.engine_formats import common_formats
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Network
from ese_host.ir.program.arithmetic import Affine, Apply, Merge, Quantize, Relu, Ternary
from ese_host.ir.program.chain import Chain
from ese_host.ir.program.order import Concatenate, Last, Mask, Repeat, Reshape, Reverse, Unmask
from ese_host.ir.program.tensor import Kind, Tensor

Head = Literal["none", "softmax", "sigmoid", "tanh"]
ProgramStep = Union[
    Chain, Concatenate, Merge, Affine, Apply, Relu, Quantize, Ternary, Last, Mask, Unmask, Reverse, Reshape, Repeat
]

CHAIN, INPUT, OUTPUT = "chain", "input", "output"
"""Names in the program of one chain alone."""
MAX_NAMES = 4096
MAX_NAME = 200


@dataclass(frozen=True)
class Port:
    """An input: frames of `width` codes in `format`; `steps` of each sample where that is fixed, 1 for a vector."""

    name: str
    width: int
    format: Fixed
    kind: Kind = "sequence"
    steps: int | None = None

    @property
    def tensor(self) -> Tensor:
        """What is known of its values."""
        return Tensor.of(self.format, self.width, self.kind, 1 if self.kind == "vector" else self.steps)


@dataclass(frozen=True)
class Output:
    """A tensor that leaves under a name; `head` is what the host applies to its real values, over the last axis."""

    tensor: str
    name: str
    head: Head = "none"


@dataclass(frozen=True, eq=False)
class Program:
    """Chains that the engine runs, an image each, and the host's exact steps between them.

    Raises:
        FormatError: names are not unique, or a step reads what is not there or does not fit.
        CapacityError: a value may need more bits than are held. UnsupportedError: there is no chain.
    """

    inputs: tuple[Port, ...]
    steps: tuple[ProgramStep, ...]
    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        if not self.chains:
            raise UnsupportedError("the program has no chain; it needs one LSTM or Dense layer at least")
        if not self.inputs or not self.outputs:
            raise FormatError(
                f"the program has {len(self.inputs)} inputs and {len(self.outputs)} outputs; both have one"
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
        """The program of one chain alone."""
        chain = Chain(CHAIN, network, INPUT, OUTPUT)
        return cls((Port(INPUT, network.inputs, network.source),), (chain,), (Output(OUTPUT, OUTPUT, network.head),))

    @property
    def lone(self) -> Network | None:
        """The network whose program this is by `of`, where it is one."""
        chain, output = self.chains[0], self.outputs[0]
        network = chain.network
        names = [chain.name, *self.tensors, *(output.name for output in self.outputs), output.tensor]
        as_made = names == [CHAIN, INPUT, OUTPUT, OUTPUT, OUTPUT] and not chain.backwards
        if not as_made or self.inputs != (Port(INPUT, network.inputs, network.source),):
            return None
        return network if output.head == network.head else None

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """What is known of every tensor, in the order of computation."""
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
        """The chains, in the order of computation; image 0 is the first one's."""
        return tuple(step for step in self.steps if isinstance(step, Chain))


def describe(step: ProgramStep) -> str:
    """A step's name for messages."""
    return f"{type(step).__name__} {(step.name if isinstance(step, Chain) else step.target)!r}"


def _check_names(what: str, names: list[str]) -> None:
    if len(names) > MAX_NAMES:
        raise FormatError(f"the program has {len(names)} {what}s; at most {MAX_NAMES} are allowed")
    for name in names:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise FormatError(f"a {what} is called {name!r}; 1 to {MAX_NAME} printable characters are expected")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FormatError(f"the {what} name {twice[0]!r} occurs twice; each is given once")
