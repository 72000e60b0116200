"""Messages as real hospitals send them: other versions, character sets, batches, names that say too little or lie."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from adapters.codecs import er7_batch
from adapters.errors import Malformed, Unsupported
from adapters.pack import Reading
from consent.vocabulary import Event
from tests.adapters import packs

ID = "health/hl7v2"
INBOUND = [name for name in packs.samples(ID) if name.endswith(".hl7")]
VERSIONS = ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"]


def read(raw: bytes) -> Reading:
    return packs.pack(ID).read(raw, packs.CONTEXT)


def changed(name: str, old: str, new: str) -> bytes:
    text = packs.sample(ID, name).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize("name", INBOUND)
def test_every_type_is_read_in_every_version(name: str) -> None:
    """The same message under any of the agreed versions says the same."""
    said = packs.plain([strand.bundle["entry"][1:] for strand in read(packs.sample(ID, name)).strands])
    for version in VERSIONS:
        reading = read(changed(name, "|P|2.5.1|", f"|P|{version}|"))
        assert (reading.head.version, reading.deviations) == (version, ())
        assert packs.plain([strand.bundle["entry"][1:] for strand in reading.strands]) == said


@pytest.mark.parametrize("version", ["2.1", "2.9", "2.5.1^VNM^1", "x"])
def test_another_version_is_read_all_the_same(version: str) -> None:
    """A version that is not agreed is a deviation; an international version id beside it is none."""
    reading = read(changed("adt-a08-update.hl7", "|P|2.5.1|", f"|P|{version}|"))
    assert len(reading.strands) == 1
    assert [each.why for each in reading.deviations] == (
        [] if "^" in version else ["a version that is not agreed; read all the same"]
    )


def test_a_message_of_2_3_in_8859() -> None:
    """Old systems write ISO 8859-1 and say so; what it can write of a name arrives."""
    text = packs.sample(ID, "adt-a08-update.hl7").decode()
    for old, new in (("Mẫu^Thị Thử An", "Nguyên^Thi Thu An"), ("UNICODE UTF-8", "8859/1"), ("|P|2.5.1|", "|P|2.3|")):
        text = text.replace(old, new)
    text = "\r".join(line for line in text.split("\r") if line[:3] in ("MSH", "EVN", "PID", "PV1"))
    text = text.replace("12 Đường Thử^Ấp Mẫu^Thành phố Hồ Chí Minh^^^VNM^H^Phường Mẫu^Quận Thử", "1 Rue Thé^^Huê")
    text = text.replace("Thử^Bác Sĩ", "Thu^Bác Si")
    reading = read(text.encode("latin-1"))
    assert (reading.head.charset, reading.deviations) == ("latin-1", ())
    child = packs.resources(reading.strands[0].bundle, "Patient")[0]
    assert (child["name"][0]["family"], child["address"][0]["city"]) == ("Nguyên", "Huê")


def test_vietnamese_in_windows_1258() -> None:
    """A hospital that still writes Windows-1258 and says so keeps its tones."""
    text = unicodedata.normalize("NFD", "Mẫu^Thị Thử An")
    precomposed = "".join(
        unicodedata.normalize("NFC", text[i : i + 2]) if text[i + 1 : i + 2] in "\u0302\u0306\u031b" else char
        for i, char in enumerate(text)
        if char not in "\u0302\u0306\u031b"
    )
    header = "MSH|^~\\&|HIS|BV-MAU|HUB|ONESTOP|20261121082000+0700||ADT^A31^ADT_A05|1|P|2.3|||AL|NE||CP1258"
    raw = f"{header}\rPID|1||BN-0001^^^BV-MAU^MR||{precomposed}^^^^^L^^^^F||20120315|F\r".encode("cp1258")
    child = packs.resources(read(raw).strands[0].bundle, "Patient")[0]
    assert (child["name"][0]["family"], child["name"][0]["given"]) == ("Mẫu", ["Thị", "Thử", "An"])


@pytest.mark.parametrize(
    ("name", "said", "bare", "event"),
    [
        ("oru-r01-exam.hl7", "ORU^R01^ORU_R01", "ORU", Event.EXAM_RECORD),
        ("oru-r01-forensic-result.hl7", "ORU^R01^ORU_R01", "ORU", Event.RESULT),
        ("orm-o01-imaging.hl7", "ORM^O01^ORM_O01", "ORM", Event.RECORD),
        ("vxu-v04-vaccination.hl7", "VXU^V04^VXU_V04", "VXU", Event.RECORD),
        ("adt-a08-update.hl7", "ADT^A08^ADT_A01", "ADT", Event.RECORD),
        ("adt-a40-merge.hl7", "ADT^A40^ADT_A39", "ADT", Event.IDENTITY),
    ],
)
def test_a_bare_type_is_understood_where_it_means_one_thing(name: str, said: str, bare: str, event: Event) -> None:
    """MSH-9 of an old sender may name the message alone: the only event it has, or the one that EVN-1 says."""
    reading = read(changed(name, f"||{said}|", f"||{bare}|"))
    assert reading.head.event is event
    assert packs.plain(reading.strands[0].bundle["entry"][1:]) == packs.plain(packs.expected(ID, name)[0]["entry"][1:])


@pytest.mark.parametrize(
    ("name", "said"), [("siu-s12-appointment.hl7", "SIU^S12^SIU_S12"), ("ref-i14-cancel.hl7", "REF^I14^REF_I12")]
)
def test_a_bare_type_that_means_several_things_is_refused(name: str, said: str) -> None:
    """Whether an appointment is made or cancelled, or a referral asked for or taken back, is not guessed."""
    with pytest.raises(Unsupported):
        read(changed(name, f"||{said}|", f"||{said[:3]}|"))


def test_a_batch_is_its_messages() -> None:
    """FHS and BHS around one message are no part of it; several messages are cut apart, or sent one by one."""
    one, two = packs.sample(ID, "adt-a04-register.hl7"), packs.sample(ID, "vxu-v04-vaccination.hl7")
    start, end = b"FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r", b"BTS|2\rFTS|1\r"
    assert read(start + one + end.replace(b"2", b"1")).head.type == "ADT^A04"
    messages = er7_batch.split_batch(start + one + two + end).messages
    assert [read(each).head.type for each in messages] == ["ADT^A04", "VXU^V04"]
    with pytest.raises(Malformed, match="batch"):
        read(start + one + two + end)


def test_a_batch_that_counts_other_messages_is_refused() -> None:
    """BTS-1 says two and one is there: the other is missing, and nothing is read as if all were well."""
    one = packs.sample(ID, "adt-a04-register.hl7")
    with pytest.raises(Malformed, match="other messages"):
        er7_batch.split_batch(b"BHS|^~\\&|HIS\r" + one + b"BTS|2\r")


def test_a_note_called_an_admission_is_the_admission() -> None:
    """MSH-9 decides: an ADT that holds an order and a document is read as the ADT, and the rest is in the loss list."""
    lines = packs.sample(ID, "adt-a01-admit.hl7").decode().split("\r")
    record = [line for line in lines if line[:3] in ("MSH", "EVN", "PID", "PV1")]
    reading = read("\r".join([*record, "ORC|NW", "OBR|1|7|8|625-4^Culture^LN", "NTE|1||x", "TXA|1|DIS"]).encode())
    assert reading.head.event is Event.RECORD
    assert {"OBR[1]-4.1", "TXA[1]-2"} <= {loss.place for loss in reading.loss}


def test_what_calls_itself_an_oid_and_is_none_is_lost_alone() -> None:
    """An assigner that says ISO and gives no OID loses that, by place; the number and the message stay."""
    reading = read(changed("adt-a08-update.hl7", "BN-0001^^^BV-MAU^MR", "BN-0001^^^BV-MAU&W1.2&ISO^MR"))
    number = packs.resources(reading.strands[0].bundle, "Patient")[0]["identifier"][0]
    assert (number["value"], "system" in number) == ("BN-0001", False)
    assert "PID[1]-3.4.2" in {loss.place for loss in reading.loss}


def child(reading: Reading) -> dict[str, Any]:
    return packs.resources(reading.strands[0].bundle, "Patient")[0]


def pid(reading: Reading) -> list[str]:
    """The PID that is written of what was read, cut into fields."""
    context = packs.said_as_read(reading.strands[0], reading.head.fields)
    raw = packs.pack(ID).write(reading.strands[0].bundle, context).raw.decode()
    return next(line for line in raw.split("\r") if line.startswith("PID")).split("|")


def with_pid(number: int, text: str) -> Reading:
    """The exam sample with another PID field."""
    lines = packs.sample(ID, "oru-r01-exam.hl7").decode().replace("\n", "\r").split("\r")
    at = next(place for place, line in enumerate(lines) if line.startswith("PID"))
    fields = lines[at].split("|")
    lines[at] = "|".join([*fields[:number], text, *fields[number + 1 :]])
    return read("\r".join(lines).encode())


def test_a_hamlet_stays_a_hamlet_beside_a_street_in_parts() -> None:
    """PID-11.1 may name the street and the house once more; they are no lines of their own, so nothing moves."""
    field = "12 Đường Mẫu&Đường Mẫu&12^Tổ 3^TP HCM"
    reading = with_pid(11, field)
    assert child(reading)["address"][0]["line"] == ["12 Đường Mẫu", "Tổ 3"]
    assert pid(reading)[11] == "12 Đường Mẫu^Tổ 3^TP HCM"
    assert {"PID[1]-11.1.2", "PID[1]-11.1.3"} <= {loss.place for loss in reading.loss}


def test_a_street_that_is_only_said_in_parts_is_the_line() -> None:
    """Without the whole line house and street are what there is."""
    reading = with_pid(11, "&Đường Mẫu&12^Tổ 3^TP HCM")
    assert child(reading)["address"][0]["line"] == ["12 Đường Mẫu", "Tổ 3"]
    assert pid(reading)[11] == "12 Đường Mẫu^Tổ 3^TP HCM"


def test_a_telephone_of_an_unknown_type_is_kept() -> None:
    """PID-13.3 is often a word of the sender's own: the number is read, the word comes back."""
    field = "^PRN^MOBILEPHONE^^^^^^^^^0901234567"
    reading = with_pid(13, field)
    (telecom,) = child(reading)["telecom"]
    assert (telecom["system"], telecom["use"], telecom["value"]) == ("other", "home", "0901234567")
    assert pid(reading)[13] == field


def test_a_name_that_is_only_said_as_a_whole_is_written() -> None:
    """A spreadsheet knows no family name: the whole name stands where a hospital looks first, and is not lost."""
    reading = with_pid(5, "Mẫu^Thử")
    child(reading)["name"] = [{"text": "Thử Thị Mẫu"}]
    assert pid(reading)[5] == "Thử Thị Mẫu"


@pytest.mark.parametrize(("said", "code"), [("&GDT^Critical values", None), ("71020&IMP^Chest X-ray^LN", "71020")])
def test_a_code_may_say_which_part_of_the_report_it_is(said: str, code: str | None) -> None:
    """The suffix of OBX-3 is kept beside the code, in a note as in a result; what a note says is not refused for it."""
    raw = changed("mdm-t02-note.hl7", "11506-3^Progress note^LN", said)
    (document,) = packs.resources(read(raw).strands[0].bundle, "DocumentReference")
    (coding,) = document["content"][0]["extension"][0]["valueCodeableConcept"]["coding"]
    assert coding.get("code") == code
    assert coding["extension"][0]["valueString"] in ("GDT", "IMP")
