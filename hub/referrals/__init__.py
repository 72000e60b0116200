"""Referrals and routes: who asked whom for what, how far it is, and who is offered which message."""

from __future__ import annotations

from hub.referrals.keeping import OPENING, Kept, belonging, call_for_late, keep
from hub.referrals.numbering import answered, numbered
from hub.referrals.offering import Router, offer, offer_case, reachable
from hub.referrals.reading import Said, named, names_of, said_of
from hub.referrals.routes import Routes, read_routes
from hub.storage.referrals import get, numbers_of

__all__ = [
    "OPENING",
    "Kept",
    "Router",
    "Routes",
    "Said",
    "answered",
    "belonging",
    "call_for_late",
    "get",
    "keep",
    "named",
    "names_of",
    "numbered",
    "numbers_of",
    "offer",
    "offer_case",
    "reachable",
    "read_routes",
    "said_of",
]
