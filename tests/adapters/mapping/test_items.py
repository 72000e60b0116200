"""What stands beside the reference in a backbone link: an attending and a referring doctor stay two parts."""

from __future__ import annotations

import copy

import pytest

from adapters.errors import BrokenPack
from adapters.pack import Pack
from tests.adapters.mapping.small import CONTEXT, ER7, message, one, pack, read

VISIT = """
rows:
  - at: PATIENT_RESULT
    rows:
      - at: PID
        make: Patient
        find: child
        as: child
        class: demographics
        key: ["identifier[type=MR]"]
        rows: [{at: PID-3.1, to: "identifier[type=MR].value"}]
      - at: PV1
        make: Encounter
        find: focus.encounter
        as: encounter
        class: medical-exam
        key: [{of: child}]
        ref: {subject: child}
        rows:
          - {to: status, default: in-progress}
          - to: class
            rows: [{at: PV1-2, to: code}]
          - each: PV1-7
            make: Practitioner
            link: "Encounter.participant[].individual"
            key: [identifier]
            same: merge
            class: referral
            item: &attending
              - {to: type.coding, default: "http://terminology.hl7.org/CodeSystem/v3-ParticipationType|ATND"}
              - {at: ../PV1-44, to: period.start, date: hl7}
            rows: &doctor [{to: identifier, rows: [{at: .1, to: value}]}, {to: name, rows: [{at: .2, to: family}]}]
          - each: PV1-8
            make: Practitioner
            link: "Encounter.participant[].individual"
            key: [identifier]
            same: merge
            class: referral
            item: [{to: type.coding, default: "http://terminology.hl7.org/CodeSystem/v3-ParticipationType|REF"}]
            rows: *doctor
      - at: OBR
        make: DiagnosticReport
        link: "MessageHeader.focus[]"
        as: report
        class: medical-exam
        ref: {subject: child, encounter: encounter}
        rows: [{at: OBR-4, to: code.text}, {to: status, default: final}]
"""
VISITS = ER7.replace("PID NK1* ORDER(ORC? OBR OBSERVATION(OBX NTE*)*)*", "PID PV1? OBR")


def visits(text: str = VISIT) -> Pack:
    return pack(VISITS, oru=text)


def _message(attending: str, referring: str) -> bytes:
    pv1 = f"PV1|1|E|||||{attending}|{referring}{'|' * 36}20261122100000+0700"
    return message("PID|1||BN1", pv1, "OBR|1||K1|a")


def test_a_part_is_told_beside_the_reference() -> None:
    """Each participant says which part it plays, and what else the row reads of it."""
    encounter = one(_message("BS1^Mẫu", "BS2^Thử"), "Encounter", visits())
    first, second = encounter["participant"]
    assert first["type"][0]["coding"][0]["code"] == "ATND"
    assert first["period"] == {"start": "2026-11-22T10:00:00+07:00"}
    assert second["type"][0]["coding"][0]["code"] == "REF"
    assert first["individual"] != second["individual"]


def test_parts_are_told_apart_on_the_way_out() -> None:
    """Whoever stands first: the attending doctor is written to PV1-7, the referring one to PV1-8, with nothing lost."""
    small = visits()
    bundle = copy.deepcopy(read(_message("BS1^Mẫu", "BS2^Thử"), small).strands[0].bundle)
    encounter = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Encounter")
    encounter["participant"].reverse()
    written = small.write(bundle, CONTEXT)
    fields = next(line for line in written.raw.decode().split("\r") if line.startswith("PV1")).split("|")
    assert (fields[7], fields[8]) == ("BS1^Mẫu", "BS2^Thử")
    assert not written.loss


def test_one_person_may_play_two_parts() -> None:
    """The same doctor attending and referring is one Practitioner, two participants, and both fields again."""
    small = visits()
    bundle = read(_message("BS1^Mẫu", "BS1^Mẫu"), small).strands[0].bundle
    assert len(one(_message("BS1^Mẫu", "BS1^Mẫu"), "Encounter", small)["participant"]) == 2
    fields = next(line for line in small.write(bundle, CONTEXT).raw.decode().split("\r") if line.startswith("PV1"))
    assert fields.split("|")[7:9] == ["BS1^Mẫu", "BS1^Mẫu"]


def test_a_part_that_no_row_says_is_loss() -> None:
    """A participant of another part is not written as if it were one of those: it is reported."""
    small = visits()
    bundle = copy.deepcopy(read(_message("BS1^Mẫu", ""), small).strands[0].bundle)
    encounter = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Encounter")
    encounter["participant"][0]["type"][0]["coding"][0]["code"] = "CON"
    written = small.write(bundle, CONTEXT)
    assert b"BS1" not in written.raw
    assert any(loss.place.startswith("Encounter.participant") for loss in written.loss)


def test_an_item_needs_an_element_to_stand_in() -> None:
    """`item` at a link without a backbone element does not load."""
    link = 'link: "MessageHeader.focus[]"'
    with pytest.raises(BrokenPack, match="no list of elements"):
        visits(VISIT.replace(link, f"{link}\n        item: [{{to: type.text, default: x}}]"))
