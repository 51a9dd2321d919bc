# SPDX-License-Identifier: Apache-2.0
"""Training: a seeded loop of compiled steps on arrays, the same for every stage and every task.

Pruning and learned grouping are functions called before each step, which change masks and weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ese_host.errors import UnsupportedError
from ese_models.data import Dataset, Split
from ese_models.networks import QLSTMP, Formats, Topology, check_finite, network, parts
from ese_models.training.checkpoint import Checkpoint
from ese_models.training.quantize_once import quantized_once

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, float], None]
"""Function called after each epoch with its number, from 1, and its mean loss."""
BATCH = 512
"""Largest number of samples that are predicted at once."""


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one training stage.

    Attributes:
        epochs: passes over the training split.
        rate: peak learning rate of Adam; it rises during the `warmup` share of the steps, then falls as a cosine to 0.
        batch: samples per step. Samples that do not fill a batch are left out of the epoch; the order is random.
        warmup: share of the steps during which the learning rate rises.
        noise: standard deviation of the noise added to inputs, in standard deviations of each feature.
        crop: largest share of a sequence's frames that is cut off, half of it at each end at most.
        smoothing: share of a label's probability that is spread over all classes (label smoothing).
        decay: decoupled weight decay per step, as a factor on the learning rate.
        dropout: share of the last layer's inputs that is dropped, if the network has dropout; None keeps the network's.
        products: type of the factors and results of the matrix products of QLSTMP layers during training; "bfloat16" is
            about twice as fast on processors that have it. Everything else is float32, and so is the trained network.

    Raises:
        UnsupportedError: if epochs, batch or rate is not positive, or the dropout is not allowed.
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
    products: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not self.rate > 0:
            raise UnsupportedError(
                f"recipe has epochs {self.epochs}, batch {self.batch} and rate {self.rate}; all must be positive"
            )
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise UnsupportedError(f"recipe has dropout {self.dropout}; 0 or more, below 1 is allowed")

    def rate_at(self, done: float) -> float:
        """Learning rate when the share `done` of the steps is done."""
        if done < self.warmup:
            return self.rate * (0.05 + 0.95 * done / self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


XLA = True
"""Whether a training step is compiled by XLA, which takes about a second and makes each step several times faster.

