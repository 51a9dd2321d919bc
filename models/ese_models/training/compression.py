"""Compression: iterative pruning on a cubic schedule, then quantization-aware fine-tuning under the final mask.

Prune, retrain, prune again (NIPS'15), by default with the density schedule of Zhu and Gupta (1710.01878); the masks are
the balanced ones of ESE (FPGA'17) or ours, and are held by Keras constraints, which the saved model keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import Interleave
from ese_host.ir import GATES, MASK_FAMILIES, WEIGHT_KINDS, MaskFamily, WeightKind
from ese_models.data import Dataset
from ese_models.networks import (
    QUANTIZERS,
    Formats,
    Mask,
    Weights,
    check_finite,
    constraints,
    formats_of,
    kernels,
    network,
    parts,
    topology_of,
    weight_quantizers,
)
from ese_models.pruning import SCHEDULES, Schedule, mask_for
from ese_models.quantizers import STARTS, Start
from ese_models.training.grouping import LEARNED, Regrouping, begin, finish
from ese_models.training.masking import Pruner
from ese_models.training.train import Progress, Recipe, fit

PRUNE = Recipe(epochs=240, rate=1e-2, noise=0.5, crop=0.2)
TUNE = Recipe(epochs=160, rate=5e-3, noise=0.5, crop=0.2)


@dataclass(frozen=True)
class Plan:
    """What to make of a dense network.

    Attributes:
        weights: kind of code; "float" stops after pruning. "twn" and "ttq" learn their grouping: until a share
            `pruned_at` of the quantized stage's steps the masks are chosen `updates` times from the latent weights.
        density: kept share of all kernels together.
        pes: processing elements. family: of masks.
        gap_bits: width of the relative index that gap-aware masks keep free of padding.
        seed: of order and augmentation.
        prune: recipe of the pruning stage. tune: of the quantized stage.
        schedule: how density falls. pruned_at: share of the pruning stage's steps after which it has reached its end.
        updates: how often the masks are chosen anew until then.
        emphasis: density of the LSTM layers' input kernels and of the last kernel in parts of `density`; the others
            keep the rest, so that the whole network's density is `density` (BRDS, 2101.02667, splits it so too). The
            last kernel often has fewer rows than two for each PE: where two share one, they share what it keeps.
        layers: density of kernels by name, in place of what `density` and `emphasis` give them.
        teacher: share of the dense network's probabilities in the targets (distillation).
        per_channel: a scale for each output, or one for each kernel.
        codebook_bits: of a codebook's index. codebook_start: how its centroids begin.
    """

    weights: Weights = "ternary"
    density: float = 0.1
    pes: int = 8
    family: MaskFamily = "gap-aware"
    gap_bits: int = 5
    seed: int = 0
    prune: Recipe = field(default=PRUNE)
    tune: Recipe = field(default=TUNE)
    schedule: Schedule = "cubic"
    pruned_at: float = 0.6
    updates: int = 40
    teacher: float = 1.0
    emphasis: tuple[float, float] = (2.5, 6.0)
    layers: Mapping[str, float] = field(default_factory=dict)
    per_channel: bool = True
    codebook_bits: int = 4
    codebook_start: Start = "linear"

    def __post_init__(self) -> None:
        if self.weights not in ("float", *QUANTIZERS):
            raise UnsupportedError(f"weights are {self.weights!r}; allowed: float, {', '.join(QUANTIZERS)}")
        if self.family not in MASK_FAMILIES:
            raise UnsupportedError(f"mask family is {self.family!r}; allowed: {', '.join(MASK_FAMILIES)}")
        if self.schedule not in SCHEDULES:
            raise UnsupportedError(f"schedule is {self.schedule!r}; allowed: {', '.join(SCHEDULES)}")
        for name, density in self.layers.items():
            if not 0 < density <= 1:
                raise UnsupportedError(f"density of {name!r} is {density}; above 0, at most 1 is allowed")
        if not 0 < self.density <= 1:
            raise UnsupportedError(f"density is {self.density}; above 0, at most 1 is allowed")
        if not min(self.emphasis) >= 1:
            raise UnsupportedError(f"emphasis is {self.emphasis}; twice 1 (even) or more is allowed")
        if not 1 <= self.pes <= 128:
            raise UnsupportedError(f"{self.pes} PEs; 1 to 128 are allowed")
        if not 2 <= self.gap_bits <= 12:
            raise UnsupportedError(f"{self.gap_bits} gap bits; 2 to 12 are allowed")
        if not 2 <= self.codebook_bits <= 8:
            raise UnsupportedError(f"{self.codebook_bits} codebook bits; 2 to 8 are allowed")
        if self.codebook_start not in STARTS:
            raise UnsupportedError(f"start of the centroids is {self.codebook_start!r}; allowed: {', '.join(STARTS)}")

    @property
    def kind(self) -> WeightKind:
        """Kind of code whose gap field the masks are made for."""
        return kind_of(self.weights)


@dataclass(frozen=True, eq=False)
class Compressed:
    """The pruned float network, the quantized one (None for float weights), and their masks, outputs first."""

    pruned: Any
    quantized: Any
    masks: Mapping[str, Mask]

    @property
    def model(self) -> Any:
        """The last stage."""
        return self.pruned if self.quantized is None else self.quantized


def kind_of(weights: Weights) -> WeightKind:
    """Kind of code in the engine; ternary, whose gap field is the narrower, for float weights."""
    return next((kind for kind in WEIGHT_KINDS if kind == weights), "ternary")


def matrices(model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """Kernel name -> (outputs, inputs) weights."""
    return {name: keras.ops.convert_to_numpy(variable).T for name, variable in kernels(model).items()}


def interleave(name: str, rows: int, pes: int) -> Interleave:
    """How the rows of a kernel lie over the PEs: an LSTM's in groups of four gates; a projection's have none."""
    gated = is_recurrent(name) and not name.endswith("/projection_kernel")
    return Interleave(rows, pes, GATES if gated else 1)


def is_recurrent(name: str) -> bool:
    """Whether a kernel is of an LSTM layer; networks name these layers so."""
    return "lstm" in name.split("/")[0]


def densities(sizes: Mapping[str, int], density: float, emphasis: tuple[float, float]) -> dict[str, float]:
    """Density of each kernel: emphasis * density for LSTM inputs and the last; the others make the whole `density`.

    Where the others would lose more than half of their even share, both emphases are lowered; without others,
    all kernels have `density`.

    >>> found = densities({"lstm/kernel": 100, "lstm/recurrent_kernel": 300, "dense/kernel": 100}, 0.1, (1.5, 2.0))
    >>> {name: round(share, 4) for name, share in found.items()}
    {'lstm/kernel': 0.15, 'lstm/recurrent_kernel': 0.05, 'dense/kernel': 0.2}
    """
    last = list(sizes)[-1]
    factors = {name: emphasis[0] for name in sizes if is_recurrent(name) and name.endswith("/kernel")}
    factors[last] = emphasis[1]
    rest = sum(size for name, size in sizes.items() if name not in factors)
    if not rest:
        return dict.fromkeys(sizes, density)
    more = {name: min(factor, 1 / density) - 1 for name, factor in factors.items()}
    taken = sum(sizes[name] * factor for name, factor in more.items())
    scale = min(1.0, 0.5 * rest / taken) if taken > 0 else 1.0
    left = min(1.0, (rest - scale * taken) * density / rest)
    return {name: min(1.0, (1 + scale * more[name]) * density) if name in more else left for name in sizes}


def masks_for(
    weights: Mapping[str, npt.NDArray[np.float32]], plan: Plan, density: float, family: MaskFamily
) -> dict[str, Mask]:
    """Kernel name -> (outputs, inputs) mask of a family, with `density` over the whole network.

    On the way from 1 to the plan's density, the kernels in `plan.layers` go as far from 1 to their own.

    Raises:
        UnsupportedError: `plan.layers` names a kernel that is not there.
    """
    unknown = [name for name in plan.layers if name not in weights]
    if unknown:
        raise UnsupportedError(f"there is no kernel {unknown[0]!r} to give a density; kernels are {', '.join(weights)}")
    share = densities({name: matrix.size for name, matrix in weights.items()}, density, plan.emphasis)
    rest = (density - plan.density) / (1 - plan.density) if plan.density < 1 else 0.0
    share.update({name: own + (1 - own) * rest for name, own in plan.layers.items()})
    return {
        name: mask_for(family, matrix, share[name], interleave(name, len(matrix), plan.pes), plan.kind, plan.gap_bits)
        for name, matrix in weights.items()
    }


def compress(
    dense: Any,
    data: Dataset,
    plan: Plan,
    *,
    progress: Callable[[str], Progress] | None = None,
) -> Compressed:
    """Prune and quantize a dense network; the dense model is left as it is.

    Args:
        dense: a `network` with float weights.
        data: its training split is used alone.
        plan: what to make.
        progress: stage name, prune or quantize -> what to call after each epoch.

    Raises:
        FormatError: a weight is not finite; the layer is named.
        UnsupportedError: the model is no network of this project.
    """
    watch = progress or (lambda _stage: lambda _epoch, _loss: None)
    pruned, masks = prune(dense, data, plan, watch("prune"))
    if plan.weights == "float":
        return Compressed(pruned, None, masks)
    model = quantize(pruned, dense, masks, data, plan, watch("quantize"))
    return Compressed(pruned, model, {name: held.mask.T for name, held in constraints(model).items()})


def prune(
    dense: Any, data: Dataset, plan: Plan, progress: Progress | None = None, begun: Any = None
) -> tuple[Any, dict[str, Mask]]:
    """The pruned and retrained float network, and its masks, outputs first; see `compress`.

    Args:
        dense: the teacher, and what pruning starts from.
        data: its training split is used alone.
        plan: what to make.
        progress: called after each epoch.
        begun: a pruned network that pruning goes on from instead, at its density (prune, retrain, prune again).

    Raises:
        UnsupportedError: `begun` is sparser than the plan.
    """
    check_finite(dense)
    model = like(dense if begun is None else begun, "float")
    start = 1.0 if begun is None else kept_share(matrices(begun))
    if start < 0.99 * plan.density:  # as many, save what rounding per PE leaves out
        raise UnsupportedError(
            f"the network to go on from keeps {start:.4f} of its weights, the plan {plan.density}; take a denser one"
        )
    pruner = Pruner(kernels(model), lambda weights, density: masks_for(weights, plan, density, plan.family))
    before_step = pruner.gradual(plan.schedule, plan.density, plan.pruned_at, plan.updates, max(start, plan.density))
    rng = np.random.default_rng((plan.seed, 1))
    fit(model, data.train, plan.prune, rng, before_step, progress, teacher=dense, share=plan.teacher)
    before_step(1.0)  # where there were too few steps, the last round comes here
    return model, pruner.masks


def kept_share(weights: Mapping[str, npt.NDArray[np.float32]]) -> float:
    """Non-zero weights of all matrices over all weights."""
    return sum(int((matrix != 0).sum()) for matrix in weights.values()) / sum(m.size for m in weights.values())


def quantize(
    pruned: Any, dense: Any, masks: Mapping[str, Mask], data: Dataset, plan: Plan, progress: Progress | None = None
) -> Any:
    """The pruned network with quantized weights, fine-tuned under its masks; see `compress`.

    Raises:
        UnsupportedError: the plan's weights are float.
    """
    if plan.weights == "float":
        raise UnsupportedError(f"weights are 'float'; to quantize, choose one of {', '.join(QUANTIZERS)}")
    learned = plan.weights in LEARNED
    form = formats_of(pruned)
    scales = form.scales if plan.per_channel else {**form.scales, "per_channel": False}
    form = replace(form, scales=scales, codebook_bits=plan.codebook_bits)
    model = like(pruned, plan.weights, None if learned else masks, form)
    variables, quantizers = kernels(model), weight_quantizers(model)
    begin(variables, quantizers, masks, plan.codebook_start, plan.seed)
    groups = Regrouping(
        variables, quantizers if learned else {}, lambda w: masks_for(w, plan, plan.density, plan.family)
    )
    watch = groups.until(plan.pruned_at, plan.updates)
    rng = np.random.default_rng((plan.seed, 2))
    fit(model, data.train, plan.tune, rng, watch, progress, teacher=dense, share=plan.teacher)
    finish(variables, quantizers)
    return model


def like(model: Any, weights: Weights, masks: Mapping[str, Mask] | None = None, formats: Formats | None = None) -> Any:
    """A network of the same layers and weights, with kernel quantizers of another kind and other masks.

    Args:
        model: a `network`.
        weights: kind of the kernels.
        masks: kernel name -> (outputs, inputs) mask; kernels without one keep all weights.
        formats: the other quantizers; the model's own by default.
    """
    copy = network(
        topology_of(model),
        features=model.input_shape[-1],
        outputs=model.output_shape[-1],
        steps=model.input_shape[1],
        weights=weights,
        masks={name: mask.T for name, mask in (masks or {}).items()},
        formats=formats or formats_of(model),
    )
    for (_, old), (_, new) in zip(parts(model), parts(copy), strict=True):
        values = {variable.name: variable for variable in old.weights}
        for variable in new.weights:
            if variable.name in values:
                variable.assign(values[variable.name])
    for kernel in kernels(copy).values():
        kernel.assign(kernel.constraint(kernel))
    return copy
