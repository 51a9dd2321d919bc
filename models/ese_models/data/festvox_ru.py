# SPDX-License-Identifier: Apache-2.0
"""festvox-ru: 620 read Russian utterances, 99.5 minutes, with labels of 51 phones; 153 features per frame as in ESE.

There is one speaker, and the labels look machine-aligned, so that results cannot be compared with those on TIMIT. Every
fifth utterance is in the test split (124), every eighth of the others in the validation split (62). Recordings and
labels are by Nickolay V. Shmyrev (2005), from the Debian package `festvox-ru`.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.io import wavfile

from ese_host.errors import FormatError
from ese_host.files import digest_of, write_file
from ese_models.data.cache import Deb, cache_folder, unpack
from ese_models.data.dataset import NO_LABEL, Dataset, Split
from ese_models.data.lab_format import read_lab
from ese_models.data.speech import Features, Floats, log_mel, with_differences

NAME = "festvox-ru"
REMARK = "one speaker, Russian, machine-aligned labels"
PACKAGE = Deb(NAME, "0.5+dfsg-6", "21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4")
INSIDE = "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
PAUSE = "pau"
_NAMES = """
a aa ae ay b bb c ch d dd e ee f ff g gg h hh i ii j k kk l ll m mm n nn oo p pau pp r rr s sch sh ss t tt u ur
uu v vv y yy z zh zz
"""
PHONES = tuple(_NAMES.split())
DELAY = 5
"""Frames by which a label comes after its frame, so that the network can use the frames that follow it."""
CHUNK = 100
"""Frames of a training sample."""
TEST_EVERY = 5
"""Each fifth utterance is in the test split."""
VALIDATION_EVERY = 8
"""Each eighth of the other utterances is in the validation split."""


def load(folder: Path | None = None, features: Features = Features()) -> Dataset:  # noqa: B008 - frozen
    """Read the data set; the first call fetches it, and the features are computed once per set of parameters.

    Training samples are chunks of 100 frames, those of the other splits whole utterances, padded at the end. In
    all, the label of a frame comes five frames later.

    Args:
        folder: folder of recordings, labels and features; festvox-ru in the cache folder by default.
        features: parameters by which recordings are turned into frames.

    Raises:
        MissingError: if the data set is not cached and could not be fetched; the message names the file to place.
        FormatError: if a file is not the published one.
    """
    place = folder or cache_folder() / NAME
    cached = place / f"features-{_key(features)}.npz"
    if not cached.is_file():
        _store(cached, *_read(unpack(PACKAGE, INSIDE, place), features))
    with np.load(cached, allow_pickle=False) as arrays:
        ends = np.cumsum(arrays["frames"])[:-1]
        static, labels = np.split(arrays["static"], ends), np.split(arrays["labels"].astype(np.int64), ends)
    return assembled([with_differences(part, features.reach) for part in static], labels, (cached,))


def assembled(
    frames: list[Floats], labels: list[npt.NDArray[np.int64]], files: tuple[Path, ...] = (), chunk: int = CHUNK
) -> Dataset:
    """Divide utterances into three splits, and cut the training utterances into chunks.

    Inputs are standardized to mean 0 and standard deviation 1 over the training frames.

    Args:
        frames: (frames, width) features of each utterance.
        labels: (frames,) labels of each utterance.
        files: files from which they were read.
        chunk: frames of a training sample.
    """
    indices = _divided(len(frames))
    seen = np.concatenate([frames[index] for index in indices["train"]])
    mean = seen.mean(axis=0, dtype=np.float64)
    deviation = np.maximum(np.sqrt(np.square(seen - mean.astype(np.float32)).mean(axis=0, dtype=np.float64)), 1e-6)

    def delayed(index: int) -> tuple[Floats, npt.NDArray[np.int64]]:
        values = ((frames[index] - mean) / deviation).astype(np.float32)
        late = np.concatenate([np.full(DELAY, NO_LABEL), labels[index]])
        return np.pad(values, ((0, DELAY), (0, 0)), mode="edge"), late

    train = _padded([piece for index in indices["train"] for piece in _pieces(*delayed(index), chunk)], chunk)
    validation, test = (_whole([delayed(index) for index in indices[split]]) for split in ("validation", "test"))
    return Dataset(NAME, train, validation, test, PHONES, mean, deviation, files, REMARK)


def _divided(count: int) -> dict[str, list[int]]:
    """Indices of the utterances of each split."""
    test = range(TEST_EVERY - 1, count, TEST_EVERY)
    others = [index for index in range(count) if index not in test]
    validation = others[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
    train = [index for index in others if index not in validation]
    return {"train": train, "validation": validation, "test": list(test)}


def _whole(utterances: list[tuple[Floats, npt.NDArray[np.int64]]]) -> Split:
    """A split of whole utterances, padded to the longest."""
    return _padded(utterances, max(len(values) for values, _ in utterances))


def _pieces(values: Floats, labels: npt.NDArray[np.int64], chunk: int) -> list[tuple[Floats, npt.NDArray[np.int64]]]:
    """Cut an utterance into chunks that overlap by `DELAY` frames.

    The first `DELAY` labels of a chunk are cleared: the frames to which they belong lie in the chunk before.
    """
    pieces = []
    for start in range(0, len(values) - DELAY, chunk - DELAY):
        late = labels[start : start + chunk].copy()
        late[:DELAY] = NO_LABEL
        pieces.append((values[start : start + chunk], late))
    return pieces


def _padded(pieces: list[tuple[Floats, npt.NDArray[np.int64]]], steps: int) -> Split:
    """A split of features and labels, padded at the end to `steps` frames."""
    inputs = np.zeros((len(pieces), steps, pieces[0][0].shape[1]), dtype=np.float32)
    labels = np.full((len(pieces), steps), NO_LABEL, dtype=np.int64)
    for row, (values, late) in enumerate(pieces):
        inputs[row, : len(values)] = values
        labels[row, : len(late)] = late
    return Split(inputs, np.array([len(values) for values, _ in pieces]), labels, "end")


def _read(folder: Path, features: Features) -> tuple[list[Floats], list[npt.NDArray[np.int64]]]:
    """Static features and frame labels of all utterances, in the order of their names."""
    numbers = {name: number for number, name in enumerate(PHONES)}
    static, labels = [], []
    for path in sorted((folder / "wav").glob("*.wav")):
        rate, samples = wavfile.read(path)
        if rate != features.rate or samples.dtype != np.int16:
            raise FormatError(
                f"{path.name} has {rate} {samples.dtype} samples per second; expected {features.rate} int16 samples"
            )
        phones = read_lab(folder / "lab" / f"{path.stem}.lab")
        unknown = sorted(set(phones.names) - numbers.keys())
        if unknown:
            raise FormatError(f"{path.stem}.lab has phone {unknown[0]!r}; the phones of {NAME} are {', '.join(PHONES)}")
        static.append(log_mel(samples, features))
        labels.append(np.array([numbers[name] for name in phones.at(features.centres(len(static[-1])))]))
    if not static:
        raise FormatError(f"{folder} holds no recordings wav/*.wav; remove the folder and fetch the data set again")
    return static, labels


def _key(features: Features) -> str:
    """Part of a cached file's name that changes with everything on which its features depend."""
    origin = {"package": PACKAGE.sha256, "features": asdict(features), "form": 1}
    return digest_of(json.dumps(origin, sort_keys=True).encode())[:12]


def _store(path: Path, static: list[Floats], labels: list[npt.NDArray[np.int64]]) -> None:
    """Write the static features and labels of all utterances to the cache."""
    frames = np.array([len(values) for values in static])
    arrays = {"static": np.concatenate(static), "labels": np.concatenate(labels).astype(np.int8), "frames": frames}
    buffer = io.BytesIO()  # NumPy prints a traceback of its own when a file cannot be written
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_file(path, buffer.getvalue())
