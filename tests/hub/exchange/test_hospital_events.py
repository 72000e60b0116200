"""What a hospital's other messages do: an appointment, an order, a vaccination, two records said to be one child."""

from __future__ import annotations

from functools import cache

import pytest

from adapters.library import BUILT_IN, load_pack, read_folder
from adapters.pack import Pack
from hub import casework, exchange
from hub.bundles import identifiers_of, patient_of, resources
from hub.edges.hl7 import Hl7Door
from hub.edges.mllp import Peer
from hub.envelope import Acknowledgement, Envelope
from hub.security.vault import Vault
from hub.states import MessageState
from hub.storage import deliveries, persons, strands, tasks
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.world import (
    AGENCY_SYSTEM,
    HOSPITAL,
    PERSONAL_NUMBER,
    PLACER,
    POLICE,
    World,
    agency,
    forensic_request,
    order,
)

PACK = "health/hl7v2"
SAMPLES = BUILT_IN / PACK / "samples"


@cache
def hl7v2() -> Pack:
    return load_pack(read_folder(BUILT_IN / PACK), lazy=True)


@pytest.fixture
def world(store: Store, vault: Vault, clock: SetClock) -> World:
    """A hub whose hospital speaks HL7 v2."""
    found = World(store, vault, clock, **{PACK: hl7v2()})
    speaking = agency(HOSPITAL, "health", "exam-unit", identifiers=[{"system": AGENCY_SYSTEM, "value": "BV-MAU"}])
    found.parts.registry.add_all([speaking | {"packs": {"in": [PACK], "out": "test/plain"}}], "test")
    return found


def sample(name: str, *changes: tuple[str, str]) -> bytes:
    text = (SAMPLES / f"{name}.hl7").read_bytes().decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def say(world: World, name: str, *changes: tuple[str, str]) -> Acknowledgement:
    return exchange.accept(world.parts, Envelope(HOSPITAL, "mllp", sample(name, *changes), pack=PACK))


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("siu-s12-appointment", "appointment"),
        ("orm-o01-imaging", "record"),
        ("oml-o21-laboratory", "record"),
        ("vxu-v04-vaccination", "record"),
        ("adt-a01-admit", "record"),
        ("adt-a40-merge", "identity"),
    ],
)
def test_what_no_route_names_is_kept_and_told_nobody(world: World, name: str, event: str) -> None:
    """It is accepted, stored under its child's case, and offered to no agency unless a route says so."""
    told = say(world, name)
    assert told.state is MessageState.STORED
    with world.parts.store.read() as unit:
        (strand,) = strands.of_case(unit, world.case())
    assert (strand.event, strand.state) == (event, "ready")
    assert world.deliver_all() == []
    assert world.wire.sent == []


def test_an_appointment_for_a_referral_is_offered_to_who_asked(world: World) -> None:
    """The number that the appointment is made for ties it to the referral: its requester is offered it."""
    world.say(POLICE, forensic_request())
    world.deliver_all()
    say(
        world,
        "siu-s12-appointment",
        ("GD-2026-0001^CQDT-MAU", PLACER),
        ("999312000001", PERSONAL_NUMBER),
        ("20120315", "20160520"),
    )
    with world.parts.store.read() as unit:
        found = {each.event: each.referral for each in strands.of_case(unit, world.case())}
        (offered,) = deliveries.listing(unit, agency=POLICE)
    assert found["appointment"] == found["referral-request"] is not None
    assert (offered.event, offered.route) == ("appointment", "referral-requester")


def test_two_records_said_to_be_one_are_not_merged(world: World) -> None:
    """A40 names two records that the hub knows as two children: both stay, and a person is asked."""
    say(world, "adt-a31-person")
    say(world, "adt-a31-person", *OTHER)
    before = world.cases()
    assert len(before) == 2
    say(world, "adt-a40-merge")
    assert sorted(world.cases()) == sorted(before)
    assert world.tasks() == [("match-review", "said-to-be-one")]
    assert world.states(POLICE) == []


