"""Bad input through the real packs: refused in the sender's own terms, seen by operators, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.library import load_packs
from adapters.pack import Pack
from hub.security.vault import Vault
from hub.storage import overview
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.door import Door
from tests.fakes.world import HOSPITAL, POLICE, SHELTER, World

PACKS = Path(__file__).parents[3] / "adapters"
ER7 = (PACKS / "health/hl7v2/samples/oru-r01-exam.hl7").read_bytes()
XML = (PACKS / "police/niem/samples/forensic-exam-request.xml").read_bytes()
JSON = (PACKS / "health/fhir/samples/message-exam-record.json").read_bytes()


@pytest.fixture(scope="module")
def packs() -> Mapping[str, Pack]:
    """The real packs."""
    return load_packs()


@pytest.fixture
def door(store: Store, vault: Vault, clock: SetClock, packs: Mapping[str, Pack]) -> Door:
    """A hospital that speaks HL7 v2, a shelter that speaks FHIR, police that speak XML."""
    made = Door(World(store, vault, clock, **packs), clock)
    for agency, pack in ((HOSPITAL, "health/hl7v2"), (SHELTER, "health/fhir"), (POLICE, "police/niem")):
        made.know(agency, packs={"in": [pack], "out": pack})
    return made


def say(door: Door, agency: str, raw: bytes) -> Any:
    """The agency sends these bytes in its own format."""
    pack = door.parts.packs[door.parts.registry.get(agency).packs.in_[0]]
    headers = {"content-type": pack.media_types[0]}
    return door.ask(agency, "POST", f"/agencies/{agency}/messages", content=raw, headers=headers)


def kept(door: Door) -> list[str]:
    """States of what the hub holds."""
    with door.parts.store.read() as unit:
        return [str(row["state"]) for row in overview.messages(unit)]


@pytest.mark.parametrize(
    ("agency", "raw"), [(HOSPITAL, ER7), (SHELTER, JSON), (POLICE, XML)], ids=["er7", "json", "xml"]
)
def test_the_samples_are_taken(door: Door, agency: str, raw: bytes) -> None:
    """What the rest of this file spoils is good before."""
    answer = say(door, agency, raw)
    assert (answer.status_code, answer.json()["state"]) == (202, "stored"), answer.text


@pytest.mark.parametrize(
    ("agency", "raw", "status", "word"),
    [
        (HOSPITAL, b"PID|1||123\r", 400, "MSH"),
        (HOSPITAL, ER7.replace(b"ORU^R01", b"ZZZ^Z99"), 422, "MSH"),
        (HOSPITAL, ER7.replace(b"\rOBR|", b"\rPID|1||BN-999||MAU^HAI\rOBR|", 1), 400, "PID"),
        (SHELTER, b'{"resourceType": "Bundle", ', 400, "line"),
        (SHELTER, b"\xff\xfe{\x00", 400, ""),
        (SHELTER, b'{"resourceType": "Bundle", "type": "history"}', 422, ""),
        (POLICE, XML[: len(XML) // 2], 400, ""),
        (POLICE, b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", 400, ""),
        (POLICE, b"<Other xmlns='urn:none'/>", 422, ""),
    ],
    ids=[
        "er7-no-msh", "er7-type", "er7-second-pid", "json-syntax", "json-charset", "fhir-type",
        "xml-syntax", "xml-entity", "xml-type",
    ],
)  # fmt: skip
def test_bad_input_is_refused(door: Door, agency: str, raw: bytes, status: int, word: str) -> None:
    """A problem with the place in the sender's terms; a refusal for operators; no message."""
    answer = say(door, agency, raw)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    (fault,) = answer.json()["errors"]
    assert word in fault["place"] + fault["why"]
    assert fault["kind"]
    assert kept(door) == []
    seen = door.refusals()
    assert [(one[0], one[2]) for one in seen] == [(agency, [(fault["place"], fault["kind"])])]


def test_a_byte_order_mark_is_tolerated(door: Door) -> None:
    """A BOM before JSON is a deviation that the sender is told of, not a refusal."""
    answer = say(door, SHELTER, b"\xef\xbb\xbf" + JSON)
    assert (answer.status_code, answer.json()["state"]) == (202, "stored")
    assert answer.json()["deviations"]


def test_an_unknown_code_that_must_be_known_is_refused(door: Door) -> None:
    """A result status that HL7's table does not have is refused at its place, without the value."""
    broken = ER7.replace(b"||||||F|||", b"||||||NU-MAU|||", 1)
    assert broken != ER7
    answer = say(door, HOSPITAL, broken)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["place"].startswith("OBX[")
    assert "NU-MAU" not in answer.text
    assert kept(door) == []


def test_a_fhir_client_hears_an_expression(door: Door) -> None:
    """Over /fhir an impossible birth date leads to the element."""
    broken = JSON.replace(b'"birthDate": "', b'"birthDate": "x', 1)
    assert broken != JSON
    answer = door.ask(SHELTER, "POST", "/fhir", content=broken, headers={"content-type": "application/fhir+json"})
    found = [place for issue in answer.json()["issue"] for place in issue.get("expression", ())]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert any("birthDate" in place for place in found), answer.text
