# SPDX-License-Identifier: Apache-2.0
"""Strict reading of JSON from untrusted sources.

Size and depth are limited, names in an object are unique, numbers are finite and text has no lone surrogates, so that
every value can be converted, compared and printed.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ese_host.errors import FormatError
from ese_host.files.hashing import Source, open_plain

DEPTH = 64
"""Default limit of the depth to which objects and lists may be nested."""
MAX_SHOWN = 40
"""Most characters of a number that a message shows."""
INTEGERS = range(-(1 << 63), 1 << 64)
"""Integers that are read: those of 64 bits, signed or unsigned."""


def read(path: Source, limit: int, advice: str, *, depth: int = DEPTH, finite: bool = True) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        limit: most bytes that it may have.
        advice: advice at the end of error messages.
        depth: most objects and lists that may be nested.
        finite: whether NaN, Infinity and numbers as large as 1e999 are refused; Python writes the first two although
            JSON has neither.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is no plain file, too large, no JSON, nested too deeply, an object has a name twice, or a
            number or text is not allowed.
    """
    with open_plain(path) as stream:
        data = stream.read(limit + 1)
    return parse(data, str(path), limit, advice, depth=depth, finite=finite)


def parse(data: bytes | str, name: str, limit: int, advice: str, *, depth: int = DEPTH, finite: bool = True) -> Any:
    """Parse a JSON text.

    Args:
        data: the text, or its bytes in UTF-8.
        name: name of the text in error messages.
        limit: most bytes or characters that it may have.
        advice: advice at the end of error messages.
        depth: most objects and lists that may be nested.
        finite: whether NaN, Infinity and numbers as large as 1e999 are refused; Python writes the first two although
            JSON has neither.

    Raises:
        FormatError: if it is too large, no JSON, nested too deeply, an object has a name twice, or a
            number or text is not allowed.
    """
    if len(data) > limit:
        raise FormatError(f"{name}: larger than {limit} bytes; {advice}")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite if finite else None,
            parse_constant=_refuse if finite else None,
        )
        _check_text(value)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: not JSON ({error}); {advice}") from error
    if not _within(value, depth):
        raise FormatError(f"{name}: objects and lists are nested more than {depth} deep; {advice}")
    return value


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text[:MAX_SHOWN])


def _integer(text: str) -> int:
    if len(text) > 20 or int(text) not in INTEGERS:
        raise ValueError(f"the integer {text[:MAX_SHOWN]} has more than 64 bits")
    return int(text)


def _check_text(value: Any) -> None:
    """Refuse lone surrogates, which no file name and no terminal can hold."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, (dict, list)):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_text(item)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name occurs twice in {sorted(names)}")
    return dict(pairs)


def _within(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is None or (depth > 0 and all(_within(item, depth - 1) for item in inner))
