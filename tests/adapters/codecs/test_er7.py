"""ER7: what is cut, what is tolerated, what is refused, and that nothing is lost on the way back."""

from __future__ import annotations

import itertools
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codecs import charsets, er7, er7_batch
from adapters.errors import Malformed, Refusal, TooLarge
from adapters.tree import Node, State, leaves
from tests.adapters.codecs.test_charsets import encoded

HEAD = "MSH|^~\\&|HIS|BV-MAU|HUB||20261122||ORU^R01|1|P|2.5.1"


def flat(node: Node) -> list[tuple[str, State, object]]:
    """Every node as (place, state, value), in order."""
    found = [(node.place, node.state, node.value)]
    for child in node.children():
        found += flat(child)
    return found


def value(raw: str, segment: str, *steps: str) -> object:
    node: Node = next(iter(er7.parse(raw.encode()).tree.all(segment)))
    for step in steps:
        node = next(iter(node.all(step)))
    return node.value


def test_parts_are_found_by_number() -> None:
    """Fields, repetitions, components and subcomponents are cut where the separators say."""
    raw = f"{HEAD}\rPID|||A^^^B&1.2&ISO~C||Mẫu^Thị~Tên^Khác\r"
    assert value(raw, "PID", "3", "4", "2") == "1.2"
    names = [node.place for node in leaves(er7.parse(raw.encode()).tree) if node.value == "Khác"]
    assert names == ["PID[1]-5[2].2"]


def test_the_first_part_of_an_undivided_field_is_the_field() -> None:
    """A component asked of a field that has none is the field itself (an older sender's)."""
    assert value(f"{HEAD}\rPID||||||||M\r", "PID", "8", "1", "1") == "M"


def test_three_states_are_told_apart() -> None:
    """Absent has no node, `||` is empty, `""` says delete."""
    segment = next(iter(er7.parse(f'{HEAD}\rPID||""|\r'.encode()).tree.all("PID")))
    assert [node.state for node in segment.all("1")] == [State.EMPTY]
    assert [node.state for node in segment.all("2")] == [State.NULL]
    assert list(segment.all("7")) == []


def test_separators_are_those_of_msh() -> None:
    """MSH-1 and MSH-2 may name other characters."""
    raw = "MSH#@*!%#HIS#BV\rPID#1##A@B@@D%E*F\r"
    assert value(raw, "PID", "3", "4", "2") == "E"


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("a\\F\\b", "a|b"),
        ("a\\S\\b\\T\\c\\R\\d\\E\\e", "a^b&c~d\\e"),
        ("line\\.br\\line", "line\nline"),
        ("\\X48656C6C6F\\", "Hello"),
        ("\\X4DE1BAAB75\\", "Mẫu"),
        ("C:\\path", "C:\\path"),
        ("\\H\\bold\\N\\", "\\H\\bold\\N\\"),
        ("\\Xzz\\", "\\Xzz\\"),
    ],
)
def test_escapes_are_resolved(escaped: str, plain: str) -> None:
    """Known escapes become their characters (`.br` a line end); unknown ones stay as written, never vanish."""
    assert value(f"{HEAD}\rNTE|1||{escaped}\r", "NTE", "3") == plain


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1).filter(lambda t: t != '""')
)
@settings(max_examples=60, deadline=None)
def test_escaping_and_back_is_the_same_text(text: str) -> None:
    """Whatever stands in a value survives escaping."""
    assert er7.unescape(er7.escape(text)) == text


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_line_ends_are_tolerated(end: str) -> None:
    """CR, LF and CRLF all end a segment; only CR is no deviation."""
    parsed = er7.parse(f"{HEAD}{end}PID|1{end}".encode())
    assert [segment.name for segment in parsed.tree.children()] == ["MSH", "PID"]
    assert bool(parsed.deviations) is (end != "\r")


def test_a_byte_order_mark_is_tolerated_and_told() -> None:
    """A BOM is a deviation, not a refusal."""
    assert er7.parse(b"\xef\xbb\xbf" + HEAD.encode()).deviations


