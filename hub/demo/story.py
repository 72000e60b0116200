"""The story, step by step. Each step acts through somebody's own system and judges what the others received.

A step answers a :class:`Scene`; what must hold is said with :func:`expect`, on what the stand-ins received.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.demo.standins import Letter
from hub.demo.world import SECRET_APPEARANCE, SECRET_NOTE, World

DATA_CLASS = "https://hub.onestop.example/fhir/CodeSystem/data-class"
LOINC = "http://loinc.org"
SERVICE = "https://hub.onestop.example/fhir/CodeSystem/service-type"
FINDING = "8716-3"
LENGTH = "39125-0"
NEVER_FOR_POLICE = ("75622-1", "44261-6", SECRET_NOTE, SECRET_APPEARANCE)
CLINICAL = ("44261-6", "PHQ", "sexual", "75622-1", SECRET_NOTE, "8716-3", "T74")


class Unexpected(Exception):
    """The story did not go as it must."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One line of the table."""

    sender: str
    """Key of who speaks: an agency's or a person's."""
    said: str
    """What they said, in their own terms."""
    became: str
    """What the hub made of it."""
    decision: str
    """What was decided, and why."""
    received: str
    """What the recipient's system got, in its own terms; "" = nothing."""
    recipient: str = ""


Step = Callable[[World], Scene]


def expect(holds: object, what: str) -> None:
    """Raise :class:`Unexpected`, saying what should have been, unless it holds."""
    if not holds:
        raise Unexpected(what)


# --- an exam record --------------------------------------------------------------------------------------------------


def exam_record(world: World) -> Scene:
    """The hospital sends thirty results over MLLP and gets its ACK."""
    control, raw = world.hl7("exam-record.hl7")
    _accepted(world.hospital.send(world.mllp, raw), control)
    _accepted(world.hospital.send(world.mllp, raw), control)
    found = world.find_child()
    world.case, world.persons["child"] = found["case"], found["person"]
    return Scene("hospital", "ORU^R01, 30 OBX", "exam-record", "stored", "ACK CA, again CA", "hospital")


def exam_note(world: World) -> Scene:
    """The hospital sends a document; it belongs to the same child."""
    control, raw = world.hl7("note.hl7")
    _accepted(world.hospital.send(world.mllp, raw), control)
    expect(world.find_child()["case"] == world.case, "the note must belong to the same case")
    return Scene("hospital", "MDM^T02", "exam-record (narrative)", "stored", "ACK CA", "hospital")


def facts(world: World) -> Scene:
    """A case worker records the birth date, the family, the suspect, who treats."""
    world.fact("birth-date", {"date": world.child.born})
    mother = world.relate("mother", {"name": "Thử Thị Mẹ"})
    father = world.relate("father", {"name": "Mẫu Văn Cha"})
    world.fact("guardian", {"person": mother, "role": "MTH"})
    world.fact("guardian", {"person": father, "role": "FTH"})
    world.fact("suspect", {"person": father})
    world.fact("treating", {"agency": world.agencies["hospital"]})
    world.fact("team", {"agency": world.agencies["hospital"], "role": "examiner"})
    return Scene("worker", "birth-date, guardian x2, suspect, treating, team", "facts", "recorded", "", "")


# --- a referral round ------------------------------------------------------------------------------------------------


def exam_requested(world: World) -> Scene:
    """The police ask for a forensic exam; their decision number is a claim, so the hospital hears nothing yet."""
    body = world.filled("forensic-exam-request.xml", control=f"PC-{world.run}").encode()
    path = f"/agencies/{world.agencies['police']}/messages"
    answer = world.clients["police"].ask("POST", path, content=body, headers={"content-type": "application/xml"})
    expect(answer.status_code == 202, f"the police request must be taken, not {answer.status_code}: {answer.text}")
    states = _settled(world, "hospital")
    expect(states == ["withheld"], f"an unverified decision must open nothing, not {states}")
    expect(not _got(world, "REF^I12"), "the hospital must not have received a referral")
    return Scene("police", "ForensicExamRequest", "referral-request, claim", _why(world, "hospital"), "", "hospital")


