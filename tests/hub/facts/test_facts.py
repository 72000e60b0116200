"""Facts: checked when recorded, kept in every version, and never more than what a person with a role said."""

from __future__ import annotations

import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from consent.model import Facts, Tie
from hub import casework, facts
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.security.vault import Vault
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.world import AGENCIES, HOSPITAL, POLICE, SCHOOL, SHELTER, World, consent, exam, forensic_request, order


@pytest.fixture
def world(store: Store, vault: Vault, clock: SetClock) -> World:
    """A hub that knows one child."""
    made = World(store, vault, clock)
    made.say(HOSPITAL, exam())
    return made


def test_every_kind_of_fact_is_read_by_a_decision(world: World) -> None:
    """What people recorded is what a decision sees, each with its id and version."""
    person = world.relate("Người Thử-Nghiệm")
    for kind, body in {
        "birth-date": {"date": "2016-05-20"},
        "guardian": {"person": person, "role": "MTH"},
        "household": {"person": person},
        "kin": {"person": person},
        "associate": {"person": person},
        "staff": {"person": person, "agency": SCHOOL},
        "suspect": {"person": person},
        "no-contact": {"person": person, "bars_representation": True},
        "team": {"agency": SCHOOL, "role": "school"},
        "treating": {"agency": HOSPITAL},
        "plan": {"members": [SCHOOL], "approved_by": "truong-phong"},
        "refusal": {"by": world.child(), "recipient": POLICE},
        "order": order({POLICE: ("forensic",)}),
        "emergency": {"agency": POLICE, "reason": "nguy hiểm (thử)"},
        "report": {"owed_to": [POLICE]},
        "authority": {"kind": "stop"},
        "consent": consent(person, "representative", SHELTER, world.child()),
    }.items():
        world.fact(kind, body)
    held = _facts(world)
    assert {each.tie for each in held.relationships} == set(Tie)
    assert all(
        len(part) == 1
        for part in (
            held.suspicions, held.no_contacts, held.team, held.treating, held.plans, held.refusals, held.orders,
            held.emergencies, held.reports, held.authorities, held.consents,
        )
    )  # fmt: skip
    assert str(held.birth_date) == "2016-05-20"
    assert held.epoch == 17


def test_a_fact_names_only_whom_the_case_knows(world: World) -> None:
    """A person of another case, or an agency that is not registered, cannot be named."""
    with pytest.raises(Invalid):
        world.fact("household", {"person": "khong-co"})
    with pytest.raises(Invalid):
        world.fact("treating", {"agency": "khong-co"})
    with pytest.raises(Invalid):
        world.fact("khong-co", {})


def test_an_invalid_fact_is_named_by_place_and_never_by_value(world: World) -> None:
    """A refusal says where the fault is and does not repeat what was given."""
    with pytest.raises(Invalid) as refused:
        world.fact("birth-date", {"date": "BÍ-MẬT"})
    assert refused.value.faults[0].place == "date"
    assert "BÍ-MẬT" not in str(refused.value.faults)


def test_who_did_it_is_never_taken_from_outside(world: World) -> None:
    """A body that says who verified, set, cleared or withdrew is refused; claims are not recorded by hand."""
    person = world.relate("Người Thử-Nghiệm")
    for kind, body in (
        ("order", order({POLICE: ("forensic",)}) | {"verified_by": "can-bo-b"}),
        ("suspect", {"person": person, "cleared_by": ["a", "b"]}),
        ("authority", {"kind": "override", "approved_by": "can-bo-b"}),
        ("consent", consent(person, "representative", SHELTER, world.child()) | {"suspended": False}),
    ):
        with pytest.raises(Invalid):
            world.fact(kind, body)
    with pytest.raises(Forbidden):
        world.fact("consent-claim", {"kind": "consent", "agency": POLICE, "strand": "x"})


def test_every_version_is_kept(world: World) -> None:
    """A corrected fact is a new version with its own author; the old one stays in the history and is read no more."""
    first = world.fact("birth-date", {"date": "2016-05-21"})
    second = casework.record(world.parts, "can-bo-b", world.case(), "birth-date", {"date": "2016-05-20"}, first.fact)
    assert second.version == 2
    told = casework.history(world.parts, "can-bo-a", world.case(), "birth-date")
    assert [(each.by, each.current) for each in told] == [("can-bo-a", False), ("can-bo-b", True)]
    assert str(_facts(world).birth_date) == "2016-05-20"
    with pytest.raises(NotFound):
        casework.record(world.parts, "can-bo-b", world.case(), "team", {"agency": POLICE}, first.fact)


def test_a_suspect_cannot_be_edited_away(world: World) -> None:
    """A suspicion ends only by two persons who clear it: a new version with an end date is refused."""
    person = world.relate("Người Thử-Nghiệm")
    set_ = world.fact("suspect", {"person": person})
    ended = {"person": person, "end": "2026-01-01T00:00:00Z"}
    with pytest.raises(Forbidden):
        casework.record(world.parts, "can-bo-a", world.case(), "suspect", ended, set_.fact)
    assert _facts(world).suspicions[0].set_by == "can-bo-a"