def test_vietnamese_is_composed() -> None:
    """Decomposed input is read as NFC, tone marks intact."""
    assert value(f"{HEAD}\rNTE|1||Ma\u0302\u0303u\r", "NTE", "3") == "Mẫu"


@pytest.mark.parametrize(
    ("said", "encoding", "told"),
    [
        ("UNICODE UTF-8", "utf-8", False),
        ("", "utf-8", True),
        ("8859/1", "utf-8", True),
        ("8859/1", "latin-1", False),
        ("", "latin-1", True),
    ],
)
def test_charset_is_read_and_what_is_wrong_is_told(said: str, encoding: str, told: bool) -> None:
    """MSH-18 missing or wrong is a deviation as long as the bytes can be read with certainty."""
    raw = f"{HEAD}||||||{said}\rNTE|1||café thử\r".replace("ử", "" if encoding == "latin-1" else "ử").encode(encoding)
    parsed = er7.parse(raw)
    assert bool(parsed.deviations) is told
    assert "café" in str(list(leaves(parsed.tree))[-1].value)


@pytest.mark.parametrize("said", ["", "ASCII", "8859/1", "XYZ", "TCVN3"])
@pytest.mark.parametrize("charset", charsets.VIETNAMESE)
def test_vietnamese_from_before_unicode_is_itself_whatever_is_stated(said: str, charset: str) -> None:
    """Names in a set that MSH-18 does not name, or denies, are read as what they are, and that is told."""
    name = "Nguyễn^Thị Thử Mẫu~Đặng^Quỳnh Trâm"
    raw = encoded(f"{HEAD}||||||{said}\rPID|1||1||{name}\rOBX|1|NM|x||3|", charset)
    assert raw is not None
    parsed = er7.parse(raw + (b"10 \xb5m, 38 \xb0C" if charset == "windows-1258" else b""))
    assert [str(leaf.value) for leaf in leaves(parsed.tree) if leaf.place.startswith("PID[1]-5")] == [
        "Nguyễn", "Thị Thử Mẫu", "Đặng", "Quỳnh Trâm",
    ]  # fmt: skip
    if said != charset.upper():
        assert any(found.place == "MSH[1]-18" for found in parsed.deviations)
    assert parsed.charset.replace("cp1258", "windows-1258") == charset


@pytest.mark.parametrize("unit", ["µm", "µ/L", "°C", "kg/m²", "±", "µg"])
def test_units_are_no_evidence_of_vietnamese(unit: str) -> None:
    """A micro or degree sign in ISO 8859-1, which MSH-18 states, stays what it is and is no deviation."""
    parsed = er7.parse(f"{HEAD}||||||8859/1\rOBX|1|NM|x||3|{unit}\r".encode("latin-1"))
    assert parsed.deviations == ()
    assert str(list(leaves(parsed.tree))[-1].value) == unit


@pytest.mark.parametrize("said", ["", "8859/1"])
def test_a_name_that_could_be_several_is_refused(said: str) -> None:
    """Words that are Vietnamese in two sets, and not in the one stated, are refused at MSH-18."""
    both = next(
        bytes(pair)
        for pair in itertools.product(range(0xA0, 0x100), repeat=1)
        if sum(charsets.is_vietnamese(b"m" + bytes(pair), name) for name in charsets.VIETNAMESE) > 1
        and not charsets.is_vietnamese(b"m" + bytes(pair), "latin-1")
        and charsets.likeliest(b"m" + bytes(pair), charsets.VIETNAMESE) is None
    )
    with pytest.raises(Malformed) as fault:
        er7.parse(f"{HEAD}||||||{said}\rPID|1||1||m".encode() + both + b"\r")
    assert fault.value.place == "MSH[1]-18"


