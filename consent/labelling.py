"""The labelling data of a policy, compiled: which codes and words say something sensitive, and which text is free.

What may leave is listed, never what may not: every element that can say anything at all (R4's strings and their like)
is free text unless the policy opens it, for any value or for values of one pattern.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from consent.errors import UnreadablePolicy
from consent.keeping import shape_of

_TOKEN: Final = re.compile(r"\S{1,64}")
"""What a date, a number, an id or a code that R4 binds can look like; any other string in its place is free text."""
_WORD: Final = re.compile(r"[^\W_]+")
_NOT_READ: Final = frozenset({"meta", "extension", "modifierExtension", "contained"})
_NAMED: Final = frozenset({"name", "address", "contact"})
"""A lone `text` below these is a name or an address, not the text of a concept."""


def folded(text: str) -> str:
    """Text as it is compared: without case, tones, punctuation and the number of its spaces."""
    plain = text.casefold()
    if not plain.isascii():
        parted = unicodedata.normalize("NFD", plain).replace("đ", "d")
        plain = "".join(one for one in parted if not unicodedata.combining(one))
    return " ".join(_WORD.findall(plain))


@dataclass(frozen=True, slots=True)
class Said:
    """What a resource says in codes, by the systems that the policy knows, and in words."""

    codes: frozenset[tuple[str, str]]
    words: tuple[str, ...]
    """Displays and texts of concepts, folded."""


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """One code system by all its names, and how its codes look where no system is said."""

    url: str
    like: re.Pattern[str] | None
    bare: re.Pattern[str] | None
    dotless: bool

    def written(self, code: str) -> str:
        """A code as it is compared."""
        code = code.strip().upper()
        return code.replace(".", "") if self.dotless else code


@dataclass(frozen=True, slots=True)
class Signal:
    """Codes and words that say one sensitive thing, and the label and class that it gets."""

    label: str
    data_class: str
    replaces: frozenset[str]
    codes: frozenset[tuple[str, str]]
    prefixes: Mapping[str, tuple[str, ...]]
    words: re.Pattern[str] | None
    but: re.Pattern[str] | None
    """Phrases that say something else although a word of ours is in them."""

    def heard(self, said: Said) -> bool:
        """Whether a resource says it."""
        if not self.codes.isdisjoint(said.codes):
            return True
        for system, code in said.codes:
            if system in self.prefixes and code.startswith(self.prefixes[system]):
                return True
        return self.words is not None and any(self.worded(text) for text in said.words)

    def worded(self, text: str) -> bool:
        """Whether a folded text says it in words."""
        if self.words is None:
            return False
        return self.words.search(self.but.sub(" ", text) if self.but is not None else text) is not None


@dataclass(frozen=True, slots=True)
class NameValue:
    """When a string is a name: what the code of its resource says, and how a name looks."""

    codes: Mapping[str, frozenset[str]]
    longest: int
    most: int
    kin: frozenset[str]
    """Words for who somebody is to the child; any other word of a name begins with a capital."""

    def fits(self, code: Any, value: Any) -> bool:
        """Whether `value`, in a resource of this code, is a name."""
        if not isinstance(value, str) or len(value) > self.longest:
            return False
        codings = code.get("coding") if isinstance(code, dict) else None
        if not isinstance(codings, list) or not any(
            isinstance(one, dict) and one.get("code") in self.codes.get(str(one.get("system")), ()) for one in codings
        ):
            return False
        words = unicodedata.normalize("NFC", value).split(" ")
        return len(words) <= self.most and all(self._is_word(word) for word in words)

    def _is_word(self, word: str) -> bool:
        if word in self.kin:
            return True
        parts = re.split("[-'’]", word)
        return parts[0][:1].isupper() and all(part.isalpha() for part in parts)


@dataclass(frozen=True, slots=True)
class Form:
    """One R4 type as labelling walks it."""

    text: Mapping[str, re.Pattern[str] | None]
    """Elements that are free text, unless they have the pattern named here."""
    tokens: frozenset[str]
    """Elements that hold dates, numbers, ids and bound codes."""
    whole: frozenset[str]
    """Complex elements that are free text as a whole."""
    below: Mapping[str, str]
    """Other complex elements, and their types."""


@dataclass(frozen=True)
class Labelling:
    """Everything that :mod:`consent.labels` reads of one edition's labelling data."""

    rules: Mapping[str, Any]
    systems: tuple[CodeSystem, ...]
    signals: tuple[Signal, ...]
    names: Mapping[str, NameValue]
    opened: Mapping[str, re.Pattern[str] | None]
    """``Type.element`` -> what of it is no free text: everything (None), or what has a pattern."""
    pictured: frozenset[str]
    """Classes whose pictures are the data itself."""
    _forms: dict[str, Form | None] = field(default_factory=dict)
    _known: dict[str, CodeSystem | None] = field(default_factory=dict)

    @cached_property
    def whole_types(self) -> frozenset[str]:
        """The types that are free text as a whole."""
        return frozenset(self.rules["free_text"]["whole"])

    def form(self, kind: str) -> Form | None:
        """How to walk one R4 type; None for what R4 does not know."""
        if kind not in self._forms:
            self._forms[kind] = self._form(kind)
        return self._forms[kind]

    def _form(self, kind: str) -> Form | None:
        shape = shape_of(kind)
        if shape is None:
            return None
        text: dict[str, re.Pattern[str] | None] = {}
        for name in shape.saying:
            pattern = self.opened.get(f"{kind}.{name}", _NOTHING)
            if pattern is not None:
                text[name] = None if pattern is _NOTHING else pattern
        whole, below, tokens = set(), {}, set()
        for name, inner in shape.elements.items():
            if not inner and name not in shape.saying:
                tokens.add(name)
            elif inner in self.whole_types:
                whole.add(name)
            elif inner and inner not in ("Extension", "Narrative", "Resource", "Meta"):
                below[name] = inner
        return Form(text, frozenset(tokens), frozenset(whole), below)

    def said(self, resource: Mapping[str, Any]) -> Said:
        """The codes and words of a resource; what it says in free text is free text already."""
        codes: set[tuple[str, str]] = set()
        words: list[str] = []
        for coding in _coded(resource, "", words):
            code, system = str(coding["code"]), coding.get("system")
            if not isinstance(system, str) or not system:
                codes.update(
                    (one.url, one.written(code))
                    for one in self.systems
                    if one.bare is not None and one.bare.fullmatch(code.strip().upper())
                )
                continue
            known = self._system(system)
            codes.add((known.url, known.written(code)) if known is not None else (system, code))
        return Said(frozenset(codes), tuple(folded(text) for text in words))

    def _system(self, name: str) -> CodeSystem | None:
        if name not in self._known:
            if len(self._known) > 4096:
                self._known.clear()
            plain = name.strip().casefold()
            self._known[name] = next(
                (
                    one
                    for one in self.systems
                    if plain == one.url or (one.like is not None and one.like.search(plain) is not None)
                ),
                None,
            )
        return self._known[name]


