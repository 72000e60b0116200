"""Whose child is it: identifiers first, a person where it is not certain."""

from __future__ import annotations

from hub.identity.matching import Match, find, hold, match, said_same
from hub.identity.numbers import as_told_to
from hub.identity.review import link, settle, unlink

__all__ = ["Match", "as_told_to", "find", "hold", "link", "match", "said_same", "settle", "unlink"]
