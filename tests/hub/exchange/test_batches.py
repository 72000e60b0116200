"""An HL7 batch at a door: each message is taken in by itself, and answered by itself."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.codecs import er7_batch
from adapters.codecs.er7_ack import read_ack
from hub.edges.hl7 import Hl7Door
from hub.edges.mllp import Peer
from hub.security.vault import Vault
from hub.storage import messages, overview
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.door import Door
from tests.fakes.world import AGENCY_SYSTEM, HOSPITAL, World, agency
from tests.hub.exchange.test_hospital_events import PACK, hl7v2, sample

PEER = Peer("127.0.0.1", "")
MIDDLE = sample("adt-a31-person").replace(b"ADT^A31", b"ADT^A02").replace(b"|P|2.5.1", b"-2|P|2.5.1")


@pytest.fixture
def world(store: Store, vault: Vault, clock: SetClock) -> World:
    """A hub whose hospital speaks HL7 v2 over MLLP and HTTP."""
    found = World(store, vault, clock, **{PACK: hl7v2()})
    speaking = agency(HOSPITAL, "health", "exam-unit", identifiers=[{"system": AGENCY_SYSTEM, "value": "BV-MAU"}])
    ways = {"mllp": {"application": "HIS", "facility": "BV-MAU"}}
    speaking |= {"packs": {"in": [PACK], "out": "test/plain"}, "transports": speaking["transports"] | ways}
    found.parts.registry.add_all([speaking], "test")
    return found


def batch(*raws: bytes, count: int | None = None) -> bytes:
    """A file of one batch."""
    said = len(raws) if count is None else count
    head = b"FHS|^~\\&|HIS|BV-MAU|HUB|ONESTOP|20261120||||F-1\rBHS|^~\\&|HIS|BV-MAU|HUB|ONESTOP|20261120||||B-1\r"
    return head + b"".join(raws) + f"BTS|{said}\rFTS|1\r".encode()


THREE = (sample("adt-a31-person"), MIDDLE, sample("vxu-v04-vaccination"))


def kept(world: World) -> int:
    with world.parts.store.read() as unit:
        return len(overview.messages(unit))


def test_each_message_has_its_own_acknowledgement(world: World) -> None:
    """A batch of ACKs that names what it answers; a bad message loses no good one, and nothing of it is kept."""
    answer = Hl7Door(world.parts).handle(batch(*THREE), PEER)
    assert answer is not None
    lines = answer.decode().strip().split("\r")
    assert (lines[0].split("|")[2:6], lines[0].split("|")[11]) == (["HUB", "ONESTOP", "HIS", "BV-MAU"], "F-1")
    assert (lines[1][:3], lines[1].split("|")[11]) == ("BHS", "B-1")
    assert lines[-2:] == ["BTS|3", "FTS|1"]
    said = [read_ack(raw) for raw in er7_batch.split_batch(answer).messages]
    assert [one.code if one else "" for one in said] == ["CA", "CR", "CA"]
    assert [one.answers if one else "" for one in said] == [
        raw.decode().split("|")[9] for raw in THREE
    ]  # fmt: skip
    assert kept(world) == 2
    with world.parts.store.read() as unit:
        assert [each.faults[0]["place"] for each in messages.refusals(unit)] == ["MSH[1]-9"]


def test_a_batch_sent_again_is_taken_once(world: World) -> None:
    """The same acknowledgements, and nothing is kept twice; the mended message is taken then."""
    door = Hl7Door(world.parts)
    first = door.handle(batch(*THREE), PEER)
    assert door.handle(batch(*THREE), PEER) == first
    assert kept(world) == 2
    mended = MIDDLE.replace(b"ADT^A02", b"ADT^A31")
    again = door.handle(batch(THREE[0], mended, THREE[2]), PEER)
    assert again is not None
    assert [each.code for raw in er7_batch.split_batch(again).messages if (each := read_ack(raw))] == ["CA"] * 3
    assert kept(world) == 3


def test_a_batch_that_is_not_whole_is_rejected_as_one(world: World) -> None:
    """It counts four messages and has three: nothing is taken, and the answer names the batch."""
    answer = Hl7Door(world.parts).handle(batch(*THREE, count=4), PEER)
    ack = read_ack(answer or b"")
    assert ack is not None
    assert (ack.code, ack.answers) == ("AR", "F-1")
    assert kept(world) == 0


def test_one_that_wants_no_answer_gets_none_in_the_batch(world: World) -> None:
    """MSH-15 NE: the batch of answers is the shorter by it."""
    silent = sample("adt-a31-person", ("|AL|NE|", "|NE|NE|"))
    answer = Hl7Door(world.parts).handle(batch(silent, THREE[2]), PEER)
    assert answer is not None
    assert len(er7_batch.split_batch(answer).messages) == 1
    assert kept(world) == 2


def post(door: Door, raw: bytes) -> Any:
    headers = {"content-type": "application/hl7-v2", "idempotency-key": "k-1"}
    return door.ask(HOSPITAL, "POST", f"/agencies/{HOSPITAL}/messages", content=raw, headers=headers)


def test_over_http_each_message_has_its_result(world: World, clock: SetClock) -> None:
    """With its place: the acknowledgement, or the problem that it would have had alone; sent again, the same."""
    door = Door(world, clock)
    door.know(HOSPITAL)
    answer = post(door, batch(*THREE))
    assert answer.status_code == 207
    found = answer.json()["messages"]
    assert [(one["place"], one["status"]) for one in found] == [("MSH[1]", 202), ("MSH[2]", 422), ("MSH[3]", 202)]
    assert found[1]["problem"]["errors"][0]["place"] == "MSH[1]-9"
    assert post(door, batch(*THREE)).json() == answer.json()
    assert kept(world) == 2
    whole = post(door, batch(THREE[0], THREE[2]))
    assert (whole.status_code, len(whole.json()["messages"])) == (202, 2)
    short = post(door, batch(*THREE, count=2))
    assert (short.status_code, short.json()["errors"][0]["place"]) == (400, "BTS[1]-1")
