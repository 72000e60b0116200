"""Referrals and routes: who is offered what is data, and only the parties of a referral move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event as Stop

import pytest

from adapters.errors import Unwritable
from adapters.library import BUILT_IN, load_pack, read_folder
from adapters.pack import Context
from consent.model import FactRef, Facts, OpenReferral, Plan, Report, Span, TeamMember
from consent.vocabulary import DataClass, Event, ReferralState, Sector
from hub import casework
from hub.errors import Misconfigured
from hub.referrals import read_routes, said_of
from hub.referrals.numbering import numbered
from hub.referrals.reading import named
from hub.referrals.routes import Situation, route
from hub.states import Lane
from hub.storage import deliveries, referrals, tasks
from hub.worker.keeping import Keeper
from tests.conftest import SetClock
from tests.fakes.world import (
    CENTRE,
    HOSPITAL,
    POLICE,
    SCHOOL,
    SHELTER,
    STAND_IN,
    World,
    accepted,
    exam,
    forensic_request,
    message,
    organization,
    patient,
    request,
    result,
    task,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROUTES = read_routes()


class Listed:
    """An agency as routing sees it."""

    def __init__(self, id_: str, sector: Sector, routes: tuple[str, ...] = ()) -> None:
        self.id, self.sector, self.routes = id_, sector, routes


KNOWN = {
    HOSPITAL: Listed(HOSPITAL, Sector.HEALTH),
    POLICE: Listed(POLICE, Sector.POLICE),
    SCHOOL: Listed(SCHOOL, Sector.EDUCATION),
    SHELTER: Listed(SHELTER, Sector.SOCIAL),
    "duong-day": Listed("duong-day", Sector.HOTLINE, ("mandatory-report",)),
}


def _ref(kind: str) -> FactRef:
    return FactRef(kind, kind, 1)


def test_a_request_goes_to_who_is_asked_and_the_answer_to_who_asked() -> None:
    """The performer is offered the request, the requester its status, and neither what it said itself."""
    asked = OpenReferral(_ref("referral"), "r1", POLICE, HOSPITAL, "requested")
    facts = Facts("child", referrals=(asked,))
    to = Situation(Event.REFERRAL_REQUEST, POLICE, frozenset({"referral"}), facts, "r1")
    back = Situation(Event.REFERRAL_STATUS, HOSPITAL, frozenset({"referral"}), facts, "r1")
    assert [each.agency for each in route(ROUTES, to, KNOWN, NOW)] == [HOSPITAL]
    assert [each.agency for each in route(ROUTES, back, KNOWN, NOW)] == [POLICE]


def test_a_record_goes_to_whoever_asked_for_such_data() -> None:
    """An open referral that asked for a class is offered what holds it; a rejected one is not."""
    for state, told in (("accepted", [POLICE]), ("rejected", [])):
        asked = OpenReferral(
            _ref("referral"), "r1", POLICE, HOSPITAL, state, data_classes=frozenset({DataClass.FORENSIC})
        )
        said = Situation(Event.EXAM_RECORD, HOSPITAL, frozenset({"forensic"}), Facts("child", referrals=(asked,)))
        assert [each.agency for each in route(ROUTES, said, KNOWN, NOW)] == told


def test_a_team_is_offered_by_sector_and_only_while_it_is_one() -> None:
    """An exam record goes to health and social members in force, never to the school of the team."""
    past = Span(end=datetime(2026, 1, 1, tzinfo=UTC))
    team = (
        TeamMember(_ref("a"), SHELTER),
        TeamMember(_ref("b"), SCHOOL),
        TeamMember(_ref("c"), CENTRE, span=past),
    )
    said = Situation(Event.EXAM_RECORD, HOSPITAL, frozenset({"medical-exam"}), Facts("child", team=team))
    assert [each.agency for each in route(ROUTES, said, KNOWN, NOW)] == [SHELTER]


def test_a_school_is_offered_support_by_team_or_plan_once() -> None:
    """A school that is in the team and in a plan is offered a support need once."""
    facts = Facts("child", team=(TeamMember(_ref("a"), SCHOOL),), plans=(Plan(_ref("b"), (SCHOOL, SHELTER)),))
    said = Situation(Event.SCHOOL_SUPPORT, CENTRE, frozenset({"support-need"}), facts)
    assert [each.route for each in route(ROUTES, said, KNOWN, NOW)] == ["support-team"]


def test_a_mandatory_report_is_urgent_and_goes_even_while_it_is_uncertain_whose_it_is() -> None:
    """A report goes to whom it is owed and to standing routes at once; an uncertain exam record goes to nobody."""
    facts = Facts(
        "child", match_certain=False, reports=(Report(_ref("a"), (POLICE,)),), team=(TeamMember(_ref("b"), SHELTER),)
    )
    said = Situation(Event.REPORT, HOSPITAL, frozenset({"allegation"}), facts, held=True)
    found = route(ROUTES, said, KNOWN, NOW)
    assert {each.agency for each in found} == {POLICE, "duong-day"}
    assert {each.lane for each in found} == {Lane.URGENT}
    held = Situation(Event.EXAM_RECORD, HOSPITAL, frozenset({"medical-exam"}), facts, held=True)
    assert route(ROUTES, held, KNOWN, NOW) == ()


@pytest.mark.parametrize("text", ["routes: []", "{", "routes: [{name: a, events: [khong], to: team, hours: '1'}]"])
def test_routes_that_cannot_be_read_are_named(text: str) -> None:
    """Broken routing data stops the start instead of offering nothing in silence."""
    with pytest.raises(Misconfigured):
        read_routes(text)


def test_every_referral_state_has_its_successors() -> None:
    """No canonical state is without a rule of what may follow."""
    assert set(ROUTES.states) == set(ReferralState)


def test_an_agency_is_named_by_one_of_its_identifiers() -> None:
    """A name that two agencies share means neither."""

    class Named:
        def __init__(self, id_: str, facility: str) -> None:
            self.id, self.facility, self.identifiers = id_, facility, ()

    agencies = [Named("a", "BV"), Named("b", "BV"), Named("c", "CA")]
    assert named([("", "CA")], agencies) == "c"
    assert named([("", "BV")], agencies) == ""
    assert named([("", "BV"), ("", "a")], agencies) == "a"


def test_what_a_request_says_is_read() -> None:
    """Numbers, service, what is asked for, who is to do it and the decision claimed."""
    said = said_of(forensic_request())
    assert (said.placers, said.service, said.state) == (("TC-2026-0457",), "forensic", ReferralState.REQUESTED)
    assert set(said.asked) == {DataClass.FORENSIC, DataClass.MEDICAL_EXAM}
    assert said.decision == "457/QĐ-MẪU"
    assert said.performer[0][1] == "BV-MAU"


# --- kept in a case ------------------------------------------------------------------------------------------------


def test_a_referral_follows_its_parties(world: World) -> None:
    """Requested, accepted by the performer, completed by the result."""
    states = []
    for agency, said in ((POLICE, forensic_request()), (HOSPITAL, accepted()), (HOSPITAL, result())):
        world.say(agency, said)
        states.append(_referral(world).state)
    assert states == ["requested", "accepted", "completed"]


def test_two_requesters_with_one_number_are_told_apart_by_the_child(world: World) -> None:
    """Two units count from the same number: a result about one child belongs to the referral of that child."""
    second = patient(number="079312000002", record="HS-2", name="Thử-Nghiệm Văn Hai")
    asked = forensic_request("RQ-B")
    asked["entry"][1]["resource"] = second
    world.say(POLICE, forensic_request("RQ-A"))
    world.say(STAND_IN, asked)
    answer = result()
    answer["entry"][1]["resource"] = second
    world.say(HOSPITAL, answer)
    with world.parts.store.read() as unit:
        told = [each for case in world.cases() for each in deliveries.listing(unit, case_id=case, event="result")]
    assert [(each.agency, each.route) for each in told] == [(STAND_IN, "referral-requester")]


def test_the_requester_cannot_accept_for_the_performer(world: World) -> None:
    """A state that is not the speaker's to say changes nothing and asks a person to look."""
    world.say(POLICE, forensic_request())
    world.say(POLICE, accepted())
    assert _referral(world).state == "requested"
    assert ("referral-conflict", "accepted") in world.tasks()


