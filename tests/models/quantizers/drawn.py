# SPDX-License-Identifier: Apache-2.0
"""Random weights and settings for properties of quantizers."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

SETTINGS = {"per_channel": st.booleans(), "power_of_two": st.booleans(), "max_frac": st.sampled_from([0, 7, 15])}


@st.composite
def weights(draw: st.DrawFn) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Weights, of one size or of many sizes, and a mask that keeps all, some or none of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 10)))
    spread = rng.choice([1e-6, 1e-3, 1.0, 30.0, 4e4], shape) if draw(st.booleans()) else 1.0
    mask = rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    return (rng.normal(size=shape) * spread).astype(np.float32), mask
