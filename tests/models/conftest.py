"""A tiny data set with which training takes seconds."""

import pytest

from ese_models.data import Dataset
from support.random_data import tiny_data


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    return tiny_data()
