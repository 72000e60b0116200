"""What is sealed, or for a named officer, reaches that officer alone: photographs, a shelter's address."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from joserfc.jwk import ECKey

from adapters.library import load_packs
from consent.vocabulary import HUB_BASE
from hub import administration, casework, exchange
from hub.errors import Ambiguous, Forbidden, NotFound, Transient
from hub.explaining import ONLY_AN_OFFICER, explain
from hub.messaging.transport import Outbound
from hub.preview import Supposed, preview
from hub.security.tokens import Caller
from hub.security.vault import Vault
from hub.states import AttemptState
from hub.storage import attempts, audits
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.evidence import PICTURE, WORDS, evidence, for_officer, photograph
from tests.fakes.world import (
    HOSPITAL,
    POLICE,
    SCHOOL,
    SHELTER,
    STAND_IN,
    Json,
    World,
    agency,
    coded,
    forensic_request,
    labelled,
    message,
    observation,
    order,
    patient,
    reference,
)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Nothing here depends on which database keeps it."""

LAN, MINH = "DTV-017", "DTV-204"
"""Two investigators, by the numbers that an order names them by."""
NEIGHBOUR = "Hàng Xóm Thử-Nghiệm"
STREET = "Số 00 Đường Thử Nghiệm"


@cache
def keys(officer: str) -> Json:
    """The public half of a key pair of an officer's own."""
    found: Json = ECKey.generate_key("P-384", {"kid": officer}, private=True).as_dict(private=False)
    return {"keys": [found]}


def shelter() -> Json:
    """Where she is safe."""
    address = {"resourceType": "Location", "status": "active", "name": "Nhà mẫu", "address": {"text": STREET}}
    found = labelled(address, "shelter-location")
    found["meta"]["security"].append({"system": f"{HUB_BASE}/CodeSystem/taint", "code": "shelter-location"})
    return found


def verified(world: World, body: Json) -> str:
    """An order that two people stand for."""
    entered = world.fact("order", body)
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    return entered.fact


def list_officers(
    world: World, *officers: str, id_: str = POLICE, out: str = "webhook", with_keys: bool = False
) -> None:
    """The agency's entry says to whom it can hand what is marked to their attention."""
    listed = [{"id": one, **({"jwks": keys(one)} if with_keys else {})} for one in officers]
    more: dict[str, Any] = {"alternate": STAND_IN} if id_ == POLICE else {}
    administration.add_agencies(
        world.parts, "quan-tri", [agency(id_, "police", "investigators", out, officers=listed, **more)]
    )


def says(world: World, what: str, agency_id: str = POLICE) -> list[str]:
    """To whose attention each message went in which an agency was told this."""
    return [each.attention for each in world.wire.to(agency_id) if what.encode() in each.raw]


@pytest.fixture
def world(world: World) -> World:
    """The police asked for an exam; a verified order opens its result to them, and names no officer."""
    world.say(POLICE, forensic_request())
    world.fact("birth-date", {"date": "2016-05-20"})
    opened = order({HOSPITAL: ("referral", "demographics"), POLICE: ("forensic", "demographics", "photographs")})
    verified(world, opened)
    list_officers(world, LAN, MINH)
    return world


# --- photographs ---------------------------------------------------------------------------------------------------


def test_photographs_reach_the_investigator_whom_a_verified_order_names(world: World) -> None:
    """The order names her: the picture leaves, marked to her attention, never to be passed on."""
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, PICTURE) == [LAN]
    (sealed,) = [each for each in world.wire.to(POLICE) if each.attention]
    assert b"NORDSCLCD" in sealed.raw
    assert LAN.encode() not in sealed.raw


def test_without_a_named_officer_photographs_stay(world: World) -> None:
    """An order that opens photographs to the police and names nobody opens them to nobody."""
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, "258500001") == [""]
    assert says(world, PICTURE) == []


