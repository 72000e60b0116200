"""Officers of an agency: listed by number, dated, with keys of their own, and reachable alone or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import ECKey

from hub.directory import Agency
from hub.directory.registry import read_agency
from hub.errors import Invalid

AT = datetime(2026, 11, 22, tzinfo=UTC)
WAYS: dict[str, dict[str, Any]] = {
    "webhook": {"type": "webhook", "url": "https://cqdt.example/in"},
    "inbox": {"type": "inbox"},
    "mllp": {"type": "mllp", "host": "cqdt.example", "port": 2575},
}


def keys(kid: str = "k1") -> dict[str, Any]:
    """A JWK set of a new key."""
    return {"keys": [ECKey.generate_key("P-384", {"kid": kid}, private=True).as_dict(private=False)]}


def police(way: str, *officers: dict[str, Any], **more: Any) -> Agency:
    """An agency that lists officers."""
    titles = {"vi": "Cơ quan điều tra mẫu", "en": "Sample investigators"}
    entry = {"id": "cqdt-mau", "sector": "police", "unit": "investigators", "titles": titles, "officers": officers}
    return read_agency(entry | {"packs": {"out": "police/niem"}, "transports": {"out": WAYS[way]}} | more)


@pytest.mark.parametrize(
    ("way", "with_keys", "reached"),
    [("webhook", False, True), ("inbox", True, True), ("inbox", False, False), ("mllp", True, False)],
)
def test_an_officer_is_reached_alone_or_not_at_all(way: str, with_keys: bool, reached: bool) -> None:
    """A webhook's owner promised it, an inbox tells them apart by key, MLLP has no place for whom it is."""
    officer = {"id": "DTV-017"} | ({"jwks": keys()} if with_keys else {})
    assert police(way, officer).hands_to("DTV-017", AT) is reached
    assert not police(way, officer).hands_to("DTV-018", AT)


@pytest.mark.parametrize(
    ("dates", "reached"),
    [
        ({"valid_from": "2026-11-22T07:00:00+07:00"}, True),
        ({"valid_from": "2026-11-22T07:00:01+07:00"}, False),
        ({"valid_to": "2026-11-22T07:00:00+07:00"}, False),
        ({"valid_to": "2026-11-22T07:00:01+07:00"}, True),
    ],
)
def test_an_officer_serves_from_a_day_to_a_day(dates: dict[str, str], reached: bool) -> None:
    """Before and after, nothing is handed to that number."""
    assert police("webhook", {"id": "DTV-017"} | dates).hands_to("DTV-017", AT) is reached


@pytest.mark.parametrize("id_", ["", "Nguyễn Văn A", "a/b", "a" * 17, "a b", "-a", "a\r\nX: y"])
def test_an_officer_is_a_number(id_: str) -> None:
    """It stands in headers, tokens and the ledger: no name, no blank, nothing long."""
    with pytest.raises(Invalid):
        police("webhook", {"id": id_})


def test_a_key_is_one_officer_s_alone() -> None:
    """What the desk or a colleague holds too would not tell who fetches; nor do two officers have one number."""
    one, other = keys(), keys("k2")
    assert police("inbox", {"id": "a", "jwks": one}, {"id": "b", "jwks": other}, jwks=keys("k3")).officers
    renamed = {"keys": [one["keys"][0] | {"kid": "another-name"}]}
    with pytest.raises(Invalid):
        police("inbox", {"id": "a", "jwks": one}, {"id": "b", "jwks": renamed})
    with pytest.raises(Invalid):
        police("inbox", {"id": "a", "jwks": one}, jwks=renamed)
    with pytest.raises(Invalid):
        police("inbox", {"id": "a", "jwks": one}, {"id": "a", "jwks": other})


def test_a_document_survives() -> None:
    """What is stored reads back as it was."""
    made = police("inbox", {"id": "DTV-017", "jwks": keys(), "valid_to": "2027-01-01T00:00:00+07:00"})
    assert read_agency(made.document()) == made
