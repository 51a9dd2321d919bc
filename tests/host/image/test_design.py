# SPDX-License-Identifier: Apache-2.0
"""Designs: an input has the 16 bits that a packet holds for it, as chains allow."""

from __future__ import annotations

import pytest
from small_design import small_design

from ese_host.errors import FormatError
from ese_host.ir import ELEMENT_BITS, Fixed


@pytest.mark.parametrize("signed", [True, False])
def test_an_input_has_at_most_the_bits_of_a_packet(signed: bool) -> None:
    small_design(source=Fixed(ELEMENT_BITS, 4, signed))
    with pytest.raises(FormatError, match=r"design: source has 17 bits, .*; at most 16 are allowed"):
        small_design(source=Fixed(ELEMENT_BITS + 1, 4, signed))
