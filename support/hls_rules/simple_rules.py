# SPDX-License-Identifier: Apache-2.0
"""Rules of single loops, pragmas, members and arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clang.cindex import Cursor, CursorKind

from support.hls_rules.breach import Breach
from support.hls_rules.pragmas import file_of
from support.hls_rules.source import FUNCTIONS, Source, class_name, fields, is_static

STORAGE = ("array_partition", "array_reshape", "bind_storage")


def labels(source: Source) -> Iterator[Breach]:
    """Every loop has a label, by which reports and directives name it."""
    labelled = {
        child.hash for node in source.nodes if node.kind == CursorKind.LABEL_STMT for child in node.get_children()
    }
    for function, loop in source.loops():
        if loop.hash not in labelled:
            yield Breach.at("labels", loop, f"a loop of {function.spelling} has no label: reports name loops by it")


def dependences(source: Source) -> Iterator[Breach]:
    """A dependence is stated with its distance, and never denied."""
    for pragma in source.pragmas:
        if pragma.kind != "dependence":
            continue
        name, distance = pragma.option("variable"), pragma.option("distance")
        if "false" in pragma.text.lower().split() or "dependent=false" in pragma.text.lower():
            said = "says that there is none"
        elif distance is None or not distance.isdigit():
            said = f"has distance {distance}" if distance else "has no distance"
        else:
            continue
        yield Breach.at(
            "dependences", pragma, f"the dependence of {name} {said}: state a distance in iterations that is true"
        )


def unroll_factors(source: Source) -> Iterator[Breach]:
    """A loop is unrolled as a whole, or by a factor that is a literal number."""
    for pragma in source.pragmas:
        factor = pragma.option("factor") if pragma.kind == "unroll" else None
        if factor is not None and not factor.isdigit():
            yield Breach.at("unroll-factors", pragma, f"the factor is {factor}: write a literal number, or unroll all")


def reference_members(source: Source) -> Iterator[Breach]:
    """No class holds a reference or a pointer: HLS must resolve each to one object, and cannot where it is stored."""
    for cls in source.classes:
        for member in fields(cls):
            if re.search(r"[&*]", re.sub(r"\[[^]]*\]", "", member.type.spelling)):
                yield Breach.at(
                    "reference-members",
                    member,
                    f"{cls.spelling} holds {member.spelling} as {member.type.spelling}: hand it to functions instead",
                )


def static_objects(source: Source) -> Iterator[Breach]:
    """Objects that last from call to call are disaggregated, so that each member is a memory or register of its own."""
    names = {cls.spelling for cls in source.classes}
    apart = {(pragma.file, pragma.option("variable")) for pragma in source.pragmas if pragma.kind == "disaggregate"}
    for node in source.nodes:
        if node.kind != CursorKind.VAR_DECL or not is_static(node) or (file_of(node), node.spelling) in apart:
            continue
        if node.semantic_parent.kind in FUNCTIONS and class_name(node.type.spelling) in names:
            yield Breach.at(
                "static-objects",
                node,
                f"{node.spelling} is a static {node.type.spelling} that is not disaggregated: HLS may keep all of it "
                "in one memory; disaggregate it where it is defined, and keep the state of loops in locals",
            )


def object_arrays(source: Source) -> Iterator[Breach]:
    """No array of objects whose constructor holds pragmas: the pragmas would have to hold for each element."""
    directed = {
        function.spelling.split("<")[0]
        for function in source.functions
        if function.kind == CursorKind.CONSTRUCTOR and source.within(function)
    }
    for array in source.arrays.values():
        node = array.cursor
        if (name := class_name(node.type.spelling.split("[")[0])) in directed:
            yield Breach.at(
                "object-arrays",
                node,
                f"{node.spelling} is an array of {name}, whose constructor holds pragmas: use plain arrays",
            )


def partitioned_where_defined(source: Source) -> Iterator[Breach]:
    """An array is stored as pragmas say that stand in the function where it, or the object it is in, is defined."""
    for pragma in source.pragmas:
        if pragma.kind not in STORAGE:
            continue
        variable = source.named(pragma, whole=True)
        holders = [function for function in source.functions if pragma in source.within(function)]
        if holders and not (variable is not None and _defined_in(variable, holders[-1])):
            yield Breach.at(
                "partitioned-where-defined",
                pragma,
                f"{pragma.option('variable')} is no variable of {holders[-1].spelling}, where its {pragma.kind} "
                "stands: define the array there",
            )


def _defined_in(variable: Cursor, function: Cursor) -> bool:
    return variable.kind == CursorKind.VAR_DECL and any(node == variable for node in function.walk_preorder())
