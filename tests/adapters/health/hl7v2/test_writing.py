"""What the hub says to a hospital: agreed, parseable, stable, and nothing that was not in the bundle."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import hl7
import pytest
from hl7apy.parser import parse_message

from adapters.codecs import er7
from adapters.errors import Unwritable
from adapters.library import BUILT_IN
from adapters.pack import Bundle, Context, Writing
from consent.vocabulary import Event, ReferralState
from tests.adapters import packs

ID = "health/hl7v2"
BOTH_WAYS = [
    "oru-r01-exam.hl7",
    "oru-r01-forensic-result.hl7",
    "ref-i12-forensic.hl7",
    "rri-i12-accepted.hl7",
    "rri-i12-rejected.hl7",
    "rri-i14-cancelled.hl7",
    "ref-i14-cancel.hl7",
    "adt-a08-update.hl7",
    "mdm-t02-note.hl7",
]
IN_ONLY = {f"TXA[1]-5.{number}" for number in (1, 2, 3, 6)}
"""Read into the document's authors, and written as TXA-9 says them."""
HEADER = {
    "sender": "HUB",
    "sender-facility": "ONESTOP",
    "recipient": "HIS",
    "recipient-facility": "BV-MAU",
    "message-id": "HUB-000009",
    "processing": "P",
}
TO_HOSPITAL = replace(packs.CONTEXT, header=HEADER)


OUT_ONLY = {"AUT[1]-2.2"}
"""Required by 2.5.1, and says what AUT-3 says."""


def said_again(name: str) -> tuple[Bundle, Writing, Context]:
    """A sample read, and written under its own header."""
    reading = packs.pack(ID).read(packs.sample(ID, name), packs.CONTEXT)
    context = packs.said_as_read(reading.strands[0], reading.head.fields)
    return reading.strands[0].bundle, packs.pack(ID).write(reading.strands[0].bundle, context), context


def leaves(raw: bytes) -> dict[str, str]:
    message = er7.parse(raw).tree
    assert isinstance(message, er7.Message)
    return dict(er7.places(message.segments))


def write(bundle: Bundle) -> str:
    return packs.pack(ID).write(bundle, TO_HOSPITAL).raw.decode()


def police_request() -> Bundle:
    return packs.expected("police/niem", "forensic-exam-request.xml")[0]


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_what_is_written_reads_as_the_same_bundle(name: str) -> None:
    """read(write(read(m))) is read(m), addresses included, and a second writing is equal to the byte."""
    bundle, writing, context = said_again(name)
    again = packs.pack(ID).read(writing.raw, packs.CONTEXT).strands[0].bundle
    assert packs.plain(again) == packs.plain(bundle)
    assert packs.pack(ID).write(again, context).raw == writing.raw


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_each_leaf_returns_or_is_a_declared_loss(name: str) -> None:
    """What was mapped comes back equal, what does not come back was reported, and nothing is added."""
    raw = packs.sample(ID, name)
    reading = packs.pack(ID).read(raw, packs.CONTEXT)
    _, writing, _ = said_again(name)
    lost = {loss.place for loss in reading.loss} | {loss.place for loss in writing.loss} | IN_ONLY
    source, target = leaves(raw), leaves(writing.raw)
    changed = {place for place, text in source.items() if target.get(place) != text}
    assert changed <= lost
    assert {place for place in target if place not in source} <= OUT_ONLY


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_other_parsers_read_what_is_written(name: str) -> None:
    """python-hl7 and hl7apy find the type, the version and the child's name in what is written."""
    raw = said_again(name)[1].raw.decode()
    with_hl7 = hl7.parse(raw)
    assert str(with_hl7.segment("MSH")(12)) == "2.5.1"
    assert str(with_hl7.segment("PID")(5)(0)(0)) == "Mẫu"
    with_hl7apy = parse_message(raw, find_groups=True)
    assert with_hl7apy.msh.msh_9.to_er7() == str(with_hl7.segment("MSH")(9))
    assert [segment.split("|")[0] for segment in with_hl7apy.to_er7().split("\r") if segment] == [
        str(segment[0]) for segment in with_hl7
    ]


def test_a_police_request_becomes_a_referral() -> None:
    """The police's XML request is a REF^I12 with their number, the service, the decision and the child."""
    lines = {line[:3]: line.split("|") for line in write(police_request()).split("\r") if line[:3] != "PRD"}
    assert lines["MSH"][8] == "REF^I12^REF_I12"
    assert lines["RF1"][1].split("^")[0] == "P"
    assert lines["RF1"][3].split("^")[0] == "forensic"
    assert lines["RF1"][6].split("^")[0] == "TC-2026-0457"
    assert (lines["AUT"][1].split("^")[0], lines["AUT"][6]) == ("decision", "457/QĐ-CSĐT")
    assert "079312000001^^^^NI" in lines["PID"][3]
    assert "Referring Provider" in write(police_request())


