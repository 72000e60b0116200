"""The first half of the line: what comes in is kept whole, once, or refused without a trace of its content."""

from __future__ import annotations

import json

import pytest

from hub import exchange, intake
from hub.bundles import resources
from hub.envelope import Envelope
from hub.errors import Busy, Conflict, Forbidden, NotFound, Refused, TooLarge
from hub.settings import Settings
from hub.states import MessageState
from hub.storage import audits, messages, strands
from tests.fakes.world import CENTRE, HOSPITAL, NAME, POLICE, World, accepted, exam, forensic_request, patient


def test_a_message_sent_again_gets_the_same_answer(world: World) -> None:
    """The same key with the same content is the same message: one id, one strand, and it is called a duplicate."""
    first, second = world.say(HOSPITAL, exam()), world.say(HOSPITAL, exam())
    assert second.duplicate
    assert (second.message, second.state, second.head, second.loss) == (
        first.message, first.state, first.head, first.loss,
    )  # fmt: skip
    with world.parts.store.read() as unit:
        assert len(strands.of_case(unit, world.case())) == 1


def test_a_key_used_for_other_content_is_a_conflict(world: World) -> None:
    """The same key with other content is refused, and the first message stays what it was."""
    first = world.say(HOSPITAL, exam())
    with pytest.raises(Conflict):
        world.say(HOSPITAL, exam(child=patient(record="BN-0002")))
    with world.parts.store.read() as unit:
        assert [each.faults[0]["kind"] for each in messages.refusals(unit)] == ["key-reused"]
    assert exchange.said(world.parts, HOSPITAL, first.message)["state"] == "stored"


def test_the_senders_key_wins_over_the_messages_own(world: World) -> None:
    """An Idempotency-Key makes two messages of one id different, and two agencies may use the same key."""
    assert not world.say(HOSPITAL, exam(), key="a").duplicate
    assert not world.say(HOSPITAL, exam(), key="b").duplicate
    assert not world.say(CENTRE, exam(), key="a").duplicate


def test_the_time_of_an_er7_message_is_no_part_of_it() -> None:
    """A hospital system that repeats itself puts a new MSH-7 on it; everything else counts."""
    said = b"MSH|^~\\&|HIS|BV|HUB|HUB|20261122090000||ORU^R01|7|P|2.5\rPID|1\r"
    assert intake.untimed(said) == intake.untimed(said.replace(b"090000", b"091500"))
    assert intake.untimed(said) != intake.untimed(said.replace(b"PID|1", b"PID|2"))
    assert intake.untimed(b"{}") == b"{}"


def test_a_malformed_message_leaves_only_its_refusal(world: World) -> None:
    """What cannot be read is refused with its place, and nothing of it is kept."""
    with pytest.raises(Refused) as refused:
        exchange.accept(world.parts, Envelope(HOSPITAL, "http", b'{"name": "Th\xe1\xbb\xad'))
    assert refused.value.faults[0].kind == "not-json"
    assert world.cases() == []
    with world.parts.store.read() as unit:
        assert audits.listing(unit) == []
        (kept,) = messages.refusals(unit)
    assert (kept.agency, kept.faults[0]["kind"]) == (HOSPITAL, "not-json")


def test_what_is_no_r4_is_quarantined(world: World) -> None:
    """A message that was read but is not valid is acknowledged and set apart; its sender can ask why."""
    bundle = exam()
    next(resources(bundle, "DiagnosticReport")).pop("status")
    told = world.say(HOSPITAL, bundle)
    assert told.state is MessageState.QUARANTINED
    assert told.faults[0].place.endswith("status")
    assert world.cases() == []
    assert world.tasks() == [("quarantine", "not-valid")]
    assert exchange.said(world.parts, HOSPITAL, told.message)["problems"]


def test_only_the_sender_may_ask_after_a_message(world: World) -> None:
    """Another agency that asks after a message hears that there is none."""
    told = world.say(HOSPITAL, exam())
    with pytest.raises(NotFound):
        exchange.said(world.parts, POLICE, told.message)


def test_an_agency_speaks_only_its_registered_formats(world: World) -> None:
    """A format that the registry does not give to an agency is refused, whatever it asks for."""
    with pytest.raises(Forbidden):
        exchange.accept(world.parts, Envelope(HOSPITAL, "http", b"{}", pack="police/niem"))
    with pytest.raises(Refused):
        exchange.accept(world.parts, Envelope(HOSPITAL, "http", b"{}", media_type="text/csv"))
    with pytest.raises(NotFound):
        exchange.accept(world.parts, Envelope("khong-co", "http", b"{}"))


def test_limits_hold(world: World) -> None:
    """A body above the limit, and a message beyond what the queue holds, are not taken."""
    small = world.with_settings(Settings(max_body=1024))
    with pytest.raises(TooLarge):
        small.say(HOSPITAL, exam())
    full = world.with_settings(Settings(max_queue=1))
    full.say(POLICE, forensic_request())
    with pytest.raises(Busy):
        full.say(HOSPITAL, exam())


def test_a_message_about_two_children_becomes_two_strands(world: World) -> None:
    """Each child has a case of its own, and neither case holds a word of the other."""
    other = patient(number="079312000002", record="BN-0002", name="Thử-Nghiệm Văn Hai")
    told = world.say(HOSPITAL, exam("TWO"), exam("TWO", child=other))
    assert told.state is MessageState.STORED
    assert len(world.cases()) == 2
    with world.parts.store.read() as unit:
        said = [
            json.dumps(strands.bundle_of(unit, world.parts.vault, strand.id), ensure_ascii=False, default=str)
            for case in world.cases()
            for strand in strands.of_case(unit, case)
        ]
    assert sorted(NAME in each for each in said) == [False, True]


def test_a_message_with_a_bad_strand_keeps_none_of_its_children(world: World) -> None:
    """When one child's part is not valid the whole message is set apart: no half is taken."""
    broken = exam("HALF", child=patient(number="079312000002", record="BN-0002", name="Thử-Nghiệm Văn Hai"))
    next(resources(broken, "DiagnosticReport")).pop("status")
    assert world.say(HOSPITAL, exam("HALF"), broken).state is MessageState.QUARANTINED
    assert world.cases() == []


def test_a_decision_number_is_a_claim(world: World) -> None:
    """A number in a message opens nothing: it is recorded as a claim for a person to look at."""
    world.say(POLICE, forensic_request())
    assert ("order-claim", "claimed") in world.tasks()


def test_an_answer_that_names_nobody_goes_to_the_referrals_child(world: World) -> None:
    """A status without a Patient belongs to the child of the referral whose number it names."""
    world.say(POLICE, forensic_request())
    world.say(HOSPITAL, accepted())
    with world.parts.store.read() as unit:
        assert [each.event for each in strands.of_case(unit, world.case())] == ["referral-request", "referral-status"]


def test_a_stranger_cannot_move_a_referral(world: World) -> None:
    """A status by an agency that is no party to the referral makes a case of its own, uncertain, and moves nothing."""
    world.say(POLICE, forensic_request())
    world.say(CENTRE, accepted())
    assert len(world.cases()) == 2
    assert ("match-review", "R33-uncertain-match") in world.tasks()
