# SPDX-License-Identifier: Apache-2.0
"""The result of a conversion. This module must not import hls4ml, which loads this backend while half imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from ese_hls.lower.mapping import EngineMapping, map_program
from ese_hls.lower.options import ConversionOptions
from ese_hls.quantize import ConversionSummary
from ese_host.errors import UnsupportedError
from ese_host.interface import Extents
from ese_host.ir import Network
from ese_host.ir.program import Port, Program

UNMASKED = "_unmasked"
"""Suffix of the names of tensors whose masked frames have been restored."""


class LeftOut(Protocol):
    """How frames were left out of a tensor: the tensor that tells which, and the code of a masked frame's elements."""

    @property
    def original(self) -> str:
        """The tensor whose frames tell which steps are masked."""

    @property
    def code(self) -> int:
        """The code that all elements of a masked frame have."""


@dataclass(frozen=True)
class KnownTensor:
    """A tensor of the Keras model that the golden program computes, too.

    Attributes:
        keras_tensor: its name in Keras.
        what: the layer that computes it, and those folded into that layer, for messages.
        tensor: its name in the program.
        layer: the layer of a chain that computes it, or None if it is a tensor of the program.
        exact: whether it is the layer's exact output, rather than what the layer hands on.
        masked: how frames were left out of it, or None if it has all frames.
    """

    keras_tensor: str
    what: str
    tensor: str
    layer: str | None = None
    exact: bool = False
    masked: LeftOut | None = None


@dataclass(frozen=True)
class SplitLayer:
    """A Dense layer whose inputs have more bits than a vector element, and which the engine computes in parts.

    Attributes:
        name: name of the layer's graph node.
        source: name of the tensor that it reads, with all bits.
        layer: name of the engine's layer, which reads the parts.
        scaled: name of the tensor of weighted parts of the sums, with the bias.
        total: name of the tensor of the exact sums.
        target: name of the tensor of the results.
        finer: fractional bits that the lower part of the kernel has more.
        inner: names of the tensors between `source` and `target`, which Keras does not have.
    """

    name: str
    source: str
    layer: str
    scaled: str
    total: str
    target: str
    finer: int
    inner: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Conversion:
    """A converted model.

    Attributes:
        program: the program of integers.
        summary: how the model was converted.
        options: the user's choices.
        inputs: the model's inputs, in the model's order.
        outputs: shapes of the model's outputs without the sample axis; None for an axis of varying length.
        ends: names of the graph nodes that compute the outputs.
        known: the tensors of the Keras model that the golden program computes.
        input_tensors: names of the Keras tensors of the inputs, by the names of the inputs.
        end_tensors: names of the Keras tensors of the outputs.
        mapped: the design that holds the program, if it is known already.
        splits: the Dense layers that the engine computes in parts.
    """

    program: Program
    summary: ConversionSummary
    options: ConversionOptions
    inputs: tuple[Port, ...]
    outputs: tuple[Extents, ...]
    ends: tuple[str, ...] = ()
    known: tuple[KnownTensor, ...] = ()
    input_tensors: dict[str, str] = field(default_factory=dict)
    end_tensors: tuple[str, ...] = ()
    mapped: EngineMapping | None = None
    splits: tuple[SplitLayer, ...] = ()

    @cached_property
    def mapping(self) -> EngineMapping:
        """The design that holds the program, with its memories; computed once.

        Raises:
            CapacityError: if the program is too large for an engine.
            UnsupportedError: if no engine runs the program.
        """
        return self.mapped or map_program(self.program, self.options)

    def __str__(self) -> str:
        """The summary, and for each matrix how it is stored and why."""
        return "\n".join([str(self.summary), *(f"- {choice}" for choice in self.mapping.choices)])

    @property
    def network(self) -> Network:
        """The network of a program that is a single forward chain, with a softmax or nothing behind it.

        Raises:
            UnsupportedError: if the program is more than that.
        """
        network = self.program.lone
        if network is None:
            raise UnsupportedError(
                f"the model became a program of {len(self.program.chains)} chains and "
                f"{len(self.program.steps) - len(self.program.chains)} host operations; only a single forward "
                "chain with a softmax or nothing behind it has a network: use the attribute `program` instead"
            )
        return network

    @property
    def steps(self) -> int | None:
        """Length of the first input's step axis; 0 if it varies, None if the input has no such axis."""
        port = self.inputs[0]
        return None if port.kind == "vector" else port.steps or 0
