"""Who a resource is: a keyed HMAC of (kind, assigner, type, value) of its key identifier, so that the same record sent
twice is the same resource and nobody can guess it. Without a key: salted by message and ordinal, and tagged, since two
nameless children must not become one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from adapters.mapping import paths
from adapters.mapping.paths import Json
from adapters.mapping.ways import Find
from consent.vocabulary import HUB_BASE

NEVER_MATCHES: Final = {"system": f"{HUB_BASE}/CodeSystem/identity", "code": "never-matches"}
"""The meta.tag of a resource without a key."""


_BLOCK: Final = 64
"""Bytes that SHA-256 takes at a time."""
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def full_url(id_key: bytes, *parts: str) -> str:
    """``urn:uuid:`` of the HMAC over the parts, in which ``|`` and ``\\`` are escaped."""
    said = "|".join(parts)
    if "\\" in said or said.count("|") != len(parts) - 1:
        said = "|".join([part.replace("\\", "\\\\").replace("|", "\\|") for part in parts])
    begun, ended = _keyed(id_key)
    inner, outer = begun.copy(), ended.copy()
    inner.update(said.encode())
    outer.update(inner.digest())
    code: str = outer.hexdigest()
    variant = _VARIANT[code[16]]
    return f"urn:uuid:{code[:8]}-{code[8:12]}-8{code[13:16]}-{variant}{code[17:20]}-{code[20:32]}"


@lru_cache(maxsize=8)
def _keyed(id_key: bytes) -> tuple[Any, Any]:
    """The two halves of an HMAC-SHA256 (RFC 2104) with the key already in: a message has dozens under one key."""
    key = (id_key if len(id_key) <= _BLOCK else sha256(id_key).digest()).ljust(_BLOCK, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in key)), sha256(bytes(byte ^ 0x5C for byte in key))


def identifier_parts(identifier: Json, agency: str) -> tuple[str, str, str] | None:
    """(assigner, type, value) of an Identifier; None without a value."""
    value = identifier.get("value")
    if not isinstance(value, str) or not value:
        return None
    assigner: Json = identifier.get("assigner") or {}
    said: Json = assigner.get("identifier") or {}
    named = "#".join([part for part in (said.get("system"), said.get("value")) if part])
    kinds: Json = identifier.get("type") or {}
    kind = next((code for coding in kinds.get("coding") or () if (code := coding.get("code"))), "")
    return identifier.get("system") or named or assigner.get("display") or agency, kind, value


def key_parts(held: Sequence[Any], text: str, agency: str) -> tuple[str, str, str] | None:
    """The key that the first Identifier (or plain value) of those at the path `text` gives."""
    for one in held:
        parts = identifier_parts(one, agency) if isinstance(one, dict) else (agency, text, paths.text_of(one))
        if parts is not None:
            return parts
    return None


def values_at(resource: Mapping[str, Any], ways: Sequence[Find]) -> list[str]:
    """The texts at some paths, for a key within its owner's."""
    return ["\x1f".join([paths.text_of(value) for value in find(resource)]) for find in ways]
