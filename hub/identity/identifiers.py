"""What a canonical Patient may be found again by: pure, no database.

NI, HC                 the same everywhere: personal number, insurance card
any other type         only inside who assigned it: a URL or OID that says so, else the agency that spoke
name and birth date    never certain: they only raise candidates for a person to look at
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from consent.vocabulary import HUB_BASE
from hub.storage.persons import Token

NATIONAL: Final = frozenset({"NI", "HC"})
IGNORED: Final = frozenset({"VN", "AN", "PLAC", "FILL"})
"""Numbers of a visit, an account or a request: they do not name a person."""

Tokenise = Callable[..., str]
"""`Vault.token`."""


def identifiers(patient: Mapping[str, Any], agency: str) -> tuple[tuple[str, str, str], ...]:
    """(type, assigner, value) of each identifier that names the person; national ones have no assigner."""
    return tuple(_identifiers(patient, agency))


def identifier_tokens(patient: Mapping[str, Any], agency: str, token: Tokenise) -> tuple[Token, ...]:
    """Blind index of the identifiers, the national ones first."""
    named = sorted(identifiers(patient, agency), key=lambda each: each[0] not in NATIONAL)
    return tuple(Token("identifier", token("identifier", *each)) for each in named)


def uncertain_tokens(patient: Mapping[str, Any], agency: str, token: Tokenise) -> tuple[Token, ...]:
    """Blind index by which one agency's uncertain child, and no other, is found again by national numbers."""
    named = [each for each in identifiers(patient, agency) if each[0] in NATIONAL]
    return tuple(Token("uncertain", token("uncertain", agency, *each)) for each in named)


def name_tokens(patient: Mapping[str, Any], token: Tokenise) -> tuple[Token, ...]:
    """Blind index of each whole name with the birth date, without tones and in any order of its words."""
    birth = str(patient.get("birthDate", ""))
    if not birth:
        return ()
    return tuple(
        Token("name", token("name-and-birth", name, birth))
        for name in sorted({folded(each) for each in names(patient)} - {""})
    )


def names(patient: Mapping[str, Any]) -> tuple[str, ...]:
    """Every name as one text."""
    return tuple(
        each.get("text") or " ".join((each.get("family", ""), *each.get("given", ())))
        for each in patient.get("name", ())
    )


def folded(name: str) -> str:
    """A name without tones, case and order: ``Thử-Nghiệm Thị Mẫu`` and ``MAU THI THU NGHIEM`` are one."""
    flat = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    plain = "".join(" " if char in "-'.," else char for char in flat if not unicodedata.combining(char))
    return " ".join(sorted(plain.casefold().split()))


def record_of(patient: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept for matching: names, birth date, sex."""
    record = {"names": list(names(patient)), "birth_date": patient.get("birthDate"), "gender": patient.get("gender")}
    return {key: value for key, value in record.items() if value}


def contradicts(patient: Mapping[str, Any], records: tuple[Mapping[str, Any], ...]) -> bool:
    """Whether the child named and a known one can hardly be the same: another birth date and another name.

    A number mistyped by one digit would otherwise put one child's record on another's.
    """
    births = {str(each["birth_date"]) for each in records if each.get("birth_date")}
    known = {folded(name) for each in records for name in each.get("names", ())} - {""}
    said = {folded(name) for name in names(patient)} - {""}
    birth = str(patient.get("birthDate", ""))
    return bool(birth and births and birth not in births and said and known and not said & known)


def _identifiers(patient: Mapping[str, Any], agency: str) -> Iterator[tuple[str, str, str]]:
    for each in patient.get("identifier", ()):
        value = str(each.get("value", "")).strip()
        kind = next((coding.get("code", "") for coding in each.get("type", {}).get("coding", ())), "")
        if not value or kind in IGNORED:
            continue
        if kind in NATIONAL:
            yield kind, "", value
        else:
            yield kind or "MR", _assigner(each, agency), value


def _assigner(identifier: Mapping[str, Any], agency: str) -> str:
    system = str(identifier.get("system", ""))
    if system.startswith(("urn:oid:", "http://", "https://")) and not system.startswith(HUB_BASE):
        return system
    display = str(identifier.get("assigner", {}).get("display", ""))
    return f"{agency}|{display or system}"
