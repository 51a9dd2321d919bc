# SPDX-License-Identifier: Apache-2.0
"""Expressions: what they change, and which variable they lead to; also in templates, where types are not known yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from clang.cindex import Cursor, CursorKind

from support.hls_rules.source import Source, class_name, dimensions, fields

TRANSPARENT = {
    CursorKind.UNEXPOSED_EXPR,
    CursorKind.PAREN_EXPR,
    CursorKind.CSTYLE_CAST_EXPR,
    CursorKind.CXX_STATIC_CAST_EXPR,
    CursorKind.CXX_FUNCTIONAL_CAST_EXPR,
}
OWN = {CursorKind.CXX_THIS_EXPR, CursorKind.OVERLOADED_DECL_REF}
TYPES = {CursorKind.TYPE_REF, CursorKind.TEMPLATE_REF, CursorKind.NAMESPACE_REF}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


@dataclass(frozen=True)
class Way:
    """The way from a variable to what an expression names.

    Attributes:
        root: declaration of the variable: a local, a parameter or a member of the own object; None if there is none.
        holder: declaration of the array that is indexed last, or of the root.
        named: declaration of what is named last, if it is known.
        indices: the indices after `holder`: as `index_of` gives them.
    """

    root: Cursor | None
    holder: Cursor | None
    named: Cursor | None
    indices: tuple[str, ...] = ()


NOWHERE = Way(None, None, None)


@dataclass(frozen=True)
class NamedCall:
    """A call of a function.

    Attributes:
        node: its node.
        name: name of the function.
        target: the object whose method is called; None for a function or a method of the own object.
        qualifier: the class before `::`, or nothing.
        arguments: its arguments.
    """

    node: Cursor
    name: str
    target: Cursor | None
    qualifier: str
    arguments: tuple[Cursor, ...]


@cache
def _bytes(name: str) -> bytes:
    return Path(name).read_bytes()


def text(node: Cursor, start: int, end: int) -> str:
    """The text of a node's file between two places; none for a node that is not written, as a default argument.

    Args:
        node: the node.
        start: byte in the file at which the text starts.
        end: byte behind its end.
    """
    file = node.location.file
    return "" if file is None else _bytes(str(file))[start:end].decode(errors="replace")


def operands(node: Cursor) -> list[Cursor]:
    """The operands of an expression, without the names of types in it."""
    return [child for child in node.get_children() if child.kind not in TYPES]


def operator(node: Cursor) -> str:
    """The operator of an expression with two operands."""
    left, right = operands(node)[0], operands(node)[-1]
    return text(node, left.extent.end.offset, right.extent.start.offset).strip().rstrip("(").strip()


class Ways:
    """Finds the variables that the expressions of a source lead to."""

    def __init__(self, source: Source) -> None:
        self._members = {(cls.spelling, member.spelling): member for cls in source.classes for member in fields(cls)}

    def of(self, node: Cursor) -> Way:
        """The way to what an expression names; through a local reference to what the reference is bound to."""
        inner = operands(node)
        if node.kind in TRANSPARENT:
            return self.of(inner[-1]) if inner else NOWHERE
        if node.kind == CursorKind.ARRAY_SUBSCRIPT_EXPR:
            way = self.of(inner[0])
            return replace(way, indices=(*way.indices, index_of(inner[-1])))
        if node.kind == CursorKind.MEMBER_REF_EXPR:
            return self._of_member(node, inner)
        if node.kind == CursorKind.DECL_REF_EXPR and node.referenced is not None:
            variable = node.referenced
            bound = NOWHERE
            if variable.kind == CursorKind.VAR_DECL and "&" in variable.type.spelling and operands(variable):
                bound = self.of(operands(variable)[-1])
            return bound if bound.root is not None else Way(variable, variable, variable)
        if (call := call_of(node)) is not None and call.target is not None:
            return Way(self.of(call.target).root, None, None)
        return NOWHERE

    def _of_member(self, node: Cursor, inner: list[Cursor]) -> Way:
        known = node.referenced if node.referenced and node.referenced.kind == CursorKind.FIELD_DECL else None
        if not inner or inner[0].kind in OWN:
            return Way(known, known, known)
        way = self.of(inner[0])
        if known is None:
            typed = inner[0].type.spelling
            if "dependent" in typed and way.named is not None:
                typed = way.named.type.spelling
            name = text(node, inner[0].extent.end.offset, node.extent.end.offset).strip(" .->")
            known = self._members.get((class_name(typed), name))
        if known is None or (way.indices and not dimensions(known)):
            return replace(way, named=known)  # of an element of an array, or unknown
        return Way(way.root, known, known)


def index_of(node: Cursor) -> str:
    """An index as far as it matters which RAM it selects: a literal number, a parameter by its name, or `*`."""
    while node.kind in TRANSPARENT and operands(node):
        node = operands(node)[-1]
    said = text(node, node.extent.start.offset, node.extent.end.offset)
    variable = node.referenced if node.kind == CursorKind.DECL_REF_EXPR else None
    return said if said.isdigit() or (variable is not None and variable.kind == CursorKind.PARM_DECL) else "*"


def changes(node: Cursor) -> Iterator[tuple[Cursor, bool]]:
    """The targets of the assignments in a node, each with whether its old value is read too."""
    for inner in node.walk_preorder():
        parts = operands(inner)
        if inner.kind in (CursorKind.BINARY_OPERATOR, CursorKind.COMPOUND_ASSIGNMENT_OPERATOR) and len(parts) == 2:
            if (sign := operator(inner)) in ASSIGNMENTS:
                yield parts[0], sign != "="
        elif inner.kind == CursorKind.UNARY_OPERATOR and parts:
            said = text(inner, inner.extent.start.offset, inner.extent.end.offset)
            if said[:2] in ("++", "--") or said[-2:] in ("++", "--"):
                yield parts[0], True
        elif inner.kind == CursorKind.CALL_EXPR and len(parts) > 1 and _is_operator(parts):
            sign = text(inner, parts[0].extent.end.offset, parts[-1].extent.start.offset).strip()
            if sign in ASSIGNMENTS:
                yield parts[0], sign != "="


def call_of(node: Cursor) -> NamedCall | None:
    """The call that a node is, or None if it is none or calls an operator."""
    parts = list(node.get_children())
    if node.kind != CursorKind.CALL_EXPR or not parts or _is_operator(parts):
        return None
    callee = parts[0]
    while callee.kind in TRANSPARENT and operands(callee):
        callee = operands(callee)[0]
    said = text(callee, callee.extent.start.offset, callee.extent.end.offset)
    while (shorter := re.sub(r"<[^<>]*>", "", said)) != said:
        said = shorter  # arguments of templates
    named = re.search(r"(?:(\w+)::)?(\w+)\s*$", said)
    arguments = tuple(child for child in parts[1:] if child.kind not in TYPES)
    inner = operands(callee)
    on_object = callee.kind == CursorKind.MEMBER_REF_EXPR and bool(inner) and inner[0].kind not in OWN
    if named is None:
        return None
    return NamedCall(node, named.group(2), inner[0] if on_object else None, named.group(1) or "", arguments)


def _is_operator(parts: Sequence[Cursor]) -> bool:
    """Whether the parts of a call are operands around the name of an operator."""
    names = [parts[1], *parts[1].get_children()] if len(parts) > 1 else []
    return any(name.spelling.startswith("operator") for name in names[:2])


def calls(node: Cursor) -> Iterator[NamedCall]:
    """All calls in a node."""
    for inner in node.walk_preorder():
        if (call := call_of(inner)) is not None:
            yield call
