"""testset.npz: inputs, labels and Keras's predictions that travel with a design."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host import npz
from ese_host.errors import FormatError
from ese_host.fixed import Codes
from ese_host.network import Network

MAX_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class TestSet:
    """Sequences and what is known about them.

    Attributes:
        inputs: (N, T, inputs) codes. steps: (N,) steps that the engine runs, from the first.
        labels: (N,) classes, or None. predictions: (N, outputs) Keras's outputs of the last frame, or None.
    """

    __test__ = False

    inputs: Codes
    steps: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None
    predictions: npt.NDArray[np.float64] | None


def read(path: Path, network: Network) -> TestSet:
    """Read a test set for a network.

    The file holds `inputs` (N, T, inputs): real numbers, or integers that are codes already; and, where known, `labels`
    (N,), `keras_predictions` (N, outputs) or (N, T, outputs), and `steps` (N,), how many of the T each sequence has.
    `lengths`, the frames before padding in front, is for the reader alone: the padding is run like any other input.

    Raises:
        FormatError: the file is no such file, or its arrays do not fit each other or the network.
    """
    arrays = npz.read(path, MAX_BYTES)
    if "inputs" not in arrays:
        raise FormatError(f"{path}: has no array 'inputs'; found {sorted(arrays)}")
    raw = arrays["inputs"]
    if raw.ndim != 3 or raw.shape[2] != network.inputs or 0 in raw.shape or raw.dtype.kind not in "iuf":
        raise FormatError(f"{path}: inputs are {raw.dtype} {raw.shape}; expected numbers (N, T, {network.inputs})")
    inputs = network.source.from_float(raw) if raw.dtype.kind == "f" else raw.astype(np.int64)
    count, longest = raw.shape[:2]
    steps = _whole(path, arrays, "steps", count)
    if steps is None:
        steps = np.full(count, longest, dtype=np.int64)
    if steps.min() < 1 or steps.max() > longest:
        raise FormatError(f"{path}: steps span {steps.min()}..{steps.max()}; 1..{longest} are allowed")
    predictions = arrays.get("keras_predictions")
    if predictions is not None:
        if predictions.ndim == 3 and predictions.shape[:2] == (count, longest):
            predictions = predictions[np.arange(count), steps - 1]
        if predictions.shape != (count, network.outputs) or predictions.dtype.kind not in "iuf":
            raise FormatError(f"{path}: keras_predictions are {predictions.shape}; expected {(count, network.outputs)}")
        predictions = predictions.astype(np.float64)
    return TestSet(inputs, steps, _whole(path, arrays, "labels", count), predictions)


def _whole(path: Path, arrays: dict[str, Any], name: str, count: int) -> npt.NDArray[np.int64] | None:
    if name not in arrays:
        return None
    array = arrays[name]
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise FormatError(f"{path}: {name} are {array.dtype} {array.shape}; expected integers {(count,)}")
    return np.asarray(array, dtype=np.int64)
