# SPDX-License-Identifier: Apache-2.0
"""The page of ESE's layer is what its template makes of the recorded runs and of the study's records."""

from benchmarks.ese import page


def test_the_page_is_that_of_the_record() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page().rstrip() + "\n"