def order_entered(world: World) -> Scene:
    """A case worker enters the decision; the same person cannot verify it."""
    police, hospital = world.agencies["police"], world.agencies["hospital"]
    named = [[SERVICE, "forensic"], [LOINC, FINDING], [LOINC, LENGTH]]
    items = [
        {"data_class": "referral", "recipient": hospital},
        {"data_class": "demographics", "recipient": hospital},
        {"data_class": "referral", "recipient": police},
        {"data_class": "demographics", "recipient": police},
        {"data_class": "forensic", "codes": named, "recipient": police},
        {"data_class": "medical-exam", "codes": named, "recipient": police},
    ]
    today = time.strftime("%Y-%m-%d")
    body = {"number": world.decision, "body": police, "issued": today, "items": items}
    world.facts["order"] = world.fact("order", body)
    path = f"/cases/{world.case}/orders/{world.facts['order']}/verify"
    refused = world.people["worker"].ask("POST", path, json={})
    expect(refused.status_code == 403, f"who entered an order must not verify it ({refused.status_code})")
    expect(not _got(world, "REF^I12"), "an entered order must open nothing before it is verified")
    return Scene("worker", "QĐ 45", "order", "403: second person needed", "", "")


def order_verified(world: World) -> Scene:
    """A second person verifies the decision: the hospital receives REF^I12 by MLLP."""
    path = f"/cases/{world.case}/orders/{world.facts['order']}/verify"
    world.people["second"].tell("POST", path, {})
    letter = world.hospital.mail.wait(lambda one: "REF^I12" in one.text)
    expect(letter, "the hospital must receive REF^I12 once the order is verified")
    assert letter is not None
    expect(world.placer in letter.text, "the referral must carry the police's own number")
    expect(world.child.ni in letter.text, "the treating hospital must be told whom to examine")
    world.kept["referral"] = letter.text.split("\r")[0].split("|")[9]
    return Scene("second", "QĐ 45 ✓", "order (P)", _why(world, "hospital"), "REF^I12", "hospital")


def exam_accepted(world: World) -> Scene:
    """The hospital accepts by RRI^I12; the police hear so in their XML."""
    control, raw = world.hl7("referral-accepted.hl7", answers=world.kept["referral"])
    _accepted(world.hospital.send(world.mllp, raw), control)
    letter = world.police.mail.wait(lambda one: "ReferralStatus" in one.text and ">CN<" in one.text)
    expect(letter, "the police must receive the status CN (accepted)")
    assert letter is not None
    expect(world.placer in letter.text, "the status must name the police's request")
    return Scene("hospital", "RRI^I12 A", "referral-status", _why(world, "police"), "ReferralStatus CN", "police")


def exam_result(world: World) -> Scene:
    """The hospital sends the result; the police receive exactly what the order names."""
    control, raw = world.hl7("forensic-result.hl7")
    _accepted(world.hospital.send(world.mllp, raw), control)
    letter = world.police.mail.wait(lambda one: "ForensicExamResult" in one.text)
    expect(letter, "the police must receive the result")
    assert letter is not None
    for named in (FINDING, "125667009", LENGTH, "4.50", world.placer):
        expect(named in letter.text, f"the result must hold what the order names ({named})")
    for one in world.police.mail.letters:
        _holds_none(one, NEVER_FOR_POLICE, "the police must not receive mental-health, HIV and free-text items")
    return Scene("hospital", "ORU^R01", "result", _why(world, "police"), "ForensicExamResult", "police")


# --- school ----------------------------------------------------------------------------------------------------------


