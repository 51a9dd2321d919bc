# SPDX-License-Identifier: Apache-2.0
"""A parsed source: its classes, functions, loops and arrays, with the pragmas that belong to each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clang.cindex import Cursor, CursorKind, Diagnostic, Index, TranslationUnit

from ese_hls.emulate.gxx import MACHINE_WORDS, find_compiler
from support.hls_rules.pragmas import Pragma, file_of, pragmas

LOOPS = {CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT}
FUNCTIONS = {
    CursorKind.FUNCTION_DECL,
    CursorKind.FUNCTION_TEMPLATE,
    CursorKind.CXX_METHOD,
    CursorKind.CONSTRUCTOR,
}
CLASSES = {
    CursorKind.CLASS_DECL,
    CursorKind.STRUCT_DECL,
    CursorKind.CLASS_TEMPLATE,
    CursorKind.CLASS_TEMPLATE_PARTIAL_SPECIALIZATION,
}
VARIABLES = {CursorKind.VAR_DECL, CursorKind.FIELD_DECL}


class SourceError(Exception):
    """A source that clang cannot parse, whose tree would therefore show only a part of it."""


@dataclass(eq=False)
class StoredArray:
    """An array that is a variable or a member, and how pragmas store it.

    Attributes:
        cursor: its declaration.
        partitioned: its dimensions that are partitioned, counted from 1; 0 for all.
        bound: whether a pragma binds it to a kind of memory.
    """

    cursor: Cursor
    partitioned: set[int] = field(default_factory=set)
    bound: bool = False

    @property
    def is_memory(self) -> bool:
        """Whether it is one RAM or several: bound to one, or partitioned or static, but not into registers."""
        registers = 0 in self.partitioned or len(self.partitioned) >= dimensions(self.cursor)
        return self.bound or ((bool(self.partitioned) or is_static(self.cursor)) and not registers)


@dataclass
class Source:
    """A source and the headers that it includes.

    Attributes:
        unit: clang's syntax tree.
        files: the files whose code is looked at.
    """

    unit: TranslationUnit
    files: Sequence[Path]

    @cached_property
    def nodes(self) -> list[Cursor]:
        """All nodes of the tree in the files."""
        tops = [cursor for cursor in self.unit.cursor.get_children() if file_of(cursor) in self.files]
        plain = [top for top in tops if not top.kind.is_preprocessing()]
        return [node for top in plain for node in top.walk_preorder()]

    @cached_property
    def pragmas(self) -> list[Pragma]:
        """All pragmas of HLS in the files."""
        return pragmas(self.unit, self.files)

    @cached_property
    def functions(self) -> list[Cursor]:
        """Definitions of functions."""
        return [node for node in self.nodes if node.kind in FUNCTIONS and body(node) is not None]

    @cached_property
    def classes(self) -> list[Cursor]:
        """Definitions of classes."""
        return [node for node in self.nodes if node.kind in CLASSES and node.is_definition()]

    @cached_property
    def arrays(self) -> dict[int, StoredArray]:
        """The arrays by the hash of their declaration."""
        found = {node.hash: StoredArray(node) for node in self.nodes if node.kind in VARIABLES and dimensions(node)}
        for pragma in self.pragmas:
            array = found.get(getattr(self.named(pragma), "hash", 0))
            if array is not None and pragma.kind == "array_partition":
                array.partitioned.add(int(pragma.option("dim") or 0))
            elif array is not None and pragma.kind == "bind_storage":
                array.bound = True
        return found

    def within(self, node: Cursor) -> list[Pragma]:
        """The pragmas between the braces of a node, and those of nodes in it."""
        file, first, last = file_of(node), node.extent.start.offset, node.extent.end.offset
        return [p for p in self.pragmas if p.file == file and first <= p.offset < last]

    def own(self, loop: Cursor) -> list[Pragma]:
        """The pragmas that are a loop's own, and not those of a loop in it."""
        inner = [node for node in loop.walk_preorder() if node.kind in LOOPS and node != loop]
        theirs = {pragma for node in inner for pragma in self.within(node)}
        return [pragma for pragma in self.within(loop) if pragma not in theirs]

    def named(self, pragma: Pragma, whole: bool = False) -> Cursor | None:
        """The declaration of the variable that a pragma names: of its function, of the class, or of a member of it.

        Args:
            pragma: the pragma.
            whole: whether the object is meant that a member belongs to.
        """
        name = pragma.option("variable")
        around = [node for node in [*self.functions, *self.classes] if pragma in self.within(node)]
        if name is None or not around:
            return None
        first, *members = name.split(".")
        inside = [node for scope in reversed(around) for node in scope.walk_preorder() if node.kind in VARIABLES]
        found = next((node for node in inside if node.spelling == first), None)
        for member in () if whole else members:
            found = self._member(found, member) if found is not None else None
        return found

    def _member(self, node: Cursor, name: str) -> Cursor | None:
        of_class = class_name(node.type.spelling)
        owners = [cls for cls in self.classes if cls.spelling == of_class]
        return next((member for cls in owners for member in fields(cls) if member.spelling == name), None)

    def loops(self) -> Iterator[tuple[Cursor, Cursor]]:
        """Every loop with the function that holds it."""
        for function in self.functions:
            yield from ((function, node) for node in function.walk_preorder() if node.kind in LOOPS)

    def pipelined(self) -> Iterator[tuple[Cursor, Cursor]]:
        """The same for loops that are pipelined."""
        for function, loop in self.loops():
            if any(pragma.kind == "pipeline" for pragma in self.own(loop)):
                yield function, loop


