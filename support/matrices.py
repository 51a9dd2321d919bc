"""Random matrices with a density and an interleave, for properties of masks."""

import numpy as np
from hypothesis import strategies as st

from ese_host.image.interleave import Interleave


@st.composite
def problems(draw, items=9, columns=8):
    group = draw(st.sampled_from([1, 4]))
    shape = (draw(st.integers(1, items)) * group, draw(st.integers(1, columns)))
    interleave = Interleave(shape[0], draw(st.integers(1, 6)), group)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 5, 1000]))  # few levels: many ties
    weights = rng.integers(0, levels, shape) / levels * rng.choice([-1.0, 1.0], shape)
    return weights, draw(st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0])), interleave
