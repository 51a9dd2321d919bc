# SPDX-License-Identifier: Apache-2.0
"""Access to the Jinja2 templates in a package's folder `templates`; undefined names are errors.

The folder `templates` beside this file has what several packages include: page.css, the style of all pages.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


@cache
def templates(package: str) -> jinja2.Environment:
    """The templates of a package, which may include those here; values are escaped in .html and .hwh templates only.

    Args:
        package: dotted name of the package that contains the folder `templates`.
    """
    import jinja2  # only reports and emission need it; an installation that only runs an accelerator may lack it

    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, "templates") for name in (package, __package__)]),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html", "hwh")),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
