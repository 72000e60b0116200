"""What people look at without telling anyone: previews and the account of a case."""

from __future__ import annotations

import json
from decimal import Decimal

from hub import casework
from hub.preview import Supposed, masked, preview
from hub.storage import audits, deliveries
from tests.fakes.canaries import found_in
from tests.fakes.world import CENTRE, HOSPITAL, NAME, PERSONAL_NUMBER, SCHOOL, World, consent, exam, support

ADMIN = "quan-tri"


def test_a_preview_shows_what_would_leave_and_sends_nothing(world: World) -> None:
    """Each agency's messages in its own format, by class, with the reasons for what stays; nothing is queued."""
    _known(world)
    shown = {each["agency"]: each for each in preview(world.parts, ADMIN, world.case())}
    (needs,) = shown[SCHOOL]["messages"]
    assert (needs["event"], needs["classes"]) == ("school-support", ["demographics", "support-need"])
    assert shown[CENTRE]["messages"] == []
    assert shown[CENTRE]["withheld"][0]["reasons"]
    assert shown[HOSPITAL] == {"agency": HOSPITAL, "messages": [], "withheld": []}
    assert world.wire.sent == []


def test_a_preview_is_masked(world: World) -> None:
    """No name, number or date of the child stands in a preview, however it is wrapped."""
    _known(world)
    said = json.dumps(preview(world.parts, ADMIN, world.case()), ensure_ascii=False).encode()
    assert not found_in([NAME, PERSONAL_NUMBER, "2016-05-20", "Thử-Nghiệm"], said)


def test_masking_keeps_the_shape_and_nothing_else() -> None:
    """Letters and digits go, codes stay, dates become the first of their year, numbers zero."""
    value = {
        "code": {"coding": [{"system": "http://loinc.org", "code": "39156-5", "display": "Injury"}], "text": "Bầm tím"},
        "valueQuantity": {"value": Decimal("4.50"), "unit": "cm"},
        "birthDate": "2016-05-20",
        "issued": "2026-11-22T09:00:00+07:00",
        "identifier": [{"value": "BN-0001"}],
        "active": True,
    }
    assert masked(value) == {
        "code": {"coding": [{"system": "http://loinc.org", "code": "39156-5", "display": "Injury"}], "text": "XXX XXX"},
        "valueQuantity": {"value": Decimal(0), "unit": "cm"},
        "birthDate": "2016-01-01",
        "issued": "2026-01-01T00:00:00+00:00",
        "identifier": [{"value": "XX-0000"}],
        "active": True,
    }


def test_a_preview_answers_what_if(world: World) -> None:
    """With the mother's consent the centre would be told, without the child's it would not; nothing is changed."""
    _known(world)
    mother = world.relate("Thử-Nghiệm Thị Mẹ")
    world.fact("guardian", {"person": mother, "role": "MTH"})
    own = world.fact("consent", consent(world.child(), "child", CENTRE, world.child()), by=ADMIN)
    given = [consent(mother, "representative", CENTRE, world.child())]
    assert _messages(world) == 0
    assert _messages(world, given=given) == 1
    assert _messages(world, given=given, withdrawn=[own.fact]) == 0
    assert _messages(world) == 0


def test_the_account_tells_who_was_told_what_on_what_ground(world: World) -> None:
    """Every message that an agency holds is in the account, by class and ground, without a word of its content."""
    _known(world)
    world.deliver_all()
    (line,) = casework.account(world.parts, "thanh-tra", world.case())
    assert (line["agency"], line["event"], line["state"]) == (SCHOOL, "school-support", "delivered")
    assert line["told"] == {"demographics": ["D"], "support-need": ["D"]}
    assert "Mẫu" not in json.dumps(line, ensure_ascii=False)


def test_the_ledger_holds_an_attempt_and_its_outcome(world: World) -> None:
    """Each delivery leaves two rows, and each withheld one its reasons and the facts that were read."""
    _known(world)
    world.deliver_all()
    with world.parts.store.read() as unit:
        told, withheld = (deliveries.listing(unit, agency=each)[0].id for each in (SCHOOL, CENTRE))
        assert [each.entry.kind for each in _rows(unit, told)] == ["attempt", "outcome"]
        (row,) = _rows(unit, withheld)
    assert row.entry.outcome == "withheld"
    assert row.entry.reasons
    assert row.entry.input_hash


def test_each_look_is_audited(world: World) -> None:
    """A preview, a history and an account are reads by a named person."""
    _known(world)
    preview(world.parts, ADMIN, world.case())
    casework.history(world.parts, ADMIN, world.case())
    casework.account(world.parts, ADMIN, world.case())
    with world.parts.store.read() as unit:
        read = [each.entry for each in audits.listing(unit, case=world.case(), kinds=("read",))]
    assert {(each.actor, each.outcome) for each in read} == {
        (ADMIN, "preview"),
        (ADMIN, "history"),
        (ADMIN, "account"),
    }


def _known(world: World) -> None:
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2016-05-20"})
    world.fact("team", {"agency": SCHOOL, "role": "school"})
    world.fact("plan", {"members": [SCHOOL], "approved_by": "truong-phong"})
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    world.say(CENTRE, support())


def _messages(world: World, **supposed: object) -> int:
    shown = preview(world.parts, ADMIN, world.case(), Supposed(**supposed))  # type: ignore[arg-type]
    return sum(len(each["messages"]) for each in shown if each["agency"] == CENTRE)


def _rows(unit: object, delivery: str) -> list[audits.Recorded]:
    found = audits.listing(unit, delivery=delivery)  # type: ignore[arg-type]
    return sorted(found, key=lambda each: each.entry.kind)