def test_a_request_is_answered_by_its_number() -> None:
    """What the hospital answers to that request has the number that the police gave it."""
    said = write(police_request())
    number = next(line for line in said.split("\r") if line.startswith("RF1")).split("|")[6]
    answer = packs.sample(ID, "rri-i12-accepted.hl7").replace(b"GD-2026-0001^CQDT-MAU", number.encode())
    task = packs.resources(packs.pack(ID).read(answer, packs.CONTEXT).strands[0].bundle, "Task")[0]
    asked = packs.resources(police_request(), "Task")[0]["identifier"][0]
    assert task["identifier"][0]["value"] == asked["value"]


def test_what_was_withheld_is_not_said() -> None:
    """A released bundle without HIV, mental health and free text gives an ORU without a trace of them."""
    bundle = packs.expected(ID, "oru-r01-exam.hl7")[0]
    released = packs.without(bundle, "sexual-health", "mental-health", "narrative")
    said = write(released)
    for trace in ("75622-1", "20507-0", "XN-STI", "44261-6", "44249-1", "Trẻ kể lại"):
        assert trace not in said
    assert said.count("OBX|") == 24


def test_a_recall_names_the_earlier_message_and_nothing_else() -> None:
    """A recall says which message is taken back; no child, no reason."""
    recall = packs.expected("police/niem", "recall.xml")[0]
    earlier = recall["entry"][0]["resource"]["response"]["identifier"]
    lines = write(recall).strip().split("\r")
    assert [line[:3] for line in lines] == ["MSH", "ZRC"]
    assert lines[1].split("|")[1] == earlier
    assert hl7.parse(write(recall)).segment("ZRC")(1) == [earlier]


def test_an_answer_that_answers_nothing_has_no_msa() -> None:
    """Without the control id of a request there is no MSA at all, rather than an empty one."""
    bundle = packs.expected(ID, "rri-i12-accepted.hl7")[0]
    header = {k: v for k, v in bundle["entry"][0]["resource"].items() if k != "response"}
    unasked = {**bundle, "entry": [{**bundle["entry"][0], "resource": header}, *bundle["entry"][1:]]}
    assert "MSA|" not in write(unasked)
    assert "MSA|AA|HUB-000001" in write(bundle)


def crosswalk(format_: str) -> Mapping[str, str]:
    with (BUILT_IN / "canonical" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["format"] == format_]
    return {row["state"]: row["code"] for row in rows if row["direction"] in ("both", "out")}


def with_state(state: ReferralState) -> dict[str, Any]:
    text = (BUILT_IN / ID / "samples" / "rri-i12-accepted.bundle.json").read_text("utf-8")
    bundle: dict[str, Any] = packs.loads(text.replace('"accepted"', f'"{state}"').encode())
    packs.resources(bundle, "Task")[0]["status"] = crosswalk("fhir-task")[state]
    return bundle


@pytest.mark.parametrize("state", list(ReferralState))
def test_each_state_is_said_as_the_crosswalk_says(state: ReferralState) -> None:
    """RF1-1 of an RRI, or the event I14, is the crosswalk's code; a state that v2 cannot say is not said as another."""
    known, events = crosswalk("hl7v2-rri"), crosswalk("hl7v2-event")
    if state in known or state in events:
        lines = {line[:3]: line.split("|") for line in write(with_state(state)).split("\r")}
        assert lines["MSH"][8].split("^")[1] == events.get(state, "I12")
        if state in known:
            assert lines["RF1"][1].split("^")[0] == known[state]
    else:
        with pytest.raises(Unwritable):
            write(with_state(state))


def test_only_agreed_events_are_written() -> None:
    """The pack says which events it can say, and refuses the others."""
    pack = packs.pack(ID)
    said = {event for event in Event if pack.writes(event)}
    referral = {Event.REFERRAL_REQUEST, Event.REFERRAL_STATUS, Event.RESULT}
    assert said == referral | {Event.EXAM_RECORD, Event.RECALL, Event.RECORD}
    with pytest.raises(Unwritable):
        write(packs.expected(ID, "siu-s12-appointment.hl7")[0])


