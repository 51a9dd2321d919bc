# SPDX-License-Identifier: Apache-2.0
"""Conversion of plain JSON values to dataclasses, guided by their annotations, and back.

Types are strict: a value must have exactly the annotated type, so that a bool is no integer and an integer is no text.
The error message names the place of a wrong value, the value and the expected type. Annotations may be bool, int, float
(an integer is accepted and stays one), str, None, Any, Literal, unions, list[X], tuple[X, ...], tuple[X, Y],
dict[str, X], and dataclasses of these.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ese_host.errors import FormatError

T = TypeVar("T")
MAX_SHOWN = 200
"""Most characters of a value, or of a list of names, that a message shows."""
_TYPE_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    type(None): "null",
    dict: "an object",
}
Place = tuple["str | int", ...]
"""Path from the outermost value to an inner one: names of fields and indices of list items."""


@dataclass(frozen=True, kw_only=True)
class KeepsUnknown:
    """Base class of objects that may lack fields and have unknown ones; encoding keeps all fields and their order.

    A field with a default may be absent. It is written if it was present when decoded, or if its value
    is not the default.

    Attributes:
        further: values of the fields that the class does not have, or that were not to be decoded.
        order: names of all fields in the decoded object, in their order. Fields that are set later follow in the order
            of the class.
    """

    further: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class JsonForm:
    """Rules for values that are not plain JSON.

    Attributes:
        tag: name of a field that holds the class name of every object; None if there is none.
        leaves: functions that decode types other than JSON's, by type; each is given the plain value and its place as
            text.
        only: names of the fields to decode in the outermost object, if this is a `KeepsUnknown`; None for all.
    """

    tag: str | None = None
    leaves: Mapping[Any, Callable[[Any, str], Any]] = field(default_factory=dict)
    only: Sequence[str] | None = None


PLAIN = JsonForm()


def decode(hint: type[T], value: Any, name: str, advice: str = "", form: JsonForm = PLAIN) -> T:
    """Decode plain values to an annotated type.

    An object must have exactly the fields of its dataclass, except that a field may be absent if it has a default and
    its type includes None. `KeepsUnknown` classes may also have fewer or more fields.

    Args:
        hint: the type, usually a dataclass.
        value: plain values: None, bool, int, float, str, lists and dictionaries.
        name: name of the outermost value in error messages.
        advice: advice at the end of error messages.
        form: rules for values that are not plain JSON.

    Raises:
        FormatError: if a value has another type, or an object has other fields.
        EseError: if a dataclass refuses the values of its fields.
    """
    result: T = _Decoder(name, f": {advice}" if advice else "", form).value(hint, value, ())
    return result


def encode(value: Any, encode_leaf: Callable[[Any, Place], Any] | None = None, tag: str | None = None) -> Any:
    """Inverse of `decode`: dataclasses become dictionaries in the order of their fields.

    Args:
        value: any value that `decode` can return.
        encode_leaf: function that makes plain values of a value that is neither plain nor a dataclass, list or mapping;
            it is given the value and its place.
        tag: name of a field that shall hold the class name of every object; None for no such field.
    """
    return _encode(value, (), encode_leaf, tag)


def _encode(value: Any, place: Place, leaf: Callable[[Any, Place], Any] | None, tag: str | None) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        encoded = {name: _encode(item, (*place, name), leaf, tag) for name, item in _items(value)}
        return {tag: type(value).__name__, **encoded} if tag else encoded
    if isinstance(value, Mapping):
        return {name: _encode(item, (*place, name), leaf, tag) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item, (*place, number), leaf, tag) for number, item in enumerate(value)]
    if leaf is None or value is None or isinstance(value, (bool, int, float, str)):
        return value
    return leaf(value, place)


def _items(value: Any) -> list[tuple[str, Any]]:
    """Names and values of a dataclass's fields, in the order in which they are written."""
    if not isinstance(value, KeepsUnknown):
        return [(item.name, getattr(value, item.name)) for item in fields(value)]
    declared = {item.name: item for item in fields(value) if item.name not in _KEEPER_FIELDS}
    changed = {name: getattr(value, name) for name, item in declared.items() if getattr(value, name) != _default(item)}
    values = {**{name: getattr(value, name) for name in declared}, **value.further, **changed}
    return [(name, values[name]) for name in (*value.order, *(name for name in changed if name not in value.order))]


_KEEPER_FIELDS = frozenset(item.name for item in fields(KeepsUnknown))
"""Fields of `KeepsUnknown` itself, which never appear in JSON."""


def _default(item: Any) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


@cache
def _hints(cls: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(cls).items() if name in {item.name for item in fields(cls)}}


def _origin(hint: Any) -> Any:
    """The class behind an annotation: list for list[int], numpy.ndarray for NDArray (a lazy alias since NumPy 2.5)."""
    origin = get_origin(hint) or hint
    return _origin(origin.__value__) if hasattr(origin, "__value__") else origin


