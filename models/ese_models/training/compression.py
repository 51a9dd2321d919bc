"""Compression of a dense network: gradual pruning, then quantization-aware fine-tuning under the final masks.

Pruning alternates with retraining (Han et al., NIPS'15), by default with the density schedule of Zhu and Gupta
(1710.01878, equation 1). The masks are those of one family, such as ESE's (FPGA'17) or this project's gap-aware ones.
They are kept by Keras constraints, which are saved with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import MAX_PES, Interleave
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
from ese_models.training.masking import Pruner
from ese_models.training.regrouping import LEARNED, Regrouping, begin, finish
from ese_models.training.train import Progress, Recipe, fit

PRUNE = Recipe(epochs=240, rate=1e-2, noise=0.5, crop=0.2)
TUNE = Recipe(epochs=160, rate=5e-3, noise=0.5, crop=0.2)


@dataclass(frozen=True)
class Plan:
    """How a dense network is compressed.

    Attributes:
        weights: kind of the quantized weights; "float" stops after pruning. "twn" and "ttq" learn their grouping: the
            masks are chosen again `updates` times from the latent weights, during the first share `pruned_at` of the
            quantized stage.
        density: kept share of the weights of all kernels together, above 0, at most 1.
        pes: number of PEs, 1 to 256.
        family: mask family.
        gap_bits: width of the relative index in bits, 2 to 12, for which gap-aware masks are chosen.
        seed: of the order of samples and their augmentation.
        prune: recipe of the pruning stage.
        tune: recipe of the quantized stage.
        schedule: by which the density falls, "cubic" or "geometric".
        pruned_at: share of the pruning stage's steps after which the density has reached its target.
        updates: number of times that masks are chosen until then.
        emphasis: factors, 1 or more, on `density`: for the input kernels of LSTM layers, and for the last kernel. The
            other kernels keep fewer weights, so that the whole network keeps `density` (BRDS, 2101.02667, divides it
            like this). The last kernel needs emphasis because it often has fewer than two rows per PE.
        layers: kernel name -> density, which replaces the one that follows from `density` and `emphasis`.
        teacher: share of the dense network's probabilities in the training targets (distillation, 1503.02531).
        per_channel: whether each output channel has a scale; otherwise each kernel has one.
        codebook_bits: width of a codebook's index in bits, 2 to 8; the engine supports 4.
        codebook_start: initial centroids of a codebook, "linear", "density" or "random".

    Raises:
        UnsupportedError: if a value is not allowed.
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
            raise UnsupportedError(f"emphasis is {self.emphasis}; both factors must be at least 1 (no emphasis)")
        if not 1 <= self.pes <= MAX_PES:
            raise UnsupportedError(f"pes is {self.pes}; 1 to {MAX_PES} are allowed")
        if not 2 <= self.gap_bits <= 12:
            raise UnsupportedError(f"gap_bits is {self.gap_bits}; 2 to 12 are allowed")
        if not 2 <= self.codebook_bits <= 8:
            raise UnsupportedError(f"codebook_bits is {self.codebook_bits}; 2 to 8 are allowed")
        if self.codebook_start not in STARTS:
            raise UnsupportedError(f"start of the centroids is {self.codebook_start!r}; allowed: {', '.join(STARTS)}")

    @property
    def kind(self) -> WeightKind:
        """Weight code for whose gap field the masks are chosen."""
        return kind_of(self.weights)


@dataclass(frozen=True, eq=False)
class Compressed:
    """Result of a compression.

    Attributes:
        pruned: the pruned network with float kernels.
        quantized: the quantized network, or None for float weights.
        masks: kernel name -> (outputs, inputs) mask of the last stage.
    """

    pruned: Any
    quantized: Any
    masks: Mapping[str, Mask]

    @property
    def model(self) -> Any:
        """The network of the last stage: quantized if there is one, else pruned."""
        return self.pruned if self.quantized is None else self.quantized


def kind_of(weights: Weights) -> WeightKind:
    """Weight code of the engine for a kind of weights.

    TWN, TTQ and float weights count as ternary, whose gap field holds the smaller gaps.
    """
    return next((kind for kind in WEIGHT_KINDS if kind == weights), "ternary")


