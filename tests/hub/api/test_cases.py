"""People with a role work on a case over HTTP; what their role does not allow is refused and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hub.security.roles import MAY
from hub.security.tokens import Role
from hub.storage import persons, tasks
from tests.fakes.door import Door
from tests.fakes.world import (
    CENTRE,
    HOSPITAL,
    NAME,
    PERSONAL_NUMBER,
    POLICE,
    SHELTER,
    consent,
    exam,
    forensic_request,
    order,
    patient,
)

WORKER, SECOND, CONSENTS, AUDITOR, OPERATOR = "can-bo-a", "can-bo-b", "quan-tri", "kiem-soat", "van-hanh"


@pytest.fixture
def door(door: Door) -> Door:
    """The hospital has sent an exam; five administrators work here."""
    door.know(HOSPITAL, SHELTER, POLICE)
    for name, role in (
        (WORKER, Role.CASE_WORKER),
        (SECOND, Role.CASE_WORKER),
        (CONSENTS, Role.CONSENT_ADMIN),
        (AUDITOR, Role.AUDITOR),
        (OPERATOR, Role.OPERATOR),
    ):
        door.hire(name, role)
    door.world.say(HOSPITAL, exam())
    return door


def tell(door: Door, who: str, path: str, body: Any = None, method: str = "POST") -> Any:
    """A request that must succeed."""
    answer = door.ask(who, method, path, json=body) if body is not None else door.ask(who, method, path)
    assert answer.status_code < 300, answer.text
    return answer.json()


def fact(door: Door, kind: str, body: dict[str, Any], who: str = WORKER) -> str:
    """Record a fact about the one child."""
    return str(tell(door, who, f"/cases/{door.world.case()}/facts", {"kind": kind, "body": body})["fact"])


def test_a_child_is_found_by_identifier(door: Door) -> None:
    """The search is a POST, finds exactly the child, and is audited."""
    asked = {"identifiers": [{"type": "NI", "value": PERSONAL_NUMBER}]}
    (found,) = tell(door, WORKER, "/cases/search", asked)["found"]
    assert found["case"] == door.world.case()
    door.clock.advance(seconds=1)
    assert tell(door, WORKER, "/cases/search", {"identifiers": [{"type": "NI", "value": "999"}]})["found"] == []
    rows = tell(door, AUDITOR, "/audit", method="GET")["audit"]
    assert [(row["actor"], row["outcome"]) for row in rows if row["kind"] == "read"] == [
        (WORKER, "found"),
        (WORKER, "not-found"),
    ]
    assert door.ask(WORKER, "POST", "/cases/search", json={"name": NAME}).status_code == 422


def test_facts_have_versions(door: Door) -> None:
    """A second version stands beside the first; both say who recorded them."""
    case = door.world.case()
    first = fact(door, "birth-date", {"date": "2016-05-20"})
    tell(door, SECOND, f"/cases/{case}/facts/{first}", {"kind": "birth-date", "body": {"date": "2016-05-21"}}, "PUT")
    versions = tell(door, WORKER, f"/cases/{case}/facts?kind=birth-date", method="GET")["facts"]
    assert [(one["version"], one["by"], one["current"]) for one in versions] == [(1, WORKER, False), (2, SECOND, True)]


def test_a_wrong_fact_names_its_place(door: Door) -> None:
    """422 with each field, without its value; what the hub itself keeps cannot be set from outside."""
    path = f"/cases/{door.world.case()}/facts"
    wrong = door.ask(WORKER, "POST", path, json={"kind": "birth-date", "body": {"date": NAME}})
    assert (wrong.status_code, wrong.json()["errors"][0]["place"]) == (422, "date")
    assert NAME not in wrong.text
    claimed = door.ask(WORKER, "POST", path, json={"kind": "order", "body": order({}) | {"verified_by": WORKER}})
    assert claimed.status_code == 422
    assert door.ask(WORKER, "POST", path, json={"kind": "no-such-kind", "body": {}}).status_code == 422
    assert door.ask(WORKER, "POST", "/cases/unknown/facts", json={"kind": "plan", "body": {}}).status_code in (404, 422)


def test_an_order_takes_a_second_person(door: Door) -> None:
    """Who entered it cannot verify it; somebody else can."""
    case = door.world.case()
    entered = fact(door, "order", order({POLICE: ("forensic",)}))
    path = f"/cases/{case}/orders/{entered}/verify"
    assert door.ask(WORKER, "POST", path, json={}).status_code == 403
    assert tell(door, SECOND, path, {})["body"]["verified_by"] == SECOND


def test_clearing_a_suspect_takes_two(door: Door) -> None:
    """The same person twice is one person."""
    case = door.world.case()
    father = tell(door, WORKER, f"/cases/{case}/persons", {"name": "Thử-Nghiệm Văn Cha"})["person"]
    path = f"/cases/{case}/suspects/{fact(door, 'suspect', {'person': father})}/clear"
    tell(door, WORKER, path)
    assert tell(door, WORKER, path)["body"]["cleared_by"] == [WORKER]
    assert tell(door, SECOND, path)["body"]["cleared_by"] == [WORKER, SECOND]


def test_what_an_agency_has_not_fetched_is_not_the_hubs_delay(door: Door) -> None:
    """Ten minutes in an inbox leave health in time; ten minutes that the hub has not sent do not."""

    def shown() -> str:
        return str(door.http.get("/health").json()["deliveries"])

    fact(door, "team", {"agency": SHELTER, "role": "shelter"})
    door.world.say(POLICE, forensic_request())
    assert {"pending"} == set(door.world.states(SHELTER)) == set(door.world.states(HOSPITAL))
    door.clock.advance(minutes=10)
    assert shown() == "late"
    door.world.deliver_all()
    assert set(door.world.states(SHELTER)) == {"pending"}
    assert shown() == "in time"


def test_a_consent_flows_and_is_withdrawn(door: Door) -> None:
    """The shelter fetches on consent; after the withdrawal the rest is gone, and a recall waits."""
    case, child = door.world.case(), door.world.child()
    fact(door, "birth-date", {"date": "2016-05-20"})
    fact(door, "team", {"agency": SHELTER, "role": "shelter"})
    mother = tell(door, WORKER, f"/cases/{case}/persons", {"name": "Thử-Nghiệm Thị Mẹ"})["person"]
    fact(door, "guardian", {"person": mother, "role": "MTH"})
    fact(door, "consent", consent(mother, "representative", SHELTER, child), CONSENTS)
    own = fact(door, "consent", consent(child, "child", SHELTER, child), CONSENTS)
    inbox = f"/agencies/{SHELTER}/inbox"
    waiting = tell(door, SHELTER, inbox, method="GET")["deliveries"]
    fetched = door.ask(SHELTER, "GET", f"{inbox}/{waiting[0]['delivery']}")
    assert fetched.status_code == 200
    assert fetched.headers["hub-message-id"]
    assert "260385009" not in fetched.text
    assert door.ask(SHELTER, "POST", f"{inbox}/{waiting[0]['delivery']}/ack").status_code == 204
    door.world.say(HOSPITAL, exam("EX-2"))
    held_back = tell(door, SHELTER, inbox, method="GET")["deliveries"][0]["delivery"]
    ended = door.ask(CONSENTS, "POST", f"/cases/{case}/consents/{own}/withdraw", json={"by": child})
    assert ended.status_code in (200, 202)
    followed = door.ask(CONSENTS, "GET", ended.headers["location"])
    assert (followed.status_code, bool(followed.json()["effective_at"])) == (200, True)
    assert door.ask(SHELTER, "GET", f"{inbox}/{held_back}").status_code == 404
    (recall,) = tell(door, SHELTER, inbox, method="GET")["deliveries"]
    recalled = door.ask(SHELTER, "GET", f"{inbox}/{recall['delivery']}")
    assert fetched.headers["hub-message-id"] in recalled.text
    assert NAME not in recalled.text
    told = tell(door, AUDITOR, f"/cases/{case}/account", method="GET")["account"]
    assert SHELTER in str(told)


def test_a_preview_is_masked_and_supposes(door: Door) -> None:
    """What the shelter would receive if both consented, without a name or a number; nothing is recorded by asking."""
    case, child = door.world.case(), door.world.child()
    fact(door, "birth-date", {"date": "2016-05-20"})
    fact(door, "team", {"agency": SHELTER, "role": "shelter"})
    mother = tell(door, WORKER, f"/cases/{case}/persons", {"name": "Thử-Nghiệm Thị Mẹ"})["person"]
    fact(door, "guardian", {"person": mother, "role": "MTH"})
    given = [consent(mother, "representative", SHELTER, child), consent(child, "child", SHELTER, child)]

    def shown(answer: Any) -> list[Any]:
        return next(one["messages"] for one in answer["agencies"] if one["agency"] == SHELTER)

    assert shown(tell(door, CONSENTS, f"/cases/{case}/preview", method="GET")) == []
    supposed = tell(door, CONSENTS, f"/cases/{case}/preview", {"given": given})
    assert shown(supposed)
    assert NAME not in str(supposed)
    assert PERSONAL_NUMBER not in str(supposed)
    assert shown(tell(door, CONSENTS, f"/cases/{case}/preview", method="GET")) == []


def test_a_preview_supposes_a_suspect_a_birthday_and_an_order(door: Door) -> None:
    """Each field of the request is read; what is not on record is refused by name."""
    case, path = door.world.case(), f"/cases/{door.world.case()}/preview"
    father = tell(door, WORKER, f"/cases/{case}/persons", {"name": "Thử-Nghiệm Văn Cha"})["person"]
    entered = fact(door, "order", order({POLICE: ("forensic",)}))
    asked = {"suspects": [father], "verified": [entered], "on": "2032-05-20", "lang": "vi"}
    assert tell(door, CONSENTS, path, asked)["agencies"]
    for wrong in ({"suspects": ["x"]}, {"verified": ["x"]}, {"withdrawn": ["x"]}, {"on": "2001-01-01"}, {"lang": "fr"}):
        assert door.ask(CONSENTS, "POST", path, json=wrong).status_code == 422


def test_a_consent_is_recorded_with_what_its_writer_should_see(door: Door) -> None:
    """Without evidence or end it is recorded with warnings; an empty nested permit is refused, by its place."""
    case, child = door.world.case(), door.world.child()
    body = consent(child, "child", SHELTER, child) | {"evidence": ""}
    path = f"/cases/{case}/facts"
    kept = tell(door, CONSENTS, path, {"kind": "consent", "body": body})
    assert {"no-evidence", "no-end"} <= {one["code"] for one in kept["warnings"]}
    assert all(one["vi"] and one["en"] and one["place"] for one in kept["warnings"])
    body["resource"]["provision"]["provision"] = [{"type": "permit"}]
    refused = door.ask(CONSENTS, "POST", path, json={"kind": "consent", "body": body})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["place"] == "provision.provision[0]"


def test_unmasking_over_http_needs_a_named_officer_and_a_purpose(door: Door) -> None:
    """Nobody's officer hears 403; without a purpose the request is not understood."""
    path = f"/cases/{door.world.case()}/preview"
    unmask = {"agency": HOSPITAL, "purpose": "TREAT"}
    assert door.ask(CONSENTS, "POST", path, json={"unmask": unmask}).status_code == 403
    assert door.ask(CONSENTS, "POST", path, json={"unmask": {"agency": HOSPITAL}}).status_code == 422
    fact(door, "team", {"agency": HOSPITAL, "role": "clinician", "officer": CONSENTS})
    assert tell(door, CONSENTS, path, {"unmask": unmask})["agencies"]


