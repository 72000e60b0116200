"""What is sealed opens only with its key, in its place, and never again once the key is destroyed."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import KeyLost, Misconfigured
from hub.security.vault import Vault, make_root_key, read_root_key
from hub.settings import Settings
from hub.storage import vault_keys
from hub.storage.store import Store
from tests.conftest import SetClock


def test_what_is_sealed_can_be_opened_again(store: Store, vault: Vault, clock: SetClock) -> None:
    """Opening gives the bytes back; two seals of the same bytes differ."""
    with store.write() as unit:
        key = vault.new_key(unit, "case", clock.now())
        sealed = [vault.seal(unit, key, b"Th\xe1\xbb\xad-Nghi\xe1\xbb\x87m", b"strand/1") for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert b"Nghi" not in sealed[0]
    with store.read() as unit:
        assert vault.open(unit, key, sealed[0], b"strand/1").decode() == "Thử-Nghiệm"


def test_sealed_bytes_belong_to_one_place_and_one_key(store: Store, vault: Vault, clock: SetClock) -> None:
    """Moved to another row, under another key, under another root or changed by one bit, they do not open."""
    with store.write() as unit:
        key, other = vault.new_key(unit, "case", clock.now()), vault.new_key(unit, "case", clock.now())
        sealed = vault.seal(unit, key, b"x", b"strand/1")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    wrong = [
        (vault, other, sealed, b"strand/1"),
        (vault, key, sealed, b"strand/2"),
        (vault, key, changed, b"strand/1"),
        (vault, key, b"", b"strand/1"),
        (vault, "no-such-key", sealed, b"strand/1"),
        (Vault(bytes(32)), key, sealed, b"strand/1"),
    ]
    for which, key_id, data, place in wrong:
        with pytest.raises(KeyLost), store.read() as unit:
            which.open(unit, key_id, data, place)


def test_a_destroyed_key_is_gone_for_every_process(store: Store, vault: Vault, clock: SetClock) -> None:
    """Another process that used the key a moment ago can neither open nor seal with it any more."""
    elsewhere = Vault(bytes(range(32)))
    with store.write() as unit:
        key = vault.new_key(unit, "case", clock.now())
        sealed = elsewhere.seal(unit, key, b"x", b"a")
        assert elsewhere.open(unit, key, sealed, b"a") == b"x"
    with store.write() as unit:
        vault.destroy(unit, key, clock.now())
    with store.write() as unit:
        assert vault_keys.get(unit, key) == vault_keys.WrappedKey(key, "case", None)
        with pytest.raises(KeyLost):
            elsewhere.open(unit, key, sealed, b"a")
        with pytest.raises(KeyLost):
            elsewhere.seal(unit, key, b"y", b"a")


def test_intake_keys_run_out(store: Store, vault: Vault, clock: SetClock) -> None:
    """A key with a time limit is listed once the limit is reached, until it is destroyed."""
    with store.write() as unit:
        vault.new_key(unit, "case", clock.now())
        key = vault.new_key(unit, "intake", clock.now(), clock.now() + timedelta(days=30))
        assert vault_keys.expired(unit, clock.now()) == []
        clock.advance(days=30)
        assert vault_keys.expired(unit, clock.now()) == [key]
        vault.destroy(unit, key, clock.now())
        assert vault_keys.expired(unit, clock.now()) == []


def test_tokens_tell_kinds_and_parts_apart(vault: Vault) -> None:
    """Equal only for the same kind and parts under the same root; joining parts otherwise gives another token."""
    token = vault.token("identifier", "NI", "079000000001")
    assert token == Vault(bytes(range(32))).token("identifier", "NI", "079000000001")
    others = {
        vault.token("name", "NI", "079000000001"),
        vault.token("identifier", "NI079000000001"),
        vault.token("identifier", "N", "I079000000001"),
        Vault(bytes(32)).token("identifier", "NI", "079000000001"),
    }
    assert token not in others
    assert len(others) == 4
    assert vault.derive("a") != vault.derive("b")


def test_the_root_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """The file can be read back, is never overwritten, and is refused when others may read it."""
    path = tmp_path / "new" / "root.key"
    make_root_key(path)
    settings = Settings(root_key_file=path)
    key = read_root_key(settings)
    assert len(key) == 32
    with pytest.raises(Misconfigured):
        make_root_key(path)
    assert read_root_key(settings) == key
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        read_root_key(settings)


def test_a_root_key_that_is_none_is_refused(tmp_path: Path) -> None:
    """No key, a short key and no base64 each say what to do, and never the value."""
    with pytest.raises(Misconfigured, match="hub keys init"):
        read_root_key(Settings(data_dir=tmp_path))
    for text in ("c2hvcnQ=", "!!!"):
        with pytest.raises(Misconfigured) as refused:
            read_root_key(Settings(data_dir=tmp_path, root_key=text))
        assert text not in str(refused.value)
    good = base64.b64encode(bytes(32)).decode()
    assert read_root_key(Settings(data_dir=tmp_path, root_key=good)) == bytes(32)
    with pytest.raises(Misconfigured):
        Vault(b"short")
