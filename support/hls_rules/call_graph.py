# SPDX-License-Identifier: Apache-2.0
"""Which functions a call may mean. In a template the types are not known yet, so names and classes decide."""

from __future__ import annotations

from functools import cached_property

from clang.cindex import Cursor, CursorKind

from support.hls_rules.expressions import NamedCall
from support.hls_rules.source import CLASSES, Source, class_name


class CallGraph:
    """The functions of a source by their names and classes."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @cached_property
    def _by_name(self) -> dict[str, list[Cursor]]:
        named: dict[str, list[Cursor]] = {}
        for function in self._source.functions:
            if function.kind != CursorKind.CONSTRUCTOR:
                named.setdefault(function.spelling.split("<")[0], []).append(function)
        return named

    @cached_property
    def _class_names(self) -> set[str]:
        return {cls.spelling for cls in self._source.classes}

    def candidates(self, call: NamedCall, caller: Cursor) -> list[Cursor]:
        """The definitions that a call in `caller` may mean; none if it is of no function of the source."""
        found = [
            function
            for function in self._by_name.get(call.name, [])
            if len(parameters(function)) == len(call.arguments)
        ]
        if call.target is None:
            own = [function for function in found if owner(function) in ("", call.qualifier or owner(caller))]
            return [function for function in own if owner(function)] or own
        of_class = class_name(call.target.type.spelling)
        if of_class in self._class_names:
            return [function for function in found if owner(function) == of_class]
        return [function for function in found if owner(function)]


def owner(function: Cursor) -> str:
    """The name of the class whose method a function is; nothing for any other function."""
    parent = function.semantic_parent
    return str(parent.spelling) if parent is not None and parent.kind in CLASSES else ""


def parameters(function: Cursor) -> list[Cursor]:
    """The parameters of a function, which may be a template."""
    return [child for child in function.get_children() if child.kind == CursorKind.PARM_DECL]