def test_a_decision_is_explained_over_http(door: Door) -> None:
    """The decisions of a case are listed and explained in the asked language; a recipient's form is constant."""
    fact(door, "birth-date", {"date": "2016-05-20"})
    fact(door, "team", {"agency": POLICE, "role": "owner"})
    fact(door, "team", {"agency": CENTRE, "role": "owner"})
    door.world.deliver_all()
    (one,) = tell(door, AUDITOR, f"/cases/{door.world.case()}/decisions", method="GET")["decisions"]
    path = f"/audit/{one['record']}/explanation"
    told = tell(door, CONSENTS, f"{path}?lang=vi", method="GET")
    assert told["same_again"] is True
    assert "không được gửi" in " ".join(told["explanation"])
    recipients = tell(door, CONSENTS, f"{path}?lang=en&audience=recipient", method="GET")
    assert set(recipients) == {"lang", "audience", "explanation"}
    assert door.ask(CONSENTS, "GET", "/audit/no-such/explanation").status_code == 404


def test_an_uncertain_match_is_decided_by_a_person(door: Door) -> None:
    """A child known only by name is held for review; once linked, it is the known child's case."""
    unsure = patient(number="", record="")
    door.world.say(HOSPITAL, exam("EX-9", child=unsure))
    with door.parts.store.read() as unit:
        (task,) = tasks.listing(unit, kinds=["match-review"])
        cases = {one.id for one in persons.cases(unit)}
    listed = tell(door, WORKER, "/tasks?kind=match-review", method="GET")["tasks"]
    assert [one["id"] for one in listed] == [task.id]
    assert NAME not in str(listed)
    assert len(cases) == 2
    asked = {"identifiers": [{"type": "NI", "value": PERSONAL_NUMBER}]}
    (known,) = tell(door, WORKER, "/cases/search", asked)["found"]
    linked = tell(door, WORKER, f"/matches/{task.id}", {"same_as": known["person"]})
    assert linked["case"] == known["case"]
    assert door.ask(WORKER, "POST", f"/matches/{task.id}", json={"same_as": None}).status_code == 409


