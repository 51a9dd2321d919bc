"""Layers by their sizes: what an estimate needs to know of a network that does not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Union

from ese_host.errors import UnsupportedError
from ese_host.image.interleave import Interleave
from ese_host.ir.mask_families import ESTIMATED, MASK_FAMILIES, Balance, MaskFamily
from ese_host.ir.network import GATES
from ese_host.ir.weight_kinds import WeightKind

MAX_WIDTH = 1 << 15


@dataclass(frozen=True)
class MatrixSize:
    """One weight matrix: rows, columns, and how many rows belong together (`ese_host.ir.network.GATES`, else 1)."""

    name: str
    rows: int
    columns: int
    group: int = 1

    def __post_init__(self) -> None:
        if not (1 <= self.rows <= GATES * MAX_WIDTH and 1 <= self.columns <= MAX_WIDTH):
            raise UnsupportedError(
                f"{self.name} has {self.rows} rows and {self.columns} columns; 1 to {MAX_WIDTH} cells, outputs or "
                "inputs are modelled"
            )

    @property
    def weights(self) -> int:
        """Weights before pruning."""
        return self.rows * self.columns

    def interleave(self, pes: int) -> Interleave:
        """Its rows over the PEs."""
        return Interleave(self.rows, pes, self.group)


@dataclass(frozen=True)
class LstmSize:
    """An LSTM by its sizes.

    Attributes:
        inputs, units: widths. projection: width of the projected output, 0 without one.
        peepholes: whether the cells see c. return_sequences: whether an output leaves at every step.
        stored_output: whether the output has a quantizer; without, it leaves as the exact product, two words a value.
            A projection's output always has the state's format.
        own_output: whether the quantizer of the output differs from the state's, so that a hidden layer stores both.
    """

    inputs: int
    units: int
    projection: int = 0
    peepholes: bool = False
    return_sequences: bool = True
    stored_output: bool = True
    own_output: bool = False

    @property
    def outputs(self) -> int:
        """Width of the output, and of what is fed back."""
        return self.projection or self.units

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Kernel, recurrent kernel, projection."""
        gates = (
            MatrixSize("kernel", GATES * self.units, self.inputs, GATES),
            MatrixSize("recurrent", GATES * self.units, self.outputs, GATES),
        )
        return (*gates, MatrixSize("projection", self.projection, self.units)) if self.projection else gates


@dataclass(frozen=True)
class DenseSize:
    """A fully connected layer by its sizes; `stored_output` as in `LstmSize`."""

    inputs: int
    outputs: int
    stored_output: bool = True

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Its kernel."""
        return (MatrixSize("kernel", self.outputs, self.inputs),)


LayerSize = Union[LstmSize, DenseSize]


@dataclass(frozen=True)
class Pruning:
    """How the weights are thinned and stored.

    Attributes:
        density: kept share, of all matrices or of each in the order of `LayerSize.matrices`.
        masks: family. kind: weight codes. gap_bits: width of the relative index. seed: of modelled masks.
    """

    density: float | tuple[float, ...]
    masks: MaskFamily = "gap-aware"
    kind: WeightKind = "ternary"
    gap_bits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for density in self.density if isinstance(self.density, tuple) else (self.density,):
            if not 0 < density <= 1:
                raise UnsupportedError(f"density is {density}; more than 0 and at most 1 is allowed")
        if self.masks not in ESTIMATED:
            raise UnsupportedError(f"masks are {self.masks!r}; allowed: {', '.join(ESTIMATED)}")

    @property
    def balance(self) -> Balance:
        """What its masks promise."""
        return MASK_FAMILIES[self.masks]

    def of(self, number: int) -> float:
        """Density of the matrix of that number."""
        if not isinstance(self.density, tuple):
            return self.density
        if number >= len(self.density):
            raise UnsupportedError(
                f"{len(self.density)} densities are given; matrix {number + 1} has none: give one, or one each"
            )
        return self.density[number]


def check_chain(layers: Sequence[LayerSize]) -> None:
    """Refuse layers that do not follow each other.

    Raises:
        UnsupportedError: there is none, or one takes another width than the one before it gives.
    """
    if not layers:
        raise UnsupportedError("there is no layer; at least one is needed")
    for number, (before, layer) in enumerate(pairwise(layers)):
        if before.outputs != layer.inputs:
            raise UnsupportedError(f"layer {number + 2} takes {layer.inputs} inputs; {before.outputs} arrive")
