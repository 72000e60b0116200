"""The token endpoint takes exactly what SMART Backend Services asks for, once."""

from __future__ import annotations

import pytest

from hub.errors import Unauthenticated
from hub.security import tokens
from hub.security.tokens import Role
from hub.security.vault import Vault
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.door import EC, OTHER, RSA, Door
from tests.fakes.world import HOSPITAL, World


@pytest.fixture
def door(store: Store, vault: Vault, clock: SetClock) -> Door:
    """A door that the hospital's keys open."""
    made = Door(World(store, vault, clock), clock)
    made.know(HOSPITAL, scopes=["system/Patient.rs", "system/Observation.rs"])
    return made


@pytest.mark.parametrize(("key", "alg", "kid"), [(EC, "ES384", "ec-1"), (RSA, "RS384", "rsa-1")])
def test_both_required_algorithms_are_taken(door: Door, key: object, alg: str, kid: str) -> None:
    """RS384 and ES384 each give a token of 300 s that may not be cached."""
    answer = door.ask_token(door.claims(HOSPITAL), key, alg, kid)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert (said["token_type"], said["expires_in"]) == ("bearer", 300)
    caller = tokens.caller(door.parts.store, door.clock, said["access_token"])
    assert (caller.kind, caller.id) == ("agency", HOSPITAL)


def test_a_jti_is_used_once(door: Door) -> None:
    """The same assertion a second time is refused, and operators see it."""
    claims = door.claims(HOSPITAL)
    assert door.ask_token(claims).status_code == 200
    again = door.ask_token(claims)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "jti" in again.json()["error_description"]
    assert door.refusals() == [(None, "", [("client_assertion", "not-authenticated")])]


@pytest.mark.parametrize(
    ("over", "word"),
    [
        ({"aud": "https://elsewhere.example/oauth/token"}, "aud"),
        ({"aud": ["http://127.0.0.1:8080/oauth/token"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": 0}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": True}, "exp"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "x" * 256}, "jti"),
        ({"iss": "cong-an-mau"}, "iss"),
        ({"sub": None}, "sub"),
    ],
)
def test_wrong_claims_are_refused_by_name(door: Door, over: dict[str, object], word: str) -> None:
    """Each claim that is missing or wrong is named, and its value is not repeated."""
    answer = door.ask_token(door.claims(HOSPITAL, **over))
    assert answer.status_code == 401
    assert word in answer.json()["error_description"]
    assert "elsewhere" not in answer.text


def test_an_assertion_lives_five_minutes_at_most(door: Door) -> None:
    """`exp` at five minutes is taken, at six it is not."""
    now = int(door.clock.now().timestamp())
    assert door.ask_token(door.claims(HOSPITAL, exp=now + 300)).status_code == 200
    late = door.ask_token(door.claims(HOSPITAL, exp=now + 360))
    assert "five minutes" in late.json()["error_description"]


def test_a_key_must_be_the_named_registered_one(door: Door) -> None:
    """Another key under the same `kid`, another `kid`, no `kid`, another algorithm: all hear the same."""
    claims = door.claims(HOSPITAL)
    answers = [
        door.ask_token(claims, OTHER),
        door.ask_token(claims, kid="unknown"),
        door.ask_token(claims, kid=None),
        door.ask_token(claims, RSA, "RS256", "rsa-1"),
        door.ask_token(door.claims("nobody-here")),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert door.ask_token(claims).status_code == 200, "a failed try does not use the jti up"


def test_scopes_are_narrowed(door: Door) -> None:
    """Only what the registry allows is granted; asking for nothing of it is an error."""
    some = door.ask_token(door.claims(HOSPITAL), scope="system/Patient.rs system/Consent.rs")
    assert some.json()["scope"] == "system/Patient.rs"
    none = door.ask_token(door.claims(HOSPITAL), scope="system/Consent.rs")
    assert (none.status_code, none.json()["error"]) == (400, "invalid_scope")


def test_other_grants_and_forms_are_refused(door: Door) -> None:
    """No secret, no password, no parameter twice, nothing but a form."""
    assert door.http.post("/oauth/token", data={"grant_type": "password"}).json()["error"] == "unsupported_grant_type"
    secret = {"grant_type": "client_credentials", "client_id": HOSPITAL, "client_secret": "x"}
    assert door.http.post("/oauth/token", data=secret).status_code == 401
    twice = door.http.post(
        "/oauth/token",
        content="grant_type=client_credentials&grant_type=client_credentials",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert twice.json()["error"] == "invalid_request"
    assert door.http.post("/oauth/token", json={}).json()["error"] == "invalid_request"


def test_a_token_ends(door: Door) -> None:
    """After 300 s, and with its agency, a token is worth nothing."""
    token = door.token(HOSPITAL)
    path = f"/agencies/{HOSPITAL}/inbox"
    door.clock.advance(seconds=299)
    tokens.caller(door.parts.store, door.clock, token)
    door.clock.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        tokens.caller(door.parts.store, door.clock, token)
    expired = door.http.get(path, headers={"authorization": f"Bearer {token}"})
    assert (expired.status_code, expired.headers["www-authenticate"]) == (401, 'Bearer realm="hub"')
    fresh = door.token(HOSPITAL)
    door.know(HOSPITAL, valid_to=door.clock.now().isoformat())
    assert door.http.get(path, headers={"authorization": f"Bearer {fresh}"}).status_code == 401
    assert door.ask_token(door.claims(HOSPITAL)).status_code == 401


def test_a_disabled_administrator_has_no_token(door: Door) -> None:
    """Disabling ends the tokens at hand and gives no new ones."""
    operator, other = door.hire("van-hanh", Role.OPERATOR), door.hire("van-hanh-hai", Role.OPERATOR)
    token = door.token(other)
    assert door.ask(operator, "POST", f"/administrators/{other}/disable").status_code == 204
    assert door.http.get("/agencies", headers={"authorization": f"Bearer {token}"}).status_code == 401
    assert door.ask_token(door.claims(other)).status_code == 401


def test_only_the_hash_of_a_token_is_kept(door: Door) -> None:
    """Whoever reads the database cannot act with what stands there."""
    token = door.token(HOSPITAL)
    hashed = tokens.token_hash(token)
    assert token not in hashed
    with pytest.raises(Unauthenticated):
        tokens.caller(door.parts.store, door.clock, hashed)


def test_strangers_cannot_fill_the_database(door: Door) -> None:
    """Beyond sixty a minute their refusals are only counted."""
    for _ in range(70):
        door.http.get("/agencies", headers={"authorization": "Bearer nonsense"})
    assert len(door.refusals()) == 60
    door.clock.advance(minutes=1)
    door.http.get("/agencies")
    assert len(door.refusals()) == 61


def test_the_configuration_is_public(door: Door) -> None:
    """A client finds the token endpoint and the algorithms without a token."""
    found = door.http.get("/.well-known/smart-configuration").json()
    assert found["token_endpoint"] == door.parts.settings.token_url
    assert found["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
