"""A signature holds for exactly what was signed, by whom, and for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from hub.errors import Invalid
from hub.security.signing import sign_webhook, verify_detached, webhook_is_signed, webhook_secret
from hub.security.vault import Vault

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
BODY = b'{"order": 1}'


def detached(key: ECKey | RSAKey, alg: str, kid: str | None = "k-1", payload: bytes = BODY) -> str:
    """What an issuing body sends with its order."""
    header = {"alg": alg} | ({"kid": kid} if kid else {})
    head, _, signature = jws.serialize_compact(header, payload, key, algorithms=[alg]).split(".")
    return f"{head}..{signature}"


def test_a_webhook_signature_holds_for_five_minutes() -> None:
    """The right secret, body and time; anything else does not hold."""
    made = sign_webhook(b"s" * 32, BODY, AT)
    assert made.startswith(f"t={int(AT.timestamp())},v1=")
    assert webhook_is_signed(b"s" * 32, BODY, made, AT + timedelta(minutes=5))
    assert not webhook_is_signed(b"s" * 32, BODY, made, AT + timedelta(minutes=6))
    assert not webhook_is_signed(b"s" * 32, BODY, made, AT - timedelta(minutes=6))
    assert not webhook_is_signed(b"x" * 32, BODY, made, AT)
    assert not webhook_is_signed(b"s" * 32, BODY + b" ", made, AT)
    moved = made.replace(str(int(AT.timestamp())), str(int(AT.timestamp()) + 60))
    assert not webhook_is_signed(b"s" * 32, BODY, moved, AT)


@pytest.mark.parametrize("broken", ["", "t=,v1=", "v1=abc", "t=٣,v1=abc", "t=1;v1=abc", "t=99999999999999999999,v1=é"])
def test_a_broken_signature_does_not_hold(broken: str) -> None:
    """Whatever stands there, the answer is no and never an error."""
    assert not webhook_is_signed(b"s" * 32, BODY, broken, AT)


def test_each_agency_and_version_has_its_own_secret(vault: Vault) -> None:
    """One agency's secret, or an older one, says nothing about another."""
    found = {webhook_secret(vault, name, version) for name in ("truong-mau", "cong-an-mau") for version in (1, 2)}
    assert len(found) == 4
    assert webhook_secret(vault, "truong-mau", 1) in found


@pytest.mark.parametrize(
    ("key", "alg"), [(ECKey.generate_key("P-384"), "ES384"), (RSAKey.generate_key(2048), "RS384")], ids=["ec", "rsa"]
)
def test_a_registered_body_signs_an_order(key: ECKey | RSAKey, alg: str) -> None:
    """The answer is the key id; another payload, key, name or algorithm does not hold."""
    jwks = {"keys": [key.as_dict(private=False) | {"kid": "k-1"}]}
    assert verify_detached(detached(key, alg), BODY, jwks) == "k-1"
    other = type(key).generate_key(2048 if alg == "RS384" else "P-384")
    for signature, body in (
        (detached(key, alg), BODY + b" "),
        (detached(other, alg), BODY),  # type: ignore[arg-type]
        (detached(key, alg, "k-2"), BODY),
        (detached(key, alg, None), BODY),
        (detached(key, alg).replace("..", ".eA."), BODY),
        ("..", BODY),
        ("a.b", BODY),
        ("é..é", BODY),
        ("", BODY),
    ):
        with pytest.raises(Invalid):
            verify_detached(signature, body, jwks)
    with pytest.raises(Invalid):
        verify_detached(detached(key, alg), BODY, {"keys": []})
    if alg == "RS384":
        with pytest.raises(Invalid):
            verify_detached(detached(key, "RS256"), BODY, jwks)