def matrices(model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """Kernel name -> (outputs, inputs) weights."""
    return {name: keras.ops.convert_to_numpy(variable).T for name, variable in kernels(model).items()}


def interleave(name: str, rows: int, pes: int) -> Interleave:
    """Assignment of a kernel's rows to the PEs.

    The rows of an LSTM layer's kernels go in groups of four gates, those of a projection and of a dense layer singly.

    Args:
        name: of the kernel, `<layer>/<kernel>`.
        rows: outputs of the kernel.
        pes: number of PEs.
    """
    gated = is_recurrent(name) and not name.endswith("/projection_kernel")
    return Interleave(rows, pes, GATES if gated else 1)


def is_recurrent(name: str) -> bool:
    """Whether a kernel belongs to an LSTM layer; `network` gives these layers names that contain "lstm"."""
    return "lstm" in name.split("/")[0]


def densities(sizes: Mapping[str, int], density: float, emphasis: tuple[float, float]) -> dict[str, float]:
    """Density of each kernel, such that all kernels together have a given density.

    Input kernels of LSTM layers and the last kernel get the density times their emphasis, the other kernels what is
    left. If the others would lose more than half of the given density, both emphases are lowered. If there are no other
    kernels, all get the given density.

    Args:
        sizes: kernel name -> number of weights, in the order of computation.
        density: kept share of all weights together, above 0, at most 1.
        emphasis: factors for LSTM input kernels and for the last kernel.

    >>> shares = densities({"lstm/kernel": 100, "lstm/recurrent_kernel": 300, "dense/kernel": 100}, 0.1, (1.5, 2.0))
    >>> {name: round(share, 4) for name, share in shares.items()}
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
    """Masks of all kernels, with a given density over the whole network.

    Kernels with a density in `plan.layers` approach it from 1 in the same way as `density` approaches the plan's.

    Args:
        weights: kernel name -> (outputs, inputs) weights.
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
    """Prune and quantize a dense network; the dense model does not change.

    Args:
        dense: a `network` with float weights.
        data: data set, of which only the training split is used.
        plan: how to compress.
        progress: called with the name of a stage, "prune" or "quantize"; its result is called after each epoch.

    Raises:
        FormatError: if a weight is or becomes not finite; the message names the layer.
        UnsupportedError: if the model is not a network of this project, or the plan names a kernel that it lacks.
    """
    progress_of = progress or (lambda _stage: lambda _epoch, _loss: None)
    pruned, masks = prune(dense, data, plan, progress_of("prune"))
    if plan.weights == "float":
        return Compressed(pruned, None, masks)
    model = quantize(pruned, dense, masks, data, plan, progress_of("quantize"))
    return Compressed(pruned, model, {name: constraint.mask.T for name, constraint in constraints(model).items()})


def prune(
    dense: Any, data: Dataset, plan: Plan, progress: Progress | None = None, begun: Any = None
) -> tuple[Any, dict[str, Mask]]:
    """The first stage of `compress`: prune a network in rounds while it is retrained.

    Args:
        dense: network from which pruning starts, and the teacher.
        data: data set, of which only the training split is used.
        plan: how to compress.
        progress: called after each epoch.
        begun: pruned network from which pruning starts instead, at its density.

    Returns:
        The pruned float network, and kernel name -> (outputs, inputs) mask.

    Raises:
        FormatError: if a weight is or becomes not finite; the message names the layer.
        UnsupportedError: if `begun` is sparser than the plan, a model is not a network of this project, or the plan
            names a kernel that it lacks.
    """
    check_finite(dense)
    model = like(dense if begun is None else begun, "float")
    start = 1.0 if begun is None else kept_share(matrices(begun))
    # A network of exactly the plan's density may keep slightly fewer weights, because the counts are rounded per PE.
    if start < 0.99 * plan.density:
        raise UnsupportedError(
            f"the network to start from keeps {start:.4f} of its weights, but the plan keeps {plan.density}; "
            "start from a denser network"
        )
    pruner = Pruner(kernels(model), lambda weights, density: masks_for(weights, plan, density, plan.family))
    before_step = pruner.gradual(plan.schedule, plan.density, plan.pruned_at, plan.updates, max(start, plan.density))
    rng = np.random.default_rng((plan.seed, 1))
    fit(model, data.train, plan.prune, rng, before_step, progress, teacher=dense, share=plan.teacher)
    before_step(1.0)  # if there were fewer steps than rounds, the last round is done here
    return model, pruner.masks


def kept_share(weights: Mapping[str, npt.NDArray[np.float32]]) -> float:
    """Share of the weights of all matrices that are not zero."""
    return sum(int((matrix != 0).sum()) for matrix in weights.values()) / sum(m.size for m in weights.values())


def quantize(
    pruned: Any, dense: Any, masks: Mapping[str, Mask], data: Dataset, plan: Plan, progress: Progress | None = None
) -> Any:
    """The second stage of `compress`: quantize a pruned network and fine-tune it under its masks.

    Args:
        pruned: network with float weights.
        dense: the teacher.
        masks: kernel name -> (outputs, inputs) mask of the pruned network.
        data: data set, of which only the training split is used.
        plan: how to compress.
        progress: called after each epoch.

    Raises:
        FormatError: if a weight is or becomes not finite; the message names the layer.
        UnsupportedError: if the weights of the plan are float, or the model is not a network of this project.
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
    before_step = groups.until(plan.pruned_at, plan.updates)
    rng = np.random.default_rng((plan.seed, 2))
    fit(model, data.train, plan.tune, rng, before_step, progress, teacher=dense, share=plan.teacher)
    finish(variables, quantizers)
    return model


def like(model: Any, weights: Weights, masks: Mapping[str, Mask] | None = None, formats: Formats | None = None) -> Any:
    """A copy of a network with other kernel quantizers and masks; pruned weights are set to zero.

    Args:
        model: a `network`.
        weights: kind of the kernels' quantizers in the copy.
        masks: kernel name -> (outputs, inputs) mask; kernels without one keep all weights.
        formats: of the other quantizers; those of the model by default.
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
