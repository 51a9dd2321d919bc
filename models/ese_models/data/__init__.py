# SPDX-License-Identifier: Apache-2.0
"""Data sets: they are fetched from packages, verified, cached and read into arrays."""

from collections.abc import Callable

from ese_models.data import digits, fashion_mnist, festvox_ru, japanese_vowels
from ese_models.data.dataset import NO_LABEL, Dataset, Split
from ese_models.data.japanese_vowels import load, standardized
from ese_models.data.own_data import OwnData
from ese_models.data.ts_format import Series, read_ts

LOADERS: dict[str, Callable[[], Dataset]] = {
    "japanese-vowels": japanese_vowels.load,
    "festvox-ru": festvox_ru.load,
    "fashion-mnist": fashion_mnist.load,
    "digits": digits.load,
}
"""Task name -> function that fetches and reads its data set."""

__all__ = ["LOADERS", "NO_LABEL", "Dataset", "OwnData", "Series", "Split", "load", "read_ts", "standardized"]
