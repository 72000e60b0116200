"""Opaque ids: random, without time or order, so that one on the wire says nothing."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)
