"""What an agency says over HTTP is kept or clearly refused, in its own terms, and leaves nothing half-done."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from hub import casework
from hub.api.messages import Handing
from hub.envelope import Fetched
from hub.storage import overview
from tests.fakes.door import EC, RSA, Door, places
from tests.fakes.evidence import PICTURE, evidence, for_officer
from tests.fakes.world import HOSPITAL, NAME, PERSONAL_NUMBER, POLICE, SHELTER, exam, forensic_request, order, patient

MESSAGES = f"/agencies/{HOSPITAL}/messages"


@pytest.fixture
def door(door: Door) -> Door:
    """The hospital and the police have keys."""
    door.know(HOSPITAL, POLICE)
    return door


def say(door: Door, body: Any, **headers: str) -> Any:
    """The hospital says something."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    given = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return door.ask(HOSPITAL, "POST", MESSAGES, content=raw, headers=given)


def kept(door: Door) -> int:
    """How many messages the hub holds."""
    with door.parts.store.read() as unit:
        return len(overview.messages(unit))


def test_a_message_is_kept_and_followed(door: Door) -> None:
    """The answer comes after the commit and says where to ask what became of it."""
    answer = say(door, exam())
    assert (answer.status_code, answer.json()["state"]) == (202, "stored")
    assert kept(door) == 1
    asked = door.ask(HOSPITAL, "GET", answer.headers["location"])
    assert (asked.status_code, asked.json()["state"]) == (200, "stored")
    assert NAME not in asked.text


def test_nobody_may_ask_after_a_message_of_another(door: Door) -> None:
    """Neither under its own name nor under the sender's; the answers say nothing of whether it exists."""
    message = say(door, exam()).json()["message"]
    under_own = door.ask(POLICE, "GET", f"/agencies/{POLICE}/messages/{message}")
    nothing = door.ask(POLICE, "GET", f"/agencies/{POLICE}/messages/{'0' * 32}")
    assert (under_own.status_code, under_own.text) == (404, nothing.text)
    assert door.ask(POLICE, "GET", f"{MESSAGES}/{message}").status_code == 403
    assert door.ask(POLICE, "POST", MESSAGES, content=b"{}").status_code == 403


