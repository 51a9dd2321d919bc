# SPDX-License-Identifier: Apache-2.0
"""Samples in files: .npz, .npy or .csv, run as floats, with their outputs written in the same forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ese_host.cli.output import say
from ese_host.cli.verbosity import note
from ese_host.errors import FormatError, MissingError
from ese_host.files import write_by
from ese_host.interface import MAX_SAMPLES_BYTES, SampleFile

if TYPE_CHECKING:
    from ese_host.runtime import Engine

SUFFIXES = (".csv", ".npy", ".npz")
Frames = npt.NDArray[np.float64]


def holds_samples(file: Path) -> bool:
    """Whether a file holds samples `x` for the model, rather than a test set."""
    samples = SampleFile.read(file, needed=False) if file.suffix == ".npz" else None
    return samples is None or any(samples.split(split)[0] is not None for split in ("train", "test"))


def run_samples(folder: Path, file: Path, out: Path | None, scaled: bool, as_json: bool, **device: Any) -> None:
    """Run the samples of a file, and print their classes or values, or write all outputs to a file.

    Args:
        folder: the design folder.
        file: the samples.
        out: file for the outputs, or None to print classes or values.
        scaled: whether the samples are the model's inputs already.
        as_json: whether to print one JSON object.
        device: arguments of `ese_host.runtime.open`.

    Raises:
        EseError: if a file is not sound, or the device fails.
    """
    from ese_host.runtime import open as open_engine

    with open_engine(folder, **device) as engine:
        parts = read_samples(file, engine)
        if out is not None:
            outputs = [_listed(engine, engine.predict(x, scaled=scaled)) for x in parts]
            _write(out, engine, outputs)
            note(f"outputs of {sum(len(part[0]) for part in outputs)} samples: {out}")
            return
        found: list[Any] = []
        classified = engine.program.has_classes(engine.program.outputs[0])
        for x in parts:
            if classified:
                found += engine.classify(x, scaled=scaled)
            else:
                found += [sample.ravel() for sample in _listed(engine, engine.predict(x, scaled=scaled))[0]]
    if as_json:
        plain = found if classified else [[float(str(value)) for value in row] for row in found]
        say(json.dumps({"classes" if classified else "values": plain}))
    elif found:
        say("\n".join(str(item) if classified else _row(item) for item in found))


def read_samples(file: Path, engine: Engine) -> list[Any]:
    """Samples of a file, as `Engine.predict` takes them: all at once, or sequences of different lengths in parts.

    Raises:
        MissingError: if there is no such file.
        FormatError: if it is of another kind, or does not hold the samples of the model.
    """
    if file.suffix in (".npz", ".npy"):
        samples = SampleFile.read(file)
        given = samples.split("train")[0]
        return [samples.split("test")[0] if given is None else given]
    if file.suffix == ".csv":
        return list(_sequences(file, engine))
    raise FormatError(f"{file}: samples are read from {', '.join(SUFFIXES)} files: give one of these")


def frame_of(line: str, width: int, where: str) -> list[float]:
    """The numbers of a line, which commas, semicolons or blanks separate.

    Args:
        line: the line.
        width: how many numbers are expected.
        where: place of the line, for messages.

    Raises:
        FormatError: if it holds something else.
    """
    fields = line.replace(",", " ").replace(";", " ").split()
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        numbers = []
    if len(numbers) != width or not np.isfinite(numbers).all():
        found = line.strip()[:60]
        raise FormatError(f"{where}: {found!r} is no frame of {width} finite numbers, separated by commas or blanks")
    return numbers


def _sequences(file: Path, engine: Engine) -> Iterator[Frames]:
    """Samples of a .csv file: vectors all at once; sequences of the model's length, or of as many frames as there are.

    Raises:
        MissingError: if there is no such file.
        FormatError: if a line is no frame, or the rows make no whole sequences.
    """
    interface, ports = engine.interface, engine.program.inputs
    if len(ports) > 1:
        raise FormatError(
            f"{file}: a .csv file holds a single input; the model has {', '.join(interface.names)}: use .npz"
        )
    width, shape = ports[0].width, interface.inputs[0].shape
    blocks = _blocks(file, width)
    if len(shape) == 1 and shape[0] is not None:
        yield np.concatenate(blocks)
        return
    for block in blocks:
        steps = len(block) if None in shape else int(np.prod([extent or 1 for extent in shape])) // width
        if len(block) % steps:
            raise FormatError(
                f"{file}: has a sequence of {len(block)} rows; the model takes {steps} steps: give whole sequences"
            )
        yield block.reshape(-1, *((len(block) if extent is None else extent) for extent in shape))


def _blocks(file: Path, width: int) -> list[Frames]:
    """The rows (rows, width) of a file between its empty lines; a first row of names is left out."""
    try:
        if file.stat().st_size > MAX_SAMPLES_BYTES:
            raise FormatError(f"{file}: larger than {MAX_SAMPLES_BYTES} bytes; give it in parts, or as .npy")
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{file}: is no text ({error.reason}); write numbers separated by commas") from error
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; name a file of samples") from error
    numbered = list(enumerate(lines, 1))
    if lines and _are_names(lines[0], width):
        del numbered[0]
    blocks = [
        np.array([frame_of(line, width, f"{file}, line {number}") for number, line in block])
        for filled, block in groupby(numbered, lambda item: bool(item[1].strip()))
        if filled
    ]
    if not blocks:
        raise FormatError(f"{file}: holds no row; write one frame of {width} numbers a line")
    return blocks


def _are_names(line: str, width: int) -> bool:
    """Whether a line has a name, and no number, for each element of a frame."""
    fields = [field.strip() for field in line.split(",")]

    def is_number(field: str) -> bool:
        try:
            float(field)
        except ValueError:
            return False
        return True

    return len(fields) == width and all(fields) and not any(map(is_number, fields))


def _listed(engine: Engine, outputs: Any) -> list[Any]:
    """The outputs in the model's order."""
    return engine.interface.listed(outputs, "the outputs")