def test_an_order_is_verified_by_a_second_person(world: World) -> None:
    """Whoever entered it cannot verify it; a changed order has to be verified again."""
    entered = world.fact("order", order({POLICE: ("forensic",)}))
    with pytest.raises(Forbidden):
        casework.verify_order(world.parts, "can-bo-a", world.case(), entered.fact)
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    assert _facts(world).orders[0].verified_by == "can-bo-b"
    wider = order({POLICE: ("forensic", "mental-health")})
    casework.record(world.parts, "can-bo-b", world.case(), "order", wider, entered.fact)
    assert _facts(world).orders[0].verified_by == ""


def test_an_order_is_verified_by_the_issuing_bodys_signature(world: World) -> None:
    """A detached signature with the body's registered key verifies it; any other, or over other content, does not."""
    key = ECKey.generate_key("P-384", {"kid": "k1"})
    police = next(dict(each) for each in AGENCIES if each["id"] == POLICE)
    world.parts.registry.add(police | {"jwks": {"keys": [key.as_dict(private=False) | {"kid": "k1"}]}}, "test")
    entered = world.fact("order", order({POLICE: ("forensic",)}))
    assert entered.body is not None
    signed = _detached(key, casework.order_payload(entered.body))
    with pytest.raises(Invalid):
        casework.verify_order(
            world.parts, "can-bo-a", world.case(), entered.fact, _detached(key, b'{"number":"other"}')
        )
    casework.verify_order(world.parts, "can-bo-a", world.case(), entered.fact, signed)
    assert _facts(world).orders[0].verified_by == "signature:k1"


def test_verifying_an_order_settles_the_claim_it_answers(world: World) -> None:
    """The task that a decision number raised is closed once an order of that number is verified."""
    world.say(POLICE, forensic_request())
    assert ("order-claim", "claimed") in world.tasks()
    entered = world.fact("order", order({POLICE: ("forensic",)}))
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    assert ("order-claim", "claimed") not in world.tasks()


def test_a_claim_becomes_a_consent_only_with_evidence(world: World) -> None:
    """An agency's own consent flag stays a claim until an administrator adds stored evidence (R12)."""
    mother = world.relate("Thử-Nghiệm Thị Mẹ")
    claimed = forensic_request("RQ-9")
    claimed["entry"][0]["resource"]["extension"][0]["extension"][0]["valueCode"] = "consent"
    world.say(POLICE, claimed)
    (claim,) = casework.history(world.parts, "quan-tri", world.case(), "consent-claim")
    body = consent(mother, "representative", SHELTER, world.child())
    with pytest.raises(Invalid):
        casework.turn_into_consent(world.parts, "quan-tri", world.case(), claim.fact, body | {"evidence": ""})
    kept = casework.turn_into_consent(world.parts, "quan-tri", world.case(), claim.fact, body)
    assert [each.ref.id for each in _facts(world).consents] == [kept.fact]
    assert ("consent-claim", "claimed") not in world.tasks()


def test_a_withdrawn_consent_cannot_be_edited_back(world: World) -> None:
    """A new version of a withdrawn consent is a conflict: consent given again is a new fact."""
    given = world.fact("consent", consent(world.child(), "child", SHELTER, world.child()))
    casework.withdraw(world.parts, "quan-tri", world.case(), given.fact, world.child())
    with pytest.raises(Conflict):
        casework.record(
            world.parts, "quan-tri", world.case(), "consent", consent(world.child(), "child", SHELTER, world.child()),
            given.fact,
        )  # fmt: skip


def test_an_override_takes_an_approver_who_did_not_ask(world: World) -> None:
    """Whoever asks for an override cannot approve it (R29)."""
    asked = world.fact("authority", {"kind": "override", "legal_basis": "Điều 1", "reason": "thử", "agency": POLICE})
    with pytest.raises(Forbidden):
        casework.approve(world.parts, "can-bo-a", world.case(), asked.fact)
    casework.approve(world.parts, "can-bo-b", world.case(), asked.fact)
    assert (_facts(world).authorities[0].requested_by, _facts(world).authorities[0].approved_by) == (
        "can-bo-a", "can-bo-b",
    )  # fmt: skip


def test_facts_are_sealed(world: World) -> None:
    """No word of a fact stands in the database in plain text."""
    world.relate("Bí-Mật Thử-Nghiệm")
    with world.parts.store.read() as unit:
        rows = unit.exec_driver_sql("SELECT body FROM related_person").all()
        rows += unit.exec_driver_sql("SELECT bundle FROM strand").all()
    assert rows
    assert all("Nghiệm".encode() not in bytes(row[0]) for row in rows)


def _facts(world: World) -> Facts:
    with world.parts.store.read() as unit:
        return facts.facts_of(unit, world.parts.vault, world.case())


def _detached(key: ECKey, payload: bytes) -> str:
    whole = jws.serialize_compact({"alg": "ES384", "kid": "k1"}, payload, key, algorithms=["ES384"])
    header, _, signature = whole.split(".")
    assert json.loads(payload)
    return f"{header}..{signature}"
