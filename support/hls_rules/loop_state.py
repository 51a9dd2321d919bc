# SPDX-License-Identifier: Apache-2.0
"""The rule of the state of pipelined loops."""

from __future__ import annotations

from collections.abc import Iterator

from clang.cindex import Cursor, CursorKind

from support.hls_rules.breach import Breach
from support.hls_rules.call_graph import CallGraph, owner
from support.hls_rules.expressions import NamedCall, Way, Ways, calls, changes
from support.hls_rules.source import Source, body, is_static


def loop_state(source: Source) -> Iterator[Breach]:
    """State that a pipelined loop carries from iteration to iteration is in locals of the function with the loop.

    Memories are no such state, and neither are streams: parameters whose type is a parameter of the template itself.
    """
    graph = CallGraph(source)
    state = _State(source, graph)
    for function, loop in source.pipelined():
        for way, place in state.changed(function, loop):
            assert way.root is not None
            what = "a static variable" if way.root.kind == CursorKind.VAR_DECL else "a parameter"
            if way.root.kind == CursorKind.FIELD_DECL:
                what = f"a member of {owner(function)}"
            yield Breach.at(
                "loop-state",
                place,
                f"the pipelined loop of {function.spelling} changes {way.root.spelling}, {what}: make it a local of "
                f"{function.spelling}",
            )


class _State:
    """Finds the variables that functions change, but for their locals, memories and streams."""

    def __init__(self, source: Source, graph: CallGraph) -> None:
        self._source, self._graph, self._ways = source, graph, Ways(source)
        self._known: dict[int, list[Cursor]] = {}

    def changed(self, function: Cursor, node: Cursor) -> Iterator[tuple[Way, Cursor]]:
        """The ways to the variables that a node changes and that outlive a call of its function, and where it does."""
        for target, _ in changes(node):
            way = self._ways.of(target)
            if self._lasts(way) and not self._in_memory(way):
                yield way, target
        for call in calls(node):
            if call.target is not None:
                way = self._ways.of(call.target)
                if self._lasts(way) and self._members(call, function):
                    yield way, call.node
            elif owner(function):
                for member in self._members(call, function):
                    yield Way(member, member, member), call.node

    def _lasts(self, way: Way) -> bool:
        root = way.root
        if root is None:
            return False
        if root.kind == CursorKind.PARM_DECL:
            return "&" in root.type.spelling and not _is_stream(root)
        return root.kind == CursorKind.FIELD_DECL or is_static(root)

    def _in_memory(self, way: Way) -> bool:
        array = self._source.arrays.get(way.holder.hash) if way.holder is not None else None
        return array is not None and array.is_memory and bool(way.indices)

    def _members(self, call: NamedCall, caller: Cursor) -> list[Cursor]:
        """The members of the object whose method is called that the call may change, but for memories."""
        found = [member for function in self._graph.candidates(call, caller) for member in self._of(function)]
        return list({member.hash: member for member in found}.values())

    def _of(self, function: Cursor) -> list[Cursor]:
        if not owner(function) or function.is_const_method() or function.is_static_method():
            return []
        if function.hash not in self._known:
            self._known[function.hash] = []  # for a method that calls itself
            ways = [way for way, _ in self.changed(function, body(function))]
            self._known[function.hash] = [
                way.root for way in ways if way.root is not None and way.root.kind == CursorKind.FIELD_DECL
            ]
        return self._known[function.hash]


def _is_stream(parameter: Cursor) -> bool:
    """Whether a parameter carries words in or out: a stream, or of a type that the template leaves open."""
    if "hls::stream" in parameter.type.get_canonical().spelling:
        return True
    types = [child for child in parameter.get_children() if child.kind == CursorKind.TYPE_REF]
    plain = parameter.type.spelling.replace("&", "").strip()
    return len(types) == 1 and types[0].spelling == plain and _is_open(types[0])


def _is_open(reference: Cursor) -> bool:
    return reference.referenced is not None and reference.referenced.kind == CursorKind.TEMPLATE_TYPE_PARAMETER