def test_a_closed_referral_does_not_open_again_by_itself(world: World) -> None:
    """A late acceptance of a rejected referral is kept, changes nothing and asks a person to look."""
    world.say(POLICE, forensic_request())
    world.say(HOSPITAL, _status("rejected", "rejected"))
    world.say(HOSPITAL, accepted("LATE"))
    assert _referral(world).state == "rejected"
    assert ("referral-conflict", "accepted") in world.tasks()


def test_a_request_for_nobody_waits_for_an_operator(world: World) -> None:
    """A request whose performer the registry does not know is kept, unrouted, with a task; nothing is guessed."""
    said = message(
        "referral-request", "RQ-2", "request",
        {
            "child": patient(),
            "request": request(),
            "task": task("requested", "requested"),
            "performer": organization("KHONG-CO"),
        },
    )  # fmt: skip
    world.say(POLICE, said)
    assert ("unrouted", "no-performer") in world.tasks()
    assert world.deliver_all() == []


def test_a_request_without_a_number_gets_one_of_the_hubs(world: World) -> None:
    """It opens a referral like any other; the performer learns the number, and what answers with it moves it."""
    asked, wanted = request(), task("requested", "requested")
    del asked["identifier"], wanted["identifier"]
    parts = {"child": patient(), "request": asked, "task": wanted, "performer": organization("BV-MAU")}
    world.say(POLICE, message("referral-request", "RQ-3", "request", parts))
    opened = _referral(world)
    assert (opened.requester, opened.performer) == (POLICE, HOSPITAL)
    with world.parts.store.read() as unit:
        (number,) = referrals.numbers_of(unit, world.parts.vault, opened.id)["placers"]
    answer = task("accepted", "accepted", owner=False)
    answer["identifier"][0]["value"] = number
    world.say(HOSPITAL, message("referral-status", "AC-3", "task", {"child": patient(), "task": answer}))
    assert _referral(world).state == ReferralState.ACCEPTED


