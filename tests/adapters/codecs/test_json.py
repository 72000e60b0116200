"""JSON: digits kept, names once, no NaN."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codecs import json
from adapters.errors import Malformed, Refusal, TooLarge
from adapters.tree import State, leaves


def test_digits_are_kept() -> None:
    """1.50 stays 1.50, and is written so again."""
    tree = json.parse(b'{"a": 1.50, "b": 100, "c": 1E2}').tree
    assert [str(node.value) for node in leaves(tree)] == ["1.50", "100", "1E+2"]
    assert json.dump(tree) == b'{"a":1.50,"b":100,"c":1E+2}\n'


def test_places_are_pointers() -> None:
    """A place is a JSON pointer; items of a list are repeats of one name."""
    tree = json.parse('{"tên": [{"a/b": "x"}, "y"]}'.encode()).tree
    assert [node.place for node in leaves(tree)] == ["/tên/0/a~1b", "/tên/1"]
    assert [node.name for node in tree.children()] == ["tên", "tên"]


def test_three_states() -> None:
    """An empty string is EMPTY, null is NULL, a missing member is absent."""
    tree = json.parse(b'{"a": "", "b": null}').tree
    assert [node.state for node in tree.children()] == [State.EMPTY, State.NULL]
    assert list(tree.all("c")) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"1",
        b'"text"',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"": 1}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1e999999}',
        b'{"a": ' + b"1" * 100 + b"}",
        b"\xff\xfe{",
        b'{"a": 1} x',
    ],
)
def test_what_is_not_plain_json_is_refused(raw: bytes) -> None:
    """Broken syntax, repeated names, NaN, control characters, endless numbers: a typed refusal."""
    with pytest.raises(Malformed):
        json.parse(raw)


@pytest.mark.parametrize(
    ("raw", "place", "at"),
    [
        (b'{"a": 1,\n "a": 2}', "/a", "line 2 column 2"),
        (b'{"l": [{"x": 1}, {"x/y": [1, 2],\n\n  "x/y": 2}]}', "/l/1/x~1y", "line 3 column 3"),
        (b'{"a": {"b": [1, NaN]}}', "/a/b/1", "line 1 column 17"),
        (b'[{"a": "x", "b": -Infinity}]', "/0/b", "line 1 column 18"),
        (b'{"a": {"": 1}}', "/a/", "line 1 column 8"),
        (b'{"a": "b: {", "c": 1e999}', "/c", "line 1 column 20"),
        (b'{"\\u0061": 1, "a": 2}', "/a", "line 1 column 15"),
        (b'{"a": {"b": 1, "b": 2}, "c": NaN}', "/a/b", "line 1 column 16"),
        (b'{"a": 1e999999false}', "/a", "line 1 column 7"),
        (b'{"a": [0, 1e999999.5"x', "/a/1", "line 1 column 11"),
        (b'{"a": -InfinityNaN', "/a", "line 1 column 7"),
        (b'{"a": {"b": 1, "b": 2}NaN', "/a/b", "line 1 column 16"),
    ],
)
def test_what_json_allows_and_we_do_not_is_refused_with_its_place(raw: bytes, place: str, at: str) -> None:
    """The pointer, the line and the column of the first repeated name, NaN, Infinity or endless number."""
    with pytest.raises(Malformed) as refused:
        json.parse(raw)
    assert (refused.value.place, at in refused.value.why) == (place, True)


def test_depth_has_a_limit() -> None:
    """Deep nesting is TooLarge, however deep."""
    with pytest.raises(TooLarge):
        json.parse(b'{"a":' * 100 + b"1" + b"}" * 100)
    with pytest.raises(Refusal):
        json.parse(b"[" * 200_000)


VALUE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000),
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=6),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "ộ", "c/d"]), inner, max_size=3)
    ),
    max_leaves=10,
)


def _text(value: object) -> str:
    import json as plain

    if isinstance(value, dict):
        return "{" + ",".join(f"{plain.dumps(key)}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else plain.dumps(value)


@given(st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUE, max_size=4))
@settings(max_examples=80, deadline=None)
def test_law_one(data: dict[str, object]) -> None:
    """Part 1 of the law: parse(dump(parse(b))) == parse(b)."""
    first = json.parse(_text(data).encode()).tree
    assert json.parse(json.dump(first)).tree == first


@pytest.mark.parametrize("text", ['{"a":[],"b":{},"c":""}', '{"a":[[],{},""]}', '{"a":{"b":[]}}'])
def test_nothing_is_written_as_it_was(text: str) -> None:
    """An empty list, an empty object and an empty string are three things, and come back as they were."""
    assert json.dump(json.parse(text.encode()).tree).decode().strip() == text
