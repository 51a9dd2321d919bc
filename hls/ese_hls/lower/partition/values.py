# SPDX-License-Identifier: Apache-2.0
"""Values of graph nodes: their tensors, their masked frames, and the chains that compute them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ese_host.ir import Fixed, Layer, Recurrent
from ese_host.ir.program import Fill


@dataclass(frozen=True)
class Masked:
    """How frames were left out of a tensor.

    Attributes:
        original: the tensor whose frames tell which steps are masked.
        code: the code that all elements of a masked frame have.
        fill: values of restored frames: "zero", or "last" for those of the last frame that is not masked; None if they
            cannot be restored.
    """

    original: str
    code: int
    fill: Fill | None = "zero"


@dataclass(frozen=True)
class NodeValue:
    """The value of a graph node.

    Attributes:
        tensor: name of the program's tensor; if a chain computes it, the chain may still be open.
        node: the node that computes it, for its name, precision and readers.
        masked: how frames were left out, or None if it has all frames.
        mask: the mask that belongs to its steps although it has all frames, or None.
    """

    tensor: str
    node: Any
    masked: Masked | None = None
    mask: Masked | None = None


@dataclass
class OpenChain:
    """A chain that may still grow.

    Attributes:
        layers: its layers of integers.
        nodes: their graph nodes.
        source: name of the tensor that it reads.
        form: format of its inputs.
        backwards: whether it runs sequences from the last step to the first.
        masked: whether its sequences lack their masked frames.
    """

    layers: list[Layer]
    nodes: list[Any]
    source: str
    form: Fixed
    backwards: bool
    masked: bool

    @property
    def every_step(self) -> bool:
        """Whether it has an output for every step."""
        return all(layer.return_sequences for layer in self.layers if isinstance(layer, Recurrent))
