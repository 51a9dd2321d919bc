# SPDX-License-Identifier: Apache-2.0
"""The decoder: encoding and decoding are inverse, and values of a wrong type are refused with their place."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import FormatError
from ese_host.files import json_text
from ese_host.files.decoder import JsonForm, KeepsUnknown, decode, encode
from ese_host.image.design import Design
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from support.designs import SKIP_SPECS, SPECS, roomy


@dataclass(frozen=True)
class Inner:
    count: int
    sign: bool
    name: str
    kind: Literal["a", "b"]


@dataclass(frozen=True)
class Other:
    rate: float


@dataclass(frozen=True)
class WholeObject:
    inner: Inner
    maybe: Inner | None
    either: Union[int, str, None]
    shares: list[float]
    names: tuple[str, ...]
    pair: tuple[int, str]
    table: dict[str, list[int]]
    anything: Any
    absent: int | None = None


@dataclass(frozen=True)
class Loose(KeepsUnknown):
    first: int = 0
    second: dict[str, float] = field(default_factory=dict)
    inner: Inner | None = None
    last: str = ""


@dataclass(frozen=True)
class Tagged:
    parts: tuple[Union[Inner, Other], ...]


numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
inners = st.builds(Inner, st.integers(), st.booleans(), st.text(), st.sampled_from(["a", "b"]))
wholes = st.builds(
    WholeObject,
    inners,
    st.none() | inners,
    st.none() | st.integers() | st.text(),
    st.lists(numbers),
    st.lists(st.text()).map(tuple),
    st.tuples(st.integers(), st.text()),
    st.dictionaries(st.text(), st.lists(st.integers())),
    json_values,
    st.none() | st.integers(),
)


@given(wholes)
def test_what_was_encoded_is_decoded_to_the_same(value: WholeObject) -> None:
    assert decode(WholeObject, json.loads(json.dumps(encode(value))), "file") == value


@given(st.lists(inners | st.builds(Other, numbers)))
def test_objects_may_tell_their_class(parts: list[Union[Inner, Other]]) -> None:
    value = Tagged(tuple(parts))
    plain = json.loads(json.dumps(encode(value, tag="class")))
    assert decode(Tagged, plain, "file", form=JsonForm("class")) == value


@given(st.integers(1, 48), st.integers(0, 8), st.booleans(), st.booleans(), st.integers(), st.integers())
def test_formats_and_activations_are_decoded_to_the_same(
    bits: int, integer: int, signed: bool, symmetric: bool, slope: int, offset: int
) -> None:
    form = Fixed(bits, integer, signed, symmetric)
    assert decode(Fixed, json.loads(json.dumps(form.to_json())), "file") == form
    value = Activation("hard_tanh", form, slope, offset)
    assert decode(Activation, json.loads(json.dumps(encode(value))), "file") == value


@pytest.mark.parametrize("name", [*SPECS, *SKIP_SPECS])
def test_designs_are_decoded_to_the_same(name: str) -> None:
    _, design = roomy(name)
    assert encode(design) == design.to_json()
    assert Design.from_json(json.loads(json.dumps(encode(design)))) == design


SOUND: dict[str, Any] = {
    "inner": {"count": 1, "sign": True, "name": "x", "kind": "a"},
    "maybe": None,
    "either": None,
    "shares": [1, 0.5],
    "names": ["n"],
    "pair": [1, "x"],
    "table": {"t": [1], "two words": [2]},
    "anything": [{}],
}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["inner"], 3, "file: inner is 3; expected an object: make it again"),
        (["inner", "count"], True, "file: inner.count is True; expected an integer: make it again"),
        (["inner", "count"], 1.0, "file: inner.count is 1.0; expected an integer: make it again"),
        (["inner", "sign"], 1, "file: inner.sign is 1; expected true or false: make it again"),
        (["inner", "name"], None, "file: inner.name is None; expected text: make it again"),
        (["inner", "kind"], "c", "file: inner.kind is 'c'; expected 'a' or 'b': make it again"),
        (
            ["inner"],
            {"count": 1},
            "file: inner has fields ['count']; expected ['count', 'kind', 'name', 'sign']: make it again",
        ),
        (["maybe"], [], "file: maybe is []; expected an object or null: make it again"),
        (["maybe"], {**SOUND["inner"], "name": 7}, "file: maybe.name is 7; expected text: make it again"),
        (["either"], 0.5, "file: either is 0.5; expected an integer, text or null: make it again"),
        (["shares"], {}, "file: shares is {}; expected a list: make it again"),
        (["shares", 1], "x", "file: shares[1] is 'x'; expected a number: make it again"),
        (["shares", 1], False, "file: shares[1] is False; expected a number: make it again"),
        (["names", 0], 0, "file: names[0] is 0; expected text: make it again"),
        (["pair"], [1], "file: pair is [1]; expected a list of 2: make it again"),
        (["pair", 1], 1, "file: pair[1] is 1; expected text: make it again"),
        (["table"], [], "file: table is []; expected an object: make it again"),
        (["table", "t", 0], None, "file: table.t[0] is None; expected an integer: make it again"),
        (["table", "two words", 0], "", "file: table['two words'][0] is ''; expected an integer: make it again"),
    ],
)
def test_wrong_types_are_refused_by_their_place(path: list[Any], value: Any, message: str) -> None:
    whole = json.loads(json.dumps(SOUND))
    assert decode(WholeObject, whole, "file", "make it again").table == SOUND["table"]
    node = whole
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(FormatError) as caught:
        decode(WholeObject, whole, "file", "make it again")
    assert str(caught.value) == message


FIELDS = {item.name for item in dataclasses.fields(WholeObject)}


@given(st.sampled_from(sorted(FIELDS - {"anything"})), json_values)
def test_any_value_is_refused_by_name_or_kept(name: str, value: Any) -> None:
    try:
        decoded = decode(WholeObject, {**SOUND, name: value}, "file")
    except FormatError as error:
        assert str(error).startswith(f"file: {name}")
    else:
        assert encode(decoded) == {"absent": None, **SOUND, name: value}


def test_fields_that_are_missing_or_not_known_are_refused() -> None:
    for value in ({**SOUND, "more": 1}, {name: item for name, item in SOUND.items() if name != "maybe"}, {}):
        with pytest.raises(FormatError, match=r"^file has fields \[.*\]; expected \['absent', 'anything', 'either'"):
            decode(WholeObject, value, "file")
    with pytest.raises(FormatError, match=r"^file is \[\]; expected an object$"):
        decode(WholeObject, [], "file")


def test_a_long_value_is_cut() -> None:
    with pytest.raises(FormatError) as caught:
        decode(Inner, "x" * 10000, "file")
    assert len(str(caught.value)) < 300


@given(
    st.permutations(["first", "second", "inner", "last", "more", "yet more"]).map(lambda names: names[:4]), json_values
)
def test_open_objects_keep_what_they_have_and_its_order(names: list[str], further: Any) -> None:
    sound = {"first": 0, "second": {}, "inner": None, "last": "x", "more": further, "yet more": further}
    value = {name: sound[name] for name in names}
    decoded = decode(Loose, value, "file")
    assert list(encode(decoded).items()) == list(value.items())
    assert decoded.further == {name: item for name, item in value.items() if name in ("more", "yet more")}
    changed = encode(dataclasses.replace(decoded, first=7, last="new"))
    assert list(changed.items()) == list({**value, "first": 7, "last": "new"}.items())


def test_open_objects_decode_what_they_are_asked_for() -> None:
    value = {"last": 3, "first": 5, "inner": "no object"}
    decoded = decode(Loose, value, "file", form=JsonForm(only=("first",)))
    assert decoded.first == 5 and decoded.last == "" and encode(decoded) == value
    with pytest.raises(FormatError, match=r"^file: last is 3; expected text$"):
        decode(Loose, value, "file", form=JsonForm(only=("last",)))
    assert encode(Loose()) == {} and encode(Loose(last="x", first=1)) == {"first": 1, "last": "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 1}', r"file: not JSON \(a name occurs twice in \['a', 'a'\]\); make it again"),
        ('{"a": NaN}', r"file: not JSON \(NaN is no JSON number\); make it again"),
        ("[-Infinity]", r"file: not JSON \(-Infinity is no JSON number\); make it again"),
        ("[Infinity]", r"file: not JSON \(Infinity is no JSON number\); make it again"),
        ("[1e999]", r"file: not JSON \(1e999 is no JSON number\); make it again"),
        ("[-1e999]", r"file: not JSON \(-1e999 is no JSON number\); make it again"),
        (f"[1{'0' * 400}]", r"file: not JSON \(the integer 10{39} has more than 64 bits\); make it again"),
        (f"[{1 << 64}]", rf"file: not JSON \(the integer {1 << 64} has more than 64 bits\); make it again"),
        (r'["\ud800"]', r"file: not JSON \(.*surrogates not allowed\); make it again"),
        (r'[{"a": {"x\udfff": 1}}]', r"file: not JSON \(.*surrogates not allowed\); make it again"),
        ("[" * 100000, "file: .*; make it again"),
        ("[[[[]]]]", "file: objects and lists are nested more than 3 deep; make it again"),
        ('{"a": [{"b": {}}]}', "file: objects and lists are nested more than 3 deep; make it again"),
        (b"\xff", "file: not JSON .*; make it again"),
        ("", "file: not JSON .*; make it again"),
        ("1" * 5000, r"file: .*; make it again"),
        (" " * 5001, "file: larger than 5000 bytes; make it again"),
    ],
)
def test_text_that_is_no_json_is_refused(text: Union[str, bytes], message: str) -> None:
    limit = 1 << 20 if text[:2] == "[[" else 5000
    with pytest.raises(FormatError, match=f"^{message}$"):
        json_text.parse(text, "file", limit, "make it again", depth=3)


@given(json_values)
def test_text_is_read_as_python_reads_it(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value).encode()):
        assert json_text.parse(text, "file", 1 << 20, "") == value


def test_constants_are_read_where_they_are_allowed() -> None:
    assert math.isnan(json_text.parse("[NaN]", "file", 99, "", finite=False)[0])
