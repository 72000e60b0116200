"""Who a resource is: a keyed HMAC of (kind, assigner, type, value) of its key identifier, so that the same record sent
twice is the same resource and nobody can guess it. Without a key: salted by message and ordinal, and tagged, since two
nameless children must not become one.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from adapters.mapping import paths
from consent.vocabulary import HUB_BASE

NEVER_MATCHES: Final = {"system": f"{HUB_BASE}/CodeSystem/identity", "code": "never-matches"}
"""The meta.tag of a resource without a key."""


def full_url(id_key: bytes, *parts: str) -> str:
    """``urn:uuid:`` of the HMAC over the parts, in which ``|`` and ``\\`` are escaped."""
    said = "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)
    digest = bytearray(hmac.digest(id_key, said.encode(), sha256)[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"urn:uuid:{UUID(bytes=bytes(digest))}"


def identifier_parts(identifier: Mapping[str, Any], agency: str) -> tuple[str, str, str] | None:
    """(assigner, type, value) of an Identifier; None without a value."""
    value = identifier.get("value")
    if not isinstance(value, str) or not value:
        return None
    assigner = identifier.get("assigner") or {}
    said = assigner.get("identifier") or {}
    named = "#".join(part for part in (said.get("system", ""), said.get("value", "")) if part)
    codings = (identifier.get("type") or {}).get("coding") or [{}]
    kind = next((coding.get("code", "") for coding in codings if coding.get("code")), "")
    return identifier.get("system") or named or assigner.get("display") or agency, kind, value


def key_parts(resource: Mapping[str, Any], path: paths.Path, agency: str) -> tuple[str, str, str] | None:
    """The key that the first Identifier (or plain value) at a path gives."""
    for container, key in paths.slots(resource, path.steps):
        held = container[key]
        parts = identifier_parts(held, agency) if isinstance(held, dict) else (agency, path.text, paths.text_of(held))
        if parts is not None:
            return parts
    return None


def values_at(resource: Mapping[str, Any], found: Sequence[paths.Path]) -> list[str]:
    """The texts at some paths, for a key within its owner's."""
    said: list[str] = []
    for path in found:
        texts = [paths.text_of(container[key]) for container, key in paths.slots(resource, path.steps)]
        said.append("\x1f".join(texts))
    return said
