# SPDX-License-Identifier: Apache-2.0
"""Random data: matrices with a density and an interleave for tests of masks, and a tiny data set to train on.

`tiny` and `without_xla` are fixtures; a conftest.py imports them.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st

from ese_host.image import Interleave
from ese_host.ir import CELL_ROWS
from ese_models.data import Dataset, Series, standardized

Problem = tuple[npt.NDArray[np.float64], float, Interleave]
"""Weights (rows, columns), the density to prune them to, and the interleave of their rows over PEs."""
GRU_PLACES = ((0, 1, 2), (0, 1, 3), (0, 1), (3,))
"""Rows of a cell to which the matrices of a GRU of either form add."""


@st.composite
def problems(draw: st.DrawFn, items: int = 9, columns: int = 8) -> Problem:
    """Random weights with a density and an interleave, as a hypothesis strategy; ties are frequent.

    Args:
        draw: given by hypothesis.
        items: most groups of rows.
        columns: most columns.
    """
    places = draw(st.sampled_from([(0,), CELL_ROWS, *GRU_PLACES]))
    shape = (draw(st.integers(1, items)) * len(places), draw(st.integers(1, columns)))
    interleave = Interleave(shape[0], draw(st.integers(1, 6)), places)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 5, 1000]))  # few levels: many ties
    weights = rng.integers(0, levels, shape) / levels * rng.choice([-1.0, 1.0], shape)
    return weights, draw(st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0])), interleave


def random_series(count: int, seed: int) -> Series:
    """Random sequences of three classes, of 3 to 6 steps and 4 features."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    values = [rng.normal(size=(rng.integers(3, 7), 4)) + label for label in labels]
    return Series(values, labels.astype(np.int64), ("a", "b", "c"))


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """A data set of few sequences of three classes, 30 of them for training, so that training takes seconds."""
    return standardized(random_series(36, 1), random_series(24, 2), steps=6)


@pytest.fixture(scope="module", autouse=True)
def without_xla() -> Iterator[None]:
    """Trace training steps, but do not compile them: for tiny networks compilation takes longer than training.

    tests/end2end trains with XLA, as users do.
    """
    from ese_models.networks import qlstmp_loop
    from ese_models.training import train

    with pytest.MonkeyPatch.context() as patch:
        for module in (train, qlstmp_loop):
            patch.setattr(module, "XLA", False)
        yield
