"""Signatures: what the hub puts on webhooks, and what an issuing body puts on an order.

A webhook's secret is derived from the root key, the agency and a version number, so no secret is stored; raising the
version in the registry changes it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64encode

from hub.errors import Invalid

ALGORITHMS: Final = ("RS384", "ES384")
"""What SMART Backend Services requires; nothing else is taken."""

TOLERANCE: Final = timedelta(minutes=5)
"""How old a signed webhook may be."""


class Derives(Protocol):
    """What the vault offers for this: a subkey of the root key for each purpose."""

    def derive(self, purpose: str) -> bytes:
        """32 bytes."""


def webhook_secret(vault: Derives, agency_id: str, version: int) -> bytes:
    """The signing secret shared with one agency: 32 bytes."""
    return vault.derive(f"webhook:{agency_id}:{version}")


def sign_webhook(secret: bytes, raw: bytes, at: datetime) -> str:
    """``t=<unix seconds>,v1=<hex HMAC-SHA256 over "t.body">``, the value of ``Hub-Signature``."""
    moment = str(int(at.timestamp()))
    return f"t={moment},v1={_mac(secret, moment, raw)}"


def webhook_is_signed(secret: bytes, raw: bytes, signature: str, at: datetime) -> bool:
    """Whether `signature` was made over `raw` with `secret` within `TOLERANCE` of `at`; what a recipient checks."""
    parts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not moment.isdecimal() or not moment.isascii():
        return False
    if abs(int(moment) - at.timestamp()) > TOLERANCE.total_seconds():
        return False
    return hmac.compare_digest(_mac(secret, moment, raw).encode(), parts.get("v1", "").encode())


def verify_detached(signature: str, payload: bytes, jwks: Mapping[str, Any]) -> str:
    """The key id with which `payload` was signed: a detached JWS (``header..signature``, RFC 7515 appendix F).

    Raises :class:`hub.errors.Invalid` if it was not signed with a registered key that is named by `kid`.
    """
    parts = signature.split(".")
    if len(parts) != 3 or parts[1]:
        raise Invalid("The signature is not a detached JWS.")
    whole = f"{parts[0]}.{urlsafe_b64encode(payload).decode()}.{parts[2]}"
    try:
        kid = jws.extract_compact(whole.encode()).headers().get("kid")
        key = KeySet.import_key_set({"keys": [one for one in jwks.get("keys", ()) if kid and one.get("kid") == kid]})
        if not key.keys:
            raise Invalid("The signature names no registered key.")
        jws.deserialize_compact(whole, key, algorithms=list(ALGORITHMS))
    except (JoseError, ValueError):
        raise Invalid("The signature does not hold.") from None
    return str(kid)


def _mac(secret: bytes, moment: str, raw: bytes) -> str:
    return hmac.new(secret, moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
