"""Decisions that the ledger keeps can be listed, read back, made again and explained."""

from __future__ import annotations

import json

import pytest

from hub import explaining
from hub.errors import NotFound
from hub.replaying import kept_by
from hub.storage import audits
from tests.conftest import SetClock
from tests.fakes.world import CENTRE, HOSPITAL, NAME, SCHOOL, World, consent, exam, support

ADMIN = "quan-tri"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Nothing here depends on which database keeps it."""


@pytest.fixture
def world(world: World) -> World:
    """The school was told, the centre was not; the ledger keeps both decisions."""
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2016-05-20"})
    world.fact("team", {"agency": SCHOOL, "role": "school"})
    world.fact("plan", {"members": [SCHOOL], "approved_by": "truong-phong"})
    world.fact("consent", consent(world.child(), "child", CENTRE, world.child()), by=ADMIN)
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    world.say(CENTRE, support())
    world.deliver_all()
    return world


def records(world: World) -> dict[str, str]:
    """Agency -> the newest decision about what it may be told."""
    return {str(each["agency"]): str(each["record"]) for each in explaining.decisions(world.parts, ADMIN, world.case())}


def test_the_decisions_of_a_case_are_listed(world: World) -> None:
    """What was told and what was withheld, by agency, event and outcome."""
    found = {each["agency"]: each for each in explaining.decisions(world.parts, ADMIN, world.case())}
    assert (found[SCHOOL]["kind"], found[SCHOOL]["decision"]) == ("attempt", "PERMIT")
    assert (found[CENTRE]["kind"], found[CENTRE]["decision"]) == ("withheld", "DENY")


def test_a_refusal_is_explained_years_later(world: World) -> None:
    """Both languages say what stays and whose consent is missing; decided again, the decision is equal."""
    for lang, missing in (("vi", "người đại diện khác"), ("en", "another representative")):
        told = explaining.explain(world.parts, ADMIN, records(world)[CENTRE], lang)  # type: ignore[arg-type]
        said = " ".join(told["explanation"])
        assert missing in said
        assert told["same_again"] is True
        assert any(item["view"] == "none" and item["changes"] for item in told["items"])
        assert NAME not in json.dumps(told, ensure_ascii=False, default=str)


def test_a_message_that_left_is_explained(world: World) -> None:
    """What left says on which ground, and what would stop it."""
    told = explaining.explain(world.parts, ADMIN, records(world)[SCHOOL], "en")
    assert told["decision"] == "PERMIT"
    assert any("plan-ended" in codes for item in told["items"] for codes in (c["codes"] for c in item["changes"]))


def test_every_recipient_is_told_the_same(world: World) -> None:
    """The form for a recipient holds no decision, and is the same for one that was told and one that was not."""
    forms = [explaining.explain(world.parts, ADMIN, record, "vi", "recipient") for record in records(world).values()]
    assert len(forms) > 1
    assert all(form == forms[0] for form in forms)
    assert set(forms[0]) == {"lang", "audience", "explanation"}


def test_explaining_is_audited(world: World, clock: SetClock) -> None:
    """Whoever lists or explains decisions about a child stands in the ledger."""
    record = records(world)[CENTRE]
    clock.advance(seconds=1)
    explaining.explain(world.parts, ADMIN, record, "vi")
    with world.parts.store.read() as unit:
        read = [each.entry for each in audits.listing(unit, case=world.case(), kinds=("read",))]
    assert [each.outcome for each in read if each.actor == ADMIN] == ["decisions", "explained"]
    assert read[-1].detail == {"record": record}


def test_a_kept_decision_is_read_back_as_it_was(world: World) -> None:
    """Arguments and answer come back as the very values: dates stay dates, moments moments."""
    with world.parts.store.read() as unit:
        row, kept = kept_by(world.parts, unit, records(world)[CENTRE])
    assert kept.decision.input_hash == row.entry.input_hash
    assert kept.facts.birth_date is not None
    assert str(kept.facts.birth_date) == "2016-05-20"
    assert kept.at.tzinfo is not None


def test_what_keeps_no_decision_is_not_explained(world: World) -> None:
    """An unknown row, or one without a decision, is not found."""
    with world.parts.store.read() as unit:
        fact = audits.listing(unit, case=world.case(), kinds=("fact",))[0].id
    for record in ("no-such-row", fact):
        with pytest.raises(NotFound):
            explaining.explain(world.parts, ADMIN, record, "vi")
