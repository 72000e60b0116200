"""What would be if ...: suppositions of a preview, its words, and unmasking as a disclosure of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub import casework
from hub.errors import Forbidden, Invalid
from hub.preview import Supposed, Unmask, preview
from hub.storage import audits
from tests.adapters.packs import pack
from tests.fakes.world import (
    CENTRE,
    DECISION,
    HOSPITAL,
    NAME,
    POLICE,
    SCHOOL,
    World,
    agency,
    consent,
    exam,
    forensic_request,
    order,
    support,
)

ADMIN = "quan-tri"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Nothing here depends on which database keeps it."""


def messages(world: World, agency: str, supposed: Supposed | None = None, **more: Any) -> list[dict[str, Any]]:
    """What one agency would receive."""
    shown = preview(world.parts, ADMIN, world.case(), supposed or Supposed(), **more)
    return next(each["messages"] for each in shown if each["agency"] == agency)


@pytest.fixture
def world(world: World) -> World:
    """The hospital examined a child of fifteen; the centre is on the team, and the mother is her guardian."""
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2011-01-15"})
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    return world


@pytest.fixture
def mother(world: World) -> str:
    """Her guardian."""
    person = world.relate("Thử-Nghiệm Thị Mẹ")
    world.fact("guardian", {"person": person, "role": "MTH"})
    return person


def both(world: World, mother: str) -> tuple[str, str]:
    """Child and mother consent to the centre."""
    own = world.fact("consent", consent(world.child(), "child", CENTRE, world.child()), by=ADMIN)
    hers = world.fact("consent", consent(mother, "representative", CENTRE, world.child()), by=ADMIN)
    return own.fact, hers.fact


def test_if_a_consent_were_withdrawn(world: World, mother: str) -> None:
    """Either of the two consents gone, the centre would receive nothing; nothing is withdrawn by asking."""
    own, hers = both(world, mother)
    for fact in (own, hers):
        assert messages(world, CENTRE, Supposed(withdrawn=[fact])) == []
    assert len(messages(world, CENTRE)) == 1


def test_if_a_refusal_were_withdrawn(world: World, mother: str) -> None:
    """The child refused; would she take it back, the centre would receive the exam again."""
    both(world, mother)
    refusal = world.fact("refusal", {"by": world.child()})
    assert messages(world, CENTRE) == []
    assert len(messages(world, CENTRE, Supposed(withdrawn=[refusal.fact]))) == 1


def test_if_the_guardian_became_a_suspect(world: World, mother: str) -> None:
    """The mother suspected, her consent would not count any more."""
    both(world, mother)
    assert messages(world, CENTRE, Supposed(suspects=[mother])) == []
    assert len(messages(world, CENTRE)) == 1


def test_if_it_were_her_birthday(world: World) -> None:
    """From her sixteenth birthday on, and not a day before, her own consent is enough."""
    world.fact("consent", consent(world.child(), "child", CENTRE, world.child()), by=ADMIN)
    assert messages(world, CENTRE) == []
    assert messages(world, CENTRE, Supposed(on=date(2027, 1, 14))) == []
    assert len(messages(world, CENTRE, Supposed(on=date(2027, 1, 15)))) == 1


def test_if_an_order_were_verified(world: World) -> None:
    """The police's request reaches the hospital once the order that it names is verified, and not before."""
    world.say(POLICE, forensic_request())
    items = {HOSPITAL: ("referral", "forensic"), POLICE: ("forensic",)}
    entered = world.fact("order", order(items, DECISION))
    assert messages(world, HOSPITAL) == []
    (asked,) = messages(world, HOSPITAL, Supposed(verified=[entered.fact]))
    assert asked["event"] == "referral-request"
    assert messages(world, HOSPITAL) == []


@pytest.mark.parametrize(
    "supposed",
    [
        Supposed(withdrawn=["no-such-fact"]),
        Supposed(verified=["no-such-fact"]),
        Supposed(suspects=["nobody"]),
        Supposed(on=date(2020, 1, 1)),
    ],
)
def test_what_is_not_on_record_cannot_be_supposed(world: World, supposed: Supposed) -> None:
    """A wrong id or a past day is refused: it would look like the answer to a question that was not asked."""
    with pytest.raises(Invalid):
        preview(world.parts, ADMIN, world.case(), supposed)


def test_a_preview_explains_itself(world: World) -> None:
    """What would be withheld says why in the asked language, and whose consent would change it, without content."""
    shown = {each["agency"]: each for each in preview(world.parts, ADMIN, world.case(), lang="vi")}
    (withheld,) = shown[CENTRE]["withheld"]
    said = " ".join(withheld["explanation"])
    assert "không được gửi" in said
    assert "Thay đổi nhỏ nhất" in said
    assert NAME not in said


# --- unmasking -----------------------------------------------------------------------------------------------------


@pytest.fixture
def officer(world: World, mother: str) -> World:
    """The administrator is the treating hospital's named officer in the case team; the centre has two consents."""
    both(world, mother)
    world.fact("treating", {"agency": HOSPITAL})
    world.fact("plan", {"members": [CENTRE, SCHOOL], "approved_by": "truong-phong"})
    world.fact("team", {"agency": HOSPITAL, "role": "clinician", "officer": ADMIN})
    return world


