"""How the weights of a network that does not exist yet are thinned, and which layers an estimate models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ese_host.errors import UnsupportedError
from ese_host.image.sizes import LayerSize
from ese_host.ir.mask_families import ESTIMATED, MASK_FAMILIES, Balance, MaskFamily
from ese_host.ir.network import GATES
from ese_host.ir.weight_kinds import WeightKind

MAX_WIDTH = 1 << 15


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


def check_modelled(layers: Sequence[LayerSize]) -> None:
    """Refuse layers whose sizes are beyond what an estimate models.

    Raises:
        UnsupportedError: a width is zero or too large.
    """
    for matrix in (matrix for layer in layers for matrix in layer.matrices()):
        if not (1 <= matrix.rows <= GATES * MAX_WIDTH and 1 <= matrix.columns <= MAX_WIDTH):
            raise UnsupportedError(
                f"{matrix.name} has {matrix.rows} rows and {matrix.columns} columns; 1 to {MAX_WIDTH} cells, outputs "
                "or inputs are modelled"
            )