def test_words_beside_a_photograph_stay(world: World) -> None:
    """The order names photographs: not what somebody wrote about them, nor a document that is called one."""
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.say(HOSPITAL, evidence("EV-2", {"photo": photograph("application/pdf")}))
    world.deliver_all()
    assert says(world, PICTURE) == [LAN]
    assert says(world, WORDS) == []


def test_what_the_desk_hears_does_not_depend_on_an_officer(world: World) -> None:
    """The desk gets its own message as before; what she alone may see is a message of its own."""
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, "258500001") == ["", LAN]


def test_each_of_two_officers_gets_what_an_order_gives_to_that_one(world: World) -> None:
    """Orders name both, for different things: two messages, and neither holds what is for the other."""
    verified(world, for_officer(LAN, "photographs"))
    verified(world, for_officer(MINH, "medical-exam", number="502/QĐ-MẪU"))
    world.say(HOSPITAL, evidence(more={"injury": observation("39156-5", "125667009", "medical-exam")}))
    world.deliver_all()
    assert says(world, PICTURE) == [LAN]
    assert says(world, "39156-5") == [MINH]


def test_nobody_is_told_twice(world: World) -> None:
    """A change of facts that changes nothing for desk or officer sends neither anything."""
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    before = len(world.wire.to(POLICE))
    world.fact("household", {"person": world.relate("Người Thử-Nghiệm")})
    world.deliver_all()
    assert len(world.wire.to(POLICE)) == before


def test_an_order_for_an_officer_elsewhere_opens_nothing_here(world: World) -> None:
    """The same number at another agency is another person."""
    list_officers(world, LAN, id_=STAND_IN)
    verified(world, for_officer(LAN, "photographs", recipient=STAND_IN))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, PICTURE) == []


def test_an_order_that_nobody_verified_opens_nothing(world: World) -> None:
    """A claim names an officer: it stays a claim."""
    world.fact("order", for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, PICTURE) == []


def test_an_order_revoked_while_it_waits_stops_it(world: World) -> None:
    """Queued is not sent: it is decided again before it leaves, and the officer is named no more."""
    body = for_officer(LAN, "photographs")
    fact = verified(world, body)
    world.say(HOSPITAL, evidence())
    casework.record(world.parts, "can-bo-a", world.case(), "order", body | {"revoked": True}, fact=fact)
    casework.verify_order(world.parts, "can-bo-b", world.case(), fact)
    world.deliver_all()
    assert says(world, "258500001") == [""]
    assert says(world, PICTURE) == []


def test_an_order_that_ends_while_it_waits_stops_it(world: World, clock: SetClock) -> None:
    """It held when the message came and does not hold when it would leave."""
    ends = clock.now() + timedelta(hours=1)
    verified(world, for_officer(LAN, "photographs") | {"end": ends.isoformat()})
    world.say(HOSPITAL, evidence())
    clock.advance(hours=2)
    world.deliver_all()
    assert says(world, PICTURE) == []


def test_a_linked_unit_s_officer_is_not_told(world: World) -> None:
    """A suspect works there: not even the officer whom the order names hears anything (R40)."""
    verified(world, for_officer(LAN, "photographs"))
    suspect = world.relate("Cán Bộ Thử-Nghiệm")
    world.fact("staff", {"person": suspect, "agency": POLICE})
    world.fact("suspect", {"person": suspect})
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert world.wire.to(POLICE) == []
    assert says(world, PICTURE, STAND_IN) == []


def test_an_alternate_addressee_s_officer_is_told_if_an_order_names_one_there(world: World) -> None:
    """The linked unit is bypassed; the officer whom an order names at the other unit gets the picture (R40)."""
    suspect = world.relate("Cán Bộ Thử-Nghiệm")
    world.fact("staff", {"person": suspect, "agency": POLICE})
    world.fact("suspect", {"person": suspect})
    list_officers(world, MINH, id_=STAND_IN)
    verified(world, for_officer(MINH, "photographs", "demographics", recipient=STAND_IN))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert world.wire.to(POLICE) == []
    assert says(world, PICTURE, STAND_IN) == [MINH]


