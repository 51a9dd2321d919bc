# SPDX-License-Identifier: Apache-2.0
"""The test set of a converted model, from float samples: codes of inputs, Keras's outputs, and the user's labels."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.emulate import codes_of
from ese_host.bundle import TESTSET, testset
from ese_host.errors import FormatError
from ese_host.files import npz
from ese_host.interface import numbers_of
from ese_host.ir.program import Program

FEW = 64
"""Samples up to which Keras need not compile the model first, which takes seconds."""
Array = npt.NDArray[Any]


def test_set_of(graph: Any) -> bytes | None:
    """The content of testset.npz for a converted model; None if there are no samples, or the user gave such a file.

    The samples are those of the argument `test`, with Keras's outputs; else those of the self-check.

    Args:
        graph: an `EseGraph`.

    Raises:
        FormatError: if the user's labels do not fit the model, or there are too many samples.
    """
    config, interface = graph.config.config, graph.ese_interface
    given, labels = config.get("ESETest"), None
    if given is not None:
        samples, labels = given
    elif TESTSET in (config.get("ESEFiles") or {}) or getattr(graph, "ese_samples", None) is None:
        return None
    else:
        samples = graph.ese_samples
    fed, few = interface.fed(samples), len(next(iter(samples.values()))) <= FEW
    model = config["KerasModel"]
    values = _as_arrays(model(fed, training=False)) if few else model.predict(fed, verbose=0)
    outputs = interface.listed(values, "the output of Keras")
    labels = [None] * len(outputs) if labels is None else interface.listed(labels, "y of test")
    names = getattr(config.get("KerasModel"), "output_names", graph.ese_conversion.ends)
    return _content(graph.ese_conversion, samples, list(zip(names, outputs, strict=True)), labels)


def _as_arrays(nested: Any) -> Any:
    """Tensors as arrays, nested alike."""
    if isinstance(nested, Mapping):
        return {key: _as_arrays(item) for key, item in nested.items()}
    if isinstance(nested, (list, tuple)):
        return [_as_arrays(item) for item in nested]
    return np.asarray(nested)


def _content(conversion: Any, samples: Mapping[str, Any], outputs: list[tuple[str, Array]], labels: list[Any]) -> bytes:
    """The arrays of a test set as the content of an .npz file.

    Args:
        conversion: the conversion.
        samples: float samples of each input, by name.
        outputs: name of each output and Keras's values of it, in the model's order.
        labels: the user's labels of each output, or None.
    """
    program: Program = conversion.program
    codes = [item.astype(np.int32) for item in codes_of(conversion, samples).values()]
    arrays = {f"inputs{f'_{place}' * (len(codes) > 1)}": item for place, item in enumerate(codes)}
    for place, ((name, values), given) in enumerate(zip(outputs, labels, strict=True)):
        suffix = f"_{place}" * (place > 0)
        if np.isnan(values).any():
            raise FormatError(
                f"Keras computes NaN as output {name!r} of the test set's samples: give other samples as test=(x, y)"
            )
        values = np.clip(values, -testset.LARGEST, testset.LARGEST)
        arrays[f"keras_predictions{suffix}"] = _framed(np.asarray(values, np.float64), program, place)
        if given is not None:
            y = _numbers(given, f"y of output {name!r}")
            found = labels_of(y, program, place, np.shape(values), f"y of output {name!r}")
            arrays |= {f"{kind}{suffix}": array for kind, array in found.items()}
    size, count = 8 * sum(array.size for array in arrays.values()), len(codes[0])
    if size > testset.MAX_BYTES:
        raise FormatError(
            f"the test set has {count} samples, whose numbers take {size} bytes; {testset.MAX_BYTES} are allowed: give "
            f"at most {count * testset.MAX_BYTES // size} samples"
        )
    buffer = io.BytesIO()
    (np.savez if size > npz.FREE_BYTES else np.savez_compressed)(buffer, **arrays)  # what unpacks to much is refused
    return buffer.getvalue()


def _framed(values: Array, program: Program, place: int) -> Array:
    """Values of an output as a program has them: (N, width), or (N, T, width) for sequences."""
    tensor = program.tensors[program.outputs[place].tensor]
    shape = (tensor.width,) if tensor.kind == "vector" else (-1, tensor.width)
    return values.reshape(len(values), *shape)


def _numbers(given: Any, what: str) -> Array:
    """Labels as finite floats.

    Raises:
        FormatError: if they are something else.
    """
    y = numbers_of(given, what).astype(np.float64)
    if not np.isfinite(y).all():
        raise FormatError(f"{what} holds NaN or infinity; only finite numbers are taken")
    return y


def labels_of(y: Array, program: Program, place: int, full: tuple[int, ...], what: str) -> dict[str, Array]:
    """The user's labels of an output as arrays of a test set, by name: `labels` and `frame_labels`, or `targets`.

    Classes may be whole numbers or one-hot; if there is one for each step, that of the last step is the label of the
    sample. Anything else is a target, a value that the output should have.

    Args:
        y: the labels, finite floats.
        program: the program.
        place: number of the output.
        full: shape of Keras's values of the output for all samples.
        what: name of the labels in error messages.

    Raises:
        FormatError: if the labels have neither the shape of classes nor that of the output.
    """
    count, single, width = full[0], full[:-1], full[-1]
    classes = 2 if width == 1 else width
    whole = bool((y == np.rint(y)).all() and y.size and y.min() >= 0 and y.max() < classes)
    if width > 1 and y.shape == full and whole and (y.max(axis=-1) == 1).all() and (y.sum(axis=-1) == 1).all():
        y = y.argmax(axis=-1).astype(np.float64)
    if y.shape == (*single, 1) and (width == 1 or y.shape != full):
        y = y[..., 0]
    if y.shape in (single, (count,)) and whole and (width > 1 or program.outputs[place].head == "sigmoid"):
        classes_of = y.reshape(count, -1).astype(np.int64)
        framewise = y.ndim == 2 and program.tensors[program.outputs[place].tensor].kind == "sequence"
        return {"labels": classes_of[:, -1], **({"frame_labels": classes_of} if framewise else {})}
    if y.shape == full or (width == 1 and y.shape == single):
        return {"targets": _framed(y.reshape(full), program, place)}
    found = f"shape {y.shape}" if y.shape not in (single, (count,)) else f"values from {y.min():g} to {y.max():g}"
    raise FormatError(
        f"{what} has {found}; allowed are classes from 0 to {classes - 1} of shape {single}, and values or one-hot "
        f"classes of shape {full}"
    )
