# SPDX-License-Identifier: Apache-2.0
"""The entry memories of two PEs, against arrays of Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ese_host.estimate import shared_words
from ese_rtl.array.entries import EntryMemories
from ese_rtl.count import CASES
from ese_rtl.sizes import Sizes
from support.simulated_component import SimulatedComponent

DESIGN = CASES["int4-8"]


@pytest.mark.parametrize(("depth", "shared"), [(7, 7), (600, 0), (2048 + 5, 5)])
def test_each_pe_reads_its_own_words(depth: int, shared: int) -> None:
    rng = np.random.default_rng(depth)
    assert shared_words(depth, DESIGN.widths.word_bits) == shared
    simulated = SimulatedComponent(EntryMemories(Sizes(replace(DESIGN, entry_depth=depth))), optimize=False)
    wanted = rng.integers(0, 1 << DESIGN.widths.word_bits, (2, depth))
    writes = [(number, address) for number in range(2) for address in range(depth)]
    rng.shuffle(writes)
    simulated.run({"address1": a, "write1": 1 << n, "data1": int(wanted[n, a])} for n, a in writes)
    addresses = [*rng.permutation(depth).tolist(), 0]
    shown = simulated.run({"address1": address} for address in addresses)
    words = np.array([row["words2"] for row in shown[1:]])
    assert np.array_equal(words, wanted[:, addresses[:-1]].T)