def back_to_school(world: World) -> Scene:
    """A plan is recorded; the school receives a support need and nothing clinical."""
    members = [world.agencies["school"], world.agencies["social"]]
    plan = {"members": members, "approved_by": world.people["worker"].identity, "start": world.filled_moment()}
    world.fact("plan", plan)
    body = world.filled("school-support.json", control=f"CTXH-{world.run}").encode()
    social = world.clients["social"]
    answer = social.ask("POST", "/fhir", content=body, headers={"content-type": "application/fhir+json"})
    expect(answer.status_code == 202, f"the bundle must be taken, not {answer.status_code}: {answer.text}")
    letter = world.school.mail.wait(lambda one: '"SupportNeed"' in one.text)
    expect(letter, "the school must receive the support need")
    assert letter is not None
    told = json.loads(letter.raw)
    expect({need["code"] for need in told["needs"]} == {"timetable", "named-adult"}, "exactly the needs must arrive")
    for one in world.school.mail.letters:
        _holds_none(one, (*CLINICAL, world.child.ni), "a school must never receive clinical data")
    return Scene("social", "Bundle school-support", "school-support", _why(world, "school"), "SupportNeed", "school")


# --- consent ---------------------------------------------------------------------------------------------------------


def suspects_consent(world: World) -> Scene:
    """The suspect parent consents to the shelter: it is recorded and counts for nothing."""
    world.fact("team", {"agency": world.agencies["shelter"], "role": "shelter"})
    _consent(world, "father", "representative")
    _settled(world, "shelter")
    expect(not world.shelter.waiting(), "a suspect's consent must open nothing")
    return Scene("consents", "Consent (cha / father)", "recorded", _why(world, "shelter"), "", "shelter")


def consented(world: World) -> Scene:
    """Child and mother consent; the administrator previews it; it flows as new deliveries."""
    world.facts["child-consent"] = _consent(world, "child", "child")
    expect(not world.shelter.waiting(), "between 7 and 15 the child's consent alone is not enough")
    world.facts["mother-consent"] = _consent(world, "mother", "representative")
    preview = world.people["consents"].tell("GET", f"/cases/{world.case}/preview")
    shown = {one["agency"]: one for one in preview["agencies"]}
    expect(shown[world.agencies["shelter"]]["messages"], "the preview must show what the shelter would receive")
    expect(world.child.ni not in json.dumps(preview, ensure_ascii=False), "a preview must be masked")
    letter = world.shelter.collect(lambda one: b"MessageHeader" in one.raw)
    expect(letter, "the shelter must receive the record once both have consented")
    for one in world.shelter.mail.letters:
        _holds_none(one, (SECRET_NOTE, "75622-1"), "free text and HIV need more than a general consent")
    world.kept["shelter-ids"] = [one.headers["hub-message-id"] for one in world.shelter.mail.letters]
    count = len(world.shelter.mail.letters)
    return Scene("consents", "Consent x2", "exam-record", _why(world, "shelter"), f"Bundle x{count}", "shelter")


def withdrawn(world: World) -> Scene:
    """The mother withdraws while a delivery waits in the shelter's inbox: it does not leave."""
    control, raw = world.hl7("exam-record.hl7")
    _accepted(world.hospital.send(world.mllp, raw), control)
    waiting = _until(world.shelter.waiting)
    expect(waiting, "the new record must wait in the inbox")
    path = f"/cases/{world.case}/consents/{world.facts['mother-consent']}/withdraw"
    answer = world.people["consents"].ask("POST", path, json={"by": world.persons["mother"]})
    expect(answer.status_code in (200, 202), f"a withdrawal must be taken, not {answer.status_code}: {answer.text}")
    where = answer.headers["location"]
    effective = _until(lambda: world.people["consents"].tell("GET", where)["effective_at"])
    expect(effective, "a withdrawal must become effective")
    for delivery in waiting:
        gone = world.clients["shelter"].ask("GET", f"/agencies/{world.agencies['shelter']}/inbox/{delivery}")
        expect(gone.status_code == 404, f"what waited must not leave after the withdrawal ({gone.status_code})")
    return Scene("consents", "withdraw", "Consent", f"{answer.status_code} → effective", "404", "shelter")


