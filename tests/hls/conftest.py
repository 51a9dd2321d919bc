# SPDX-License-Identifier: Apache-2.0
"""Its presence puts this folder on the path, for what serves the tests of more than one folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from quantizing_once import quantizing_once


@pytest.fixture(scope="module", autouse=True)
def without_graphs() -> Iterator[None]:
    """Keras computes operation by operation: for few samples, making a graph takes longer than all that it computes."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        yield
        return
    tensorflow.config.run_functions_eagerly(True)
    with quantizing_once():
        yield
    tensorflow.config.run_functions_eagerly(False)
