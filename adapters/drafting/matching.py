"""What a place's words and values most likely mean: a container's role, a leaf's attribute, each with how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.drafting.survey import Spot
from adapters.drafting.values import Look, look
from adapters.drafting.vocabulary import Attribute, Phrase, Role, Vocabulary
from adapters.drafting.words import best_cover, cover, fold, words_of

_LEAST = 0.4
_ROLE_LEAST = 0.55
_WHOLLY = 0.65
"""How much of a name another meaning has to explain to rule out a poor guess."""
_BY_CONTAINER = 0.9
_BY_DOC = 0.35
_FEW = 12
_CERTAIN = 0.6
"""How much of a name has to say a data class; what is unsure is guarded as free text is."""


@dataclass(frozen=True, slots=True)
class Match:
    """An attribute of a role, and how sure the guess is."""

    role: Role
    attribute: Attribute
    sure: float
    by_look: bool = False
    """Whether only the values say so: a place whose name says it goes before."""


def spot_look(spot: Spot) -> Look:
    """What the values of a place look like."""
    return look(list(spot.values), sum(spot.values.values()), frozenset(spot.codes))


def role_of(spot: Spot, words: Vocabulary) -> Role | None:
    """What a container is about, by its own name, or by a schema that says hardly anything else of it."""
    for said in (words_of(spot.name), spot.words):
        found = max(words.roles.values(), key=lambda role: best_cover(said, role.phrases, words.noise))
        if best_cover(said, found.phrases, words.noise) >= _ROLE_LEAST:
            return found
    return None


def match(spot: Spot, chain: tuple[str, ...], role: Role | None, words: Vocabulary) -> Match | None:
    """The best attribute of a leaf: of the role around it, or of a role that its own name says."""
    own, seen = words_of(spot.name), spot_look(spot)
    own = own or chain
    found: list[Match] = []
    if role is not None:
        noise = words.noise.union(*(phrase for phrase in role.phrases if len(phrase) == 1))
        for attribute in words.attributes:
            if attribute.fits(role):
                sure = max(
                    best_cover(own, attribute.phrases, noise),
                    _BY_CONTAINER * best_cover((*chain, *own), attribute.phrases, noise),
                    _by_doc(spot, attribute),
                )
                found.append(Match(role, attribute, sure * fit(attribute, seen, spot)))
    for other in words.roles.values():
        if role is None or other.name != role.name:
            found += _of_other(own, other, spot, seen, words)
            if role is None and chain:  # what a container on the way to the child is about, its leaves are
                found += [replace(one, sure=_BY_CONTAINER * one.sure)
                          for one in _of_other((*chain, *own), other, spot, seen, words)]  # fmt: skip
    best = max(found, key=lambda one: one.sure, default=None)
    if best is not None and best.sure >= _LEAST and not _means_another(own, best, words):
        return best
    return _by_look(role, seen, spot, words)


def _means_another(own: tuple[str, ...], best: Match, words: Vocabulary) -> bool:
    """Whether a name that a guess explains in part is all of what its role has not: `quan he` (relation) is
    no `quan` (district)."""
    others = (one for one in words.attributes if not one.fits(best.role) and one.name != best.attribute.name)
    return best.sure < _ROLE_LEAST and any(best_cover(own, one.phrases, words.noise) >= _WHOLLY for one in others)


def _by_doc(spot: Spot, attribute: Attribute) -> float:
    """Documentation that has a phrase of two words or more."""
    return _BY_DOC if any(len(p) > 1 and _stands(p, spot.words) for p in attribute.phrases) else 0.0


def _stands(phrase: Phrase, words: tuple[str, ...]) -> bool:
    return any(words[start : start + len(phrase)] == phrase for start in range(len(words) - len(phrase) + 1))


def _of_other(own: tuple[str, ...], role: Role, spot: Spot, seen: Look, words: Vocabulary) -> list[Match]:
    """A name that says a role and an attribute of it: ``GuardianPhone``, ``ho_ten_me``."""
    found = []
    for said in role.phrases:
        if not cover(own, said, words.noise):
            continue
        rest = tuple(word for word in own if word not in said)
        share = _length(said) / max(_length(tuple(word for word in own if word not in words.noise)) or 1, _length(said))
        for attribute in words.attributes:
            if not attribute.fits(role):
                continue
            if any(word not in words.noise for word in rest):
                sure = share + (1 - share) * best_cover(rest, attribute.phrases, words.noise)
                sure = sure if best_cover(rest, attribute.phrases, words.noise) else 0.0
            else:
                sure = 0.8 * share if _is_name(attribute, seen) else 0.0
            if not sure and share >= _ROLE_LEAST and seen.kind == "name" and attribute.name == "whole name":
                sure = 0.6 * share  # more is said of whom it is about than is known, and the values are names
            sure = max(sure, _BY_CONTAINER * best_cover(own, attribute.phrases, words.noise))
            found.append(Match(role, attribute, sure * fit(attribute, seen, spot)))
    return found


def _length(words: tuple[str, ...]) -> int:
    return sum(map(len, words))


def _is_name(attribute: Attribute, seen: Look) -> bool:
    """Whether a column that says only a role means this: its name, its words, its type; of an agency's code its id."""
    agency = "agency id" if seen.kind in ("code", "number", "ni") else "agency name"
    return attribute.name in ("whole name", "free text", "diagnosis", "type of abuse", agency)


