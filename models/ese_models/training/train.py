"""Training: a seeded loop of compiled steps on arrays, the same for every stage and every task.

A schedule (pruning, learned grouping) is a function called before each step: it changes masks and weights there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ese_host.errors import UnsupportedError
from ese_models.data import Dataset, Split
from ese_models.networks import Formats, Topology, check_finite, network
from ese_models.training.quantize_once import quantized_once

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and its mean loss."""
BATCH = 512
"""Samples that are predicted at once."""


@dataclass(frozen=True)
class Recipe:
    """How one stage is trained.

    Attributes:
        epochs: passes over the training split. batch: samples a step (a rest of the split waits an epoch).
        rate: peak learning rate of Adam; it rises over the first `warmup` share of steps and falls as a cosine to zero.
        noise: standard deviation of the noise added to frames, in standard deviations of each feature.
        crop: largest share of an utterance's frames that is cut off its beginning and end.
        smoothing: share of a label's probability that is spread over all classes.
        decay: decoupled weight decay, in parts of the learning rate.
        dropout: share of the last layer's inputs that is dropped, where the network drops any; None is its own.
    """

    epochs: int
    rate: float
    batch: int = 54
    warmup: float = 0.1
    noise: float = 0.0
    crop: float = 0.0
    smoothing: float = 0.0
    decay: float = 0.0
    dropout: float | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not self.rate > 0:
            raise UnsupportedError(f"recipe: epochs {self.epochs}, batch {self.batch}, rate {self.rate}; all positive")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise UnsupportedError(f"recipe: dropout {self.dropout}; 0 or more, below 1 is allowed")

    def rate_at(self, done: float) -> float:
        """Learning rate when a share `done` of the steps is done."""
        if done < self.warmup:
            return self.rate * (0.05 + 0.95 * done / self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


DENSE = Recipe(epochs=160, rate=5e-3, noise=0.6, crop=0.2)


def fit(
    model: Any,
    split: Split,
    recipe: Recipe,
    rng: np.random.Generator,
    before_step: Callable[[float], None] | None = None,
    progress: Progress | None = None,
    *,
    teacher: Any = None,
    share: float = 0.0,
) -> None:
    """Train a network's variables in place.

    Args:
        model: what is trained: (batch, ...) inputs to probabilities.
        split: training samples; frames without a label do not count.
        recipe: epochs, rates and augmentation.
        rng: source of the order and the augmentation.
        before_step: called before each step with the share of steps done.
        progress: called after each epoch.
        teacher: a network whose probabilities for the same, augmented inputs are learned (distillation, 1503.02531).
        share: how much of the targets is the teacher's.

    Raises:
        FormatError: a weight is no longer finite.
        UnsupportedError: the recipe crops sequences that have a label a frame.
    """
    if recipe.crop and (split.framewise or split.inputs.ndim == 2):
        raise UnsupportedError(f"recipe: crop {recipe.crop} cuts sequences with one label each; others take crop 0")
    if recipe.dropout is not None:
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = recipe.dropout
    optimizer = keras.optimizers.Adam(1e-3, clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    step = _step(model, optimizer, recipe.smoothing, teacher, share)
    count = len(split.labels)
    batch = min(recipe.batch, count)
    per_epoch = count // batch
    spread = split.inputs.reshape(-1, split.inputs.shape[-1]).std(axis=0)
    for epoch in range(recipe.epochs):
        order = rng.permutation(count)
        losses = []
        for index in range(per_epoch):
            done = (epoch + index / per_epoch) / recipe.epochs
            if before_step is not None:
                before_step(done)
            rate = recipe.rate_at(done)
            optimizer.learning_rate.assign(rate)
            chosen = order[index * batch : (index + 1) * batch]
            inputs = augmented(split, chosen, recipe, spread, rng)
            shrink = tf.constant(np.float32(rate * recipe.decay))
            losses.append(float(step(tf.constant(inputs), tf.constant(split.labels[chosen]), shrink)))
        if progress is not None:
            progress(epoch + 1, float(np.mean(losses)))
    check_finite(model)


def _step(model: Any, optimizer: Any, smoothing: float, teacher: Any, share: float) -> Any:
    """The compiled step: inputs, labels, weight decay -> loss."""
    kernels = [v for v in model.trainable_variables if "kernel" in v.path]
    classes = model.output_shape[-1]

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator,unused-ignore]
    def step(inputs: Any, labels: Any, shrink: Any) -> Any:
        targets = tf.one_hot(labels, classes)  # all zero where there is no label
        known = tf.reduce_sum(targets, axis=-1, keepdims=True)
        targets = (1 - smoothing) * targets + known * (smoothing / classes)
        if teacher is not None:
            targets = (1 - share) * targets + share * known * teacher(inputs, training=False)
        with tf.GradientTape() as tape, quantized_once(model):
            probabilities = model(inputs, training=True)
            total = tf.reduce_sum(targets * tf.math.log(probabilities + 1e-7))
            loss = -total / tf.maximum(tf.reduce_sum(known), 1.0)
        gradients = tape.gradient(loss, model.trainable_variables)
        for kernel in kernels:
            kernel.assign(kernel * (1 - shrink))
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def augmented(
    split: Split, chosen: npt.NDArray[np.int64], recipe: Recipe, spread: Floats, rng: np.random.Generator
) -> Floats:
    """The chosen inputs, cropped and noisy as the recipe says; padding stays zero and where it is."""
    inputs = split.inputs[chosen]
    lengths = split.lengths[chosen]
    if recipe.crop:
        head, tail = np.floor(rng.uniform(0, recipe.crop / 2, (2, len(chosen))) * (lengths + 1)).astype(np.int64)
        lengths = lengths - head - tail
        inputs = np.stack([np.roll(series, cut, axis=0) for series, cut in zip(inputs, tail, strict=True)])
    if recipe.noise:
        inputs = inputs + recipe.noise * spread * rng.standard_normal(inputs.shape, dtype=np.float32)
    if inputs.ndim == 3:
        place = np.arange(inputs.shape[1])
        real = place >= (len(place) - lengths)[:, None] if split.padded == "front" else place < lengths[:, None]
        inputs = inputs * real[:, :, None]
    return np.asarray(inputs, dtype=np.float32)


def predict(model: Any, split: Split) -> Floats:
    """(samples, classes) or (samples, steps, classes) probabilities.

    A bidirectional network would read padding at the end first, so that it gets each sequence by itself.
    """
    bidirectional = any(isinstance(layer, keras.layers.Bidirectional) for layer in model.layers)
    if split.padded == "front" or not bidirectional:
        count = len(split.labels)
        batch = min(BATCH, count)
        # full batches alone: another size would be traced anew, which takes longer than the computation
        rest = np.zeros((-count % batch, *split.inputs.shape[1:]), dtype=np.float32)
        inputs = np.concatenate([split.inputs, rest]) if len(rest) else split.inputs
        found: Floats = model.predict(inputs, batch_size=batch, verbose=0)[:count]
        return found
    whole = np.zeros((*split.inputs.shape[:-1], model.output_shape[-1]), dtype=np.float32)
    for row, inputs, length in zip(whole, split.inputs, split.lengths, strict=True):
        row[:length] = model.predict(inputs[None, :length], verbose=0)[0]
    return whole


def train_dense(
    data: Dataset,
    seed: int,
    *,
    recipe: Recipe = DENSE,
    topology: Topology = Topology((64,)),  # noqa: B008 - frozen
    formats: Formats | None = None,
    progress: Progress | None = None,
) -> Any:
    """A dense network (float kernels; input, state, bias and activations quantized), trained from scratch.

    Args:
        data: its training split is used alone.
        seed: of initial weights, order and augmentation.
        recipe: how to train.
        topology: the network's layers.
        formats: quantizers of everything but the kernels.
        progress: called after each epoch.

    Raises:
        FormatError: training diverged; the layer is named.
    """
    keras.utils.set_random_seed(seed)
    # whole utterances of any length are tested where training sees chunks
    steps = None if data.train.framewise or data.train.inputs.ndim == 2 else data.train.inputs.shape[1]
    features, outputs = data.train.inputs.shape[-1], len(data.classes)
    model = network(topology, features=features, outputs=outputs, steps=steps, formats=formats)
    fit(model, data.train, recipe, np.random.default_rng(seed), progress=progress)
    return model


def shortened(recipe: Recipe, epochs: int | None) -> Recipe:
    """The recipe with another number of epochs, where one is given."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)