@dataclass(frozen=True)
class _Decoder:
    """One call of `decode`; its methods pass the place of each value on, for error messages."""

    name: str
    advice: str
    form: JsonForm

    def value(self, hint: Any, value: Any, place: Place) -> Any:
        """Decode a value of any annotated type."""
        origin, arguments = _origin(hint), get_args(hint)
        if origin in self.form.leaves:
            return self.form.leaves[origin](value, self.where(place))
        if not self.may_be(hint, value):
            raise self.refusal(value, place, hint)
        if origin in (Union, types.UnionType):
            return self.value(next(item for item in arguments if self.may_be(item, value)), value, place)
        if origin is list:
            return [self.value(arguments[0], item, (*place, number)) for number, item in enumerate(value)]
        if origin is tuple:
            hints = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
            if len(hints) != len(value):
                raise self.refusal(value, place, hint)
            pairs = zip(hints, value, strict=True)
            return tuple(self.value(item, part, (*place, number)) for number, (item, part) in enumerate(pairs))
        if origin is dict:
            return {key: self.value(arguments[1], item, (*place, key)) for key, item in value.items()}
        return self.object(hint, value, place) if is_dataclass(hint) else value

    def may_be(self, hint: Any, value: Any) -> bool:
        """Whether a value fits a type on the outside; its items or fields are not checked yet."""
        origin, arguments = _origin(hint), get_args(hint)
        if hint is Any:
            return True
        if origin in (Union, types.UnionType):
            return any(self.may_be(item, value) for item in arguments)
        if origin is Literal:
            return any(type(value) is type(item) and value == item for item in arguments)
        if origin in (list, tuple):
            return isinstance(value, list)
        if origin in self.form.leaves:
            return isinstance(value, dict)
        if is_dataclass(hint):
            tag = self.form.tag
            return isinstance(value, dict) and (tag is None or value.get(tag) == getattr(hint, "__name__", None))
        return type(value) in ((int, float) if hint is float else (origin,))

    def object(self, cls: Any, value: dict[str, Any], place: Place) -> Any:
        """Decode an object to a dataclass."""
        keeps_unknown = issubclass(cls, KeepsUnknown)
        hints = {name: hint for name, hint in _hints(cls).items() if not (keeps_unknown and name in _KEEPER_FIELDS)}
        given = {name: item for name, item in value.items() if name != self.form.tag}
        selected = self.form.only if keeps_unknown and not place and self.form.only is not None else hints
        known = {name: item for name, item in given.items() if name in hints and name in selected}
        absent = {item.name for item in fields(cls) if item.name in hints and item.name not in known}
        missing = [item for item in fields(cls) if item.name in absent and not self._may_lack(cls, item, hints)]
        if missing or not (keeps_unknown or set(given) == set(known)):
            names = _shortened(str(sorted(given, key=str)))
            raise FormatError(f"{self.where(place)} has fields {names}; expected {sorted(hints)}{self.advice}")
        decoded = cls(**{name: self.value(hints[name], item, (*place, name)) for name, item in known.items()})
        if not keeps_unknown:
            return decoded
        further = {name: item for name, item in given.items() if name not in known}
        return replace(decoded, further=further, order=tuple(given))

    def _may_lack(self, cls: Any, item: Any, hints: dict[str, Any]) -> bool:
        has_default = item.default is not MISSING or item.default_factory is not MISSING
        return has_default and (issubclass(cls, KeepsUnknown) or type(None) in get_args(hints[item.name]))

    def where(self, place: Place) -> str:
        """A place as text: `name` for the outermost value, `name: field[2].field` for an inner one."""
        text = "".join(
            f"[{part!r}]" if isinstance(part, int) or not part.isidentifier() else f".{part}" for part in place
        ).lstrip(".")
        return f"{self.name}: {text}" if text else self.name

    def refusal(self, value: Any, place: Place, hint: Any) -> FormatError:
        """The error for a value of the wrong type; if an object has a wrong class name, the error names that."""
        tag, classes = self.form.tag, [item for item in (hint, *get_args(hint)) if is_dataclass(item)]
        if tag is not None and isinstance(value, dict) and classes:
            class_names = Literal.__getitem__(tuple(getattr(item, "__name__", "") for item in classes))
            return self.refusal(value.get(tag), (*place, tag), class_names)
        expected = _type_name(hint)
        return FormatError(f"{self.where(place)} is {_shortened(repr(value))}; expected {expected}{self.advice}")


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _type_name(hint: Any) -> str:
    """Name of a type in error messages, such as "an integer or null"."""
    origin, arguments = _origin(hint), get_args(hint)
    if origin in (Union, types.UnionType, Literal):
        names = list(dict.fromkeys(repr(item) if origin is Literal else _type_name(item) for item in arguments))
        return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    if origin in (list, tuple):
        return "a list"
    return _TYPE_NAMES.get(origin, "an object")