def test_a_request_without_a_number_can_be_written_in_hl7() -> None:
    """RF1-6 is required: a referral that nobody numbered reaches a hospital all the same."""
    folder = BUILT_IN / "health/hl7v2"
    health = load_pack(read_folder(folder), lazy=True)
    bare = (folder / "samples/ref-i12-unnumbered.hl7").read_bytes()
    reading = health.read(bare, Context(at=NOW, agency=POLICE))
    with pytest.raises(Unwritable):
        health.write(reading.strands[0].bundle, Context(at=NOW, agency=HOSPITAL))
    (asked,) = [numbered(each.bundle, lambda: "SO-MAU-1") for each in reading.strands]
    written = health.write(asked, Context(at=NOW, agency=HOSPITAL)).raw
    assert b"|SO-MAU-1^HUB|" in written


def test_the_decision_number_is_sealed(world: World) -> None:
    """Numbers of a referral are found by keyed tokens and stand nowhere in plain text."""
    world.say(POLICE, forensic_request())
    with world.parts.store.read() as unit:
        assert referrals.numbers_of(unit, world.parts.vault, _referral(world).id)["decision"] == "457/QĐ-MẪU"
        rows = unit.exec_driver_sql("SELECT * FROM referral").all()
    assert "457" not in "".join(
        str(value) for row in rows for value in row if not isinstance(value, bytes | memoryview)
    )


