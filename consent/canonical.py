"""One canonical form for everything that a decision was given, and its hash, so that any decision can be replayed."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from datetime import datetime
from typing import Final

import msgspec

from consent.fhir import digest_of
from consent.model import Disclosure, Facts

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_OTHERS: Final = tuple(one.name for one in fields(Facts) if one.name != "consents")


def input_hash(disclosure: Disclosure, facts: Facts, policy_version: str, at: datetime, profile: str) -> str:
    """SHA-256 (hex) of the canonical JSON of all arguments of a decision, each consent by the digest of its text."""
    consents = [
        (
            one.ref, one.tree.digest if one.tree is not None else digest_of(one.resource), one.given_by, one.as_,
            one.evidence, one.given_at, one.withdrawn_at, one.withdrawn_by, one.suspended, one.replaced, one.profile,
        )
        for one in facts.consents
    ]  # fmt: skip
    others = [getattr(facts, name) for name in _OTHERS]
    canonical = _ENCODER.encode([disclosure, others, consents, policy_version, at, profile])
    return hashlib.sha256(canonical).hexdigest()
