"""What is written as 2.5.1 is strictly 2.5.1: of samples, of messages made from the pack, and of what others said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.checking.context import CONTEXT
from adapters.errors import AdapterError, Unwritable
from adapters.pack import Writing
from tests.adapters import packs
from tests.adapters.law.cases import Case, cases, pack
from tests.adapters.law.strict_v2 import strict_faults

ID = "health/hl7v2"
MADE = 6
"""Messages made of each type."""
READ = [case for case in cases() if case.direction != "out"]
TO_HOSPITAL = replace(CONTEXT, header={"message-id": "TN6", "sender": "HUB"})
OTHER = sorted({case.pack_id for case in READ} - {ID})


def written(case: Case, made: int) -> Iterator[Writing]:
    """The case's messages in HL7 v2's words, as far as it has any."""
    for raw in [*case.samples(), *case.made(made, "strict")]:
        try:
            reading = case.pack.read(raw, CONTEXT)
        except AdapterError:
            continue
        for strand in reading.strands:
            try:
                yield pack(ID).write(strand.bundle, TO_HOSPITAL)
            except Unwritable:
                continue


@pytest.mark.parametrize("case", [case for case in READ if case.pack_id == ID], ids=str)
def test_what_is_written_again_is_strictly_valid(case: Case) -> None:
    """Whatever version it was read in."""
    said = list(written(case, MADE))
    assert said or case.direction == "in"
    assert not {fault: one.raw.decode() for one in said for fault in strict_faults(one.raw)}


@pytest.mark.parametrize("id_", OTHER)
def test_what_others_said_is_written_strictly_valid(id_: str) -> None:
    """Requests, statuses and records of the other sectors."""
    said = [one for case in READ if case.pack_id == id_ for one in written(case, 1)]
    assert not {fault: one.raw.decode() for one in said for fault in strict_faults(one.raw)}


HEAD = "MSH|^~\\&|HIS|BV-MAU|HUB|ONESTOP|20261121082000+0700||{}|M1|P|2.7||||||UNICODE UTF-8\r"
CHILD = "PID|1||BN-0001^^^BV-MAU^MR||Mẫu^Thị Thử An\r"


def again(type_: str, *segments: str) -> dict[str, list[str]]:
    """A message of a newer version, read and written: its lines by segment name."""
    raw = (HEAD.format(type_) + "".join(f"{each}\r" for each in segments)).encode()
    reading = packs.pack(ID).read(raw, packs.CONTEXT)
    said = packs.pack(ID).write(reading.strands[0].bundle, TO_HOSPITAL)
    assert not list(strict_faults(said.raw))
    lines: dict[str, list[str]] = {}
    for line in said.raw.decode().split("\r"):
        lines.setdefault(line[:3], []).append(line)
    return lines


def lost(type_: str, *segments: str) -> set[str]:
    """What is told to be lost when that message is written."""
    raw = (HEAD.format(type_) + "".join(f"{each}\r" for each in segments)).encode()
    bundle = packs.pack(ID).read(raw, packs.CONTEXT).strands[0].bundle
    return {loss.place for loss in packs.pack(ID).write(bundle, packs.CONTEXT).loss}


def test_the_fields_of_newer_versions_are_a_told_loss() -> None:
    """OBX-20 and 21, CE.7 and CE.9 arrive, and 2.5.1 has no place for them."""
    segments = (
        CHILD.strip(),
        "OBR|1||K1|85353-1^Vital signs^LN^^^^2.1^^dấu hiệu sinh tồn|||20261120|||||||||||||||20261120|||F",
        "OBX|1|NM|8867-4^Heart rate^LN||96|||||F||||||||||368208006^Left upper arm^SCT|X1^BV-MAU",
    )
    (obx,) = again("ORU^R01^ORU_R01", *segments)["OBX"]
    assert len(obx.split("|")) == 12
    places = lost("ORU^R01^ORU_R01", *segments)
    assert any("bodySite" in place for place in places)
    assert any(place.startswith("Observation.identifier") for place in places)
    assert {"DiagnosticReport.code.text"} <= places


def test_words_alone_stand_where_ce_has_its_words() -> None:
    """A reason that is only said in words reaches the other side, whichever version it came in."""
    rf1 = "RF1|R|||||X-1|||20261120|^^^^^^^^không đủ người"
    (said,) = again("RRI^I12^RRI_I12", rf1, "PRD|RT", CHILD.strip())["RF1"]
    assert said.split("|")[10] == "^không đủ người"


def test_a_code_of_another_system_is_not_written_as_one_of_the_fields_table() -> None:
    """PV1-14 is a code of table 0023: a SNOMED code would be taken for one of them."""
    own = again("ADT^A08^ADT_A01", "EVN|A08|20261121", CHILD.strip(), "PV1|1|E||||||||||||7^ER^HL70023")["PV1"]
    assert own[0].split("|")[14] == "7"
    other = again("ADT^A08^ADT_A01", "EVN|A08|20261121", CHILD.strip(), "PV1|1|E||||||||||||305056002^Admission^SCT")
    assert len(other["PV1"][0].split("|")) < 15


def test_nobody_named_is_an_unspecified_patient() -> None:
    """A status whose child may not be named has the PID and PRD that HL7 requires: they name and make nobody."""
    lines = again("RRI^I12^RRI_I12", "MSA|AA|HUB-1", "RF1|A|||||GD-1|||20261120")
    assert (lines["PID"], lines["PRD"]) == (["PID|1||^^^^U||^^^^^^U"], ["PRD|RT"])
    raw = (HEAD.format("RRI^I12^RRI_I12") + "RF1|A|||||GD-1|||20261120\rPRD|RT\rPID|1||^^^^U||^^^^^^U\r").encode()
    bundle = packs.pack(ID).read(raw, packs.CONTEXT).strands[0].bundle
    assert not packs.resources(bundle, "Patient")
    assert not packs.resources(bundle, "Organization")


def test_results_of_no_report_stand_below_an_order_that_says_so() -> None:
    """2.5.1 has no result without an OBR; read again they are results of no report."""
    lines = again("ORU^R01^ORU_R01", CHILD.strip(), "OBX|1|NM|8867-4^Heart rate^LN||96|||||F",
                  "OBR|1||K1|85353-1^Vital signs^LN", "OBX|1|NM|8310-5^Temp^LN||37|||||F")  # fmt: skip
    assert [line.split("|")[4] for line in lines["OBR"]] == [
        "findings^findings of no report^99HUBRPT", "85353-1^Vital signs^LN",
    ]  # fmt: skip
    assert len(lines["OBX"]) == 2


def test_a_request_without_its_number_is_read_and_not_written() -> None:
    """RF1-6 is required: what nobody could answer is not sent, and says what it lacks."""
    raw = (HEAD.format("REF^I12^REF_I12") + "RF1|P||forensic^^99HUBSVC\rPRD|RP\r" + CHILD).encode()
    bundle = packs.pack(ID).read(raw, packs.CONTEXT).strands[0].bundle
    assert packs.resources(bundle, "ServiceRequest")
    with pytest.raises(Unwritable) as fault:
        packs.pack(ID).write(bundle, packs.CONTEXT)
    assert (fault.value.kind, "identifier" in fault.value.place) == ("required", True)


def test_a_status_that_is_not_known_is_said_as_preliminary() -> None:
    """OBX-11 is required and has no word for it; the loss is told."""
    segments = (CHILD.strip(), "OBR|1||K1|85353-1^Vital signs^LN", "OBX|1|NM|8867-4^Heart rate^LN||96")
    assert again("ORU^R01^ORU_R01", *segments)["OBX"][0].split("|")[11] == "P"
    assert "Observation.status" in lost("ORU^R01^ORU_R01", *segments)
