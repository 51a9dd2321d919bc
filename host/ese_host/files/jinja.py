"""Jinja2 templates that lie in a room's folder `templates`; an undefined name is an error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


@cache
def templates(package: str) -> jinja2.Environment:
    """The templates of a package: .html and .hwh are escaped, text of any other kind is not.

    Args:
        package: dotted name of the package whose folder `templates` holds them.
    """
    import jinja2  # only reports and emission need it: the accelerator runs without

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html", "hwh")),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
