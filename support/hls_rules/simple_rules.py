"""Rules of single loops, pragmas, members and arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clang.cindex import CursorKind

from support.hls_rules.breach import Breach
from support.hls_rules.source import Source, class_name, fields

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
    """Arrays are stored as pragmas say where they are defined.

    That is the function whose local variable it is, or the constructor of the class whose member it is.
    """
    for pragma in source.pragmas:
        holders = [function for function in source.functions if pragma in source.within(function)]
        if pragma.kind not in STORAGE or not holders:
            continue
        holder, name = holders[-1], pragma.option("variable") or ""
        locals_ = {node.spelling for node in holder.walk_preorder() if node.kind == CursorKind.VAR_DECL}
        if holder.kind == CursorKind.CONSTRUCTOR:
            locals_ |= {member.spelling for member in fields(holder.semantic_parent)}
        of_other = holder.kind == CursorKind.CONSTRUCTOR and "." in name
        if name.split(".")[0] not in locals_ or of_other:
            yield Breach.at(
                "partitioned-where-defined",
                pragma,
                f"{name} is not defined where its {pragma.kind} stands, in {holder.spelling}: put the pragma there",
            )
