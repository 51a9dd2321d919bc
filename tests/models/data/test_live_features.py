# SPDX-License-Identifier: Apache-2.0
"""Features of blocks of samples are those of the whole recording, wherever it is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_models.data.speech.features import Features, log_mel, with_differences
from ese_models.data.speech.live_features import LiveFeatures

FEATURES = Features()
WAVE = (3000 * np.random.default_rng(2).standard_normal(9000)).astype(np.int16)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=12))
def test_blocks_give_what_the_whole_recording_gives(sizes: list[int]) -> None:
    cuts = np.minimum(np.cumsum(sizes), len(WAVE))
    live = LiveFeatures()
    parts = [live.feed(block) for block in np.split(WAVE, cuts)]
    parts.append(live.feed(WAVE[:0], last=True))
    expected = with_differences(log_mel(WAVE, FEATURES), FEATURES.reach)
    # a product of matrices may be summed in another order for another number of frames
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=0, atol=2e-5)


def test_a_frame_comes_as_soon_as_its_differences_are_known() -> None:
    live = LiveFeatures()
    assert (live.rate, live.width) == (16000, 153)
    counts = [len(live.feed(block)) for block in np.split(WAVE, range(160, len(WAVE), 160))]
    assert sum(counts) == (len(WAVE) - 400) // 160 + 1 - 4 and max(counts) == 1
