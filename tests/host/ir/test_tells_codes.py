# SPDX-License-Identifier: Apache-2.0
"""The protocol of quantizers that give their own codes: which objects satisfy it, and which are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ese_host.errors import UnsupportedError
from ese_host.ir.quantizers import TellsCodebook, tells_codes


class Half:
    def codes_and_scale(self, weights: Any) -> tuple[Any, Any, int]:
        array = np.sign(np.asarray(weights)).astype(np.int64)
        return array, np.ones(array.shape[1], dtype=np.int64), 0


class WholeQuantizer(Half):
    kind = "ternary"


class Shared(WholeQuantizer):
    kind = "codebook4"
    codebook = np.arange(16)


def test_the_protocol_is_a_kind_and_its_codes() -> None:
    assert tells_codes(WholeQuantizer()) and not isinstance(WholeQuantizer(), TellsCodebook)
    assert tells_codes(Shared()) and isinstance(Shared(), TellsCodebook)
    assert not tells_codes(None) and not tells_codes(lambda x: x)


def test_codes_of_no_kind_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^quantizer Half has codes_and_scale but no kind: add what its codes"):
        tells_codes(Half())
