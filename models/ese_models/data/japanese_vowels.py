"""JapaneseVowels: nine speakers say two vowels (Kudo, Toyama and Shimbo, 1999; UCI archive).

270 training and 370 test utterances of 7 to 29 frames with 12 LPC cepstra, taken out of the wheel of `aeon`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_models.data.cache import Wheel, WheelFile, cache_folder, fetch
from ese_models.data.ts_format import Series, read_ts

STEPS = 29
FEATURES = 12
CLASSES = 9
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


@dataclass(frozen=True, eq=False)
class Split:
    """Utterances of one split.

    Attributes:
        inputs: (utterances, 29, 12) float32, standardized; zeros stand before a shorter utterance's first frame.
        lengths: (utterances,) frames before padding.
        labels: (utterances,) speakers, 0 to 8.
    """

    inputs: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.labels)
        found = (self.inputs.shape, self.lengths.shape)
        if self.inputs.ndim != 3 or found != ((count, *self.inputs.shape[1:]), (count,)):
            raise FormatError(f"{count} labels with inputs {found[0]} and lengths {found[1]}; one of each a series")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test split, standardized, and the files that they came from.

    `mean` and `deviation`, (features,), are the training frames' own: input = (recorded - mean) / deviation.
    """

    train: Split
    test: Split
    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    files: tuple[Path, ...] = ()


def load(folder: Path | None = None) -> Dataset:
    """The data set, fetched into the cache at the first call.

    Args:
        folder: where the two .ts files lie or shall lie; the cache folder's JapaneseVowels by default.

    Raises:
        MissingError: it is not cached and could not be fetched; says which file to place where.
        FormatError: a file is not what was published.
    """
    train, test = fetch(WHEEL, FILES, folder or cache_folder() / "JapaneseVowels")
    return standardized(read_ts(train), read_ts(test), (train, test))


def standardized(train: Series, test: Series, files: tuple[Path, ...] = (), steps: int = STEPS) -> Dataset:
    """Both splits with every feature brought to mean 0 and deviation 1 over the training frames, then padded.

    Raises:
        FormatError: a series has more than `steps` frames.
    """
    frames = np.concatenate(train.values)
    mean, deviation = frames.mean(axis=0), np.maximum(frames.std(axis=0), 1e-6)
    first, second = (
        pad(Series([(values - mean) / deviation for values in split.values], split.labels, split.classes), steps)
        for split in (train, test)
    )
    return Dataset(first, second, mean, deviation, files)


def pad(series: Series, steps: int = STEPS) -> Split:
    """Arrays of series, zeros put before the shorter ones.

    Raises:
        FormatError: a series has more than `steps` frames.
    """
    lengths = np.array([len(values) for values in series.values], dtype=np.int64)
    if not len(lengths) or lengths.max() > steps:
        raise FormatError(f"series have {lengths.max(initial=0)} frames at most; 1 to {steps} are expected")
    inputs = np.zeros((len(lengths), steps, series.values[0].shape[1]), dtype=np.float32)
    for row, values in zip(inputs, series.values, strict=True):
        row[steps - len(values) :] = values
    return Split(inputs, lengths, series.labels)
