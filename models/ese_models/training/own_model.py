# SPDX-License-Identifier: Apache-2.0
"""Compression of any Keras or QKeras model on any data, by the model's own `fit`, loss and metrics.

`prune` and `quantize` give models that the user compiles and trains as any other; `compress` does all of it. The masks
and quantizers are those of `compression`, which trains the networks of this project by a loop of its own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Union

import keras
import numpy as np
import tensorflow as tf

from ese_host.errors import FormatError, UnsupportedError
from ese_models.masking import (
    LEARNED,
    GroupingSchedule,
    MaskPlan,
    PruningSchedule,
    StepShare,
    begin,
    gap_bits_of,
    interleaves,
    kind_of,
    masks_from_dense,
    matrices,
    plan_from,
)
from ese_models.networks import (
    QUANTIZERS,
    Formats,
    Weights,
    check_finite,
    check_layers,
    load_model,
    masked,
    masks_on,
    prunable,
    put_masks,
    quantized_twin,
    source_format,
)
from ese_models.progress import progress_bar
from ese_models.pruning import Schedule
from ese_models.quantizers import Start
from ese_models.training.fit_data import classifies, fit_data, loss_for, ranges_of, score, steps_of
from ese_models.training.train import Recipe

RATES = (1e-2, 5e-3)
"""Peak learning rates of the pruning and of the quantized stage for Adam and its like, as of the built-in tasks: sparse
networks are trained well by higher rates than dense ones."""
LOST = 0.05
"""Loss of accuracy, or of explained variance, on the training samples that is worth a warning."""
JUDGED = 1000
"""Training samples on which it is measured."""
Epochs = Union[int, tuple[int, int], None]
"""Epochs of both stages, of each stage, or None for as many as give `STEPS` training steps."""
STEPS = (1500, 1000)
"""Training steps of the pruning and of the quantized stage, if the number of epochs is not given."""
FEWEST, MOST = 5, 300
"""Fewest and most epochs of a stage, if their number is not given."""


def mask_plan(model: Any, changes: Mapping[str, Any]) -> MaskPlan:
    """A plan of masks for a model; without `gap_bits`, the gap field is as wide as its kernels need.

    Args:
        model: a Keras or QKeras model, or a layer.
        changes: values of `MaskPlan` by name; None leaves a value at its default.

    Raises:
        UnsupportedError: if a plan has no such value, or it is not allowed.
    """
    plan = plan_from(None, {name: value for name, value in changes.items() if value is not None})
    if changes.get("gap_bits") is not None:
        return plan
    return plan_from(plan, {"gap_bits": gap_bits_of(interleaves(model, plan.pes), kind_of(plan.weights))})


def prune(model: Any, **options: Any) -> Any:
    """Prune a model, or a layer, once, with load-balanced masks that are kept while it trains on.

    The masks are Keras constraints of the kernels: every step of an optimizer keeps pruned weights at zero, and
    `save` and `load_model` keep the masks (read such a file with `ese4ml.load_model`). For gradual pruning, train with
    the callback `PruningSchedule`, which puts masks on a model by itself.

    Args:
        model: a Keras or QKeras model with Dense, LSTM or GRU layers, whose weights exist; or one such layer.
        options: values of `MaskPlan` by name: density, pes, family (a name, or a function of your own), gap_bits,
            weights, emphasis, layers.

    Returns:
        A copy of the model, to be compiled and trained; a layer is pruned in place and returned.

    Raises:
        UnsupportedError: if the model has no kernel that can be pruned, or an option is not allowed.
        FormatError: if a weight is not finite.
    """
    plan = mask_plan(model, options)
    masks = masks_from_dense(matrices(model), interleaves(model, plan.pes), plan, plan.density)
    if isinstance(model, keras.Model):
        return masked(model, masks, plan.goal)
    put_masks(model, masks, plan.goal)
    return model


def quantize(
    model: Any,
    weights: Weights = "ternary",
    *,
    data: Any = None,
    formats: Formats | None = Formats(),  # noqa: B008 - frozen
    per_channel: bool = True,
    power_of_two: bool = False,
    codebook_bits: int = 4,
    codebook_start: Start = "linear",
    seed: int = 0,
) -> Any:
    """The quantized twin of a model: QDense, QLSTM and QGRU layers in place of Dense, LSTM and GRU, masks kept.

    Train it on to regain accuracy, as any Keras model. If the weights are "twn", "ttq" or "codebook4", train it with
    the callback `GroupingSchedule`.

    Args:
        model: a Keras or QKeras model, pruned or not; weights that are zero stay zero.
        weights: kind of the kernels' quantizers: "ternary", "twn", "ttq", "int4" or "codebook4".
        data: training data, whose range decides the format of the inputs; without it, that of `formats` is taken.
        formats: of inputs, states, biases and activations that have no quantizer; None leaves them without, so that the
            conversion chooses their formats.
        per_channel: whether each output channel has a scale; otherwise each kernel has one.
        power_of_two: whether scales are rounded to powers of two.
        codebook_bits: width of a codebook's index in bits, 2 to 8; the engine supports 4.
        codebook_start: initial centroids of a codebook, "linear", "density" or "random".
        seed: of random centroids.

    Returns:
        A new model, not compiled.

    Raises:
        UnsupportedError: if the weights are none of these kinds, or the model has no Dense, LSTM or GRU layer.
        FormatError: if a weight is not finite, or the inputs of the data are not finite.
    """
    if weights not in QUANTIZERS:
        raise UnsupportedError(f"weights are {weights!r}; to quantize, choose one of {', '.join(QUANTIZERS)}")
    check_finite(model)
    scales = {} if weights == "codebook4" else {"per_channel": per_channel, "power_of_two": power_of_two}
    form = formats or Formats()
    form = replace(form, scales={**form.scales, **scales}, codebook_bits=codebook_bits)
    zeros = {name: matrix != 0 for name, matrix in matrices(model).items()}
    masks = {**zeros, **masks_on(model)}
    learned = weights in LEARNED
    twin = quantized_twin(
        model,
        weights,
        {} if learned else masks,
        None if formats is None else form,
        scales=form,
        sources={} if data is None else {name: source_format(size) for name, size in ranges_of(model, data).items()},
    )
    kernels = prunable(twin)
    variables = {name: kernel.variable for name, kernel in kernels.items()}
    begin(variables, {name: kernel.quantizer for name, kernel in kernels.items()}, masks, codebook_start, seed)
    return twin


def compress(
    model: Any,
    data: Any,
    *,
    density: float = 0.1,
    weights: Weights = "ternary",
    pes: int = 8,
    epochs: Epochs = None,
    validation: Any = None,
    batch_size: int | None = None,
    loss: Any = None,
    optimizer: Any = None,
    metrics: Any = None,
    callbacks: Sequence[Any] = (),
    schedule: Schedule = "cubic",
    formats: Formats | None = Formats(),  # noqa: B008 - frozen
    per_channel: bool = True,
    codebook_bits: int = 4,
    codebook_start: Start = "linear",
    seed: int = 0,
    verbose: Any = "auto",
    **options: Any,
) -> Any:
    """Prune and quantize a trained Keras or QKeras model for an engine; the model itself does not change.

    The model is trained in two stages by Keras's `fit`: while masks are chosen that keep fewer and fewer weights
    (`PruningSchedule`), and then with quantized weights under the masks. Each stage has a new optimizer of the model's
    own kind. Its rate rises to 0.01 and 0.005 in the two stages and falls to zero as a cosine; SGD and an optimizer
    that is given keep their own rates, and a schedule stays as it is. If the model loses much of its accuracy on the
    training samples, a warning says so.

    Args:
        model: a trained Sequential or Functional model with LSTM, GRU or Dense layers, or the path of its .keras file.
            Other layers are trained along.
        data: training data: a pair (x, y) of arrays, or (x, y, sample_weight); the path of an .npz file with x and y;
            or a tf.data.Dataset or keras PyDataset of batches, as `fit` takes them.
        density: kept share of the weights of all kernels together, above 0, at most 1.
        weights: kind of the weights: "ternary", "twn", "ttq", "int4", "codebook4", or "float" to prune only.
        pes: number of PEs of the engine over which the weights are balanced.
        epochs: of both stages, or a pair, one for each; None for about 1,500 and 1,000 training steps.
        validation: data on which loss and metrics are measured after each epoch, as `fit` takes them.
        batch_size: samples per step, for arrays; 32 by default, as in Keras.
        loss: as for `compile`; by default that of the model, or if it is not compiled, one that fits its output.
        optimizer: likewise; by default a new one like the model's, or Adam.
        metrics: likewise; by default those of the model.
        callbacks: further Keras callbacks, for both stages.
        schedule: by which the density falls, "cubic" or "geometric".
        formats: as in `quantize`.
        per_channel: as in `quantize`.
        codebook_bits: as in `quantize`.
        codebook_start: as in `quantize`.
        seed: of the order of samples, and of all other random numbers of Keras and NumPy.
        verbose: "auto" shows one progress bar for each stage; any other value is that of `fit`.
        options: further values of `MaskPlan` by name: family (a name, or a function of your own), gap_bits, emphasis,
            layers.

    Returns:
        The compressed model, compiled. It holds masks, quantizers, and the number of PEs for which it was made.

    Raises:
        UnsupportedError: if a value is not allowed, or the model has no layer that can be compressed.
        FormatError: if a weight or an input is not finite, or training diverged.
    """
    if isinstance(model, (str, Path)):
        model = load_model(model)
    check_layers(model)
    plan = mask_plan(model, {"density": density, "weights": weights, "pes": pes, **options})
    stages = epochs if isinstance(epochs, tuple) else (epochs, epochs)
    check_finite(model)
    data = fit_data(model, data)
    ranges_of(model, data)  # bad data is refused before minutes of training
    given = {"loss": loss, "optimizer": optimizer, "metrics": metrics}
    fitted = {
        "data": data, "validation": validation, "batch_size": batch_size, "verbose": verbose, "optimizer": optimizer,
    }  # fmt: skip
    keras.utils.set_random_seed(seed)
    pruned = masked(model, masks_on(model), plan.goal)
    _compile(pruned, model, data, given)
    _fit(pruned, "prune", stages[0], [PruningSchedule(plan, schedule=schedule), *callbacks], RATES[0], **fitted)
    if weights == "float":
        _judge(model, pruned, data)
        return pruned
    made = quantize(
        pruned, weights, data=data, formats=formats, per_channel=per_channel, codebook_bits=codebook_bits,
        codebook_start=codebook_start, seed=seed,
    )  # fmt: skip
    _compile(made, model, data, given)
    _fit(made, "quantize", stages[1], [GroupingSchedule(plan), *callbacks], RATES[1], **fitted)
    _judge(model, made, data)
    return made


def _judge(model: Any, compressed: Any, data: Any) -> None:
    """Warn if a compressed model has lost much of what the model could do on training samples, if these are arrays."""
    if not isinstance(data, (tuple, list)):
        return
    x, y = keras.tree.map_structure(lambda array: np.asarray(array)[:JUDGED], tuple(data[:2]))
    before, after = score(model, x, y), score(compressed, x, y)
    if after < before - LOST:
        metric = "accuracy" if classifies(model, y) else "explained variance"
        warnings.warn(
            f"{metric} on the training samples fell from {before:.1%} to {after:.1%}: keep more weights (density), "
            "train longer (epochs), or choose another kind of weights (int4, ttq)",
            CompressionWarning,
            stacklevel=3,
        )


class CompressionWarning(UserWarning):
    """A compressed model has lost much of its accuracy."""


class _Cosine(StepShare):
    """Learning rate of a stage: it rises for a tenth of the steps, then falls to zero as a cosine."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        recipe = Recipe(epochs=1, rate=rate)
        self.before_step = lambda done: self.model.optimizer.learning_rate.assign(recipe.rate_at(done))


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc,unused-ignore]
    """Calls a function after each epoch with its number and its loss."""

    def __init__(self, progress: Any) -> None:
        super().__init__()
        self._progress = progress

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Call the function."""
        self._progress(epoch + 1, (logs or {}).get("loss"))


def _fit(
    model: Any,
    stage: str,
    epochs: int | None,
    callbacks: list[Any],
    peak: float,
    *,
    data: Any,
    validation: Any,
    batch_size: int | None,
    verbose: Any,
    optimizer: Any,
) -> None:
    """Train one stage of `compress`."""
    if epochs is None:
        steps = steps_of(data, batch_size or 32)
        wanted = STEPS[0] if stage == "prune" else STEPS[1]
        epochs = FEWEST if steps is None else min(MOST, max(FEWEST, math.ceil(wanted / steps)))
    if epochs < 1:
        raise UnsupportedError(f"epochs of the stage {stage!r} are {epochs}; at least 1 is needed")
    rate = model.optimizer.learning_rate
    if not isinstance(model.optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        own = optimizer is not None or isinstance(model.optimizer, keras.optimizers.SGD)
        callbacks = [*callbacks, _Cosine(float(rate) if own else max(peak, float(rate)))]
    arguments: dict[str, Any] = {"epochs": epochs, "validation_data": validation}
    if isinstance(data, (tuple, list)):
        names = ("x", "y", "sample_weight")
        arguments |= dict(zip(names, data, strict=False)) | {"batch_size": batch_size}
    else:
        arguments["x"] = data
    with progress_bar(stage, epochs) if verbose == "auto" else nullcontext() as progress:
        if progress is not None:
            callbacks = [*callbacks, _Epochs(progress)]
        try:
            model.fit(**arguments, callbacks=callbacks, verbose=0 if verbose == "auto" else verbose)
        except (ValueError, tf.errors.OpError) as error:
            first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise FormatError(
                f"Keras cannot train the model on the data: {first[:300]}; check that samples and labels fit the model "
                "and its loss, and that a data set gives batches"
            ) from error
    check_finite(model)


def _compile(model: Any, like: Any, data: Any, given: Mapping[str, Any]) -> None:
    """Compile a model with the loss, optimizer and metrics given, else with those of another model."""
    compiled = bool(getattr(like, "compiled", False))
    optimizer = given["optimizer"] or (like.optimizer if compiled else None) or keras.optimizers.Adam()
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer = keras.optimizers.get(optimizer)
    loss, metrics = given["loss"] or (like.loss if compiled else None), given["metrics"]
    own = getattr(like, "_compile_metrics", None) if compiled else None
    if metrics is None and own is not None:
        metrics = own._user_metrics
    model.compile(
        optimizer=type(optimizer).from_config(optimizer.get_config()),
        loss=loss_for(model, data) if loss is None else loss,
        loss_weights=getattr(getattr(like, "_compile_loss", None), "_user_loss_weights", None),
        metrics=metrics,
        run_eagerly=compiled and like.run_eagerly,
        jit_compile=like.jit_compile if compiled else "auto",
    )
