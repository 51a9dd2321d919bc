# SPDX-License-Identifier: Apache-2.0
"""How many weights each kernel of a network keeps, and the masks that follow."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import MAX_PES
from ese_host.ir import WEIGHT_KINDS, WeightKind
from ese_models.masking.pruner import Matrices
from ese_models.masking.rows import Rows, kernel_mask
from ese_models.networks import QUANTIZERS, Mask, MaskGoal, Weights, prunable
from ese_models.pruning import Family, check_family


@dataclass(frozen=True)
class MaskPlan:
    """How the weights that a network keeps are chosen.

    Attributes:
        weights: kind of the quantized weights, whose gap field decides what gap-aware masks avoid.
        density: kept share of the weights of all kernels together, above 0, at most 1.
        pes: number of PEs, 1 to 256.
        family: mask family: a name of `MASK_FAMILIES`, or a function of your own (`ese_models.pruning.MaskFunction`).
        gap_bits: width of the relative index in bits, 2 to 12, for which gap-aware masks are chosen.
        emphasis: factors, 1 or more, on `density`: for the input kernels of recurrent layers, and for the last kernel.
            The other kernels keep fewer weights, so that the whole network keeps `density` (BRDS, 2101.02667, divides
            it like this). The last kernel needs emphasis because it often has fewer than two rows per PE.
        layers: kernel name -> density, which replaces the one that follows from `density` and `emphasis`.

    Raises:
        UnsupportedError: if a value is not allowed.
    """

    weights: Weights = "ternary"
    density: float = 0.1
    pes: int = 8
    family: Family = "gap-aware"
    gap_bits: int = 5
    emphasis: tuple[float, float] = (2.5, 6.0)
    layers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weights not in ("float", *QUANTIZERS):
            raise UnsupportedError(f"weights are {self.weights!r}; allowed: float, {', '.join(QUANTIZERS)}")
        check_family(self.family)
        for name, density in self.layers.items():
            if not 0 < density <= 1:
                raise UnsupportedError(f"density of {name!r} is {density}; above 0, at most 1 is allowed")
        if not 0 < self.density <= 1:
            raise UnsupportedError(f"density is {self.density}; above 0, at most 1 is allowed")
        if not min(self.emphasis) >= 1:
            raise UnsupportedError(f"emphasis is {self.emphasis}; both factors must be at least 1 (no emphasis)")
        if not 1 <= self.pes <= MAX_PES:
            raise UnsupportedError(f"pes is {self.pes}; 1 to {MAX_PES} are allowed")
        if not 2 <= self.gap_bits <= 12:
            raise UnsupportedError(f"gap_bits is {self.gap_bits}; 2 to 12 are allowed")

    @property
    def kind(self) -> WeightKind:
        """Weight code for whose gap field the masks are chosen."""
        return kind_of(self.weights)

    @property
    def goal(self) -> MaskGoal:
        """Sizes of the engine that the masks are made for, which are saved with them."""
        return MaskGoal(self.pes, self.gap_bits)


def kind_of(weights: Weights) -> WeightKind:
    """Weight code of the engine for a kind of weights.

    TWN, TTQ and float weights count as ternary, whose gap field holds the smaller gaps.
    """
    return next((kind for kind in WEIGHT_KINDS if kind == weights), "ternary")


def matrices(model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """Kernel name -> (outputs, inputs) weights of the kernels of a model that can be pruned."""
    return {name: keras.ops.convert_to_numpy(kernel.variable).T for name, kernel in prunable(model).items()}


def is_recurrent(name: str, names: Container[str]) -> bool:
    """Whether a kernel belongs to a recurrent layer: one of the names is that of the layer's recurrent kernel."""
    return f"{name.rsplit('/', 1)[0]}/recurrent_kernel" in names