AS_DOCTOR = Unmask(HOSPITAL, "TREAT")


def unmasked(world: World) -> list[audits.Entry]:
    """The ledger's rows for unmasked looks."""
    with world.parts.store.read() as unit:
        return [each.entry for each in audits.listing(unit, case=world.case(), kinds=("unmasked",))]


def test_unmasked_is_what_the_officer_may_know(officer: World) -> None:
    """The treating hospital's officer sees the centre's message itself; everybody else sees it masked."""
    (masked,) = messages(officer, CENTRE)
    assert masked["masked"]
    assert NAME not in json.dumps(masked, ensure_ascii=False)
    (plain,) = messages(officer, CENTRE, unmask=AS_DOCTOR)
    assert not plain["masked"]
    assert "Mẫu" in plain["message"]


def test_unmasking_is_recorded_as_a_disclosure(officer: World) -> None:
    """Who saw it, as whose officer, for what, by which facts and policy: in the ledger, and in the child's account."""
    messages(officer, CENTRE, unmask=AS_DOCTOR)
    (row,) = unmasked(officer)
    assert (row.actor, row.agency, row.outcome) == (ADMIN, HOSPITAL, "shown")
    assert (row.detail["purpose"], row.detail["as_for"]) == ("TREAT", CENTRE)
    assert row.reasons
    assert row.input_hash
    assert row.replay
    (line,) = casework.account(officer.parts, "kiem-soat", officer.case())
    assert (line["agency"], line["state"]) == (HOSPITAL, "unmasked")
    assert set(line["told"]) == {"demographics", "medical-exam"}


def test_what_the_officer_may_not_know_stays_masked(officer: World) -> None:
    """A school's support need is not a hospital's to know: masked, and the ledger says that it was withheld."""
    officer.fact("team", {"agency": SCHOOL, "role": "school"})
    officer.say(CENTRE, support())
    (need,) = messages(officer, SCHOOL, unmask=AS_DOCTOR)
    assert need["masked"]
    assert "Mẫu" not in need["message"]
    assert {(row.outcome, row.detail["as_for"]) for row in unmasked(officer)} >= {("withheld", SCHOOL)}


def test_a_supposition_opens_nothing_for_the_officer(officer: World) -> None:
    """What is supposed does not count for whoever looks: refused by the child, the officer sees it masked."""
    refusal = officer.fact("refusal", {"by": officer.child()})
    (only,) = messages(officer, CENTRE, Supposed(withdrawn=[refusal.fact]), unmask=AS_DOCTOR)
    assert only["masked"]


def test_only_a_named_officer_unmasks(officer: World) -> None:
    """Another administrator, another agency, or somebody who named themselves: refused, and nothing is shown."""
    with pytest.raises(Forbidden):
        preview(officer.parts, "nguoi-khac", officer.case(), unmask=AS_DOCTOR)
    with pytest.raises(Forbidden):
        preview(officer.parts, ADMIN, officer.case(), unmask=Unmask(CENTRE, "CAREMGT"))
    officer.fact("team", {"agency": CENTRE, "role": "owner", "officer": "tu-ghi"}, by="tu-ghi")
    with pytest.raises(Forbidden):
        preview(officer.parts, "tu-ghi", officer.case(), unmask=Unmask(CENTRE, "CAREMGT"))
    assert unmasked(officer) == []


def test_unmasking_needs_a_purpose_that_exists(officer: World) -> None:
    """A purpose that is no code is refused, and names the codes."""
    with pytest.raises(Invalid) as refused:
        preview(officer.parts, ADMIN, officer.case(), unmask=Unmask(HOSPITAL, "CURIOSITY"))
    assert "CAREMGT" in refused.value.faults[0].why


def test_an_officer_who_is_a_suspect_sees_nothing(officer: World) -> None:
    """The officer's agency bypassed for a suspect on its staff, nothing is unmasked (R40)."""
    person = officer.relate("Thử-Nghiệm Văn Bác-Sĩ")
    officer.fact("staff", {"person": person, "agency": HOSPITAL})
    officer.fact("suspect", {"person": person})
    (only,) = messages(officer, CENTRE, unmask=AS_DOCTOR)
    assert only["masked"]


def test_what_a_format_cannot_say_is_told_with_its_place(world: World, mother: str) -> None:
    """Something may leave and the recipient's format has no words for it: which, where and why, never a value."""
    both(world, mother)
    speaking = agency(CENTRE, "social", "social-work-centre", packs={"in": [], "out": "education/school-support"})
    world.parts.registry.add_all([speaking], "test")
    packs = {**world.parts.packs, "education/school-support": pack("education/school-support")}
    other = replace(world.parts, packs=packs)
    shown = preview(other, ADMIN, world.case(), Supposed())
    (message,) = next(each["messages"] for each in shown if each["agency"] == CENTRE)
    assert message["message"] == ""
    assert message["unwritable"] == "event: MessageHeader.eventCoding: this format has no message for this event"