@pytest.mark.parametrize("said", ["UNICODE UTF-8", "8859/2"])
def test_bytes_against_their_charset_are_refused(said: str) -> None:
    """Bytes that cannot be what MSH-18 says are refused rather than guessed at."""
    bad = b"\xff\xfe" if said.startswith("U") else b""
    raw = f"{HEAD}||||||{said}\rNTE|1||".encode() + bad + b"\xa5\r"
    if bad:
        with pytest.raises(Malformed):
            er7.parse(raw)
    else:
        assert er7.parse(raw).charset == "iso8859-2"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"hello",
        b"PID|1",
        b"MSH",
        b"MSH|",
        b"MSH|^^^^|A",
        b"MSHabcdef",
        b"MSH|^~\\&|A\rpid|1",
        b"MSH|^~\\&|A\rPID1",
        b"MSH|^~\\&|A\rMSH|^~\\&|B",
        b"MSH|^~\\&|A|||||||||||||||UNICODE UTF-8\rNTE|1||\xff",
        b"\xff\xfeM",
    ],
)
def test_garbage_is_refused_by_name(raw: bytes) -> None:
    """What is no message gives a typed refusal that repeats nothing of it."""
    with pytest.raises(Refusal) as refusal:
        er7.parse(raw)
    assert "pid" not in str(refusal.value)


def test_control_characters_are_refused_where_they_stand() -> None:
    """A value with control characters is refused with its place (databases and XML cannot hold it)."""
    tree = er7.parse(f"{HEAD}\rNTE|1||a\\X00\\b\r".encode()).tree
    with pytest.raises(Malformed) as refusal:
        list(leaves(tree))
    assert refusal.value.place == "NTE[1]-3"


def test_limits_hold() -> None:
    """Too many bytes, segments or fields are TooLarge."""
    with pytest.raises(TooLarge):
        er7.parse(HEAD.encode() + b"\r" + b"x" * (17 * 1024 * 1024))
    with pytest.raises(TooLarge):
        er7.parse((HEAD + "\rNTE|1" * 20_001).encode())
    with pytest.raises(TooLarge):
        list(leaves(er7.parse((HEAD + "\rNTE" + "|x" * 3_000).encode()).tree))


def test_a_batch_is_cut_into_its_messages() -> None:
    """FHS and BHS are envelopes: each message comes out on its own."""
    batch = f"FHS|^~\\&|A\rBHS|^~\\&|A\r{HEAD}\rPID|1\r{HEAD}\rPID|2\rBTS|2\rFTS|1\r"
    messages = er7_batch.split_batch(batch.encode()).messages
    assert [value(raw.decode(), "PID", "1") for raw in messages] == ["1", "2"]


ATOM = st.text(st.sampled_from(string.ascii_letters + "0123 .\\|^~&#ẫử\"'"), max_size=6)


@given(
    st.lists(
        st.lists(st.lists(st.lists(ATOM, min_size=1, max_size=3), min_size=1, max_size=2), min_size=1, max_size=4),
        max_size=4,
    )
)
@settings(max_examples=80, deadline=None)
def test_law_one(segments: list[list[list[list[str]]]]) -> None:
    """Part 1 of the law: parse(dump(parse(b))) == parse(b), order included."""
    lines = [HEAD + "||||||UNICODE UTF-8"]
    for fields in segments:
        said = ["~".join("^".join(er7.escape(text) for text in parts) for parts in field) for field in fields]
        lines.append("|".join(["ZZZ", *said]))
    raw = "\r".join(lines).encode()
    first = er7.parse(raw).tree
    again = er7.parse(er7.dump(first)).tree
    assert flat(again) == flat(first)


def test_places_of_leaves_agree_with_the_tree() -> None:
    """The quick list of leaves, from which the residual is found, names the same places as the tree."""
    raw = f'{HEAD}\rPID|1||A^^^B&1.2&ISO~C||Mẫu^Thị~Tên^Khác|||""\r'.encode()
    tree = er7.parse(raw).tree
    assert [place for place, _ in er7.places(tree.children())] == [node.place for node in leaves(tree)]


@pytest.mark.parametrize("raw", [b"MSH\n|^~\\&|HIS|", b"MSH\rPID|1||Tr\xe1\xba\xafng", b"MSH|\n^~\\&|HIS|PID"])
def test_a_header_that_a_line_break_cuts_is_refused(raw: bytes) -> None:
    """Found by harm: whether a character set is stated is asked before anything else, of the one line there is."""
    with pytest.raises(Refusal):
        er7.parse(raw)
