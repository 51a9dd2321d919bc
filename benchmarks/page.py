"""Pages of figures: a template that lies beside the module that measures them, filled and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import jinja2


def filled(template: Path, **values: Any) -> str:
    """A template's text with these values; an undefined name is an error."""
    loader = jinja2.FileSystemLoader(template.parent)
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    return environment.get_template(template.name).render(**values)


def write(path: Path, text: str) -> None:
    """Write a page, which ends with one line break."""
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def publish(path: Path, template: Path, **values: Any) -> None:
    """Fill a template, write the page and print it."""
    text = filled(template, **values)
    write(path, text)
    click.echo(text)