def densities(sizes: Mapping[str, int], density: float, emphasis: tuple[float, float]) -> dict[str, float]:
    """Density of each kernel, such that all kernels together have a given density.

    Input kernels of recurrent layers and the last kernel get the density times their emphasis, the other kernels what
    is left. If the others would lose more than half of the given density, both emphases are lowered. If there are no
    other kernels, all get the given density.

    Args:
        sizes: kernel name -> number of weights, in the order of computation.
        density: kept share of all weights together, above 0, at most 1.
        emphasis: factors for recurrent layers' input kernels and for the last kernel.

    >>> shares = densities({"lstm/kernel": 100, "lstm/recurrent_kernel": 300, "dense/kernel": 100}, 0.1, (1.5, 2.0))
    >>> {name: round(share, 4) for name, share in shares.items()}
    {'lstm/kernel': 0.15, 'lstm/recurrent_kernel': 0.05, 'dense/kernel': 0.2}
    """
    last = list(sizes)[-1]
    factors = {name: emphasis[0] for name in sizes if is_recurrent(name, sizes) and name.endswith("/kernel")}
    factors[last] = emphasis[1]
    rest = sum(size for name, size in sizes.items() if name not in factors)
    if not rest:
        return dict.fromkeys(sizes, density)
    more = {name: min(factor, 1 / density) - 1 for name, factor in factors.items()}
    taken = sum(sizes[name] * factor for name, factor in more.items())
    scale = min(1.0, 0.5 * rest / taken) if taken > 0 else 1.0
    left = min(1.0, (rest - scale * taken) * density / rest)
    return {name: min(1.0, (1 + scale * more[name]) * density) if name in more else left for name in sizes}


def masks_for(weights: Matrices, rows: Rows, plan: MaskPlan, density: float, family: Family) -> dict[str, Mask]:
    """Masks of all kernels, with a given density over the whole network.

    Kernels with a density in `plan.layers` approach it from 1 in the same way as `density` approaches the plan's. Of a
    kernel that becomes two of the engine's matrices each is balanced by itself, at the kernel's density.

    Args:
        weights: kernel name -> (outputs, inputs) weights.
        rows: distribution of the kernels' rows over the plan's PEs.
        plan: gives emphasis, densities of kernels, PEs, weight code and gap bits.
        density: kept share of all weights together, from 1 down to the plan's density.
        family: mask family.

    Returns:
        Kernel name -> (outputs, inputs) mask.

    Raises:
        UnsupportedError: if `plan.layers` names a kernel that the network does not have.
    """
    unknown = [name for name in plan.layers if name not in weights]
    if unknown:
        raise UnsupportedError(
            f"the plan gives a density to kernel {unknown[0]!r}, which the network lacks; its kernels are "
            f"{', '.join(weights)}"
        )
    share = densities({name: matrix.size for name, matrix in weights.items()}, density, plan.emphasis)
    rest = (density - plan.density) / (1 - plan.density) if plan.density < 1 else 0.0
    share.update({name: final + (1 - final) * rest for name, final in plan.layers.items()})
    return {
        name: kernel_mask(family, matrix, share[name], rows[name], plan.kind, plan.gap_bits)
        for name, matrix in weights.items()
    }


def masks_from_dense(weights: Matrices, rows: Rows, plan: MaskPlan, density: float) -> dict[str, Mask]:
    """The masks of `masks_for` with the plan's family; at density 1 they keep all weights.

    `masks_for` gives every PE the same number of weights at density 1, too, so that PEs with more rows lose some.

    Args:
        weights: kernel name -> (outputs, inputs) weights.
        rows: as for `masks_for`.
        plan: as for `masks_for`; gives the family.
        density: kept share of all weights together.
    """
    if density >= 1:
        return {name: np.ones(matrix.shape, dtype=bool) for name, matrix in weights.items()}
    return masks_for(weights, rows, plan, density, plan.family)


def kept_share(weights: Mapping[str, npt.NDArray[Any]]) -> float:
    """Share of the weights of all matrices or masks that are not zero."""
    return sum(int((matrix != 0).sum()) for matrix in weights.values()) / sum(m.size for m in weights.values())
