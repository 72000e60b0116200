"""JSON in and out of sealed columns. Decimals and their digits survive; the vault is an argument."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol

import msgspec

from hub.storage.store import Unit

_write = msgspec.json.Encoder(decimal_format="number").encode
_read = msgspec.json.Decoder(float_hook=Decimal).decode


class Seals(Protocol):
    """What storage needs of the vault."""

    def seal(self, unit: Unit, key_id: str, plain: bytes, aad: bytes) -> bytes:
        """Encrypt under a key."""

    def open(self, unit: Unit, key_id: str, sealed: bytes, aad: bytes) -> bytes:
        """Decrypt; raises :class:`hub.errors.KeyLost`."""


def seal_json(unit: Unit, vault: Seals, key: str, value: Any, aad: str) -> bytes:
    """`value` as JSON, sealed under `key` and bound to the row that `aad` names."""
    return vault.seal(unit, key, _write(value), aad.encode())


def open_json(unit: Unit, vault: Seals, key: str, sealed: bytes, aad: str) -> Any:
    """The value again; numbers with a fraction are :class:`~decimal.Decimal`."""
    return _read(vault.open(unit, key, sealed, aad.encode()))


def reseal(unit: Unit, vault: Seals, old: str, new: str, sealed: bytes, aad: str) -> bytes:
    """The same content under another key."""
    return vault.seal(unit, new, vault.open(unit, old, sealed, aad.encode()), aad.encode())