def parse(path: Path, files: Sequence[Path], includes: Sequence[Path] = ()) -> Source:
    """Parse a source. Integers are machine words, of which clang knows that they are no objects.

    Args:
        path: the source.
        files: it and the headers whose code is looked at.
        includes: include folders.

    Raises:
        SourceError: if clang finds an error in it.
    """
    command = [find_compiler(), "-print-file-name=include"]
    builtin = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    arguments = ["-x", "c++", "-std=c++14", MACHINE_WORDS, "-isystem", builtin, *(f"-I{path}" for path in includes)]
    recorded = TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
    unit = Index.create().parse(str(path), arguments, options=recorded)
    errors = [str(found) for found in unit.diagnostics if found.severity >= Diagnostic.Error]
    if errors:
        raise SourceError(f"clang cannot parse {path}: {errors[0]}; mend it first")
    return Source(unit, files)


def body(function: Cursor) -> Cursor | None:
    """The braces of a function, or None for a mere declaration."""
    return next((child for child in function.get_children() if child.kind == CursorKind.COMPOUND_STMT), None)


def fields(cls: Cursor) -> list[Cursor]:
    """The members of a class that hold values."""
    return [child for child in cls.get_children() if child.kind == CursorKind.FIELD_DECL]


def is_static(variable: Cursor) -> bool:
    """Whether a variable lives as long as the program."""
    local = variable.semantic_parent is not None and variable.semantic_parent.kind in FUNCTIONS
    return variable.kind == CursorKind.VAR_DECL and (variable.storage_class.name == "STATIC" or not local)


def dimensions(variable: Cursor) -> int:
    """The number of dimensions of an array, a reference to one, or a parameter that takes one."""
    spelled: str = variable.type.get_canonical().spelling
    return spelled.count("[") + (spelled.count("*") if variable.kind == CursorKind.PARM_DECL else 0)


def class_name(spelled: str) -> str:
    """The name of the class in a type: `Stages` of `const ese::Stages<C> &`."""
    plain = re.sub(r"\b(const|struct|class|typename)\b", "", spelled).split("<")[0]
    return re.sub(r"[&*\[\]\s\d]+$", "", plain).split("::")[-1].strip()