def test_the_ledger_names_the_officer(world: World) -> None:
    """Who was told is on record, with the seal among the obligations that the decision gave."""
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    (row,) = [each for each in rows(world) if each.entry.detail.get("officer")]
    assert (row.entry.agency, row.entry.detail["officer"]) == (POLICE, LAN)
    said = " ".join(explain(world.parts, "kiem-soat", row.id, "en")["explanation"])
    assert f"sealed for {LAN}" in said


def test_a_resend_goes_to_the_same_officer_with_the_same_bytes(world: World, clock: SetClock) -> None:
    """An unknown outcome is tried again under the same id, to nobody else."""
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    kept: list[Outbound] = []

    def once(outbound: Outbound) -> None:
        kept.append(outbound)
        if outbound.attention and len([each for each in kept if each.attention]) == 1:
            raise Ambiguous(kind="timeout")

    world.wire.before = once
    world.deliver_all()
    clock.advance(minutes=20)
    world.deliver_all()
    first, second = [each for each in kept if each.attention]
    assert (first.raw, first.outbound_id, first.attention) == (second.raw, second.outbound_id, second.attention)


def test_photographs_arrive_in_the_police_s_own_format(store: Store, vault: Vault, clock: SetClock) -> None:
    """Their XML holds the picture as a document, once the message is about it."""
    world = World(store, vault, clock, **{"police/niem": load_packs()["police/niem"]})
    world.say(POLICE, forensic_request())
    verified(world, order({HOSPITAL: ("referral", "demographics"), POLICE: ("forensic", "demographics", "referral")}))
    verified(world, for_officer(LAN, "photographs"))
    packs = {"in": ["test/plain"], "out": "police/niem"}
    entry = agency(POLICE, "police", "investigators", officers=[{"id": LAN}], alternate=STAND_IN, packs=packs)
    administration.add_agencies(world.parts, "quan-tri", [entry])
    about = evidence()
    about["entry"][0]["resource"]["focus"].append(reference("photo"))
    world.say(HOSPITAL, about)
    world.deliver_all()
    desk, sealed = (each for each in world.wire.to(POLICE) if each.type == "ForensicExamResult")
    assert (desk.attention, sealed.attention) == ("", LAN)
    assert PICTURE.encode() not in desk.raw
    assert f"<cp:BinaryBase64Object>{PICTURE}</cp:BinaryBase64Object>".encode() in sealed.raw


# --- who can be reached alone --------------------------------------------------------------------------------------


def test_an_officer_whom_the_registry_does_not_list_is_not_reached(world: World) -> None:
    """The order counts, the way to her alone is not known: nothing sealed leaves, and an operator is called."""
    list_officers(world, MINH)
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, PICTURE) == []
    assert ("alarm", "officer-unreachable") in world.tasks()


def test_once_she_is_listed_it_goes_to_her(world: World) -> None:
    """The operator lists her: the case is offered anew by itself, and the alarm is over."""
    list_officers(world, MINH)
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    list_officers(world, MINH, LAN)
    world.deliver_all()
    assert says(world, PICTURE) == [LAN]
    assert ("alarm", "officer-unreachable") not in world.tasks()


def test_an_officer_who_has_left_is_not_reached(world: World) -> None:
    """Her entry ended: what the order names her for stays."""
    left = {"id": LAN, "valid_to": "2026-01-01T00:00:00+07:00"}
    entry = agency(POLICE, "police", "investigators", officers=[left], alternate=STAND_IN)
    administration.add_agencies(world.parts, "quan-tri", [entry])
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    assert says(world, PICTURE) == []


# --- the inbox -----------------------------------------------------------------------------------------------------


@pytest.fixture
def fetching(world: World) -> World:
    """The police fetch; both investigators have keys of their own."""
    list_officers(world, LAN, MINH, out="inbox", with_keys=True)
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    return world


