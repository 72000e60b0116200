"""Vietnamese text of the time before Unicode comes in with its tone marks, or not at all."""

from __future__ import annotations

import unicodedata

import pytest

from adapters.codecs import charsets, csv
from adapters.errors import Malformed

LEGACY = ("windows-1258", "tcvn3", "viscii")
NAMES = (
    "Thử-Nghiệm Thị Ngọc Ánh",
    "Nguyễn Mẫu Đức",
    "phường Bến Nghé, quận Phú Nhuận",
    "Đặng Thị Mẫu Quỳnh Trâm",
    "khuỷu tay trái bị bầm tím, sợ về nhà",
    "Hoàng Gia Nghĩa (cha dượng), thôn Ỷ La",
)


def encoded(text: str, name: str) -> bytes | None:
    """The text in a legacy set; None when a letter is not in it."""
    if name == "windows-1258":
        marks = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}
        out = ""
        for char in unicodedata.normalize("NFC", text):
            apart = unicodedata.normalize("NFD", char)
            tone = [mark for mark in apart if mark in marks]
            bare = "".join(mark for mark in apart if mark not in marks)
            out += unicodedata.normalize("NFC", bare) + "".join(tone)
        return out.encode("cp1258")
    back = {letter: code for code, letter in reversed(list(enumerate(charsets.tables()[name])))}
    try:
        return bytes(back[char] for char in unicodedata.normalize("NFC", text))
    except KeyError:
        return None


def rows(raw: bytes, legacy: tuple[str, ...] = LEGACY) -> list[str]:
    """The values of the first column."""
    return [str(row.nodes[0].value) for row in csv.parse(raw, legacy).tree.nodes]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["tcvn3", "viscii"])
def test_every_vietnamese_letter_is_in_the_table(name: str) -> None:
    """All 134 letters with marks, small and capital, have a byte, and no byte has two letters."""
    letters = {
        unicodedata.normalize("NFC", base + tone)
        for base in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
        for tone in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
        if not (base + tone).isascii()
    } | {"đ", "Đ"}
    assert len(letters) == 134
    table = charsets.tables()[name]
    found = [letter for letter in table if letter in letters]
    missing = letters - set(found)
    assert len(found) == len(set(found))
    assert missing == (set() if name == "viscii" else CAPITALS_OF_THE_CONTROL_RANGE)


CAPITALS_OF_THE_CONTROL_RANGE = set("ÚỤỪỬỮỨỰỲỶỸÝỴ")
"""TCVN 5712 puts these where control characters are; files in TCVN3 have none."""


@pytest.mark.parametrize("name", LEGACY)
@pytest.mark.parametrize("text", NAMES)
def test_a_legacy_file_is_read_in_the_set_that_it_is_in(name: str, text: str) -> None:
    """Each set is told from the others by the words, and every letter keeps its marks, in NFC."""
    raw = encoded(text, name)
    if raw is None:
        assert name == "tcvn3", "only TCVN3 lacks letters"
        assert set(text) & CAPITALS_OF_THE_CONTROL_RANGE
        return
    found = csv.parse(b'ten\r\n"' + raw + b'"\r\n', LEGACY)
    assert rows(b'ten\r\n"' + raw + b'"\r\n') == [unicodedata.normalize("NFC", text)]
    assert [deviation.why for deviation in found.deviations] == [f"the character set is not UTF-8; read as {name}"]


@pytest.mark.parametrize("raw", ["Müller Ägidius Weiß".encode("latin-1"), "Иван Петров".encode("cp1251")])
def test_what_is_not_vietnamese_in_any_set_is_refused(raw: bytes) -> None:
    """A name is never guessed into another one."""
    with pytest.raises(Malformed, match="UTF-8"):
        rows(b"ten\r\n" + raw + b"\r\n")


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ("NGUYễN THị MẫU", "NGUYỄN THỊ MẪU"),
        ("ĐặNG VăN HOà", "ĐẶNG VĂN HOÀ"),
        ("Hà Thị Mẫu", "Hà Thị Mẫu"),
        ("trẻ Ở nhà", "trẻ Ở nhà"),
        ("mã TN6à", "mã TN6à"),
    ],
)
def test_capitals_of_tcvn3_are_those_of_its_capital_fonts(stored: str, meant: str) -> None:
    """TCVN3 has no capital of most toned letters: a word in capitals holds the small one, shown by a capital font."""
    raw = encoded(stored, "tcvn3")
    assert raw is not None
    assert rows(b"ten\r\n" + raw + b"\r\n", ("tcvn3",)) == [meant]


def test_a_file_of_names_in_capitals_is_known_for_tcvn3() -> None:
    """Its words are Vietnamese once their capitals are whole: it is read, not refused."""
    raw = encoded("ten\r\nNGUYễN THị MẫU\r\nTRầN VăN THử\r\n", "tcvn3")
    assert raw is not None
    assert rows(raw) == ["NGUYỄN THỊ MẪU", "TRẦN VĂN THỬ"]


def test_the_only_set_named_is_taken_at_its_word() -> None:
    """A pack of an agency that always sends TCVN3 says so, and then nothing is guessed."""
    assert rows(b"ten\r\n" + (encoded("Đặng", "tcvn3") or b"") + b"\r\n", ("tcvn3",)) == ["Đặng"]


def test_decomposed_text_is_composed() -> None:
    """UTF-8 with combining marks is read in NFC."""
    assert rows(b"ten\r\n" + unicodedata.normalize("NFD", NAMES[0]).encode()) == [NAMES[0]]


def test_a_set_that_python_knows_is_decoded_by_it() -> None:
    """Windows-1258 keeps tone marks apart from their letters; the codecs compose them afterwards."""
    assert charsets.decode("Thử".encode(), "utf-8") == "Thử"
    assert charsets.decode(b"a\xd2", "cp1258") == "a\u0309"


def test_an_unknown_set_is_a_lookup_error() -> None:
    """A name that nobody knows is told apart from bytes that do not fit."""
    with pytest.raises(LookupError):
        charsets.decode(b"a", "no-such-set")
