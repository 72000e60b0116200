"""One canonical form for everything that a decision was given, and its hash, so that any decision can be replayed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

import msgspec

from consent.model import Disclosure, Facts

_ENCODER = msgspec.json.Encoder(order="deterministic")


def input_hash(disclosure: Disclosure, facts: Facts, policy_version: str, at: datetime, profile: str) -> str:
    """SHA-256 (hex) of the canonical JSON of all arguments of a decision; a caller's compiled trees are left out."""
    if any(consent.tree is not None for consent in facts.consents):
        facts = replace(facts, consents=tuple(replace(consent, tree=None) for consent in facts.consents))
    canonical = _ENCODER.encode([disclosure, facts, policy_version, at, profile])
    return hashlib.sha256(canonical).hexdigest()