def test_a_case_is_closed_and_erased_by_two_persons(door: Door) -> None:
    """Each call answers how the case stands; what was erased answers 410."""
    door.world.say(HOSPITAL, exam())
    asked = {"identifiers": [{"type": "NI", "value": PERSONAL_NUMBER}]}
    (case,) = [each["case"] for each in tell(door, WORKER, "/cases/search", asked)["found"]]
    for act, before, after in (("close", "open", "closed"), ("erase", "closed", "erased")):
        assert tell(door, WORKER, f"/cases/{case}/{act}") == {"case": case, "state": before, "waits": True}
        assert tell(door, CONSENTS, f"/cases/{case}/{act}") == {"case": case, "state": after, "waits": False}
    fact = {"kind": "birth-date", "body": {"date": "2016-05-20"}}
    assert door.ask(WORKER, "POST", f"/cases/{case}/facts", json=fact).status_code == 410


EVERY = {
    "agency-add": ("POST", "/agencies", []),
    "agency-secret": ("GET", f"/agencies/{POLICE}/secret", None),
    "admin-list": ("GET", "/administrators", None),
    "message-list": ("GET", "/messages", None),
    "delivery-retry": ("POST", "/deliveries/x/retry", None),
    "refusal-list": ("GET", "/refusals", None),
    "case-find": ("POST", "/cases/search", {"identifiers": [{"type": "NI", "value": "1"}]}),
    "case-read": ("GET", "/cases/x/facts", None),
    "person-relate": ("POST", "/cases/x/persons", {}),
    "fact-record": ("POST", "/cases/x/facts", {"kind": "plan", "body": {}}),
    "consent-record": ("POST", "/cases/x/facts", {"kind": "consent", "body": {}}),
    "suspect-clear": ("POST", "/cases/x/suspects/y/clear", None),
    "override-approve": ("POST", "/cases/x/overrides/y/approve", None),
    "order-verify": ("POST", "/cases/x/orders/y/verify", {}),
    "case-end": ("POST", "/cases/x/close", None),
    "match-resolve": ("POST", "/matches/x", {"same_as": None}),
    "consent-withdraw": ("POST", "/cases/x/consents/y/withdraw", {"by": "z"}),
    "preview": ("GET", "/cases/x/preview", None),
    "explain": ("GET", "/audit/x/explanation", None),
    "audit-list": ("GET", "/audit", None),
    "case-account": ("GET", "/cases/x/account", None),
}
"""One request for each thing that a role may do."""


def test_roles_are_enforced(door: Door) -> None:
    """Whoever lacks the role hears 403 (an agency always), a stranger 401, and nobody else either."""
    people = {WORKER: Role.CASE_WORKER, CONSENTS: Role.CONSENT_ADMIN, AUDITOR: Role.AUDITOR, OPERATOR: Role.OPERATOR}
    for what, (method, path, body) in EVERY.items():
        sent = {} if body is None else {"json": body}
        for who, role in people.items():
            status = door.ask(who, method, path, **sent).status_code
            assert (status == 403) is (role not in MAY[what]), (what, who, status)
        assert door.ask(HOSPITAL, method, path, **sent).status_code == 403
        assert door.http.request(method, path, **sent).status_code == 401


def test_every_permission_is_tried() -> None:
    """A new permission needs a line in the table above, or is open to every role."""
    untried = set(MAY) - set(EVERY) - {"admin-add", "admin-disable"}
    assert all(MAY[what] == frozenset(Role) for what in untried)
