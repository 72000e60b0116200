"""Character sets by the names that senders give them: Python's own decoders, and single-byte tables that are data.

`vietnamese.csv` beside this module (``charset,byte,text``; the byte as two hex digits) holds what Python has no decoder
for: VISCII (RFC 1456) and TCVN3 (ABC; TCVN 5712:1993). Bytes below 0x80 that it does not name are ASCII.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

TABLES: Final = "vietnamese.csv"
_TONES: Final = "\u0300\u0301\u0303\u0309\u0323"
_ONSET: Final = "(?:ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdđghklmnprstvx])?"
_OPEN: Final = (
    "a|ai|ao|au|ay|âu|ây|e|eo|ê|êu|i|ia|iêu|iu|o|oa|oai|oao|oay|oe|oeo|oi|ô|ôi|ơ|ơi|u|ua|uây|uê|ui|uôi|uơ|uy|uya|uyu|"
    "ư|ưa|ưi|ươi|ươu|ưu|y|yêu"
)
_CLOSED: Final = "(?:a|ă|â|e|ê|i|iê|o|oa|oă|oe|oo|ô|ơ|u|uâ|uê|uô|uy|uyê|ư|ươ|y|yê)"
_SYLLABLE: Final = re.compile(f"{_ONSET}(?:{_OPEN}|{_CLOSED}(?:(?:ng|nh|m|n)|(?P<stop>ch|c|p|t)))")
"""A Vietnamese syllable without its tone; one that ends in a stop has the sắc or the nặng tone."""
VIETNAMESE: Final = ("windows-1258", "tcvn3", "viscii")
"""What Vietnamese was written in before Unicode."""
_UNITS: Final = re.compile(
    rb"(?<![A-Za-z\x80-\xff])(?:\xb5[A-Za-z]{0,4}|\xb0[CFK]?|[\xb1\xd7\xf7]|[cdkm]{0,2}m[\xb2\xb3]|[\x80-\xff])(?![A-Za-z\x80-\xff])"
)
_CAPITALS: Final = re.compile(r"[^\W\d_]+")
_ENOUGH: Final = 0.8
"""Of the words with a letter beyond ASCII, the share that has to be Vietnamese syllables."""


@cache
def tables() -> Mapping[str, tuple[str, ...]]:
    """The single-byte tables by charset: 256 texts each, "\\ufffd" where the set has no character."""
    source = files("adapters.codecs").joinpath(TABLES)
    found: dict[str, list[str]] = {}
    if source.is_file():
        for row in csv.DictReader(io.StringIO(source.read_text("utf-8"))):
            table = found.setdefault(row["charset"], [chr(code) if code < 0x80 else "\ufffd" for code in range(256)])
            table[int(row["byte"], 16)] = row["text"]
    return {name: tuple(table) for name, table in found.items()}


def decode(raw: bytes, name: str) -> str:
    """The text of `raw`; UnicodeDecodeError when a byte is in no such set, LookupError for a name that is unknown."""
    table = tables().get(name)
    if table is None:
        return raw.decode(name)
    if any(table[byte] == "\ufffd" for byte in set(raw)):
        raise UnicodeDecodeError(name, raw, 0, 1, "a byte that the character set does not have")
    text = raw.decode("latin-1").translate(dict(enumerate(table)))
    return _CAPITALS.sub(_capital, text) if name == "tcvn3" else text


def _capital(word: re.Match[str]) -> str:
    """A word in capitals whole. TCVN3 has one byte for most toned letters, small and capital, and leaves it to the font
    (.VnTimeH) which is seen; so ``NGUYễN`` is what a file of that time says of NGUYỄN."""
    small = [char for char in word[0] if char.islower()]
    capitals = sum(char.isupper() for char in word[0])
    return word[0].upper() if small and capitals > 1 and not any(char.isascii() for char in small) else word[0]


def likeliest(raw: bytes, names: Sequence[str]) -> tuple[str, str] | None:
    """The one set of `names` in which `raw` is Vietnamese, and its text; None when none is or several differ."""
    found = _shares(raw, names)
    best = max((share for share, _, _ in found), default=0.0)
    texts = {text: name for share, name, text in reversed(found) if share == best}
    if best < _ENOUGH or len(texts) > 1:
        return None
    return next((name, text) for text, name in texts.items())


def is_vietnamese(raw: bytes, name: str) -> bool:
    """Whether the words of `raw` are Vietnamese in this set."""
    return any(share >= _ENOUGH for share, _, _ in _shares(raw, (name,)))


def is_more_vietnamese(raw: bytes, names: Sequence[str], than: str) -> bool:
    """Whether in any of `names` more of the words are Vietnamese than in another set."""
    known = max((share for share, _, _ in _shares(raw, (than,))), default=0.0)
    return any(share > known for share, _, _ in _shares(raw, names))


def without_units(raw: bytes) -> bytes:
    """Bytes as evidence of a language: without the degree, micro and power signs of measurements, which are letters in
    the Vietnamese sets, and without letters that stand alone."""
    return _UNITS.sub(b" ", raw)


def _shares(raw: bytes, names: Sequence[str]) -> list[tuple[float, str, str]]:
    """(share of Vietnamese words, set, text) of each set that `raw` can be in."""
    found: list[tuple[float, str, str]] = []
    for name in names:
        try:
            text = unicodedata.normalize("NFC", decode(raw, name))
        except (UnicodeDecodeError, LookupError):
            continue
        found.append((_vietnamese(text), name, text))
    return found


def _vietnamese(text: str) -> float:
    """The share of Vietnamese syllables among the words with a letter beyond ASCII; 0 when there are none."""
    words = [word for word in re.split(r"[\s!-@\[-`{-~]+", text) if not word.isascii()]
    return sum(map(_is_syllable, words)) / len(words) if words else 0.0


def _is_syllable(word: str) -> bool:
    if word[1:] not in (word[1:].lower(), word[1:].upper()):
        return False
    apart = unicodedata.normalize("NFD", word.lower())
    tones = [char for char in apart if char in _TONES]
    bare = unicodedata.normalize("NFC", "".join(char for char in apart if char not in _TONES))
    said = _SYLLABLE.fullmatch(bare)
    return said is not None and len(tones) <= 1 and (said["stop"] is None or tones in (["\u0301"], ["\u0323"]))