def everything(world: World, officer: str = "", agency_id: str = POLICE) -> bytes:
    """Fetch and confirm all that one reader of an agency finds."""
    found = b""
    while waiting := exchange.inbox(world.parts, agency_id, officer=officer):
        fetched = exchange.fetch(world.parts, agency_id, waiting[0].delivery, officer)
        assert fetched.attention == officer
        fetched.done()
        exchange.confirm(world.parts, agency_id, waiting[0].delivery, officer)
        found += fetched.raw
    return found


def test_only_the_officer_finds_it_in_the_inbox(fetching: World) -> None:
    """The desk fetches the result without pictures; her colleague finds nothing; she finds the pictures."""
    desk = everything(fetching)
    assert b"258500001" in desk
    assert PICTURE.encode() not in desk
    assert everything(fetching, MINH) == b""
    assert PICTURE.encode() in everything(fetching, LAN)
    assert everything(fetching) == b""


def test_nobody_else_fetches_or_confirms_it(fetching: World) -> None:
    """Knowing its id does not help the desk or a colleague; what they do changes nothing for her."""
    everything(fetching)
    (waiting,) = exchange.inbox(fetching.parts, POLICE, officer=LAN)
    for other in ("", MINH):
        with pytest.raises(NotFound):
            exchange.fetch(fetching.parts, POLICE, waiting.delivery, other)
    fetched = exchange.fetch(fetching.parts, POLICE, waiting.delivery, LAN)
    fetched.done()
    for other in ("", MINH):
        with pytest.raises(NotFound):
            exchange.confirm(fetching.parts, POLICE, waiting.delivery, other)
    assert PICTURE.encode() in fetched.raw
    with fetching.parts.store.read() as unit:
        assert attempts.get(unit, fetched.attempt).state is AttemptState.UNKNOWN


def test_she_need_not_wait_for_the_desk(fetching: World) -> None:
    """Whoever comes first fetches what is theirs; the other one's message is still there."""
    assert PICTURE.encode() in everything(fetching, LAN)
    desk = everything(fetching)
    assert b"258500001" in desk
    assert PICTURE.encode() not in desk
    assert everything(fetching, LAN) == b""


def test_without_a_key_of_her_own_nothing_sealed_waits_in_an_inbox(world: World) -> None:
    """The agency's token does not tell officers apart: it is not enough."""
    list_officers(world, LAN, out="inbox")
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    assert PICTURE.encode() not in everything(world)
    assert everything(world, LAN) == b""
    assert ("alarm", "officer-unreachable") in world.tasks()


def test_an_officer_who_does_not_fetch_holds_up_nobody(fetching: World) -> None:
    """The desk's next message is there at once; when she comes, hers are there in their order."""
    everything(fetching)
    fetching.say(HOSPITAL, evidence("EV-2", {"photo": photograph()}))
    fetching.say(HOSPITAL, evidence("EV-3", {"trace": observation("74384-9", "10828004", "forensic")}))
    assert b"10828004" in everything(fetching)
    hers = everything(fetching, LAN)
    assert hers.count(PICTURE.encode()) == 3
    assert everything(fetching) == everything(fetching, LAN) == b""


def test_an_officer_who_fetched_and_never_confirms_holds_up_nobody(fetching: World) -> None:
    """She comes first and possibly holds it: the desk's message and the one behind it are there all the same."""
    (waiting,) = exchange.inbox(fetching.parts, POLICE, officer=LAN)
    exchange.fetch(fetching.parts, POLICE, waiting.delivery, LAN).done()
    fetching.say(HOSPITAL, evidence("EV-2", {"trace": observation("74384-9", "10828004", "forensic")}))
    desk = everything(fetching)
    assert b"258500001" in desk
    assert b"10828004" in desk


