# SPDX-License-Identifier: Apache-2.0
"""The places that break rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clang.cindex import Cursor

from support.hls_rules.pragmas import Pragma, file_of


@dataclass(frozen=True)
class Breach:
    """A place that breaks a rule.

    Attributes:
        rule: name of the rule.
        file: its file.
        line: its line.
        text: what is found there, and what is allowed.
    """

    rule: str
    file: Path
    line: int
    text: str

    @classmethod
    def at(cls, rule: str, place: Cursor | Pragma, text: str) -> Breach:
        """The breach of a rule at a place.

        Args:
            rule: name of the rule.
            place: a node of the tree, or a pragma.
            text: what is found there, and what is allowed.
        """
        if isinstance(place, Pragma):
            return cls(rule, place.file, place.line, text)
        return cls(rule, file_of(place), place.location.line, text)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.text}"
