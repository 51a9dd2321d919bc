# SPDX-License-Identifier: Apache-2.0
"""Training data as Keras's `fit` takes it: checked against a model, its batches counted, the range of its inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ese_host.errors import FormatError, UnsupportedError
from ese_host.interface import SampleFile

PROBED = 64
"""Batches of a data set that are read for the range of the inputs."""
WANTED = "a pair (x, y) or (x, y, sample_weight) of arrays, a tf.data.Dataset, or a keras PyDataset"


def fit_data(model: Any, data: Any) -> Any:
    """Training data after a check of its shapes, with lists of numbers as arrays; data sets are returned as they are.

    Args:
        model: the model that will be trained.
        data: a pair (x, y) or (x, y, sample_weight), the path of an .npz file with x and y, or a data set of batches.

    Raises:
        FormatError: if it is neither, or the samples do not fit the model, or there are not as many labels.
    """
    if isinstance(data, (str, Path)):
        data = SampleFile.read(Path(data)).split("train")
    if not isinstance(data, (tuple, list)):
        if isinstance(data, np.ndarray) or not hasattr(data, "__iter__"):
            raise FormatError(f"the data is a {type(data).__name__}; expected is {WANTED}")
        return data
    if len(data) not in (2, 3):
        raise FormatError(f"the data has {len(data)} parts; expected is {WANTED}")
    single = len(model.inputs) == 1
    x = np.asarray(data[0]) if single and isinstance(data[0], list) and not _holds_arrays(data[0]) else data[0]
    y = np.asarray(data[1]) if isinstance(data[1], list) and not _holds_arrays(data[1]) else data[1]
    counts = {len(array) for part in (x, y, *data[2:]) if part is not None for array in keras.tree.flatten(part)}
    if len(counts) > 1:
        raise FormatError(f"the data has {sorted(counts)} samples and labels; all must have the same number")
    if single and hasattr(x, "shape"):
        wanted = tuple(model.inputs[0].shape)[1:]
        found = tuple(x.shape)[1:]
        found += (1,) if len(found) + 1 == len(wanted) and wanted[-1] == 1 else ()  # as Keras does
        fits = len(found) == len(wanted) and all(a in (None, b) for a, b in zip(wanted, found, strict=True))
        if not fits:
            shape = ", ".join("any" if size is None else str(size) for size in wanted)
            raise FormatError(f"samples of the data have shape {found}; the model takes ({shape})")
    return (x, y, *data[2:])


def _holds_arrays(given: list[Any]) -> bool:
    """Whether a list is one of arrays, one for each input or output, and not of numbers."""
    return bool(given) and all(hasattr(item, "shape") and item.shape for item in given)


def steps_of(data: Any, batch_size: int) -> int | None:
    """Number of batches of the training data, or None if it is not known."""
    if isinstance(data, (tuple, list)):
        return math.ceil(len(keras.tree.flatten(data[0])[0]) / batch_size)
    try:
        return len(data)
    except (TypeError, AttributeError):
        return None


def loss_for(model: Any, data: Any) -> str:
    """The loss that fits a model's only output and its labels.

    Classes get a cross-entropy if the model ends with softmax or a single sigmoid; anything else gets the mean squared
    error.

    Raises:
        UnsupportedError: if the model has several outputs, or the labels are not arrays.
    """
    if len(model.outputs) > 1 or not isinstance(data, (tuple, list)) or len(data) < 2:
        raise UnsupportedError(
            "the model is not compiled, and its loss cannot be told from its labels; give a loss, such as "
            "loss='sparse_categorical_crossentropy', or compile the model"
        )
    last, labels = model.layers[-1], np.asarray(data[1])
    ends = getattr(getattr(last, "activation", None), "__name__", "")
    width = model.output_shape[-1]
    if ends == "softmax":
        one_hot = labels.ndim == len(model.output_shape) and labels.shape[-1] == width and width > 1
        return "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
    return "binary_crossentropy" if ends == "sigmoid" else "mean_squared_error"


def ranges_of(model: Any, data: Any) -> dict[str, float]:
    """Largest magnitude of each input of a model in training data, by the input's name.

    Of a data set of batches, the first 64 are read.

    Raises:
        FormatError: if an input is not finite, or the data has other inputs than the model.
    """
    names = [tensor.name for tensor in model.inputs]
    largest = dict.fromkeys(names, 0.0)
    for batch in batches(data):
        arrays = keras.tree.flatten(batch)
        if isinstance(batch, Mapping) and set(batch) == set(names):
            arrays = [batch[name] for name in names]
        if len(arrays) != len(names):
            raise FormatError(
                f"the data has {len(arrays)} inputs; the model has {len(names)}: {', '.join(names)}. Give a pair "
                "(x, y), where x has one array for each input"
            )
        for name, given in zip(names, arrays, strict=True):
            array = np.asarray(given)
            size = float(np.abs(array).max()) if array.size else 0.0
            if not np.isfinite(size):
                raise FormatError(f"input {name!r} of the data is not finite; only finite numbers are taken")
            largest[name] = max(largest[name], size)
    return largest


def batches(data: Any) -> Iterable[Any]:
    """The inputs in training data, batch by batch."""
    if isinstance(data, (tuple, list)):
        yield data[0]
        return
    for number, batch in enumerate(data):
        if number == PROBED:
            return
        yield batch[0] if isinstance(batch, (tuple, list)) else batch


def classifies(model: Any, labels: Any) -> bool:
    """Whether a model has one output of classes: it ends with softmax or a sigmoid, and its labels are classes."""
    if isinstance(labels, list) or len(model.outputs) > 1:
        return False
    last = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    whole = bool((np.asarray(labels) == np.rint(labels)).all())
    return last in ("softmax", "sigmoid") and whole


def score(model: Any, x: Any, y: Any) -> float:
    """Accuracy of a model that classifies, 0 to 1; of any other, the share of the variance of `y` that it explains.

    Args:
        model: a Keras model.
        x: samples.
        y: labels: classes, one-hot classes, or values; or a list of them for several outputs.
    """
    values = model.predict(x, verbose=0)
    if not classifies(model, y):
        pairs = zip(values, y, strict=True) if isinstance(y, list) else [(values, y)]
        shares = [1 - np.mean((a - np.reshape(b, a.shape)) ** 2) / max(float(np.var(b)), 1e-30) for a, b in pairs]
        return float(np.mean(shares))
    labels = np.asarray(y)
    if labels.shape == values.shape and values.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    decided = values.argmax(axis=-1) if values.shape[-1] > 1 else (values[..., 0] > 0.5).astype(int)
    return float((decided == labels.reshape(decided.shape)).mean())
