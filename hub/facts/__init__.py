"""What people recorded about a case: dated, versioned, sealed; the only thing beside the policy that decisions read."""

from __future__ import annotations

from hub.facts.bodies import BY_THE_HUB, KINDS, Body, read_body
from hub.facts.reading import facts_of
from hub.facts.recording import newest, record, require_known, suspend_consents

__all__ = [
    "BY_THE_HUB",
    "KINDS",
    "Body",
    "facts_of",
    "newest",
    "read_body",
    "record",
    "require_known",
    "suspend_consents",
]
