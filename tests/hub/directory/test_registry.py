"""The registry keeps versions, knows who stands in for whom, and whose an MLLP message is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.vocabulary import Sector
from hub.directory import Agency, Registry
from hub.directory.registry import read_agency, read_documents
from hub.errors import Forbidden, Invalid, NotFound
from hub.storage.store import Store
from tests.conftest import SetClock


def entry(id_: str = "benh-vien-mau", **more: Any) -> dict[str, Any]:
    """A registry entry."""
    titles = {"vi": "Bệnh viện Mẫu", "en": "Sample hospital"}
    return {"id": id_, "sector": "health", "unit": "exam-unit", "titles": titles, **more}


@pytest.fixture
def registry(store: Store, clock: SetClock) -> Registry:
    """An empty registry."""
    return Registry(store, clock)


def test_an_agency_is_a_party(registry: Registry) -> None:
    """A decision sees the id, sector, unit, identifiers and references that the registry holds."""
    identifiers = [{"system": "urn:x", "value": "079"}]
    registry.add(entry(identifiers=identifiers, parents=["so-y-te"]), "test")
    party = registry.party("benh-vien-mau")
    assert (party.sector, party.unit, party.parents) == (Sector.HEALTH, "exam-unit", ("so-y-te",))
    assert [(one.system, one.code) for one in party.identifiers] == [("urn:x", "079")]
    assert "Organization/benh-vien-mau" in party.references


def test_numbers_in_yaml_stay_strings(tmp_path: Path) -> None:
    """An identifier of digits with a leading zero, a `NO` and a date are what they look like."""
    text = "agencies:\n- id: mau-a\n  sector: health\n  unit: exam-unit\n  titles: {vi: NO, en: 2026-01-01}\n"
    text += "  identifiers: [{system: urn:x, value: 0079}]\n"
    (document,) = read_documents(text)
    found = read_agency(document)
    assert (found.titles.vi, found.titles.en, found.identifiers[0].value) == ("NO", "2026-01-01", "0079")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "Bệnh Viện"}, "agency.id"),
        ({"sector": "hospital"}, "agency.sector"),
        ({"unknown": 1}, "agency.unknown"),
        ({"titles": {"vi": "x"}}, "agency.titles.en"),
        ({"packs": {"out": "health/hl7v2"}}, "agency"),
        ({"alternate": "benh-vien-mau"}, "agency"),
        ({"valid_to": "2026-07-01T00:00:00"}, "agency.valid_to"),
        ({"packs": {"out": "a/b"}, "transports": {"out": {"type": "fax"}}}, "agency.transports.out"),
        ({"packs": {"out": "a/b"}, "transports": {"out": {"type": "webhook", "url": "https://u:p@x.example"}}}, "url"),
        ({"packs": {"in": ["a/b"]}, "transports": {"mllp": {"application": "A", "plaintext": True}}}, "mllp"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AA", "kid": "1"}]}}, "agency.jwks.keys"),
        ({"jwks": {"keys": [{"kty": "EC", "kid": "1", "crv": "P-384", "x": "AA", "y": "AA", "d": "AA"}]}}, "jwks"),
        ({"jwks": {"keys": [{"kty": "EC", "kid": "1"}]}}, "agency.jwks.keys"),
    ],
)
def test_a_wrong_entry_names_the_place(change: dict[str, Any], place: str) -> None:
    """Whatever is wrong, somebody who mends YAML finds it."""
    with pytest.raises(Invalid) as caught:
        read_agency(entry() | change)
    assert any(place in fault.place for fault in caught.value.faults)


def test_all_or_none(registry: Registry) -> None:
    """One entry that names an agency which does not exist: none is kept."""
    with pytest.raises(Invalid) as caught:
        registry.add_all([entry("mau-a"), entry("mau-b", alternate="mau-c")], "test")
    assert caught.value.faults[0].place == "agencies[1].alternate"
    assert registry.list() == ()


def test_versions_are_kept(registry: Registry, clock: SetClock) -> None:
    """A change makes a version with its author; the same again does not."""
    registry.add(entry(), "first")
    clock.advance(days=1)
    registry.add(entry(), "second")
    registry.add(entry(unit="forensic-centre"), "third")
    assert [(one.version, one.recorded_by) for one in registry.history("benh-vien-mau")] == [(1, "first"), (2, "third")]
    assert registry.get("benh-vien-mau").unit == "forensic-centre"
    with pytest.raises(NotFound):
        registry.history("nobody")


def test_a_document_survives_the_database(registry: Registry) -> None:
    """What is stored reads back as the same agency, with every kind of transport."""
    outs = ({"type": "inbox"}, {"type": "mllp", "host": "127.0.0.1", "port": 2575})
    hook = {"type": "webhook", "url": "https://x.example/in", "addresses": ["10.0.0.0/8"], "private": True}
    for number, out in enumerate((*outs, hook)):
        packs = {"in": ["health/hl7v2"], "out": "health/hl7v2"}
        added = registry.add(entry(f"mau-{number}", packs=packs, transports={"out": out}), "test")
        assert Agency.model_validate(added.document()) == added
        assert registry.get(added.id) == added


def test_another_process_is_seen(store: Store, clock: SetClock) -> None:
    """A new agency is found at once, because a name that is not known is looked for again."""
    here, there = Registry(store, clock), Registry(store, clock)
    assert here.list() == ()
    there.add(entry(), "test")
    assert here.get("benh-vien-mau").id == "benh-vien-mau"


def test_a_successor_takes_over(registry: Registry, clock: SetClock) -> None:
    """After `valid_to` the successor stands there; a circle or nobody is not found (R37)."""
    at = clock.now()
    end = at.isoformat()
    registry.add_all(
        [
            entry("cu", valid_to=end, successor="moi"),
            entry("moi"),
            entry("vong-a", valid_to=end, successor="vong-b"),
            entry("vong-b", valid_to=end, successor="vong-a"),
        ],
        "test",
    )
    assert registry.standing("cu", at - timedelta(seconds=1)).id == "cu"
    assert registry.standing("cu", at).id == "moi"
    for gone in ("vong-a", "nobody"):
        with pytest.raises(NotFound):
            registry.standing(gone, at)
    with pytest.raises(NotFound):
        registry.get("cu", at)


def test_standing_routes_leave_out_who_is_gone(registry: Registry, clock: SetClock) -> None:
    """Only agencies in force are on a route."""
    past = (clock.now() - timedelta(days=1)).isoformat()
    registry.add_all(
        [entry("mau-a", routes=["r"]), entry("mau-b", routes=["r"], valid_to=past), entry("mau-c")], "test"
    )
    assert [one.id for one in registry.on_route("r", clock.now())] == ["mau-a"]


def mllp(**door: Any) -> dict[str, Any]:
    """A sender by MLLP."""
    return entry(packs={"in": ["health/hl7v2"]}, transports={"mllp": {"application": "HIS", **door}})


CERTIFICATE = "ab" * 32


@pytest.mark.parametrize(
    ("door", "speaks", "heard"),
    [
        ({}, ("HIS", "X", "127.0.0.1", ""), True),
        ({}, ("OTHER", "X", "127.0.0.1", ""), False),
        ({"facility": "BV"}, ("HIS", "BV", "127.0.0.1", ""), True),
        ({"facility": "BV"}, ("HIS", "KHAC", "127.0.0.1", ""), False),
        ({}, ("HIS", "X", "10.0.0.5", ""), False),
        ({"certificate": CERTIFICATE}, ("HIS", "X", "10.0.0.5", CERTIFICATE), True),
        ({"certificate": CERTIFICATE}, ("HIS", "X", "10.0.0.5", "cd" * 32), False),
        ({"certificate": CERTIFICATE}, ("HIS", "X", "127.0.0.1", ""), False),
        ({}, ("HIS", "X", "10.0.0.5", CERTIFICATE), False),
        ({"plaintext": True, "addresses": ["10.0.0.5/32"]}, ("HIS", "X", "10.0.0.5", ""), True),
        ({"plaintext": True, "addresses": ["10.0.0.5/32"]}, ("HIS", "X", "10.0.0.6", ""), False),
    ],
)
def test_an_mllp_sender_is_who_the_connection_says(
    registry: Registry, door: dict[str, Any], speaks: tuple[str, str, str, str], heard: bool
) -> None:
    """Names in the header are not enough off this machine: a certificate, or a registered address."""
    registry.add(mllp(**door), "test")
    if heard:
        assert registry.mllp_sender(*speaks).id == "benh-vien-mau"
    else:
        with pytest.raises(Forbidden):
            registry.mllp_sender(*speaks)


def test_plaintext_senders_are_named(registry: Registry) -> None:
    """Who may speak in plain text is known to whoever starts the hub."""
    registry.add(mllp(plaintext=True, addresses=["10.0.0.5/32"]), "test")
    assert registry.plaintext_agencies() == ("benh-vien-mau",)
