"""Training: a seeded loop of compiled steps on arrays, the same for the dense, the pruned and the quantized stage."""

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
from ese_models.networks import Formats, check_finite, classifier

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and its mean loss."""


@dataclass(frozen=True)
class Recipe:
    """How one stage is trained.

    Attributes:
        epochs: passes over the training split. batch: utterances a step (a rest of the split waits an epoch).
        rate: peak learning rate of Adam; it rises over the first `warmup` share of steps and falls as a cosine to zero.
        noise: standard deviation of the noise added to frames, in standard deviations of each feature.
        crop: largest share of an utterance's frames that is cut off its beginning and end.
        smoothing: share of a label's probability that is spread over all classes.
        decay: decoupled weight decay, in parts of the learning rate.
    """

    epochs: int
    rate: float
    batch: int = 54
    warmup: float = 0.1
    noise: float = 0.0
    crop: float = 0.0
    smoothing: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not self.rate > 0:
            raise UnsupportedError(f"recipe: epochs {self.epochs}, batch {self.batch}, rate {self.rate}; all positive")

    def rate_at(self, done: float) -> float:
        """Learning rate when a share `done` of the steps is done."""
        if done < self.warmup:
            return self.rate * (0.05 + 0.95 * done / self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


DENSE = Recipe(epochs=160, rate=5e-3, noise=0.6, crop=0.2)


class Trainer:
    """A model with its optimizer and compiled step.

    Args:
        model: what is trained.
        teacher: a network whose probabilities for the same, augmented inputs are learned (distillation, 1503.02531).
        share: how much of the targets is the teacher's.
    """

    def __init__(self, model: Any, teacher: Any = None, share: float = 0.0) -> None:
        self.model = model
        self.optimizer = keras.optimizers.Adam(1e-3, clipnorm=1.0)
        self.optimizer.build(model.trainable_variables)
        kernels = [v for v in model.trainable_variables if "kernel" in v.path]

        @tf.function(jit_compile=True)  # type: ignore[untyped-decorator,unused-ignore]
        def step(inputs: Any, targets: Any, shrink: Any) -> Any:
            if teacher is not None:
                targets = (1 - share) * targets + share * teacher(inputs, training=False)
            with tf.GradientTape() as tape:
                probabilities = model(inputs, training=True)
                losses = tf.reduce_sum(targets * tf.math.log(probabilities + 1e-7), axis=-1)
                loss = -tf.reduce_mean(losses)
            gradients = tape.gradient(loss, model.trainable_variables)
            for kernel in kernels:
                kernel.assign(kernel * (1 - shrink))
            self.optimizer.apply(gradients, model.trainable_variables)
            return loss

        self._step = step

    def run(
        self,
        split: Split,
        targets: Floats,
        recipe: Recipe,
        rng: np.random.Generator,
        before_step: Callable[[float], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Train.

        Args:
            split: training utterances.
            targets: (utterances, classes) probabilities to learn.
            recipe: epochs, rates and augmentation.
            rng: source of the order and the augmentation.
            before_step: called before each step with the share of steps done.
            progress: called after each epoch.

        Raises:
            FormatError: a weight is no longer finite.
        """
        count = len(split.labels)
        batch = min(recipe.batch, count)
        per_epoch = count // batch
        spread = split.inputs.reshape(-1, split.inputs.shape[-1]).std(axis=0)
        soft = (1 - recipe.smoothing) * targets + recipe.smoothing / targets.shape[1]
        for epoch in range(recipe.epochs):
            order = rng.permutation(count)
            losses = []
            for index in range(per_epoch):
                done = (epoch + index / per_epoch) / recipe.epochs
                if before_step is not None:
                    before_step(done)
                rate = recipe.rate_at(done)
                self.optimizer.learning_rate.assign(rate)
                chosen = order[index * batch : (index + 1) * batch]
                inputs = augmented(split, chosen, recipe, spread, rng)
                loss = self._step(
                    tf.constant(inputs), tf.constant(soft[chosen]), tf.constant(np.float32(rate * recipe.decay))
                )
                losses.append(float(loss))
            if progress is not None:
                progress(epoch + 1, float(np.mean(losses)))
        check_finite(self.model)


def augmented(
    split: Split, chosen: npt.NDArray[np.int64], recipe: Recipe, spread: Floats, rng: np.random.Generator
) -> Floats:
    """(chosen, steps, features) inputs, cropped and noisy as the recipe says; padding stays zero and in front."""
    inputs = split.inputs[chosen]
    steps = inputs.shape[1]
    lengths = split.lengths[chosen]
    if recipe.crop:
        head, tail = np.floor(rng.uniform(0, recipe.crop / 2, (2, len(chosen))) * (lengths + 1)).astype(np.int64)
        lengths = lengths - head - tail
        inputs = np.stack([np.roll(series, cut, axis=0) for series, cut in zip(inputs, tail, strict=True)])
    real = np.arange(steps) >= (steps - lengths)[:, None]
    noise = recipe.noise * spread * rng.standard_normal(inputs.shape, dtype=np.float32) if recipe.noise else 0
    return np.asarray((inputs + noise) * real[:, :, None], dtype=np.float32)


def one_hot(split: Split, classes: int) -> Floats:
    """(utterances, classes) targets of the labels."""
    return np.eye(classes, dtype=np.float32)[split.labels]


def predict(model: Any, split: Split) -> Floats:
    """(utterances, classes) probabilities."""
    found: Floats = model.predict(split.inputs, batch_size=len(split.labels), verbose=0)
    return found


def accuracy(model: Any, split: Split) -> float:
    """Share of utterances classified correctly."""
    return float((predict(model, split).argmax(axis=1) == split.labels).mean())


def train_dense(
    data: Dataset,
    seed: int,
    *,
    recipe: Recipe = DENSE,
    units: int = 64,
    formats: Formats | None = None,
    progress: Progress | None = None,
) -> Any:
    """A dense network (float kernels; input, state, bias and activations quantized), trained from scratch.

    Args:
        data: its training split is used alone.
        seed: of initial weights, order and augmentation.
        recipe: how to train.
        units: LSTM cells.
        formats: quantizers of everything but the kernels.
        progress: called after each epoch.

    Raises:
        FormatError: training diverged; the layer is named.
    """
    keras.utils.set_random_seed(seed)
    classes = int(data.train.labels.max()) + 1
    _, steps, features = data.train.inputs.shape
    model = classifier(units=units, outputs=classes, steps=steps, features=features, formats=formats)
    Trainer(model).run(data.train, one_hot(data.train, classes), recipe, np.random.default_rng(seed), progress=progress)
    return model


def shortened(recipe: Recipe, epochs: int | None) -> Recipe:
    """The recipe with another number of epochs, where one is given."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)