_BY_LOOK = {
    "ni": ("personal number", 0.5),
    "card": ("insurance card", 0.5),
    "email": ("e-mail", 0.5),
    "name": ("whole name", 0.4),
}


def _by_look(role: Role | None, seen: Look, spot: Spot, words: Vocabulary) -> Match | None:
    """Values that speak for themselves, where a person is spoken of."""
    name, sure = _BY_LOOK.get(seen.kind, ("", 0.0))
    if not name and _are_sexes(spot, words):
        name, sure = "gender", 0.5
    attribute = next((one for one in words.attributes if one.name == name), None)
    if attribute is None or role is None or not attribute.fits(role):
        return None
    return Match(role, attribute, sure, by_look=True)


def _are_sexes(spot: Spot, words: Vocabulary) -> bool:
    """Whether values are words for male and female, both of them, and for nothing else of that kind."""
    targets = words.codes["gender"].targets
    meant = {next((code for code, said in targets.items() if fold(value).lower() in said), "") for value in spot.values}
    return {"male", "female"} <= meant and "" not in meant


_FITS = {
    "date": ("date", "none"), "phone": ("phone", "number", "ni", "code", "none"), "email": ("email", "none"),
    "code": ("code", "flag", "number", "none", "text", "name"), "text": ("text", "name", "code", "none", "number"),
}  # fmt: skip


_NO_NUMBERS = ("name", "email", "date", "short-year")
"""What nobody is numbered by."""


def fit(attribute: Attribute, seen: Look, spot: Spot) -> float:
    """How well values suit an attribute: 0 rules it out."""
    if attribute.value == "id":
        spaced = seen.kind == "text" and any(" " in value for value in spot.values)
        return 0.0 if seen.kind in _NO_NUMBERS else 0.3 if spaced or seen.kind == "flag" else 1.0
    if attribute.value == "any":
        return 1.0 if seen.kind not in ("date", "flag") else 0.3
    if seen.kind not in _FITS.get(attribute.value, (attribute.value,)):
        return 0.0
    if attribute.value == "code" and not spot.codes and len(spot.values) > _FEW:
        return 0.0
    return (0.7 if seen.kind == "none" else 1.0) * (seen.sure if seen.kind == "date" else 1.0)


def class_of(names: Sequence[tuple[str, ...]], around: tuple[str, ...], words: Vocabulary) -> tuple[str, str]:
    """(data class, by what) of a fact: by its own name or its containers' (`names`) when these say hardly more;
    by any word `around` it where the class guards more than free text's; else `narrative`, which the fewest see."""
    said = {*around, *(word.removesuffix("s") for word in around)}
    for known in words.classes:
        if known.anywhere and any(set(phrase) <= said for phrase in known.phrases):
            return known.name, "by a word near it"
        for name in names:
            singular = tuple(word.removesuffix("s") for word in name)
            if max(best_cover(one, known.phrases, words.noise) for one in (name, singular)) >= _CERTAIN:
                return known.name, "by its name"
    return "narrative", "not said, so that of free text"