def _write(out: Path, engine: Engine, parts: list[list[Any]]) -> None:
    """Write the outputs of all samples; each part has those of some samples."""
    names = [item.name for item in engine.interface.outputs]
    if len(names) > 1 and out.suffix != ".npz":
        raise FormatError(f"{out}: holds a single output; the model has {', '.join(names)}: write an .npz file")
    if out.suffix == ".csv":
        text = _table(array for part in parts for array in part[0])
        write_by(out, lambda file: file.write_text(text, encoding="utf-8"))
        return
    if len({array.shape[1:] for part in parts for array in part[:1]}) > 1:
        raise FormatError(f"{out}: the sequences have different lengths; write a .csv file")
    arrays = [np.concatenate(list(of_output)) for of_output in zip(*parts, strict=True)]

    def write(file: Path) -> None:
        with file.open("wb") as stream:
            if out.suffix == ".npy":
                np.save(stream, arrays[0])
            else:
                named = {"y": arrays[0]} if len(arrays) == 1 else {f"y_{n}": array for n, array in enumerate(arrays)}
                np.savez_compressed(stream, **named)

    write_by(out, write)


def _table(samples: Iterable[Any]) -> str:
    """Rows of values: one for each vector, or one for each frame with an empty line between sequences."""
    blocks = []
    for sample in samples:
        rows = sample.reshape(-1, sample.shape[-1]) if sample.ndim > 1 else sample[None]
        blocks.append((sample.ndim > 1, "".join(_row(row) + "\n" for row in rows)))
    return "".join(("\n" * (framed and number > 0)) + text for number, (framed, text) in enumerate(blocks))


def _row(values: Any) -> str:
    """Values separated by commas, each with the fewest digits that tell it from any other float32."""
    return ",".join(map(str, np.asarray(values, np.float32)))
