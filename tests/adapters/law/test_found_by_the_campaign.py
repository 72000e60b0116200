"""What `make campaign-packs` found, said small: each of these messages broke the law once."""

from __future__ import annotations

import pytest

from adapters.checking.law import Law
from adapters.checking.problems import Breach
from tests.adapters import packs

HL7 = "health/hl7v2"


def breaches(type_: str, raw: str) -> list[Breach]:
    """What of the law a message breaks."""
    law = Law(packs.pack(HL7), type_)
    found = law.check(raw.encode())
    assert law.read, "the message is refused"
    return found


def changed(name: str, *changes: tuple[str, str]) -> str:
    """A sample with other words."""
    raw = packs.sample(HL7, name).decode()
    for old, new in changes:
        assert old in raw, f"{name} does not say {old}"
        raw = raw.replace(old, new)
    return raw


REF = "ref-i12-forensic.hl7"
REFERRING = "PRD|RP^Referring Provider^HL70286|||^^^^^^^^Cơ quan điều tra Mẫu|||cqdt-mau^XX\r"
REFERRED = "PRD|RT^Referred to Provider^HL70286|||^^^^^^^^Bệnh viện Mẫu|||bv-mau^XX\r"


def test_who_shall_act_is_the_same_wherever_the_referral_says_it() -> None:
    """An organisation of RF1-19 (v2.8), written as a PRD, owns the Task as it did before."""
    decision = "AUT|decision^quyết định^L||Cơ quan điều tra Mẫu|20261120||45/QĐ-CQĐT\r"
    raw = changed(REF, (decision, ""), ("^chứng cứ^99HUBRSN", "^chứng cứ^99HUBRSN|||||||||Trung tâm Mẫu"))
    assert not breaches("REF^I12", raw)


@pytest.mark.parametrize("providers", ["PRD|PP^Primary Care Provider^HL70286|||^^^^^^^^Trạm Mẫu\r", "PRD|RT\r"])
def test_a_referral_whose_providers_nobody_knows_can_still_be_passed_on(providers: str) -> None:
    """HL7 asks for a PRD: one without a name stands there, so that the referral is not lost."""
    raw = changed(REF, (REFERRING, ""), (REFERRED, providers))
    assert not breaches("REF^I12", raw)
    (strand,) = packs.pack(HL7).read(raw.encode(), packs.CONTEXT).strands
    written = packs.pack(HL7).write(strand.bundle, packs.CONTEXT).raw.decode()
    assert [line for line in written.split("\r") if line.startswith("PRD")] == ["PRD|RT^Referred to Provider^HL70286"]


def test_two_orders_without_a_number_keep_their_own_requests() -> None:
    """Two reports that nothing tells apart are two, and so are the requests that are known by them."""
    order = "OBR|{}|||^^LN|||20261120084500+0700|||||||||BS001^Thử^Bác Sĩ||||||20261120103000+0700|||F\r"
    head = changed("oru-r01-exam.hl7").split("OBR|")[0]
    result = "OBX|1|NM|8867-4^Heart rate^LN||{}|/min^/min^UCUM|||||F\r"
    raw = head + order.format(1) + result.format(96) + order.format(2) + result.format(97)
    assert not breaches("ORU^R01", raw)
    (strand,) = packs.pack(HL7).read(raw.encode(), packs.CONTEXT).strands
    requests = [each for each in strand.bundle["entry"] if each["resource"]["resourceType"] == "ServiceRequest"]
    assert len({each["fullUrl"] for each in requests}) == 2


def test_results_that_come_back_in_another_order_are_numbered_anew() -> None:
    """OBX-1 says where a segment stands: no value that could be lost."""
    raw = changed("adt-a08-update.hl7", ("DG1|1", "OBX||ED|^Ảnh Mẫu\rOBX|2|NM|44249-1^PHQ-9^LN||14||||||F\rDG1|1"))
    assert not breaches("ADT^A08", raw)


def test_a_code_of_another_table_in_a_coded_field_tells_the_loss_of_its_system() -> None:
    """2.5.1 says a VIP indicator without a system: a code of another table goes without it, and that is told."""
    raw = changed("adt-a08-update.hl7", ("BS001^Thử^Bác Sĩ^^^BS.|||", "BS001^Thử^Bác Sĩ^^^BS.|||A1^^HL70004"))
    assert not breaches("ADT^A08", raw)
    (strand,) = packs.pack(HL7).read(raw.encode(), packs.CONTEXT).strands
    lost = [loss.place for loss in packs.pack(HL7).write(strand.bundle, packs.CONTEXT).loss]
    assert "Encounter.serviceType.coding[0].system" in lost


