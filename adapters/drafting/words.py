"""Names of places as words, split and folded, so that ``NgaySinh``, ``ngay_sinh`` and ``Ngày sinh`` are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def fold(text: str) -> str:
    """The text without tone marks and other accents; case is kept, ``đ`` is ``d``."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(char for char in plain if not unicodedata.combining(char))


def words_of(name: str) -> tuple[str, ...]:
    """The words of a place's name, folded and in lower case; a namespace prefix is none of them."""
    local = name.rpartition("}")[2].lstrip("@").rpartition(":")[2]
    return tuple(word.lower() for word in _WORD.findall(fold(local)))


def glued(words: Iterable[str]) -> str:
    """The words without what separates them."""
    return "".join(words)


def slug(name: str) -> str:
    """A name for files and codes: folded, in lower case, with hyphens."""
    return "-".join(words_of(name)) or "x"


def cover(words: tuple[str, ...], phrase: tuple[str, ...], noise: frozenset[str]) -> float:
    """How much of the words a phrase explains, 0 to 1; 0 when it does not stand in them, glued or apart."""
    if not words or not phrase:
        return 0.0
    size = sum(len(word) for word in phrase)
    rest = [word for word in dict.fromkeys(words) if word not in phrase and word not in noise]
    if set(phrase) <= set(words):
        return size / (size + sum(len(word) for word in rest))
    whole, sought = glued(words), glued(phrase)
    if len(sought) >= 5 and sought in whole:
        return 0.9 * len(sought) / len(whole)
    return 0.0


def best_cover(words: tuple[str, ...], phrases: Iterable[tuple[str, ...]], noise: frozenset[str]) -> float:
    """The best that any phrase explains."""
    return max((cover(words, phrase, noise) for phrase in phrases), default=0.0)
