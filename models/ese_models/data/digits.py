# SPDX-License-Identifier: Apache-2.0
"""Digits: 1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, UCI archive), from scikit-learn's copy.

Every fourth sample is in the test split, every fifth of the others in the validation split. Inputs are pixel / 16,
which 4 fractional bits represent exactly.
"""

from __future__ import annotations

import numpy as np

from ese_host.errors import MissingError
from ese_models.data.dataset import Dataset, Split

NAME = "digits"
TEST_EVERY = 4
VALIDATION_EVERY = 5


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
    whole = Split((pixels / 16).astype(np.float32), np.ones(len(labels), dtype=np.int64), labels.astype(np.int64))
    rest, test = whole.divided(TEST_EVERY)
    return Dataset(NAME, *rest.divided(VALIDATION_EVERY), test, tuple("0123456789"))
