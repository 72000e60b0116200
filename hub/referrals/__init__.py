"""Referrals and routes: who asked whom for what, how far it is, and who is offered which message."""

from __future__ import annotations

from hub.referrals.keeping import Kept, belonging, keep
from hub.referrals.offering import offer, offer_case, reachable
from hub.referrals.reading import Said, named, said_of
from hub.referrals.routes import Routes, read_routes

__all__ = [
    "Kept",
    "Routes",
    "Said",
    "belonging",
    "keep",
    "named",
    "offer",
    "offer_case",
    "reachable",
    "read_routes",
    "said_of",
]
