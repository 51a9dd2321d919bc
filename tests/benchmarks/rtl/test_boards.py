# SPDX-License-Identifier: Apache-2.0
"""The page of the fastest designs by board."""

import pytest

from benchmarks.rtl import boards


@pytest.mark.slow
def test_the_page_is_that_of_the_present_models() -> None:
    """It takes seconds to write it again: `make bench-boards`."""
    assert boards.PAGE.read_text(encoding="utf-8") == boards.page().rstrip() + "\n"
