"""The HTTP door over a small real hub, and clients that prove who they are as agencies and administrators do."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.testclient import TestClient

from hub import administration
from hub.api.app import create_app
from hub.security.tokens import Role
from tests.conftest import SetClock
from tests.fakes.world import World

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EC = ECKey.generate_key("P-384", {"kid": "ec-1"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
OTHER = ECKey.generate_key("P-384", {"kid": "ec-1"})
"""Somebody else's key under a name that is registered."""
JWKS = {"keys": [EC.as_dict(private=False), RSA.as_dict(private=False)]}


class Door:
    """A test speaks to the hub only through this."""

    def __init__(self, world: World, clock: SetClock) -> None:
        self.world, self.clock, self.parts = world, clock, world.parts
        self.app = create_app(world.parts)
        self.http = TestClient(self.app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False)
        self._tokens: dict[str, tuple[str, Any]] = {}

    def know(self, *agencies: str, **more: Any) -> None:
        """Give agencies of the world their public keys."""
        entries = [self.parts.registry.get(one).document() | {"jwks": JWKS} | more for one in agencies]
        self.parts.registry.add_all(entries, "test")

    def hire(self, name: str, *roles: Role) -> str:
        """A new administrator with these roles."""
        administration.add_administrator(self.parts, "test", name, roles, JWKS)
        return name

    def claims(self, who: str, **over: Any) -> dict[str, Any]:
        """What a good assertion claims; None in `over` leaves a claim out."""
        now = int(self.clock.now().timestamp())
        audience = self.parts.settings.token_url
        made = {"iss": who, "sub": who, "aud": audience, "exp": now + 240, "jti": secrets.token_hex(8)} | over
        return {name: value for name, value in made.items() if value is not None}

    def ask_token(
        self, claims: dict[str, Any], key: Any = EC, alg: str = "ES384", kid: str | None = "ec-1", **form: str
    ) -> httpx.Response:
        """One token request."""
        header = {"alg": alg} | ({"kid": kid} if kid else {})
        assertion = jwt.encode(header, claims, key, algorithms=[alg])
        given = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion}
        return self.http.post("/oauth/token", data=given | form)

    def token(self, who: str) -> str:
        """An access token that is still good."""
        token, until = self._tokens.get(who, ("", None))
        if until is None or self.clock.now().timestamp() >= until:
            answer = self.ask_token(self.claims(who))
            assert answer.status_code == 200, answer.text
            token = answer.json()["access_token"]
            self._tokens[who] = (token, self.clock.now().timestamp() + 290)
        return token

    def ask(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        """One request as `who`."""
        headers = {"authorization": f"Bearer {self.token(who)}"} | dict(more.pop("headers", {}))
        return self.http.request(method, path, headers=headers, **more)

    def refusals(self) -> list[tuple[str | None, str, list[tuple[str, str]]]]:
        """What operators see of refusals: (agency, type, [(place, kind)]), the newest first."""
        from hub.storage import overview

        with self.parts.store.read() as unit:
            rows = overview.refusals(unit)
        return [(r["agency"], r["type"], [(f["place"], f["kind"]) for f in r["faults"]]) for r in rows]


def places(problem: dict[str, Any]) -> Iterable[str]:
    """The places that problem details name."""
    return [one["place"] for one in problem["errors"]]
