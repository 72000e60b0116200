"""XML: names by the pack's prefixes, nothing declared, nothing fetched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codecs import xml
from adapters.errors import Malformed, Refusal, TooLarge
from adapters.tree import Branch, State, leaves

NAMES = {"os": "urn:os", "nc": "urn:nc"}


def test_names_are_the_packs_own() -> None:
    """Whatever prefix the sender uses, a name has the pack's; places are XPaths."""
    raw = b'<a:R xmlns:a="urn:os" xmlns:b="urn:nc" b:id="1"><b:N>Th\xe1\xbb\xad</b:N><b:N>2</b:N><c/></a:R>'
    tree = xml.parse(raw, NAMES).tree
    assert tree.name == "os:R"
    assert [(node.place, node.value) for node in leaves(tree)] == [
        ("/os:R/@nc:id", "1"),
        ("/os:R/nc:N[1]", "Thử"),
        ("/os:R/nc:N[2]", "2"),
    ]


def test_text_beside_attributes_is_a_child() -> None:
    """An element with attributes and text keeps both."""
    tree = xml.parse(b'<r><a b="1">x</a></r>', {}).tree
    assert [(node.name, node.value) for node in leaves(tree)] == [("@b", "1"), (".", "x")]


def test_three_states() -> None:
    """An empty element is EMPTY, xsi:nil is NULL."""
    raw = b'<r xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><a/><b xsi:nil="true"/></r>'
    assert [child.state for child in xml.parse(raw, {}).tree.children()] == [State.EMPTY, State.NULL]


@pytest.mark.parametrize(
    "raw",
    [
        b"<r>",
        b"no xml",
        b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>',
        b'<!-- <x --><!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'.encode("utf-16"),
        b"<r>&undefined;</r>",
        b'<?xml version="1.0" encoding="no-such"?><r/>',
    ],
)
def test_what_is_not_well_formed_or_declares_is_refused(raw: bytes) -> None:
    """No DTD, no entities, no guesses: a typed refusal."""
    with pytest.raises(Malformed):
        xml.parse(raw, {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_with_its_line(encoding: str) -> None:
    """Whoever sends it finds the line, also of a document whose characters have two bytes."""
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<!-- a\n note -->\n<!DOCTYPE r [<!ENTITY a "b">]>\n<r>&a;</r>'
    with pytest.raises(Malformed) as refused:
        xml.parse(text.encode(encoding), {})
    assert refused.value.place == "line 4"


def test_depth_and_count_have_limits() -> None:
    """Deep nesting and endless siblings are TooLarge."""
    with pytest.raises(TooLarge):
        xml.parse(b"<a>" * 100 + b"</a>" * 100, {})
    with pytest.raises(Refusal):
        xml.parse(b"<a>" * 50_000 + b"</a>" * 50_000, {})
    with pytest.raises(TooLarge):
        xml.parse(b"<r>" + b"<a/>" * 200_001 + b"</r>", {})


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="\ufffe\uffff"),
    max_size=8,
)
TREE = st.recursive(
    st.builds(
        lambda name, text: f"<{name}>{text}</{name}>",
        st.sampled_from(["a", "nc:b", "os:c"]),
        TEXT.map(lambda t: t.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "")),
    ),
    lambda inner: st.builds(
        lambda name, kids: f"<{name} x='1'>{''.join(kids)}</{name}>",
        st.sampled_from(["a", "os:c"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


@given(TREE)
@settings(max_examples=60, deadline=None)
def test_law_one(body: str) -> None:
    """Part 1 of the law: parse(dump(parse(b))) == parse(b)."""
    raw = f'<os:r xmlns:os="urn:os" xmlns:nc="urn:nc">{body}</os:r>'.encode()
    first = xml.parse(raw, NAMES).tree
    assert xml.parse(xml.dump(first, NAMES), NAMES).tree == first


def test_dump_declares_its_prefixes_once() -> None:
    """What is written has its namespaces on the root and its prefixes as agreed."""
    root = Branch("os:R")
    root.add("nc:N", "Thử & <x>")
    assert xml.dump(root, NAMES).decode().splitlines()[1] == (
        '<os:R xmlns:nc="urn:nc" xmlns:os="urn:os"><nc:N>Thử &amp; &lt;x&gt;</nc:N></os:R>'
    )