@pytest.mark.parametrize(("status", "read"), [("Cancelled", True), ("Deleted", False)])
def test_an_end_without_a_beginning_is_no_time_of_an_appointment(status: str, read: bool) -> None:
    """A cancelled one is read without it (app-2); of another its sender is asked when it begins (app-3)."""
    lines = changed("siu-s12-appointment.hl7").split("\r")
    fields = next(line for line in lines if line.startswith("SCH")).split("|")
    fields += [""] * (26 - len(fields))
    fields[11], fields[25] = "", status
    bare = ["AIS", "AIP", "AIL", "AIG", "TQ1"]
    kept = ["|".join(fields) if line.startswith("SCH") else line for line in lines if line[:3] not in bare]
    at = next(number for number, line in enumerate(kept) if line.startswith("SCH"))
    raw = "\r".join([*kept[: at + 1], "TQ1||||||||20310307053535-0500", *kept[at + 1 :]])
    law = Law(packs.pack(HL7), "SIU^S12")
    assert not law.check(raw.encode())
    assert bool(law.read) is read


@pytest.mark.parametrize(
    "said",
    [
        "&SX^^^^Hai^^^^Ba",
        "&SX^^^^Hai",
        "&SX^Hai",
        "71020&SX^^^^Hai",
        "&SX^^^^^^^^Ba",
        "&SX^^^^^LN",
        "&SX^Hai^^^^^^^Ba",
        "^Hai^^^^^^^Ba",
        "^Hai^^^^^1.0",
    ],
)
def test_a_suffix_does_not_turn_the_alternate_code_into_the_first(said: str) -> None:
    """An old sender's suffix (OBX-3.1.2) without a code: what stands in the alternate's place comes back there."""
    head = changed("oru-r01-exam.hl7").split("OBX|")[0]
    assert not breaches("ORU^R01", f"{head}OBX|1|NM|{said}||1.50||||||F\r")


def test_an_order_number_makes_a_report_of_what_is_none() -> None:
    """The hub's own OBR over results of no report (99HUBRPT) never names an order: one that does answers that order."""
    head = changed("oru-r01-exam.hl7").split("ORC|")[0].split("OBR|")[0]
    assert not breaches("ORU^R01^ORU_R01", f"{head}ORC|RE|Y-LENH-00000\rOBR|1|||findings^^99HUBRPT\r")


def test_the_system_of_an_order_number_alone_names_no_order() -> None:
    """ORC-2 with the type of its system and no number (``^^^ISO``): the results answer no order."""
    head = changed("oru-r01-exam.hl7").split("OBR|")[0].split("ORC|")[0]
    raw = f"{head}ORC|RE|^^^ISO|TN-0007^BV-MAU\rOBR|1|||GDPY|||20261121080000+0700||||||||||||||||||F\r"
    assert not breaches("ORU^R01", raw)


def test_a_report_goes_by_the_number_that_stands_in_orc_alone() -> None:
    """ORC-2 without OBR-2, as old senders have it: the order's number is the report's as well."""
    lines = changed("ref-i12-forensic.hl7").rstrip("\r").split("\r")
    order = ["ORC|RE|MAU-1^BV-MAU", "OBR|1||KQ-1|GDPY|||20261121080000+0700|||||||||||||||||20261121080000+0700||PAT|F"]
    law = Law(packs.pack(HL7), "REF^I12")
    assert not law.check("\r".join([*lines, *order, ""]).encode())
    assert law.read


@pytest.mark.parametrize("status", ["HD", "ER", "CM"])
def test_an_order_whose_status_has_no_word_there_says_none(status: str) -> None:
    """A request on hold (ORC-5) has no word in OBR-25: it says nothing there, then and the next time."""
    lines = changed("mdm-t02-note.hl7").rstrip("\r").split("\r")
    at = next(number for number, line in enumerate(lines) if line.startswith("TXA"))
    order = [f"ORC|RE|MAU-1|||{status}", "OBR|1|MAU-1||GDPY"]
    law = Law(packs.pack(HL7), "MDM^T02")
    assert not law.check("\r".join([*lines[:at], *order, *lines[at:], ""]).encode())
    assert law.read


def test_a_laboratory_said_twice_has_one_address() -> None:
    """Two results name one laboratory (OBX-23) with two addresses (OBX-24): joined, it is written with the first."""
    head = changed("oru-r01-exam.hl7").split("OBX|")[0]
    first, second = "^Phường Mẫu^^^^VNM", "^^^một^^^ZZ9"
    lines = [
        f"OBX|{number}|NM|29463-7^Body weight^LN||36.{number}|kg^kg^UCUM|||||F||||||||||||Phòng Mẫu|{address}"
        for number, address in enumerate((first, second), 1)
    ]
    assert lines[0].split("|").index("Phòng Mẫu") == 23
    assert not breaches("ORU^R01", "\r".join([head.rstrip("\r"), *lines, ""]))


def test_a_relative_of_whom_only_a_number_is_said_is_nobody() -> None:
    """``NK1|1``: nothing is lost when that number does not come back."""
    head, relative, rest = changed("oru-r01-exam.hl7").partition("NK1|")
    assert not breaches("ORU^R01", f"{head}NK1|1\r{rest.partition(chr(13))[2]}")
    assert relative