def test_a_way_that_fails_her_does_not_fail_the_desk(world: World) -> None:
    """The agency's system takes what is for the desk and not what is for her: only hers waits."""
    verified(world, for_officer(LAN, "photographs"))
    world.wire.before = _not_to_an_officer
    world.say(HOSPITAL, evidence())
    world.deliver_all()
    world.say(HOSPITAL, evidence("EV-2", {"trace": observation("74384-9", "10828004", "forensic")}))
    world.deliver_all()
    assert says(world, "10828004") == [""]
    assert says(world, PICTURE) == []


def _not_to_an_officer(outbound: Outbound) -> None:
    if outbound.attention:
        raise Transient("not now")


def test_once_she_has_left_what_was_hers_is_closed(fetching: World) -> None:
    """She never fetched and her entry ends: nothing waits for her any more."""
    everything(fetching)
    list_officers(fetching, MINH, out="inbox", with_keys=True)
    assert exchange.inbox(fetching.parts, POLICE, officer=LAN) == ()
    assert "pending" not in fetching.states(POLICE)


def test_an_officer_s_token_reads_that_inbox_and_does_nothing_else(world: World) -> None:
    """She is not the agency: she speaks for nobody and reads nobody else's inbox."""
    caller = Caller("officer", f"{POLICE}/{LAN}", frozenset())
    assert caller.reads_for(POLICE) == LAN
    assert Caller("agency", POLICE, frozenset()).reads_for(POLICE) == ""
    with pytest.raises(Forbidden):
        caller.reads_for(STAND_IN)
    with pytest.raises(Forbidden):
        caller.require_agency(POLICE)
    with pytest.raises(Forbidden):
        Caller("admin", POLICE, frozenset()).reads_for(POLICE)


# --- a shelter's address -------------------------------------------------------------------------------------------


def test_a_shelter_s_address_reaches_the_named_officer_only(world: World) -> None:
    """The order opens it to one officer: she learns where, the desk does not."""
    verified(world, for_officer(LAN, "shelter-location"))
    world.say(HOSPITAL, evidence(more={"place": shelter()}))
    world.deliver_all()
    assert says(world, STREET) == [LAN]


def test_a_shelter_s_address_is_not_for_the_desk(world: World) -> None:
    """An order that opens it to the police, and to no one there, opens it to nobody."""
    verified(world, order({POLICE: ("shelter-location",)}, "503/QĐ-MẪU"))
    world.say(HOSPITAL, evidence(more={"place": shelter()}))
    world.deliver_all()
    assert says(world, STREET) == []


def test_a_shelter_s_address_never_reaches_a_linked_unit(world: World) -> None:
    """A suspect works there: whatever an order names, and whomever, no address and no message leaves to it."""
    verified(world, for_officer(LAN, "shelter-location"))
    suspect = world.relate("Cán Bộ Thử-Nghiệm")
    world.fact("staff", {"person": suspect, "agency": POLICE})
    world.fact("suspect", {"person": suspect})
    world.say(HOSPITAL, evidence(more={"place": shelter()}))
    world.deliver_all()
    assert world.wire.to(POLICE) == []
    assert says(world, STREET, STAND_IN) == []


@pytest.mark.parametrize(("kind", "told"), [("vital", [LAN]), ("break-glass", [])])
def test_in_danger_the_officer_who_responds_learns_where(
    world: World, clock: SetClock, kind: str, told: list[str]
) -> None:
    """Immediate danger, asserted with the officer's number, opens the address to that officer; breaking the glass is
    a way to read for some hours, and hands nothing over."""
    danger = {"agency": POLICE, "reason": "đe dọa", "kind": kind, "officer": LAN, "second_factor": True}
    world.fact("emergency", danger | {"start": clock.now().isoformat()})
    world.say(HOSPITAL, evidence(more={"place": shelter()}))
    world.deliver_all()
    assert says(world, STREET) == told