def test_a_later_team_member_is_offered_the_present_state(world: World) -> None:
    """Who joins a case later is offered what the case holds now, once."""
    world.say(HOSPITAL, exam("A"))
    world.say(HOSPITAL, exam("B"))
    casework.record(world.parts, "can-bo-a", world.case(), "team", {"agency": CENTRE, "role": "owner"})
    assert world.states(CENTRE) == ["pending"]


def test_a_request_that_nobody_answers_calls_a_person_once(world: World, clock: SetClock) -> None:
    """R39: after a day of silence a case worker is called; the answer calls that off, and it is not called again."""
    world.say(POLICE, forensic_request())
    assert _called(world, clock, hours=23) == []
    assert _called(world, clock, hours=2) == [("referral-late", "R39-unanswered")]
    assert _called(world, clock, hours=2) == [("referral-late", "R39-unanswered")]
    world.say(HOSPITAL, accepted())
    assert _called(world, clock, hours=2) == []


def test_what_a_person_has_seen_to_is_not_called_for_again(world: World, clock: SetClock) -> None:
    """A task that a case worker closed stays closed, though the performer is still silent."""
    world.say(POLICE, forensic_request())
    _called(world, clock, hours=25)
    with world.parts.store.write() as unit:
        (task,) = tasks.listing(unit, kinds=("referral-late",))
        tasks.close(unit, task.id, "can-bo-a", clock.now())
    assert _called(world, clock, hours=2) == []


def test_a_request_at_once_waits_an_hour(world: World, clock: SetClock) -> None:
    """Severe: acknowledged within the hour (domain.md, Workflow, row 10)."""
    said = forensic_request()
    said["entry"][2]["resource"]["priority"] = "stat"
    world.say(POLICE, said)
    assert _called(world, clock, hours=0.9) == []
    assert _called(world, clock, hours=0.2) == [("referral-late", "R39-unanswered")]


def test_an_accepted_request_that_never_ends_calls_a_person(world: World, clock: SetClock) -> None:
    """A forensic exam has nine days (domain.md, Workflow, row 6); its result calls it off."""
    world.say(POLICE, forensic_request())
    world.say(HOSPITAL, accepted())
    assert _called(world, clock, hours=24 * 9 - 1) == []
    assert _called(world, clock, hours=2) == [("referral-late", "R39-unfinished")]
    world.say(HOSPITAL, result())
    assert _called(world, clock, hours=24) == []


def test_the_time_that_a_request_names_goes_before_the_usual(world: World, clock: SetClock) -> None:
    """A requester that needs it sooner says so in the Task's restriction."""
    said = forensic_request()
    until = (clock.now() + timedelta(hours=3)).isoformat()
    said["entry"][3]["resource"]["restriction"] = {"period": {"end": until}}
    world.say(POLICE, said)
    world.say(HOSPITAL, accepted())
    assert _called(world, clock, hours=4) == [("referral-late", "R39-unfinished")]


def test_a_rejected_request_calls_nobody(world: World, clock: SetClock) -> None:
    """What ended waits for nothing."""
    world.say(POLICE, forensic_request())
    world.say(HOSPITAL, _status("rejected", "rejected"))
    assert _called(world, clock, hours=24 * 30) == []


def _called(world: World, clock: SetClock, hours: float) -> list[tuple[str, str]]:
    """What a person is called for when so many hours have gone by."""
    clock.advance(hours=hours)
    Keeper(world.parts, lambda *_: [], lambda: None, Stop()).keep_house()
    return [each for each in world.tasks() if each[0] == "referral-late"]


def _status(state: str, code: str) -> dict[str, object]:
    said = {name: value for name, value in task(state, code, owner=False).items() if name != "for"}
    return message("referral-status", f"ST-{state}", "task", {"task": said})


def _referral(world: World) -> referrals.Referral:
    with world.parts.store.read() as unit:
        (found,) = referrals.of_case(unit, world.case())
    return found
