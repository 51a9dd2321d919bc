"""Plain values, as JSON has them, to dataclasses by their annotations, and back.

A whole number is no bool, text is no number: a value has the very type of its annotation, or it is refused with its
place, what it is and what was expected. Annotations may be bool, int, float (a whole number stays one), str, None, Any,
Literal, unions, list[X], tuple[X, ...], tuple[X, Y], dict[str, X], and dataclasses of these.
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
"""Characters of a value or of names that a message shows."""
_WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    type(None): "null",
    dict: "an object",
}
Place = tuple["str | int", ...]
"""Names and numbers that lead from the root to a value."""


@dataclass(frozen=True, kw_only=True)
class KeepsUnknown:
    """An object that may lack fields and have further ones: all are kept, in the order that they stand in.

    A field with a default may be absent; on the way back it is written where it was there, or is not its default.

    Attributes:
        further: fields that the class does not have, or was not asked to decode.
        order: names of all fields that it was decoded from; those that are set later follow in the class's order.
    """

    further: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class JsonForm:
    """How values are written, beyond plain JSON.

    Attributes:
        tag: name under which an object tells its class; None where it does not.
        leaves: {type: what makes a value of it}, for types that are no JSON; it is given the value found and its place.
        only: fields of the outermost object that are decoded, if it is `Open`; all where it is None.
    """

    tag: str | None = None
    leaves: Mapping[Any, Callable[[Any, str], Any]] = field(default_factory=dict)
    only: Sequence[str] | None = None


PLAIN = JsonForm()


def decode(hint: type[T], value: Any, name: str, advice: str = "", form: JsonForm = PLAIN) -> T:
    """A value of an annotated type.

    An object has all fields of its dataclass, but for those with a default that may be None, and no other; for classes
    that may have more or less see `Open`.

    Args:
        hint: the type, most often a dataclass.
        value: plain values: None, bool, int, float, str, lists and dictionaries.
        name: how messages name the whole.
        advice: what to do where it is refused.
        form: how types that are no JSON are written.

    Raises:
        FormatError: a value has another type, or an object other fields. EseError: a dataclass refuses its values.
    """
    result: T = _Decoder(name, f": {advice}" if advice else "", form).value(hint, value, ())
    return result


def encode(value: Any, form_leaf: Callable[[Any, Place], Any] | None = None, tag: str | None = None) -> Any:
    """Inverse of `decode`: plain values, dataclasses as dictionaries in the order of their fields.

    Args:
        value: anything that `decode` makes.
        form_leaf: makes a plain value of what is no dataclass and no plain value, given its place.
        tag: name under which each object tells its class.
    """
    return _encode(value, (), form_leaf, tag)


def _encode(value: Any, place: Place, leaf: Callable[[Any, Place], Any] | None, tag: str | None) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        found = {name: _encode(item, (*place, name), leaf, tag) for name, item in _items(value)}
        return {tag: type(value).__name__, **found} if tag else found
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
    own = {item.name: item for item in fields(value) if item.name not in _OPEN}
    set_ = {name: getattr(value, name) for name, item in own.items() if getattr(value, name) != _default(item)}
    known = {**{name: getattr(value, name) for name in own}, **value.further, **set_}
    return [(name, known[name]) for name in (*value.order, *(name for name in set_ if name not in value.order))]


_OPEN = frozenset(item.name for item in fields(KeepsUnknown))


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
    """One decoding; places are given to every method so that messages can say them."""

    name: str
    advice: str
    form: JsonForm

    def value(self, hint: Any, value: Any, place: Place) -> Any:
        origin, arguments = _origin(hint), get_args(hint)
        if origin in self.form.leaves:
            return self.form.leaves[origin](value, self.where(place))
        if not self.might(hint, value):
            raise self.refusal(value, place, hint)
        if origin in (Union, types.UnionType):
            return self.value(next(item for item in arguments if self.might(item, value)), value, place)
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

    def might(self, hint: Any, value: Any) -> bool:
        """Whether a value is of the kind that a type asks for; what lies in it is looked at later."""
        origin, arguments = _origin(hint), get_args(hint)
        if hint is Any:
            return True
        if origin in (Union, types.UnionType):
            return any(self.might(item, value) for item in arguments)
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
        hints = {
            name: hint for name, hint in _hints(cls).items() if not (issubclass(cls, KeepsUnknown) and name in _OPEN)
        }
        given = {name: item for name, item in value.items() if name != self.form.tag}
        kept = self.form.only if issubclass(cls, KeepsUnknown) and not place and self.form.only is not None else hints
        own = {name: item for name, item in given.items() if name in hints and name in kept}
        absent = {item.name for item in fields(cls) if item.name in hints and item.name not in own}
        wanted = [item for item in fields(cls) if item.name in absent and not self._may_lack(cls, item, hints)]
        if wanted or not (issubclass(cls, KeepsUnknown) or set(given) == set(own)):
            found = _shortened(str(sorted(given, key=str)))
            raise FormatError(f"{self.where(place)} has fields {found}; expected {sorted(hints)}{self.advice}")
        made = cls(**{name: self.value(hints[name], item, (*place, name)) for name, item in own.items()})
        if not issubclass(cls, KeepsUnknown):
            return made
        further = {name: item for name, item in given.items() if name not in own}
        return replace(made, further=further, order=tuple(given))

    def _may_lack(self, cls: Any, item: Any, hints: dict[str, Any]) -> bool:
        has_default = item.default is not MISSING or item.default_factory is not MISSING
        return has_default and (issubclass(cls, KeepsUnknown) or type(None) in get_args(hints[item.name]))

    def where(self, place: Place) -> str:
        """`name`, or `name: field[2].field`."""
        text = "".join(
            f"[{part!r}]" if isinstance(part, int) or not part.isidentifier() else f".{part}" for part in place
        ).lstrip(".")
        return f"{self.name}: {text}" if text else self.name

    def refusal(self, value: Any, place: Place, hint: Any) -> FormatError:
        tag, classes = self.form.tag, [item for item in (hint, *get_args(hint)) if is_dataclass(item)]
        if tag is not None and isinstance(value, dict) and classes:
            named = Literal.__getitem__(tuple(getattr(item, "__name__", "") for item in classes))
            return self.refusal(value.get(tag), (*place, tag), named)
        return FormatError(f"{self.where(place)} is {_shortened(repr(value))}; expected {_words(hint)}{self.advice}")


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _words(hint: Any) -> str:
    """What a type asks for, in words."""
    origin, arguments = _origin(hint), get_args(hint)
    if origin in (Union, types.UnionType, Literal):
        found = list(dict.fromkeys(repr(item) if origin is Literal else _words(item) for item in arguments))
        return " or ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    if origin in (list, tuple):
        return "a list"
    return _WORDS.get(origin, "an object")
