# SPDX-License-Identifier: Apache-2.0
"""pygal charts as SVG text without scripts; the same numbers always give the same text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pygal.style import Style


def chart_style(**settings: Any) -> Style:
    """The common style of all charts, with additional settings of pygal's `Style` by name."""
    from pygal.style import Style  # a board's image has no pygal

    common = {"label_font_size": 13, "major_label_font_size": 13, "legend_font_size": 13}
    return Style(**common, opacity="1", transition="0s", **settings)


def svg_text(chart: Any) -> str:
    """A chart as SVG, without the scripts and comments that pygal writes into it."""
    return re.sub(r"<script.*?</script>|<!--.*?-->", "", chart.render(is_unicode=True), flags=re.DOTALL)
