# SPDX-License-Identifier: Apache-2.0
"""Printing text that may come from a file, so that no file can send commands to the user's terminal."""

from __future__ import annotations

import click


def printable(text: str) -> str:
    r"""Text in which all but printable characters, line breaks and tabs are escaped, in a form that JSON has too.

    >>> print(printable("xc7z\x1b[2J\x7f\u202e 020é"))
    xc7z\u001b[2J\u007f\u202e 020é
    """
    return "".join(item if item.isprintable() or item in "\n\t" else f"\\u{ord(item):04x}" for item in text)


def say(text: str, *, err: bool = False) -> None:
    """Print a text and a line break, with control characters escaped.

    Args:
        text: the text, which may contain names from files.
        err: whether to print on standard error.
    """
    click.echo(printable(text), err=err)
