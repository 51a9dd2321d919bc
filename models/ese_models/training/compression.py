# SPDX-License-Identifier: Apache-2.0
"""Compression of a dense network: gradual pruning, then quantization-aware fine-tuning under the final masks.

Pruning alternates with retraining (Han et al., NIPS'15), by default with the density schedule of Zhu and Gupta
(1710.01878, equation 1). The masks are those of one family, such as ESE's (FPGA'17) or this project's gap-aware ones.
They are kept by Keras constraints, which are saved with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.errors import UnsupportedError
from ese_models.data import Dataset
from ese_models.masking import (
    LEARNED,
    MaskPlan,
    Pruner,
    Regrouping,
    begin,
    finish,
    interleaves,
    kept_share,
    masks_for,
    matrices,
)
from ese_models.networks import (
    QUANTIZERS,
    Mask,
    check_finite,
    constraints,
    formats_of,
    kernels,
    quantized_twin,
    weight_quantizers,
)
from ese_models.pruning import SCHEDULES, Schedule
from ese_models.quantizers import STARTS, Start
from ese_models.training.train import Progress, Recipe, fit

PRUNE = Recipe(epochs=240, rate=1e-2, noise=0.5, crop=0.2)
TUNE = Recipe(epochs=160, rate=5e-3, noise=0.5, crop=0.2)


@dataclass(frozen=True)
class Plan(MaskPlan):
    """How a dense network is compressed.

    Weights of kind "float" stop after pruning. "twn" and "ttq" learn their grouping: the masks are chosen again
    `updates` times from the latent weights, during the first share `pruned_at` of the quantized stage.

    Attributes:
        seed: of the order of samples and their augmentation.
        prune: recipe of the pruning stage.
        tune: recipe of the quantized stage.
        schedule: by which the density falls, "cubic" or "geometric".
        pruned_at: share of the pruning stage's steps after which the density has reached its target.
        updates: number of times that masks are chosen until then.
        teacher: share of the dense network's probabilities in the training targets (distillation, 1503.02531).
        per_channel: whether each output channel has a scale; otherwise each kernel has one.
        codebook_bits: width of a codebook's index in bits, 2 to 8; the engine supports 4.
        codebook_start: initial centroids of a codebook, "linear", "density" or "random".

    Raises:
        UnsupportedError: if a value is not allowed.
    """

    seed: int = 0
    prune: Recipe = field(default=PRUNE)
    tune: Recipe = field(default=TUNE)
    schedule: Schedule = "cubic"
    pruned_at: float = 0.6
    updates: int = 40
    teacher: float = 1.0
    per_channel: bool = True
    codebook_bits: int = 4
    codebook_start: Start = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule not in SCHEDULES:
            raise UnsupportedError(f"schedule is {self.schedule!r}; allowed: {', '.join(SCHEDULES)}")
        if not 2 <= self.codebook_bits <= 8:
            raise UnsupportedError(f"codebook_bits is {self.codebook_bits}; 2 to 8 are allowed")
        if self.codebook_start not in STARTS:
            raise UnsupportedError(f"start of the centroids is {self.codebook_start!r}; allowed: {', '.join(STARTS)}")


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
    dense: Any,
    data: Dataset,
    plan: Plan,
    progress: Progress | None = None,
    begun: Any = None,
    checkpoint: Path | None = None,
) -> tuple[Any, dict[str, Mask]]:
    """The first stage of `compress`: prune a network in rounds while it is retrained.

    Args:
        dense: network from which pruning starts, and the teacher.
        data: data set, of which only the training split is used.
        plan: how to compress.
        progress: called after each epoch.
        begun: pruned network from which pruning starts instead, at its density.
        checkpoint: file that is written after each epoch; if it exists, training goes on from it, and the masks are
            chosen again.

    Returns:
        The pruned float network, and kernel name -> (outputs, inputs) mask.

    Raises:
        FormatError: if a weight is or becomes not finite; the message names the layer.
        UnsupportedError: if `begun` is sparser than the plan, a model is not a network of this project, or the plan
            names a kernel that it lacks.
    """
    check_finite(dense)
    model = quantized_twin(dense if begun is None else begun, "float", {}, None, goal=plan.goal)
    start = 1.0 if begun is None else kept_share(matrices(begun))
    # A network of exactly the plan's density may keep slightly fewer weights, because the counts are rounded per PE.
    if start < 0.99 * plan.density:
        raise UnsupportedError(
            f"the network to start from keeps {start:.4f} of its weights, but the plan keeps {plan.density}; "
            "start from a denser network"
        )
    rows = interleaves(model, plan.pes)
    pruner = Pruner(kernels(model), lambda weights, density: masks_for(weights, rows, plan, density, plan.family))
    before_step = pruner.gradual(plan.schedule, plan.density, plan.pruned_at, plan.updates, max(start, plan.density))
    rng = np.random.default_rng((plan.seed, 1))
    distilled = {"teacher": dense, "share": plan.teacher, "checkpoint": checkpoint}
    fit(model, data.train, plan.prune, rng, before_step, progress, **distilled)
    before_step(1.0)  # if there were fewer steps than rounds, the last round is done here
    return model, pruner.masks


def quantize(
    pruned: Any,
    dense: Any,
    masks: Mapping[str, Mask],
    data: Dataset,
    plan: Plan,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Any:
    """The second stage of `compress`: quantize a pruned network and fine-tune it under its masks.

    Args:
        pruned: network with float weights.
        dense: the teacher.
        masks: kernel name -> (outputs, inputs) mask of the pruned network.
        data: data set, of which only the training split is used.
        plan: how to compress.
        progress: called after each epoch.
        checkpoint: file that is written after each epoch; if it exists, training goes on from it, and learned groups
            are chosen again.

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
    model = quantized_twin(pruned, plan.weights, {} if learned else masks, None, scales=form, goal=plan.goal)
    variables, quantizers = kernels(model), weight_quantizers(model)
    begin(variables, quantizers, masks, plan.codebook_start, plan.seed)
    rows = interleaves(model, plan.pes)
    groups = Regrouping(
        variables, quantizers if learned else {}, lambda w: masks_for(w, rows, plan, plan.density, plan.family)
    )
    before_step = groups.until(plan.pruned_at, plan.updates)
    rng = np.random.default_rng((plan.seed, 2))
    distilled = {"teacher": dense, "share": plan.teacher, "checkpoint": checkpoint}
    fit(model, data.train, plan.tune, rng, before_step, progress, **distilled)
    finish(variables, quantizers)
    return model