def test_the_same_again_is_answered_again(door: Door) -> None:
    """The same Idempotency-Key and content get the same answer, and nothing is kept twice."""
    first = say(door, exam(), idempotency_key="k-1")
    again = say(door, exam(), idempotency_key="k-1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert kept(door) == 1


def test_a_key_with_other_content_conflicts(door: Door) -> None:
    """409, visible to operators, and only the first message is kept."""
    say(door, exam("EX-1"), idempotency_key="k-1")
    other = say(door, exam("EX-2"), idempotency_key="k-1")
    assert (other.status_code, other.json()["title"]) == (409, "Conflict")
    assert other.headers["content-type"] == "application/problem+json"
    assert kept(door) == 1
    assert [refusal[0] for refusal in door.refusals()] == [HOSPITAL]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{not json", 400), (b"", 400), (b"\xff\xfe\x00", 400)],
    ids=["syntax", "empty", "charset"],
)
def test_what_cannot_be_read_is_refused(door: Door, body: bytes, status: int) -> None:
    """problem+json names the place; an operator sees who, when and why; nothing is kept."""
    answer = say(door, body)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["kind"] == "not-json"
    assert kept(door) == 0
    assert door.refusals()[0][:2] == (HOSPITAL, "")


def test_what_is_not_sound_is_quarantined(door: Door) -> None:
    """Well-formed but not valid R4 is acknowledged as quarantined, with every place and no value."""
    wrong = exam(child={**patient(), "gender": "Nữ-Mẫu"})
    answer = say(door, wrong)
    assert (answer.status_code, answer.json()["state"]) == (202, "quarantined")
    assert any("gender" in place for place in places(answer.json()))
    assert "Nữ-Mẫu" not in answer.text


def test_an_oversized_body_is_refused(door: Door) -> None:
    """413 whether the length is announced or not, and operators see it."""
    limit = door.parts.settings.max_body
    announced = say(door, b" " * (limit + 1))
    assert announced.status_code == 413

    def stream() -> Any:
        for _ in range(limit // 65536 + 2):
            yield b" " * 65536

    streamed = door.ask(HOSPITAL, "POST", MESSAGES, content=stream(), headers={"content-type": "application/json"})
    assert streamed.status_code == 413
    assert [refusal[2] for refusal in door.refusals()] == [[("", "too-large")]] * 2
    assert kept(door) == 0


def test_other_media_types_and_encodings_are_refused(door: Door) -> None:
    """A format that the agency is not registered for is refused; so is a compressed body."""
    xml = door.ask(HOSPITAL, "POST", MESSAGES, content=b"<a/>", headers={"content-type": "application/xml"})
    assert (xml.status_code, xml.json()["errors"][0]["kind"]) == (422, "media-type")
    packed = say(door, gzip.compress(json.dumps(exam()).encode()), content_encoding="gzip")
    assert packed.status_code == 415
    assert say(door, exam(), idempotency_key="k" * 300).status_code == 422
    assert kept(door) == 0


def test_a_full_hub_says_when_to_come_again(door: Door) -> None:
    """503 with Retry-After while the queue is full; nothing is kept."""
    object.__setattr__(door.parts, "settings", door.parts.settings.model_copy(update={"max_queue": 0}))
    answer = say(door, exam())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert kept(door) == 0


def test_a_fault_of_ours_says_nothing_and_keeps_nothing(door: Door) -> None:
    """500 without a trace of what was sent."""

    class Broken:
        media_types = ("application/json",)

        def read(self, raw: bytes, context: object) -> Any:
            raise RuntimeError(raw.decode())

    door.parts.packs["test/plain"] = Broken()  # type: ignore[index]
    answer = say(door, exam())
    assert (answer.status_code, answer.json()["title"]) == (500, "The hub failed")
    assert NAME not in answer.text
    assert kept(door) == 0


def test_answers_are_not_cached(door: Door) -> None:
    """Every answer says that nobody on the way may keep it."""
    for answer in (say(door, exam()), door.http.get("/nowhere"), door.http.get("/health")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_inbox_is_its_owners(door: Door) -> None:
    """Another agency, and an agency without a token, learn nothing of an inbox."""
    door.know(SHELTER)
    path = f"/agencies/{SHELTER}/inbox"
    assert door.ask(SHELTER, "GET", path).json() == {"deliveries": []}
    assert door.ask(POLICE, "GET", path).status_code == 403
    assert door.http.get(path).status_code == 401
    assert door.ask(SHELTER, "GET", f"{path}/{'0' * 32}").status_code == 404
    assert door.ask(SHELTER, "POST", f"{path}/{'0' * 32}/ack").status_code == 404


def test_an_officer_reads_the_inbox_and_does_nothing_else(door: Door) -> None:
    """With a key of their own they get a token that fetches; it speaks for nobody, and ends with their entry."""
    inbox = {"transports": {"out": {"type": "inbox"}}, "jwks": {"keys": [RSA.as_dict(private=False)]}}
    officer = {"id": "DTV-017", "jwks": {"keys": [EC.as_dict(private=False)]}}
    door.know(POLICE, **inbox, officers=[officer])
    who, path = f"{POLICE}/DTV-017", f"/agencies/{POLICE}/inbox"
    assert door.ask(who, "GET", path).json() == {"deliveries": []}
    assert door.ask(who, "GET", f"{path}/{'0' * 32}").status_code == 404
    assert door.ask(who, "POST", f"{path}/{'0' * 32}/ack").status_code == 404
    for method, other in (
        ("GET", f"/agencies/{SHELTER}/inbox"),
        ("POST", f"/agencies/{POLICE}/messages"),
        ("GET", f"/agencies/{POLICE}/messages/{'0' * 32}"),
        ("POST", "/fhir"),
        ("GET", "/tasks"),
    ):
        assert door.ask(who, method, other).status_code in (403, 404, 405)
    door.know(POLICE, **inbox, officers=[officer | {"valid_to": "2026-01-01T00:00:00+07:00"}])
    assert door.ask(who, "GET", path).status_code == 401
    assert door.ask_token(door.claims(who)).status_code == 401


def test_photographs_are_fetched_with_the_officer_s_own_key(door: Door) -> None:
    """Over HTTP the desk and the officer read the same inbox, and each finds only what is theirs."""
    inbox = {"transports": {"out": {"type": "inbox"}}, "jwks": {"keys": [RSA.as_dict(private=False)]}}
    door.know(POLICE, **inbox, officers=[{"id": "DTV-017", "jwks": {"keys": [EC.as_dict(private=False)]}}])
    door.world.say(POLICE, forensic_request())
    for body in (order({POLICE: ("forensic", "referral")}), for_officer("DTV-017", "photographs")):
        entered = door.world.fact("order", body)
        casework.verify_order(door.parts, "can-bo-b", door.world.case(), entered.fact)
    door.world.say(HOSPITAL, evidence())
    officer, path = f"{POLICE}/DTV-017", f"/agencies/{POLICE}/inbox"
    answer = door.ask_token(door.claims(POLICE), RSA, "RS384", "rsa-1")
    desk = {"authorization": f"Bearer {answer.json()['access_token']}"}
    for one in door.http.get(path, headers=desk).json()["deliveries"]:
        told = door.http.get(f"{path}/{one['delivery']}", headers=desk)
        assert PICTURE not in told.text
        assert "hub-attention" not in told.headers
        assert door.http.post(f"{path}/{one['delivery']}/ack", headers=desk).status_code == 204
    (sealed,) = door.ask(officer, "GET", path).json()["deliveries"]
    assert door.http.get(f"{path}/{sealed['delivery']}", headers=desk).status_code == 404
    told = door.ask(officer, "GET", f"{path}/{sealed['delivery']}")
    assert PICTURE in told.text
    assert told.headers["hub-attention"] == "DTV-017"
    assert door.http.post(f"{path}/{sealed['delivery']}/ack", headers=desk).status_code == 404
    assert door.ask(officer, "POST", f"{path}/{sealed['delivery']}/ack").status_code == 204


def test_a_fetched_message_says_for_whom_it_is() -> None:
    """The same header as on a webhook; a message for the desk has none."""
    sealed, plain = (Handing(Fetched("d", "a", "o", b"", attention=each)) for each in ("DTV-017", ""))
    assert sealed.headers["hub-attention"] == "DTV-017"
    assert "hub-attention" not in plain.headers


def test_problems_hold_no_personal_data(door: Door) -> None:
    """Whatever is wrong with a body or an address, the answer repeats none of it."""
    door.know(POLICE)
    answers = [
        say(door, json.dumps(exam())[:-5].encode()),
        door.http.get(f"/cases/{PERSONAL_NUMBER}/facts"),
        door.http.get(f"/{PERSONAL_NUMBER}"),
        door.http.request("TRACE", f"/cases/{PERSONAL_NUMBER}"),
        door.ask(HOSPITAL, "POST", "/cases/search", json={"name": NAME, "birth_date": PERSONAL_NUMBER}),
    ]
    for answer in answers:
        assert answer.status_code >= 400
        assert NAME not in answer.text
        assert PERSONAL_NUMBER not in answer.text


def test_the_line_hears_when_a_fetch_breaks_off() -> None:
    """A connection that ends before, in or after the body: the attempt is over each time, and only once."""
    ended: list[str] = []
    fetched = Fetched("d", "a", "out-1", b"body", "application/json", done=lambda: ended.append("over"))

    async def send(_message: Any) -> None:
        raise OSError("gone")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def story() -> None:
        with pytest.raises(OSError, match="gone"):
            await Handing(fetched)({"type": "http"}, receive, send)

    asyncio.run(story())
    assert ended == ["over"]
