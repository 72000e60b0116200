"""Seals what is personal: AES-256-GCM with a key for each case and each intake, wrapped by one root key.

Erasing a case is destroying its key. No unwrapped key is kept in memory: each use reads the wrapped one again, so that
a key destroyed by another process is gone here at once. Losing the root key loses everything; a copy of the database
without it (and without the table `vault_key`) shows nothing.

    sealed = version (1 byte) | nonce (12) | ciphertext and tag
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.errors import KeyLost, Misconfigured
from hub.settings import Settings
from hub.storage import vault_keys
from hub.storage.ids import new_id
from hub.storage.store import Unit

ROOT_KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE: Final = 12


class Vault:
    """The one way in and out for sealed bytes."""

    def __init__(self, root_key: bytes) -> None:
        """`root_key` is 32 random bytes."""
        if len(root_key) != ROOT_KEY_BYTES:
            raise Misconfigured(f"The root key must be {ROOT_KEY_BYTES} bytes; make one with `hub keys init`.")
        self._root = root_key
        self._wrapping = AESGCM(self.derive("wrap"))
        self._token_key = self.derive("token")

    def new_key(self, unit: Unit, kind: str, at: datetime, expires: datetime | None = None) -> str:
        """Make and store a key; `kind` is ``case`` or ``intake``. Returns its id."""
        key_id = new_id()
        wrapped = _seal(self._wrapping, secrets.token_bytes(32), _wrapping_context(key_id, kind))
        vault_keys.keep(unit, vault_keys.WrappedKey(key_id, kind, wrapped), at, expires)
        return key_id

    def seal(self, unit: Unit, key_id: str, plain: bytes, aad: bytes) -> bytes:
        """Encrypt under a key; `aad` says what and where the bytes are, and must be given again to open them.

        Raises :class:`hub.errors.KeyLost`.
        """
        return _seal(self._key(unit, key_id), plain, _context(key_id, aad))

    def open(self, unit: Unit, key_id: str, sealed: bytes, aad: bytes) -> bytes:
        """Decrypt. Raises :class:`hub.errors.KeyLost` when the key is gone or other bytes were sealed there."""
        return _open(self._key(unit, key_id), sealed, _context(key_id, aad))

    def destroy(self, unit: Unit, key_id: str, at: datetime) -> None:
        """Erase a key: what it sealed can never be read again, by anyone."""
        vault_keys.erase(unit, key_id, at)

    def token(self, kind: str, *parts: str) -> str:
        """A blind index: keyed HMAC of `parts`, 64 hexadecimal digits; equal only for equal kind and parts."""
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in (p.encode() for p in (kind, *parts)))
        return hmac.new(self._token_key, framed, sha256).hexdigest()

    def derive(self, purpose: str) -> bytes:
        """A 32-byte subkey of the root for one purpose (HKDF-SHA256, RFC 5869)."""
        return HKDF(SHA256(), 32, salt=None, info=b"onestop-hub/1/" + purpose.encode()).derive(self._root)

    def _key(self, unit: Unit, key_id: str) -> AESGCM:
        kept = vault_keys.get(unit, key_id)
        if kept is None or kept.wrapped is None:
            raise KeyLost
        return AESGCM(_open(self._wrapping, kept.wrapped, _wrapping_context(key_id, kept.kind)))


def read_root_key(settings: Settings) -> bytes:
    """The root key, from the setting or else the file. Raises :class:`hub.errors.Misconfigured`."""
    if settings.root_key is not None:
        return _decode(settings.root_key.get_secret_value(), "HUB_ROOT_KEY")
    path = settings.key_file
    if not path.is_file():
        raise Misconfigured("There is no root key: run `hub keys init`, or set HUB_ROOT_KEY or HUB_ROOT_KEY_FILE.")
    if path.stat().st_mode & 0o077:
        raise Misconfigured("Others may read the root key's file: run `chmod 600` on it.")
    return _decode(path.read_text(), "the root key's file")


def make_root_key(path: Path) -> None:
    """Write a new root key to `path` (mode 0600), durable before it returns. Refuses to overwrite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misconfigured("There is a root key already; overwriting it would lose all that it protects.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(ROOT_KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _decode(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != ROOT_KEY_BYTES:
        raise Misconfigured(f"What {source} holds is not base64 of {ROOT_KEY_BYTES} bytes.")
    return key


def _context(key_id: str, aad: bytes) -> bytes:
    return key_id.encode() + b"\0" + aad


def _wrapping_context(key_id: str, kind: str) -> bytes:
    return _context(key_id, b"wrapped/" + kind.encode())


def _seal(key: AESGCM, plain: bytes, context: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return _VERSION + nonce + key.encrypt(nonce, plain, _VERSION + context)


def _open(key: AESGCM, sealed: bytes, context: bytes) -> bytes:
    if sealed[:1] != _VERSION:
        raise KeyLost
    try:
        return key.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], _VERSION + context)
    except InvalidTag:
        raise KeyLost from None
