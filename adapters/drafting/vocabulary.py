"""The drafting vocabulary (`vocabulary.yaml`): what agencies' words usually mean. Data; this module only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from adapters.drafting.words import fold, words_of

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """What a block or a column's prefix is about, and the resource that it becomes."""

    name: str
    phrases: tuple[Phrase, ...]
    kind: str
    """The family of attributes that it takes."""
    make: Mapping[str, Any]
    """`make`, `link`, `class` and the like, as the row says them."""
    constants: Mapping[str, str]
    """Elements that R4 requires, said only when no place says them."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a leaf may say."""

    name: str
    phrases: tuple[Phrase, ...]
    of: frozenset[str]
    """Kinds of role."""
    only: frozenset[str]
    """Roles; empty: all of those kinds."""
    never: frozenset[str]
    value: str
    codes: str
    local: bool
    """Whether a coded value becomes a Coding of the agency's own system."""
    row: Mapping[str, Any]
    coded_row: Mapping[str, Any]
    data_class: str
    label: str
    order: int

    def fits(self, role: Role) -> bool:
        """Whether it may be said of a role."""
        return role.kind in self.of and role.name not in self.never and (not self.only or role.name in self.only)


@dataclass(frozen=True, slots=True)
class HeadWord:
    """What a header leaf is called."""

    leaf: str
    phrases: tuple[Phrase, ...]
    value: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list that code maps lead to."""

    name: str
    system: str
    targets: Mapping[str, tuple[str, ...]]
    """Target code -> words that mean it, folded."""
    digits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClassWords:
    """What says that a fact is of a data class."""

    name: str
    phrases: tuple[Phrase, ...]
    anywhere: bool
    """Also in what stands around the fact, not in its name alone."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that drafting knows of words."""

    noise: frozenset[str]
    family_names: frozenset[str]
    """Common Vietnamese family names, in lower case: by them a name is known as one."""
    roles: Mapping[str, Role]
    attributes: tuple[Attribute, ...]
    head_containers: tuple[Phrase, ...]
    head_words: tuple[HeadWord, ...]
    row_numbers: tuple[Phrase, ...]
    consent: tuple[Phrase, ...]
    type_words: tuple[Phrase, ...]
    events: tuple[tuple[str, tuple[Phrase, ...]], ...]
    classes: tuple[ClassWords, ...]
    codes: Mapping[str, CodeList]
    free_text: str
    er7: Mapping[str, Any]
    er7_tables: Mapping[str, Mapping[str, str]]
    """Code list -> HL7's own codes with what the standard calls them."""


def _phrases(raw: list[str]) -> tuple[Phrase, ...]:
    return tuple(words for text in raw if (words := words_of(text)))


_ROLE_OWN = ("words", "kind", "constants")


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary that ships with the hub."""
    text = files("adapters.drafting").joinpath("vocabulary.yaml").read_text("utf-8")
    raw = yaml.load(text, Loader=yaml.CBaseLoader)
    return Vocabulary(
        noise=frozenset(raw["noise"]),
        family_names=frozenset(raw["family-names"]),
        roles={name: _role(name, said) for name, said in raw["roles"].items()},
        attributes=tuple(_attribute(said) for said in raw["attributes"]),
        head_containers=_phrases(raw["head"]["containers"]),
        head_words=tuple(
            HeadWord(said["leaf"], _phrases(said["words"]), said.get("value", "")) for said in raw["head"]["leaves"]
        ),
        consent=_phrases(raw["consent"]),
        row_numbers=_phrases(raw["row-numbers"]),
        type_words=_phrases(raw["type-words"]),
        events=tuple((said["event"], _phrases(said["words"])) for said in raw["events"]),
        classes=tuple(
            ClassWords(said["class"], _phrases(said["words"]), said.get("anywhere") == "yes") for said in raw["classes"]
        ),
        codes={name: _codes(name, said) for name, said in raw["codes"].items()},
        free_text=raw["free-text"],
        er7=raw["er7"],
        er7_tables=raw["er7-tables"],
    )


def _role(name: str, said: Mapping[str, Any]) -> Role:
    make = {key: value for key, value in said.items() if key not in _ROLE_OWN}
    return Role(name, _phrases(said["words"]), said["kind"], make, said.get("constants", {}))


def _attribute(said: Mapping[str, Any]) -> Attribute:
    return Attribute(
        name=said["name"],
        phrases=_phrases(said["words"]),
        of=frozenset(said["of"]),
        only=frozenset(said.get("for", ())),
        never=frozenset(said.get("not", ())),
        value=said["value"],
        codes=said.get("codes", ""),
        local=said.get("coded") == "local",
        row=said["row"],
        coded_row=said.get("coded-row", {}),
        data_class=said.get("class", ""),
        label=said.get("label", ""),
        order=int(said.get("order", "9")),
    )


def _codes(name: str, said: Mapping[str, Any]) -> CodeList:
    targets = {code: tuple(fold(word).lower() for word in words) for code, words in said["targets"].items()}
    return CodeList(name, said["system"], targets, said.get("digits", {}))
