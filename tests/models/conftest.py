"""A tiny data set of two-class sequences, so that training takes seconds."""

import numpy as np
import pytest

from ese_models.data import Dataset
from ese_models.data.japanese_vowels import standardized
from ese_models.data.ts_format import Series


def random_series(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    values = [rng.normal(size=(rng.integers(3, 7), 4)) + label for label in labels]
    return Series(values, labels.astype(np.int64), ("a", "b", "c"))


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    return standardized(random_series(30, 1), random_series(24, 2), steps=6)
