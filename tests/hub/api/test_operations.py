"""Operators see states, ids and reasons, never a child; auditors see the ledger; the registry keeps its versions."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import structlog

from hub import logging
from hub.errors import Permanent
from hub.security.signing import webhook_is_signed
from hub.security.tokens import Role
from tests.fakes.door import JWKS, Door
from tests.fakes.world import (
    DECISION,
    HOSPITAL,
    NAME,
    PERSONAL_NUMBER,
    POLICE,
    SCHOOL,
    agency,
    exam,
    forensic_request,
    order,
)

OPERATOR, AUDITOR, WORKER, SECOND = "van-hanh", "kiem-soat", "can-bo-a", "can-bo-b"


@pytest.fixture
def door(door: Door) -> Door:
    """Somebody for each role that is needed here."""
    door.know(HOSPITAL, POLICE)
    door.hire(OPERATOR, Role.OPERATOR)
    door.hire(AUDITOR, Role.AUDITOR)
    door.hire(WORKER, Role.CASE_WORKER)
    door.hire(SECOND, Role.CASE_WORKER)
    return door


def read(door: Door, path: str, who: str = OPERATOR) -> Any:
    """A GET that must succeed."""
    answer = door.ask(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_registry_takes_all_or_none(door: Door) -> None:
    """One wrong entry of two: neither is kept, and each place is named."""
    good, wrong = agency("phap-y-mau", "health", "forensic-centre"), agency("Not An Id", "health", "exam-unit")
    answer = door.ask(OPERATOR, "POST", "/agencies", json=[good, wrong])
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (422, "agencies[1].id")
    known = {one["id"] for one in read(door, "/agencies")["agencies"]}
    assert "phap-y-mau" not in known
    assert door.ask(OPERATOR, "POST", "/agencies", json=good).status_code == 201
    assert read(door, "/agencies/phap-y-mau")["unit"] == "forensic-centre"


def test_ids_are_not_shared(door: Door) -> None:
    """An administrator and an agency never have the same id, whoever came first."""
    taken = door.ask(OPERATOR, "POST", "/agencies", json=agency(WORKER, "health", "exam-unit"))
    assert taken.json()["errors"][0]["kind"] == "taken"
    body = {"id": HOSPITAL, "roles": ["auditor"], "jwks": JWKS}
    assert door.ask(OPERATOR, "POST", "/administrators", json=body).status_code == 409
    private = {"keys": [{"kty": "EC", "kid": "x", "crv": "P-384", "x": "AA", "y": "AA", "d": "AA"}]}
    bad = {"id": "moi", "roles": ["auditor"], "jwks": private}
    assert door.ask(OPERATOR, "POST", "/administrators", json=bad).status_code == 422


def test_a_webhooks_secret_signs(door: Door) -> None:
    """The secret that operators hand over is the one that messages are signed with."""
    from hub.security import signing

    secret = bytes.fromhex(read(door, f"/agencies/{SCHOOL}/secret")["secret"])
    made = signing.sign_webhook(signing.webhook_secret(door.parts.vault, SCHOOL, 1), b"body", door.clock.now())
    assert webhook_is_signed(secret, b"body", made, door.clock.now())
    assert not webhook_is_signed(secret, b"other", made, door.clock.now())


def test_an_operator_sees_states_and_no_child(door: Door) -> None:
    """Messages, deliveries, refusals and tasks by id, state and reason."""
    kept = door.world.say(HOSPITAL, exam())
    door.world.say(POLICE, forensic_request())
    door.world.deliver_all()
    door.ask(HOSPITAL, "POST", f"/agencies/{HOSPITAL}/messages", content=NAME.encode())
    seen = [
        read(door, path)
        for path in ("/messages", f"/messages/{kept.message}", "/deliveries", "/refusals", "/tasks", "/agencies")
    ]
    assert [one["id"] for one in seen[0]["messages"]].count(kept.message) == 1
    assert seen[1]["strands"][0]["state"] == "ready"
    text = json.dumps(seen, ensure_ascii=False)
    for secret in (NAME, PERSONAL_NUMBER, DECISION, "Thử-Nghiệm"):
        assert secret not in text


def test_a_parked_delivery_goes_on(door: Door) -> None:
    """Only a parked one can be retried, by an operator, and the ledger says who did it."""
    door.world.say(POLICE, forensic_request())
    case = door.world.case()
    opened = order({HOSPITAL: ("demographics", "referral")})
    entered = door.ask(WORKER, "POST", f"/cases/{case}/facts", json={"kind": "order", "body": opened})
    door.ask(SECOND, "POST", f"/cases/{case}/orders/{entered.json()['fact']}/verify", json={})
    door.world.wire.failures = [Permanent("The recipient refused the message.", kind="http-400")] * 9
    door.world.deliver_all()
    parked = read(door, "/deliveries?state=parked")["deliveries"]
    assert parked, "a permanent failure parks"
    path = f"/deliveries/{parked[0]['id']}/retry"
    door.world.wire.failures = []
    assert door.ask(OPERATOR, "POST", path).status_code == 202
    door.world.deliver_all()
    assert door.ask(OPERATOR, "POST", path).status_code == 409
    rows = read(door, f"/audit?delivery={parked[0]['id']}", AUDITOR)["audit"]
    assert (OPERATOR, "delivery-retry") in [(row["actor"], row["outcome"]) for row in rows]
    assert door.ask(OPERATOR, "POST", "/deliveries/none/retry").status_code == 404


def test_the_ledger_is_read_in_pages(door: Door) -> None:
    """Following `next` gives every row once, in order."""
    for number in range(5):
        door.clock.advance(seconds=1)
        door.world.say(HOSPITAL, exam(f"EX-{number}"))
    whole = [row["id"] for row in read(door, "/audit?limit=1000", AUDITOR)["audit"]]
    found: list[str] = []
    after = ""
    while True:
        page = read(door, f"/audit?limit=2&after={after}", AUDITOR)
        found += [row["id"] for row in page["audit"]]
        after = page["next"]
        if not after:
            break
    assert found == whole
    assert door.ask(AUDITOR, "GET", "/audit?after=nonsense").status_code == 422


def test_metrics_are_for_operators(door: Door) -> None:
    """Off this machine they need the role; they count and name nobody."""
    assert door.http.get("/metrics").status_code == 401
    door.world.say(HOSPITAL, exam())
    text = door.ask(OPERATOR, "GET", "/metrics").text
    assert "hub_http_requests_total" in text
    assert HOSPITAL not in text


def test_health_is_open_and_says_little(door: Door) -> None:
    """200 while the database answers, 503 when it does not."""
    assert door.http.get("/health").json() == {"status": "ok", "deliveries": "in time"}
    good = door.parts.store.read
    door.parts.store.read = lambda: (_ for _ in ()).throw(OSError("secret path"))  # type: ignore[method-assign]
    failing = door.http.get("/health")
    door.parts.store.read = good  # type: ignore[method-assign]
    assert (failing.status_code, failing.json()) == (503, {"status": "failing"})


def test_the_access_log_names_routes_not_addresses(door: Door) -> None:
    """Whatever stands in an address, a query or a body: the log holds the route as written in the code."""
    written = io.StringIO()
    logging.configure(written)
    try:
        door.http.get(f"/cases/{PERSONAL_NUMBER}/facts?kind={NAME}")
        door.http.get(f"/{PERSONAL_NUMBER}")
        door.ask(HOSPITAL, "POST", f"/agencies/{HOSPITAL}/messages", content=json.dumps(exam()).encode())
        door.http.request("NGUYEN", f"/agencies/{NAME}")
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    routes = [line["route"] for line in lines if line["event"] == "request"]
    assert "/cases/{case}/facts" in routes
    assert "/agencies/{agency}/messages" in routes
    for secret in (NAME, PERSONAL_NUMBER, "NGUYEN", "Mẫu"):
        assert secret not in written.getvalue()


def test_the_api_describes_itself(door: Door) -> None:
    """OpenAPI lists every route with a summary, and no address has a place for personal data."""
    found = door.http.get("/openapi.json").json()
    for path, operations in found["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
        for name in ("name", "birth", "number", "identifier"):
            assert f"{{{name}" not in path
