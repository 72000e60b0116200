"""The token endpoint: OAuth 2 `client_credentials` with `private_key_jwt`, as SMART Backend Services wants it.

Authlib's core does the protocol; what it leaves open or does too mildly is decided here: RS384 and ES384 only, `aud`
one exact string, `exp` at most five minutes ahead, `jti` used once (the database decides), tokens of 300 s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidClientError, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6749.util import scope_to_list
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from hub.clock import Clock
from hub.security import tokens
from hub.security.signing import ALGORITHMS
from hub.storage import tokens as kept
from hub.storage.store import Store

AHEAD: Final = 300
"""Seconds that `exp` may lie ahead."""
LEEWAY: Final = 5
"""Seconds by which clocks may differ."""
METHOD: Final = "private_key_jwt"

_NOT_REGISTERED: Final = "The assertion is not signed with a registered key of this client."
_USED: Final = "This jti was used before: make a new assertion for each request."
_NEEDED: Final = "client_assertion and client_assertion_type (RFC 7523) are needed."


@dataclass(frozen=True)
class Client(ClientMixin):
    """Who asks for a token: an agency or an administrator, with public keys and the most that it may be granted."""

    kind: str
    id: str
    jwks: Mapping[str, Any]
    allowed: frozenset[str]

    def get_client_id(self) -> str:
        """For Authlib."""
        return self.id

    def get_allowed_scope(self, scope: Collection[str] | str | None) -> str:
        """What of `scope` is granted; everything allowed when nothing is asked for."""
        asked = frozenset(scope_to_list(scope) or ())
        return " ".join(sorted(asked & self.allowed if asked else self.allowed))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Signed assertions only."""
        return method == METHOD and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        """Client credentials only."""
        return grant_type == "client_credentials"


FindClient = Callable[[str], Client | None]
"""Looks a client up by id; None if it does not exist or is not in force."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the token endpoint says."""

    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...]


class TokenServer(AuthorizationServer):
    """Issues access tokens."""

    def __init__(self, store: Store, clock: Clock, audience: str, find_client: FindClient) -> None:
        """`audience` is the token endpoint's exact address."""
        super().__init__()
        self._store, self._clock, self._find_client = store, clock, find_client
        self.register_client_auth_method(METHOD, _Assertion(store, clock, audience))
        self.register_token_generator("default", self._issue)  # type: ignore[arg-type]  # a narrower client is meant
        self.register_grant(_Grant)

    def answer(self, form: Mapping[str, str]) -> Answer:
        """The response to a token request's form."""
        found: Any = self.create_token_response(form)
        return Answer(*found)

    def query_client(self, client_id: str) -> Client:
        """For Authlib. An unknown client hears what a wrong key hears."""
        found = self._find_client(client_id)
        if found is None:
            raise InvalidClientError(description=_NOT_REGISTERED)
        return found

    def _issue(self, client: Client, scope: str | None, **_: Any) -> dict[str, Any]:
        """A token for what is allowed of `scope`; it is kept here, so `save_token` has nothing left to do."""
        granted = client.get_allowed_scope(scope)
        if scope and not granted:
            raise InvalidScopeError()
        token = tokens.issue(self._store, self._clock, client.kind, client.id, granted.split())
        lifetime = int(tokens.LIFETIME.total_seconds())
        return {"access_token": token, "token_type": "bearer", "expires_in": lifetime, "scope": granted}

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        """Kept by its hash when it was generated."""

    def create_oauth2_request(self, request: Mapping[str, str]) -> OAuth2Request:
        """For Authlib."""
        return _Request(request)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """For Authlib: nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        """For Authlib: the body is a mapping, or pairs when it is an error."""
        return status, dict(body), tuple(headers)


class _Request(OAuth2Request):
    """A token request. Whether the door may be plain text is for the settings and `hub doctor`, not for Authlib."""

    def __init__(self, form: Mapping[str, str]) -> None:
        super().__init__("POST", "https://hub/oauth/token")
        self._form = dict(form)
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self) -> dict[str, str]:
        return self._form


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)


class _Assertion(JWTBearerClientAssertion):
    CLIENT_AUTH_METHOD = METHOD  # type: ignore[misc]  # the stubs call it final, the documentation says override it

    def __init__(self, store: Store, clock: Clock, audience: str) -> None:
        super().__init__(leeway=LEEWAY)
        self._store, self._clock, self._audience = store, clock, audience

    def __call__(self, query_client: Callable[[str], Client], request: OAuth2Request) -> Client:
        try:
            client: Client | None = super().__call__(query_client, request)  # type: ignore[no-untyped-call]
            if client is None:
                raise InvalidClientError(description=_NEEDED)
        except InvalidClientError as error:
            error.status_code = 401
            raise
        return client

    def resolve_client_public_key(self, client: Client) -> KeySet:
        return KeySet.import_key_set({"keys": [dict(key) for key in client.jwks.get("keys", ())]})

    def process_assertion_claims(self, assertion: str, keys: KeySet) -> dict[str, Any]:
        try:
            token = jwt.decode(assertion, lambda signed: _named_key(keys, signed.headers()), list(ALGORITHMS))
        except (JoseError, ValueError):
            raise InvalidClientError(description=_NOT_REGISTERED) from None
        self.verify_claims(token.claims)
        return token.claims

    def verify_claims(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        fault = _fault(claims, self._audience, now)
        if fault:
            raise InvalidClientError(description=fault)
        used = hashlib.sha256(claims["jti"].encode()).hexdigest()
        until = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        with self._store.write() as unit:
            fresh = kept.use_assertion(unit, claims["iss"], used, until)
        if not fresh:
            raise InvalidClientError(description=_USED)


def _named_key(keys: KeySet, header: Mapping[str, Any]) -> Key:
    """The key of that `kid`, if it may be used with that algorithm; a header without `kid` finds none."""
    kid = header.get("kid")
    for key in keys.keys:
        if kid is not None and key.kid == kid and key.get("alg") in (None, header.get("alg")):
            return key
    raise ValueError("no such key")


def _fault(claims: Mapping[str, Any], audience: str, now: float) -> str:
    """What is wrong with an assertion's claims, "" if nothing; never repeats a value."""
    exp, jti, early = claims.get("exp"), claims.get("jti"), claims.get("nbf", claims.get("iat", 0))
    if not isinstance(claims.get("iss"), str) or claims.get("iss") != claims.get("sub"):
        return "iss and sub must both be the client id."
    if claims.get("aud") != audience:
        return "aud must be the exact address of the token endpoint, as one string."
    if isinstance(exp, bool) or not isinstance(exp, int) or exp <= now - LEEWAY:
        return "exp must be a time to come: the assertion has expired or has none."
    if exp > now + AHEAD + LEEWAY:
        return "exp may lie at most five minutes ahead."
    if isinstance(early, bool) or not isinstance(early, int) or early > now + LEEWAY:
        return "The assertion is not valid yet: check your clock."
    if not isinstance(jti, str) or not 1 <= len(jti) <= 255:
        return "jti must be a string of 1 to 255 characters."
    return ""