def test_a_person_decides_what_a_merge_means(world: World) -> None:
    """The review links the replaced record's child to the one that goes on, and only then."""
    say(world, "adt-a31-person")
    say(world, "adt-a31-person", *OTHER)
    say(world, "adt-a40-merge")
    with world.parts.store.read() as unit:
        (review,) = tasks.listing(unit)
        (going_on,) = review.subject["candidates"]
        bundle = strands.bundle_of(
            unit, world.parts.vault, strands.of_case(unit, persons.case_of(unit, going_on).id)[0].id
        )
        assert "BN-0001" in str(patient_of(bundle))
    casework.resolve_match(world.parts, "can-bo-a", review.id, going_on)
    assert len(world.cases()) == 1
    assert world.tasks() == []


def test_a_merge_of_a_record_that_nobody_knows_asks_nobody(world: World) -> None:
    """When the replaced number is unknown there is nothing to decide."""
    say(world, "adt-a31-person")
    say(world, "adt-a40-merge")
    assert len(world.cases()) == 1
    assert world.tasks() == []


def test_a_merge_said_again_is_the_same_message(world: World) -> None:
    """The same A40 twice raises one review."""
    say(world, "adt-a31-person")
    say(world, "adt-a31-person", *OTHER)
    say(world, "adt-a40-merge")
    assert say(world, "adt-a40-merge").duplicate
    assert world.tasks() == [("match-review", "said-to-be-one")]


OTHER = (
    ("BN-0001", "BN-0009"),
    ("999312000001", "999312000009"),
    ("TE1999900000001", "TE1999900000009"),
    ("Thị Thử An", "Thị Thử Bảo"),
    ("20120315", "20130416"),
    ("BVM-000013", "BVM-000099"),
)
"""Makes the sample's child another child, under the number that the merge replaces."""


def test_a_wish_to_delete_is_told_and_takes_nothing_back(world: World) -> None:
    """PID-11 `""` in an update: its bundle has no address, the earlier one keeps it, and the sender is told where."""
    ways = {"mllp": {"application": "HIS", "facility": "BV-MAU"}}
    entry = world.parts.registry.get(HOSPITAL).document()
    world.parts.registry.add_all([entry | {"transports": entry["transports"] | ways}], "test")
    say(world, "adt-a31-person")
    text = sample("adt-a31-person").decode()
    address = text.split("PID|", 1)[1].split("|")[10]
    update = text.replace(f"|{address}|", '|""|', 1).replace("|P|2.5.1", "-2|P|2.5.1", 1)
    answer = Hl7Door(world.parts).handle(update.encode(), Peer("127.0.0.1", ""))
    assert answer is not None
    lines = answer.decode().split("\r")
    assert lines[1].startswith("MSA|CA|")
    assert lines[2].split("|")[2:5] == ["PID^1^11^1", "0^Message accepted^HL70357", "W"]
    with world.parts.store.read() as unit:
        found = [strands.bundle_of(unit, world.parts.vault, each.id) for each in strands.of_case(unit, world.case())]
    assert sorted("address" in (patient_of(bundle) or {}) for bundle in found) == [False, True]


def test_an_answer_that_names_our_message_alone_is_told_by_the_requests_number(world: World) -> None:
    """RRI with MSA-2 and no RF1-6: the police, whose format needs their number, get it with the answer."""
    entry = world.parts.registry.get(HOSPITAL).document()
    world.parts.registry.add_all([entry | {"packs": {"in": [PACK], "out": PACK}}], "test")
    world.say(POLICE, forensic_request())
    named = {HOSPITAL: ("referral", "demographics"), POLICE: ("referral", "demographics")}
    entered = casework.record(world.parts, "can-bo-a", world.case(), "order", order(named))
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    world.deliver_all()
    (asked,) = [each.raw.decode() for each in world.wire.to(HOSPITAL)]
    child = (("999312000001", PERSONAL_NUMBER), ("Mẫu^Thị Thử An", "Thử-Nghiệm^Thị Mẫu"), ("20120315", "20160520"))
    say(world, "rri-i12-unnumbered", ("HUB-000001", asked.split("|")[9]), *child)
    world.deliver_all()
    (told,) = world.received(POLICE)
    (found,) = resources(told, "Task")
    assert identifiers_of(found, "PLAC") == (PLACER,)
    assert identifiers_of(found, "FILL") == ("TN-0007",)