def test_the_shelter_s_named_worker_reads_the_address(world: World) -> None:
    """A plan names the shelter, the team its worker: she reads where it is, the shelter's desk does not (R31)."""
    entry = agency(SHELTER, "social", "shelter", "inbox", officers=[{"id": "NV-3", "jwks": keys("NV-3")}])
    administration.add_agencies(world.parts, "quan-tri", [entry])
    world.fact("team", {"agency": SHELTER, "role": "shelter", "officer": "NV-3"})
    world.fact("plan", {"members": [SHELTER], "approved_by": "truong-phong", "start": "2026-11-20T00:00:00Z"})
    world.say(HOSPITAL, evidence(more={"place": shelter()}))
    assert STREET.encode() not in everything(world, agency_id=SHELTER)
    assert STREET.encode() in everything(world, "NV-3", agency_id=SHELTER)


# --- the reporter --------------------------------------------------------------------------------------------------


def test_who_reported_is_known_to_the_named_officer_only(world: World) -> None:
    """The report is owed to the police and the team names their officer: she learns who reported, the desk does not."""
    neighbour = {"resourceType": "RelatedPerson", "patient": reference("child"), "name": [{"text": NEIGHBOUR}]}
    allegation = {
        "resourceType": "Condition",
        "code": coded(f"{HUB_BASE}/CodeSystem/abuse-type", "physical"),
        "subject": reference("child"),
    }
    parts = {
        "child": patient(),
        "said": labelled(allegation, "allegation"),
        "who": labelled(neighbour, "reporter-identity"),
    }
    world.fact("report", {"owed_to": [POLICE]})
    world.fact("team", {"agency": POLICE, "role": "investigator", "officer": LAN})
    world.say(HOSPITAL, message("report", "RP-1", "said", parts))
    world.deliver_all()
    assert says(world, "abuse-type") == ["", LAN]
    assert says(world, NEIGHBOUR) == [LAN]


# --- preview -------------------------------------------------------------------------------------------------------


def shown(world: World, agency_id: str = POLICE, **more: Any) -> Json:
    """What a preview says of one agency."""
    found = preview(world.parts, "quan-tri", world.case(), **more)
    return next(each for each in found if each["agency"] == agency_id)


def test_a_preview_shows_whose_attention_it_would_go_to(world: World) -> None:
    """Were the order verified, she would receive the photographs, beside the desk's own message."""
    entered = world.fact("order", for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    assert [each.get("officer") for each in shown(world)["messages"]] == [None]
    then = shown(world, supposed=Supposed(verified=[entered.fact]))["messages"]
    assert [each.get("officer") for each in then] == [None, LAN]
    assert ["photographs" in each["classes"] for each in then] == [False, True]
    assert PICTURE not in json.dumps(then)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_preview_says_that_an_officer_has_to_be_named(world: World, lang: Any) -> None:
    """Withheld for want of a name: the explanation says what would change it, in both languages."""
    world.say(HOSPITAL, evidence())
    (desk,) = shown(world, lang=lang)["messages"]
    assert ONLY_AN_OFFICER[lang] in desk["explanation"]


def test_a_preview_does_not_ask_for_a_name_where_none_helps(world: World) -> None:
    """The school would not see photographs whoever were named."""
    world.fact("team", {"agency": SCHOOL, "role": "school"})
    world.say(HOSPITAL, evidence())
    for each in shown(world, SCHOOL, lang="en")["withheld"]:
        assert ONLY_AN_OFFICER["en"] not in each["explanation"]


def test_a_preview_says_who_cannot_be_reached(world: World) -> None:
    """The administrator sees that a name in the registry is what is missing."""
    list_officers(world, MINH)
    verified(world, for_officer(LAN, "photographs"))
    world.say(HOSPITAL, evidence())
    assert [each["unreached"] for each in shown(world)["messages"]] == [[LAN]]


def rows(world: World) -> list[audits.Recorded]:
    """The ledger's rows for what left."""
    with world.parts.store.read() as unit:
        return audits.listing(unit, case=world.case(), kinds=("attempt",), limit=1000)
