# SPDX-License-Identifier: Apache-2.0
"""Digits: 1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, UCI archive), from scikit-learn's copy.

Every fourth sample is in the test split. Inputs are pixel / 16, which 4 fractional bits represent exactly.
"""

from __future__ import annotations

import numpy as np

from ese_host.errors import MissingError
from ese_models.data.dataset import Dataset, Split

NAME = "digits"
TEST_EVERY = 4


def load() -> Dataset:
    """Read the data set.

    Raises:
        MissingError: if scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name} is not installed; digits need `pip install ese4ml[train]`") from error
    pixels, labels = load_digits(return_X_y=True)
    in_test = np.arange(len(labels)) % TEST_EVERY == TEST_EVERY - 1
    inputs, classes = (pixels / 16).astype(np.float32), labels.astype(np.int64)
    train, test = (
        Split(inputs[part], np.ones(part.sum(), dtype=np.int64), classes[part]) for part in (~in_test, in_test)
    )
    return Dataset(NAME, train, test, tuple("0123456789"))
