# SPDX-License-Identifier: Apache-2.0
"""Descriptions of a model's inputs and outputs by the user: scaling of recorded values, and names of classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.bundle import provenance
from ese_host.errors import FormatError, MissingError, UnsupportedError
from ese_host.files import npz
from ese_host.interface import MAX_BYTES, ModelInput, ModelInterface, ModelOutput, numbers_of
from ese_host.ir import shown

SCALING = (
    "a pair (mean, deviation), a dict of such pairs by the name of the input, or the path of an .npz file with the "
    "arrays `mean` and `deviation`"
)
CLASSES = "a list of names, or a dict of such lists by the name of the output"


def described(
    interface: ModelInterface, classes: Any = None, scaling: Any = None, record: Path | None = None
) -> ModelInterface:
    """An interface with scaling and names of classes.

    What the arguments do not say is taken from a provenance record, if the model has a single input or output.

    Args:
        interface: the interface of a model.
        classes: names of the classes, as `CLASSES` says, or None.
        scaling: scaling of recorded values, as `SCALING` says, or None.
        record: path of a provenance record, or None.

    Raises:
        UnsupportedError: if an argument is something else, or names an input or output that the model does not have.
        FormatError: if the numbers or names do not fit the model, or a file is invalid.
        MissingError: if a file does not exist.
    """
    pairs = _by_name(_read(scaling), interface.names, "scaling", SCALING)
    names = _by_name(classes, [item.name for item in interface.outputs], "classes", CLASSES)
    made = replace(
        interface,
        inputs=tuple(_scaled(item, pairs.get(item.name)) for item in interface.inputs),
        outputs=tuple(_named(item, names.get(item.name)) for item in interface.outputs),
    )
    return made if record is None else _recorded(made, Path(record))


def names_from(text: str) -> list[str]:
    """Names of classes from a command line: separated by commas, or the lines of the file behind an @.

    Raises:
        MissingError: if there is no such file.
        FormatError: if it is too large or no text.
    """
    if not text.startswith("@"):
        return [name.strip() for name in text.split(",")]
    file = Path(text[1:])
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        lines = data.decode("utf-8").splitlines()
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; name a text file with the name of one class a line") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{file}: not UTF-8 ({error.reason}); write the name of one class a line") from error
    if len(data) > MAX_BYTES:
        raise FormatError(f"{file}: larger than {MAX_BYTES} bytes; write the name of one class a line")
    return [line.strip() for line in lines if line.strip()]


def _read(scaling: Any) -> Any:
    """The scaling that was given; that in a file as a pair, or as a list of pairs for several inputs."""
    if not isinstance(scaling, (str, os.PathLike)):
        return scaling
    path = Path(scaling)
    if not path.is_file():
        raise MissingError(f"{path} does not exist; scaling is {SCALING}")
    arrays = npz.read(path, MAX_BYTES, "write it with numpy.savez")
    if {"mean", "deviation"} <= set(arrays):
        return arrays["mean"], arrays["deviation"]
    raise FormatError(f"{path}: has the arrays {sorted(arrays)}; `mean` and `deviation` are expected")


def _by_name(given: Any, names: Sequence[str], what: str, allowed: str) -> Mapping[str, Any]:
    """The value that was given for each input or output, by its name."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise UnsupportedError(
                f"{what} has {shown(unknown[0])}; the model has {', '.join(names)}: name one of them"
            )
        return given
    if len(names) > 1:
        raise UnsupportedError(
            f"{what} is {shown(given)}, and the model has {', '.join(names)}: give a dict by these names"
        )
    if not isinstance(given, (tuple, list)) or not given:
        raise UnsupportedError(f"{what} is {shown(given)}; {allowed} is allowed")
    return {names[0]: given}


def _scaled(item: ModelInput, pair: Any) -> ModelInput:
    if pair is None:
        return item
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise UnsupportedError(f"scaling of input {item.name!r} is {shown(pair)}; {SCALING} is allowed")
    width = item.width
    mean, deviation = (numbers_of(values, f"scaling of input {item.name!r}").astype(np.float64) for values in pair)
    vectors = [values if values.ndim else np.full(width, values) for values in (mean, deviation)]
    if any(vector.ndim > 1 for vector in vectors):
        raise FormatError(
            f"scaling of input {item.name!r} has arrays of shape {mean.shape} and {deviation.shape}; ({width},) or a "
            "single number is expected, one for each feature"
        )
    return replace(item, mean=tuple(vectors[0].tolist()), deviation=tuple(vectors[1].tolist()))


def _named(item: ModelOutput, names: Any) -> ModelOutput:
    if names is None:
        return item
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise UnsupportedError(f"classes of output {item.name!r} are {shown(names)}; {CLASSES} is allowed")
    return replace(item, classes=tuple(names))


def _recorded(interface: ModelInterface, record: Path) -> ModelInterface:
    """An interface with what a provenance record says of the data, where it says nothing itself."""
    data = provenance.read_record(record, "data").data
    if data is None:
        return interface
    inputs, outputs = interface.inputs, interface.outputs
    try:
        if len(inputs) == 1 and inputs[0].mean is None and data.mean is not None and data.deviation is not None:
            inputs = (_scaled(inputs[0], (data.mean, data.deviation)),)
        if len(outputs) == 1 and outputs[0].classes is None and data.classes is not None:
            outputs = (_named(outputs[0], data.classes),)
    except FormatError as error:
        raise FormatError(
            f"{record}: {error} (or give classes and scaling yourself, or take this file of another model away)"
        ) from error
    return replace(interface, inputs=inputs, outputs=outputs)
