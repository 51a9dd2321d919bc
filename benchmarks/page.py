# SPDX-License-Identifier: Apache-2.0
"""Generated pages: fills the template that lies beside a benchmark, and writes the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import jinja2


def filled(template: Path, **values: Any) -> str:
    """The text of a template with these values. An undefined name raises jinja2.UndefinedError."""
    loader = jinja2.FileSystemLoader(template.parent)
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    return environment.get_template(template.name).render(**values)


def write(path: Path, text: str) -> None:
    """Write a page so that it ends with exactly one line break."""
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def publish(path: Path, template: Path, **values: Any) -> None:
    """Fill a template, write the page and print it.

    Args:
        path: file of the page.
        template: file of the template.
        values: values of the names in the template.
    """
    text = filled(template, **values)
    write(path, text)
    click.echo(text)
