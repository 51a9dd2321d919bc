"""Digits: 1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, UCI), from scikit-learn's own copy.

Every fourth is test. Inputs are pixel / 16, which 4 fractional bits hold exactly.
"""

from __future__ import annotations

import numpy as np

from ese_host.errors import MissingError
from ese_models.data.dataset import Dataset, Split

NAME = "digits"
TEST_EVERY = 4


def load() -> Dataset:
    """The data set.

    Raises:
        MissingError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name} is not installed; digits need `pip install ese4ml[train]`") from error
    pixels, labels = load_digits(return_X_y=True)
    held = np.arange(len(labels)) % TEST_EVERY == TEST_EVERY - 1
    inputs, classes = (pixels / 16).astype(np.float32), labels.astype(np.int64)
    train, test = (Split(inputs[part], np.ones(part.sum(), dtype=np.int64), classes[part]) for part in (~held, held))
    return Dataset(NAME, train, test, tuple("0123456789"))
