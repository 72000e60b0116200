"""Keys and tokens from a client's side: what an agency's own software does to speak to the hub."""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from hub.errors import Invalid, Misconfigured

Key = ECKey | RSAKey


def make_key(path: Path, client_id: str) -> Key:
    """A new P-384 key pair in `path` (mode 0600, a JWK whose `sub` is the client's id); refuses to overwrite."""
    key = ECKey.generate_key("P-384")
    content = key.as_dict(private=True) | {"kid": key.thumbprint(), "alg": "ES384", "sub": client_id}
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misconfigured("There is a key in that file already; give another --out.") from None
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    return read_key(path)


def read_key(path: Path) -> Key:
    """A private key from a JWK file. Raises :class:`hub.errors.Invalid`."""
    try:
        found = import_key(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, JoseError):
        raise Invalid("The key file cannot be read as a JWK.") from None
    if not isinstance(found, ECKey | RSAKey) or not found.is_private:
        raise Invalid("The key file holds no private RSA or EC key.")
    return found


def public_half(key: Key) -> dict[str, Any]:
    """A JWK set for the registry."""
    algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"
    public = {name: value for name, value in key.as_dict(private=False).items() if name != "sub"}
    return {"keys": [public | {"kid": key.kid or key.thumbprint(), "alg": algorithm, "use": "sig"}]}


def ask(url: str, client_id: str, key: Key) -> str:
    """An access token from the hub at `url`. Raises :class:`hub.errors.Invalid` with what the hub said."""
    with httpx.Client(base_url=url.rstrip("/"), timeout=30, trust_env=False) as client:
        try:
            endpoint = client.get("/.well-known/smart-configuration").raise_for_status().json()["token_endpoint"]
            answer = client.post("/oauth/token", data=_form(endpoint, client_id, key))
        except httpx.HTTPError:
            raise Invalid("No hub answers there: is `hub serve` running, and is --url right?") from None
    if answer.status_code != 200:
        raise Invalid(f"The hub gives no token: {answer.json().get('error_description', 'refused')}")
    return str(answer.json()["access_token"])


def _form(endpoint: str, client_id: str, key: Key) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": endpoint, "exp": now + 240, "jti": secrets.token_urlsafe(16)}
    algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"
    header = {"alg": algorithm, "kid": key.kid or key.thumbprint(), "typ": "JWT"}
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(header, claims, key, algorithms=[algorithm]),
    }
