# SPDX-License-Identifier: Apache-2.0
"""The rule of the ports of RAMs."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from clang.cindex import Cursor, CursorKind

from support.hls_rules.breach import Breach
from support.hls_rules.call_graph import CallGraph, parameters
from support.hls_rules.expressions import NamedCall, Way, Ways, calls, changes, index_of, operands
from support.hls_rules.source import Source, body, dimensions

Key = tuple[Cursor, tuple[str, ...]]
"""A RAM: the array, and its indices as far as they are literal numbers in dimensions that are partitioned."""


Accesses = dict[Key, list[Cursor]]
ACCESSES = {CursorKind.ARRAY_SUBSCRIPT_EXPR, CursorKind.DECL_REF_EXPR, CursorKind.MEMBER_REF_EXPR}


@dataclass
class Ports:
    """The expressions that read and write each array, each as often as it is instantiated."""

    reads: Accesses = field(default_factory=lambda: defaultdict(list))
    writes: Accesses = field(default_factory=lambda: defaultdict(list))


def ram_ports(source: Source) -> Iterator[Breach]:
    """In an iteration of a pipelined loop, one expression reads a RAM and one writes it, or two read it.

    A RAM has two ports, and HLS makes one for each expression that it cannot prove to exclude another. Functions that
    the loop calls count as often as they are called, as HLS instantiates them so often.
    """
    counter = _Counter(source)
    for function, loop in source.pipelined():
        ports = _merged(counter.of(function, loop))
        for key in sorted({*ports.reads, *ports.writes}, key=lambda key: (key[0].location.line, key[1])):
            array, indices = source.arrays.get(key[0].hash), "".join(f"[{index}]" for index in key[1])
            if array is None or not array.is_memory:
                continue
            reads, writes = ports.reads.get(key, []), ports.writes.get(key, [])
            if len(writes) > 1 or len(reads) > (1 if writes else 2):
                places = sorted({place.location.line for place in [*reads, *writes]})
                yield Breach.at(
                    "ram-ports",
                    key[0],
                    f"the pipelined loop of {function.spelling} has {len(reads)} reads and {len(writes)} writes of "
                    f"{key[0].spelling}{indices} (lines {', '.join(map(str, places))}): one of each, or two reads, are "
                    "allowed; multiplex the operands, and let one branch instantiate the access",
                )


class _Counter:
    """Counts accesses through calls; those of an array that is a parameter belong to the argument."""

    def __init__(self, source: Source) -> None:
        self._source, self._graph, self._ways = source, CallGraph(source), Ways(source)
        self._known: dict[int, Ports] = {}

    def of(self, function: Cursor, node: Cursor) -> Ports:
        """The accesses of a node in a function."""
        ports = Ports()
        self._walk(node, {target.hash: reads for target, reads in changes(node)}, ports)
        for call in calls(node):
            called = [self._called(callee, call) for callee in self._graph.candidates(call, function)]
            _add_longest(ports.reads, [found.reads for found in called])
            _add_longest(ports.writes, [found.writes for found in called])
        return ports

    def _called(self, callee: Cursor, call: NamedCall) -> Ports:
        """The accesses of a function by one call of it."""
        if callee.hash not in self._known:
            self._known[callee.hash] = Ports()  # for a function that calls itself
            self._known[callee.hash] = self.of(callee, body(callee))
        ways = [self._ways.of(argument) for argument in call.arguments]
        bindings = {parameter.hash: way for parameter, way in zip(parameters(callee), ways, strict=True)}
        names = [parameter.spelling for parameter in parameters(callee)]
        indices = dict(zip(names, map(index_of, call.arguments), strict=True))
        ports, own = Ports(), self._known[callee.hash]
        for ours, theirs in ((ports.reads, own.reads), (ports.writes, own.writes)):
            for key, places in theirs.items():
                if (bound := self._bound(key, bindings, indices)) is not None:
                    ours[bound].extend(places)
        return ports

    def _bound(self, key: Key, bindings: dict[int, Way], named: dict[str, str]) -> Key | None:
        """The RAM of the caller that a key of a function it calls means; None if it is none.

        Args:
            key: the key in the function.
            bindings: the ways of the arguments by the hash of the parameter.
            named: the arguments as indices, by the name of the parameter.
        """
        holder = key[0]
        indices = tuple(index if index.isdigit() else named.get(index, "*") for index in key[1])
        if holder.kind != CursorKind.PARM_DECL:
            return holder, indices
        way = bindings.get(holder.hash)
        if way is None or way.holder is None:
            return None
        return self._key(way.holder, (*way.indices, *indices))

    def _walk(self, node: Cursor, targets: dict[int, bool], ports: Ports) -> None:
        """Add the accesses in a node; `targets` are written, and read too if their value is true."""
        if node.kind == CursorKind.VAR_DECL and "&" in node.type.spelling:
            return  # a reference is only bound here
        if node.kind in ACCESSES:
            way = self._ways.of(node)
            if _is_element(way) and way.holder is not None:
                key = self._key(way.holder, way.indices)
                if node.hash in targets:
                    ports.writes[key].append(node)
                if targets.get(node.hash, True):
                    ports.reads[key].append(node)
                for index in _indices(node):
                    self._walk(index, targets, ports)
                return
        for child in node.get_children():
            self._walk(child, targets, ports)

    def _key(self, holder: Cursor, indices: tuple[str, ...]) -> Key:
        if holder.kind == CursorKind.PARM_DECL:
            return holder, indices
        array = self._source.arrays.get(holder.hash)
        parts = array.partitioned if array is not None else set()
        return holder, tuple(index if place + 1 in parts else "*" for place, index in enumerate(indices))


def _merged(ports: Ports) -> Ports:
    """The same by RAM: an index that is no number may be any of the numbers that select a RAM elsewhere."""
    numbers: dict[tuple[int, int], set[str]] = defaultdict(set)
    for holder, indices in [*ports.reads, *ports.writes]:
        for place, index in enumerate(indices):
            numbers[holder.hash, place] |= {index} if index.isdigit() else set()
    merged = Ports()
    for ours, theirs in ((merged.reads, ports.reads), (merged.writes, ports.writes)):
        for (holder, indices), places in theirs.items():
            choices = [
                {index} if index.isdigit() else numbers[holder.hash, place] or {"*"}
                for place, index in enumerate(indices)
            ]
            for chosen in itertools.product(*choices):
                ours[holder, chosen].extend(places)
    return merged


def _add_longest(accesses: Accesses, candidates: list[Accesses]) -> None:
    """Add the accesses of a call; where it may mean several functions, those of the function that has most."""
    for key in {key for found in candidates for key in found}:
        longest: list[Cursor] = max((found.get(key, []) for found in candidates), key=len)
        accesses[key].extend(longest)


def _is_element(way: Way) -> bool:
    """Whether a way leads to an element of an array, and not only into a part of its dimensions."""
    count = dimensions(way.holder) if way.holder is not None else 0
    return count > 0 and len(way.indices) >= count


def _indices(node: Cursor) -> Iterator[Cursor]:
    """The expressions that index the arrays in an access."""
    inner = operands(node)
    if node.kind == CursorKind.ARRAY_SUBSCRIPT_EXPR:
        yield inner[-1]
    if inner:
        yield from _indices(inner[0])
