"""A tiny data set, so that training takes seconds."""

import pytest

from ese_models.data import Dataset
from support.random_data import tiny_data
from support.without_xla import without_xla

__all__ = ["tiny", "without_xla"]


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    return tiny_data()