def recalled(world: World) -> Scene:
    """A recall goes to the shelter, which holds the earlier copy; it names the message and nothing else."""

    def is_recall(letter: Letter) -> bool:
        return b'"recall"' in letter.raw

    letter = world.shelter.collect(is_recall)
    expect(letter, "who holds a copy must be told to give it up")
    assert letter is not None
    _until(lambda: len([one for one in world.shelter.mail.letters if is_recall(one)]) >= len(world.kept["shelter-ids"]))
    named = {_answered(one) for one in world.shelter.mail.letters if is_recall(one)}
    expect(named == set(world.kept["shelter-ids"]), "every copy must be recalled, by the id of its message")
    _holds_none(letter, (world.child.ni, world.child.mr, "Patient", "Mẫu Thị"), "a recall must name nobody")
    return Scene("hub", "recall", "recall", "consent ended", "Bundle recall", "shelter")


def account(world: World) -> Scene:
    """An auditor sees who was told what, when, on what ground."""
    told = world.people["auditor"].tell("GET", f"/cases/{world.case}/account")["account"]
    agencies = {entry["agency"] for entry in told}
    for name in ("hospital", "police", "school", "shelter"):
        expect(world.agencies[name] in agencies, f"the account must name the {name}")
    return Scene("auditor", "account", "ledger", f"{len(told)} rows", "", "auditor")


STEPS: tuple[Step, ...] = (
    exam_record,
    exam_note,
    facts,
    exam_requested,
    order_entered,
    order_verified,
    exam_accepted,
    exam_result,
    back_to_school,
    suspects_consent,
    consented,
    withdrawn,
    recalled,
    account,
)
"""In order; each builds on the ones before."""


# --- small helpers ---------------------------------------------------------------------------------------------------


def _accepted(answer: bytes, control: str) -> None:
    expect(f"MSA|CA|{control}" in answer.decode(), f"the hospital must get CA for its message, not {answer!r}")


def _got(world: World, kind: str) -> bool:
    return any(kind in letter.text for letter in world.hospital.mail.letters)


def _holds_none(letter: Letter, words: tuple[str, ...], why: str) -> None:
    for word in words:
        expect(word not in letter.text, f"{why} ({word})")


def _answered(letter: Letter) -> str:
    header = json.loads(letter.raw)["entry"][0]["resource"]
    return str(header["response"]["identifier"])


def _consent(world: World, by: str, as_: str) -> str:
    """Record a consent of `by` for the shelter, with evidence; the fact's id."""
    resource = json.loads(world.filled("consent.json"))
    body = {"resource": resource, "given_by": world.persons[by], "as": as_, "evidence": f"giấy-{by}-{world.run}"}
    return world.fact("consent", body | {"given_at": world.filled_moment()}, by="consents")


def _until(ask: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Ask until the answer is truthy, or the time is over; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer


def _settled(world: World, name: str) -> list[str]:
    """States of all deliveries to an agency, once none is under way."""

    def states() -> list[str]:
        rows = world.operator.tell("GET", f"/deliveries?agency={world.agencies[name]}")["deliveries"]
        found = [row["state"] for row in rows]
        return [] if {"pending", "sending"} & set(found) else found

    return list(_until(states, 5.0) or ())


def _why(world: World, name: str) -> str:
    """The newest decision about an agency, from the ledger: outcome and reason codes."""
    rows = world.people["auditor"].tell("GET", f"/audit?case={world.case}&agency={world.agencies[name]}")["audit"]
    decided = [row for row in rows if row.get("reasons")]
    if not decided:
        return ""
    codes = [reason["code"] if isinstance(reason, dict) else str(reason) for reason in decided[-1]["reasons"]]
    outcome = "PERMIT" if decided[-1]["outcome"] == "recorded" else decided[-1]["outcome"]
    return f"{outcome}: {', '.join(dict.fromkeys(codes))}"