_NOTHING: Final = re.compile(r"(?!)")
"""The pattern that nothing has."""


def is_token(value: str) -> bool:
    """Whether a string can be a date, a number, an id or a code."""
    return _TOKEN.fullmatch(value) is not None


def _coded(value: Any, key: str, words: list[str]) -> Iterator[Mapping[str, Any]]:
    """Every coding below `value`; displays and texts of concepts go into `words`."""
    if isinstance(value, dict):
        if isinstance(value.get("code"), str):
            yield value
        # A reference has a display too: the name of somebody.
        if isinstance(value.get("display"), str) and (key == "coding" or "code" in value or "system" in value):
            words.append(value["display"])
        if key not in _NAMED and isinstance(value.get("text"), str) and value.keys() <= _CONCEPT:
            words.append(value["text"])
        for name, inner in value.items():
            if name not in _NOT_READ and isinstance(inner, (dict, list)):
                yield from _coded(inner, name, words)
    elif isinstance(value, list):
        for inner in value:
            yield from _coded(inner, key, words)


_CONCEPT: Final = frozenset({"coding", "text", "_text", "id", "extension"})


# --- reading ------------------------------------------------------------------------------------------------


def read_labelling(name: str, content: Mapping[str, Any]) -> Labelling:
    """Compile one document of labelling data; raises :class:`UnreadablePolicy` for what contradicts itself or R4."""
    try:
        systems = tuple(
            CodeSystem(
                url=str(url),
                like=_pattern("|".join(row.get("like", ()))),
                bare=_pattern(row.get("bare", "")),
                dotless=bool(row.get("dotless", False)),
            )
            for url, row in content["code_systems"].items()
        )
        by_url = {one.url: one for one in systems}
        text = content["free_text"]
        return Labelling(
            rules=content,
            systems=systems,
            signals=tuple(_signal(row, by_url) for row in content["sensitivity"]),
            names={str(path): _name_value(row) for path, row in text["names"].items()},
            opened=dict(_opened(name, text["open"])),
            pictured=frozenset(text["pictures"]["classes"]),
        )
    except re.error as wrong:
        raise UnreadablePolicy(f"{name}: {wrong}") from None
    except KeyError as missing:
        raise UnreadablePolicy(f"{name}: {missing} is missing") from None


def _pattern(text: str) -> re.Pattern[str] | None:
    return re.compile(text) if text else None


def _opened(name: str, rows: Mapping[str, Any]) -> Iterator[tuple[str, re.Pattern[str] | None]]:
    for kind, elements in rows.items():
        shape = shape_of(kind)
        for element in elements:
            pattern = elements[element] if isinstance(elements, Mapping) else None
            if shape is None or element not in shape.saying:
                raise UnreadablePolicy(f"{name}: {kind}.{element} is no text of R4")
            yield f"{kind}.{element}", re.compile(pattern) if pattern else None


def _signal(row: Mapping[str, Any], systems: Mapping[str, CodeSystem]) -> Signal:
    exact: set[tuple[str, str]] = set()
    prefixes: dict[str, tuple[str, ...]] = {}
    for system, codes in row["codes"].items():
        known = systems.get(system)
        for code in codes:
            written = known.written(code) if known is not None else code
            if written.endswith("*"):
                prefixes[system] = (*prefixes.get(system, ()), written[:-1])
            else:
                exact.add((system, written))
    return Signal(
        label=row["label"],
        data_class=row.get("class", ""),
        replaces=frozenset(row.get("replaces", ())),
        codes=frozenset(exact),
        prefixes=prefixes,
        words=_phrases(row.get("words", ())),
        but=_phrases(row.get("but", ())),
    )


def _phrases(words: Iterable[str]) -> re.Pattern[str] | None:
    """Phrases as folded text has them, each from the beginning of a word."""
    return _pattern("|".join(rf"\b{re.escape(folded(word))}" for word in words))


def _name_value(row: Mapping[str, Any]) -> NameValue:
    return NameValue(
        codes={system: frozenset(codes) for system, codes in row["codes"].items()},
        longest=row["longest"],
        most=row["words"],
        kin=frozenset(row["kin"]),
    )