@pytest.mark.parametrize("name", ["adt-a01-admit", "adt-a03-discharge", "adt-a04-register", "adt-a31-person"])
def test_the_hub_opens_and_closes_no_visit(name: str) -> None:
    """What one hospital says of a visit goes to another as a change of the record (A08), never as an admission."""
    lines = {line[:3]: line.split("|") for line in write(packs.expected(ID, f"{name}.hl7")[0]).split("\r")}
    assert (lines["MSH"][8], lines["EVN"][1]) == ("ADT^A08^ADT_A01", "A08")
    assert lines["EVN"][2] == lines["MSH"][6]
    assert (lines["PV1"][2] == "N") == (name == "adt-a31-person")


def test_a_vaccination_is_not_said_in_an_adt() -> None:
    """What ADT has no place for is a reported loss, and the child is still named."""
    writing = packs.pack(ID).write(packs.expected(ID, "vxu-v04-vaccination.hl7")[0], TO_HOSPITAL)
    assert any(loss.place.startswith("Immunization.") for loss in writing.loss)
    assert "Mẫu^Thị Thử An" in writing.raw.decode()


def again(raw: str, type_: str) -> str:
    """A message read, written, read and written again: the second time as the first."""
    pack = packs.pack(ID)
    reading = pack.read(raw.encode(), packs.CONTEXT)
    assert reading.head.type == type_
    context = packs.said_as_read(reading.strands[0], reading.head.fields)
    first = pack.write(reading.strands[0].bundle, context).raw
    second = pack.write(pack.read(first, packs.CONTEXT).strands[0].bundle, context).raw
    assert second == first
    return first.decode()


def changed(name: str, *changes: tuple[str, str]) -> str:
    """A sample with some of its text replaced."""
    text = packs.sample(ID, name).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_half_an_order_number_is_not_mixed_with_the_whole() -> None:
    """OBR-2 without its authority comes back without it, though ORC-2 says one."""
    raw = changed("oru-r01-forensic-result.hl7", ("OBR|1|GD-2026-0001^CQDT-MAU|", "OBR|1|GD-2026-0001|"))
    written = again(raw, "ORU^R01^ORU_R01")
    assert "OBR|1|GD-2026-0001|" in written
    assert "ORC|RE|GD-2026-0001^CQDT-MAU|" in written


def test_an_address_that_says_only_when_it_ended_is_still_electronic_mail() -> None:
    """An Internet address without a number keeps saying that it is one; its end (XTN-14, of 2.7) is a told loss."""
    raw = changed("adt-a08-update.hl7", ("^PRN^PH^^^^^^^^^02800000001", "^^Internet^^^^^^^^^^^20300101"))
    assert "||^^Internet\r" in again(raw, "ADT^A08")
    bundle = packs.pack(ID).read(raw.encode(), packs.CONTEXT).strands[0].bundle
    assert any("telecom" in loss.place for loss in packs.pack(ID).write(bundle, TO_HOSPITAL).loss)


def test_a_referrals_remark_is_not_a_results() -> None:
    """With results and no visit, PV1-2 N stands between the last result and the remarks of the referral."""
    order = "OBR|1|P1|F1|29463-7^Body weight^LN\rOBX|1|NM|29463-7^Body weight^LN||28.5\r"
    raw = changed("ref-i12-forensic.hl7").rstrip("\r") + "\r" + order + "PV1|1|N\rNTE|1||Dữ liệu thử: của yêu cầu\r"
    written = again(raw, "REF^I12").split("\r")
    places = [line[:7] for line in written if line[:3] in ("OBX", "PV1", "NTE")]
    assert places == ["OBX|1|N", "PV1|1|N", "NTE|1||"]
    found = packs.pack(ID).read(raw.encode(), packs.CONTEXT).strands[0].bundle
    assert not packs.resources(found, "Encounter")
    assert len(packs.resources(found, "ServiceRequest")[0]["note"]) == 1


def test_of_two_children_one_may_answer_an_order_and_the_other_none() -> None:
    """Each child's part is what it is by itself: a result, and a record that nobody asked for; both can be said."""
    lines = packs.sample(ID, "oru-r01-two-children.hl7").decode().split("\r")
    second = [number for number, line in enumerate(lines) if line.startswith("OBR")][-1]
    lines.insert(second, "ORC|RE|GD-2026-0001^CQDT-MAU")
    strands = packs.pack(ID).read("\r".join(lines).encode(), packs.CONTEXT).strands
    events = [strand.bundle["entry"][0]["resource"]["eventCoding"]["code"] for strand in strands]
    assert events == ["exam-record", "result"]
    said = [packs.pack(ID).write(strand.bundle, TO_HOSPITAL) for strand in strands]
    assert [one.type for one in said] == ["ORU^R01", "ORU^R01^ORU_R01"]
