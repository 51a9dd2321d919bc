"""What a conversion makes. It imports nothing of hls4ml, which loads this backend while it is itself half imported."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ese_hls.frontend import Extents
from ese_hls.lower.mapping import EngineMapping, map_program
from ese_hls.lower.options import ConversionOptions
from ese_hls.quantize import ConversionSummary
from ese_host.errors import UnsupportedError
from ese_host.ir import Network
from ese_host.ir.program import Port, Program

UNMASKED = "_unmasked"
"""What the name of a tensor ends in whose masked frames are there again."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """A converted model.

    Attributes:
        program: the integers. summary: how they came about. options: the user's choices.
        inputs: the model's own, by their names. outputs: shapes without the sample axis, None where an extent varies.
        ends: names of the graph nodes whose values the outputs are.
    """

    program: Program
    summary: ConversionSummary
    options: ConversionOptions
    inputs: tuple[Port, ...]
    outputs: tuple[Extents, ...]
    ends: tuple[str, ...] = ()

    @cached_property
    def mapping(self) -> EngineMapping:
        """How it lies in an engine; made once.

        Raises:
            CapacityError, UnsupportedError: it does not fit one.
        """
        return map_program(self.program, self.options)

    def __str__(self) -> str:
        """How the conversion came about, and how each matrix is stored and why."""
        return "\n".join([str(self.summary), *(f"- {choice}" for choice in self.mapping.choices)])

    @property
    def network(self) -> Network:
        """The network of a program that is one chain.

        Raises:
            UnsupportedError: it is more than that.
        """
        network = self.program.lone
        if network is None:
            raise UnsupportedError(
                f"the model became a program of {len(self.program.chains)} chains and "
                f"{len(self.program.steps) - len(self.program.chains)} host steps; one chain alone is expected here"
            )
        return network

    @property
    def steps(self) -> int | None:
        """Length of the first input's step axis, 0 where it varies, None where the model has none."""
        port = self.inputs[0]
        return None if port.kind == "vector" else port.steps or 0
