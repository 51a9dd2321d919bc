"""Charts of pygal's as SVG text: no script in it, and the same text for the same numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pygal.style import Style


def chart_style(**own: Any) -> Style:
    """What all our charts look like, and what is a chart's own: pygal's settings by name."""
    from pygal.style import Style  # a board's image has no pygal

    common = {"label_font_size": 13, "major_label_font_size": 13, "legend_font_size": 13}
    return Style(**common, opacity="1", transition="0s", **own)


def svg_text(chart: Any) -> str:
    """A chart's SVG, without the script and the comments that pygal writes into it."""
    return re.sub(r"<script.*?</script>|<!--.*?-->", "", chart.render(is_unicode=True), flags=re.DOTALL)