A QLSTMP compiles the parts of its step that XLA computes best, so that a network with one is not compiled as a whole.
"""
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
    checkpoint: Path | None = None,
) -> None:
    """Train a network in place.

    Args:
        model: network from (batch, ...) inputs to probabilities.
        split: training samples; frames without a label do not count in the loss.
        recipe: hyperparameters.
        rng: source of the order of samples and of their augmentation.
        before_step: called before each step with the share of steps done.
        progress: called after each epoch.
        teacher: network whose probabilities for the same, augmented inputs are learned (distillation, 1503.02531).
        share: share of the teacher's probabilities in the targets, 0 to 1.
        checkpoint: file that is written after each epoch; if it exists, training goes on from it.

    Raises:
        FormatError: if a weight is not finite at the end, or the checkpoint is of another network.
        UnsupportedError: if the recipe crops vectors or sequences with a label for each frame.
    """
    if recipe.crop and (split.framewise or split.inputs.ndim == 2):
        raise UnsupportedError(
            f"recipe has crop {recipe.crop}, but only sequences with one label each can be cropped; set crop to 0"
        )
    if recipe.dropout is not None:
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = recipe.dropout
    optimizer = keras.optimizers.Adam(1e-3, clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    saved = None if checkpoint is None else Checkpoint(checkpoint, model, optimizer, rng)
    step = _step(model, optimizer, recipe.smoothing, teacher, share)
    count = len(split.labels)
    batch = min(recipe.batch, count)
    per_epoch = count // batch
    spread = split.inputs.reshape(-1, split.inputs.shape[-1]).std(axis=0)
    with _products(recipe.products, model, teacher):
        for epoch in range(saved.read() if saved else 0, recipe.epochs):
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
            if saved:
                saved.write(epoch + 1)
            if progress is not None:
                progress(epoch + 1, float(np.mean(losses)))
    check_finite(model)


@contextmanager
def _products(kind: str, *models: Any) -> Iterator[None]:
    """Let the QLSTMP layers of models compute their products in a type within the block."""
    layers = [layer for model in models if model is not None for layer in recurrent_projections(model)]
    before = [layer.products for layer in layers]
    try:
        for layer in layers:
            layer.products = kind
        yield
    finally:
        for layer, products in zip(layers, before, strict=True):
            layer.products = products


def recurrent_projections(model: Any) -> list[Any]:
    """The QLSTMP layers of a model."""
    return [layer for _, layer in parts(model) if isinstance(layer, QLSTMP)]


def _step(model: Any, optimizer: Any, smoothing: float, teacher: Any, share: float) -> Any:
    """A compiled training step: a function of inputs, labels and weight decay that returns the loss."""
    kernels = [v for v in model.trainable_variables if "kernel" in v.path]
    classes = model.output_shape[-1]

    @tf.function(jit_compile=XLA)  # type: ignore[untyped-decorator,unused-ignore]
    def update(gradients: Any, shrink: Any) -> None:
        for kernel in kernels:
            kernel.assign(kernel * (1 - shrink))
        optimizer.apply(gradients, model.trainable_variables)

    @tf.function(jit_compile=XLA and not recurrent_projections(model))  # type: ignore[untyped-decorator,unused-ignore]
    def step(inputs: Any, labels: Any, shrink: Any) -> Any:
        targets = tf.one_hot(labels, classes)  # all zero for frames without a label
        known = tf.reduce_sum(targets, axis=-1, keepdims=True)
        targets = (1 - smoothing) * targets + known * (smoothing / classes)
        if teacher is not None:
            targets = (1 - share) * targets + share * known * teacher(inputs, training=False)
        with tf.GradientTape() as tape, quantized_once(model):
            probabilities = model(inputs, training=True)
            total = tf.reduce_sum(targets * tf.math.log(probabilities + 1e-7))
            loss = -total / tf.maximum(tf.reduce_sum(known), 1.0)
        update(tape.gradient(loss, model.trainable_variables), shrink)
        return loss

    return step


def augmented(
    split: Split, chosen: npt.NDArray[np.int64], recipe: Recipe, spread: Floats, rng: np.random.Generator
) -> Floats:
    """Some samples of a split with random crops and noise; padding stays zero and on its side.

    Args:
        split: training samples.
        chosen: (batch,) indices of the samples.
        recipe: gives `crop` and `noise`.
        spread: (features,) standard deviation of each feature.
        rng: source of the crops and the noise.
    """
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
    """(samples, classes) or (samples, steps, classes) probabilities that a network gives for a split.

    A bidirectional network whose samples are padded at the end gets each sequence separately and without padding, which
    its backward direction would otherwise read first.
    """
    bidirectional = any(isinstance(layer, keras.layers.Bidirectional) for layer in model.layers)
    if split.padded == "front" or not bidirectional:
        count = len(split.labels)
        # Batches have few sizes, and are filled up: TensorFlow would trace the model again for another size, such as
        # that of the next split, which takes longer than the computation.
        batch = min(BATCH, 1 << (count - 1).bit_length())
        rest = np.zeros((-count % batch, *split.inputs.shape[1:]), dtype=np.float32)
        inputs = np.concatenate([split.inputs, rest]) if len(rest) else split.inputs
        probabilities: Floats = model.predict(inputs, batch_size=batch, verbose=0)[:count]
        return probabilities
    padded = np.zeros((*split.inputs.shape[:-1], model.output_shape[-1]), dtype=np.float32)
    for row, inputs, length in zip(padded, split.inputs, split.lengths, strict=True):
        row[:length] = model.predict(inputs[None, :length], verbose=0)[0]
    return padded


def train_dense(
    data: Dataset,
    seed: int,
    *,
    recipe: Recipe = DENSE,
    topology: Topology = Topology((64,)),  # noqa: B008 - frozen
    formats: Formats | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Any:
    """Train a dense network from scratch: its kernels are float; input, state, biases and activations are quantized.

    Args:
        data: data set, of which only the training split is used.
        seed: of initial weights, the order of samples and their augmentation.
        recipe: hyperparameters.
        topology: layers of the network.
        formats: quantizers of everything but the kernels; `Formats()` by default.
        progress: called after each epoch.
        checkpoint: file that is written after each epoch; if it exists, training goes on from it.

    Raises:
        FormatError: if training diverged; the message names the layer.
        UnsupportedError: if the recipe crops vectors or sequences with a label for each frame.
    """
    keras.utils.set_random_seed(seed)
    # Frame-wise networks train on chunks and are tested on whole utterances, so that the number of steps stays open.
    steps = None if data.train.framewise or data.train.inputs.ndim == 2 else data.train.inputs.shape[1]
    features, outputs = data.train.inputs.shape[-1], len(data.classes)
    model = network(topology, features=features, outputs=outputs, steps=steps, formats=formats)
    fit(model, data.train, recipe, np.random.default_rng(seed), progress=progress, checkpoint=checkpoint)
    return model


def shortened(recipe: Recipe, epochs: int | None) -> Recipe:
    """The recipe with another number of epochs, or the recipe itself if none is given."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)
