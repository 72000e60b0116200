"""What is not spoken or cannot be mapped without guessing is refused, by place, without a word of what it said."""

from __future__ import annotations

import pytest

from adapters.errors import Malformed, Refusal, Unmappable, Unsupported
from adapters.pack import Reading
from tests.adapters import packs

ID = "health/hl7v2"
CANARY = "Bí-Mật-0912345678"


def read(raw: bytes) -> Reading:
    return packs.pack(ID).read(raw, packs.CONTEXT)


def exam(old: str, new: str) -> bytes:
    raw = packs.sample(ID, "oru-r01-exam.hl7").decode()
    assert old in raw
    return raw.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    "said",
    ["ADT^A02", "ADT^A11", "ADT^A24", "REF^I15", "RQA^I08", "SIU^S26", "OMP^O09", "QBP^Q11", "BAR^P01", "ZRC^Z01"],
)
def test_what_is_not_spoken_is_refused_by_name(said: str) -> None:
    """A type that is not yet spoken, or only written, is named in the refusal."""
    raw = exam("ORU^R01^ORU_R01", said)
    with pytest.raises(Unsupported) as refusal:
        read(raw)
    assert said in refusal.value.why
    assert refusal.value.place == "MSH[1]-9"


def test_a_file_name_or_structure_does_not_decide_the_type() -> None:
    """MSH-9.1 and MSH-9.2 say the type; MSH-9.3 may be wrong or missing."""
    assert read(exam("ORU^R01^ORU_R01", "ORU^R01^MDM_T02")).head.type == "ORU^R01"
    assert read(exam("ORU^R01^ORU_R01", "ORU^R01")).head.type == "ORU^R01"


def test_a_second_child_in_the_wrong_place_is_refused() -> None:
    """A second PID inside an order refuses the message: its results must never hang on the first child."""
    raw = packs.sample(ID, "ref-i12-forensic.hl7").decode()
    child = raw.split("\r")[5]
    assert child.startswith("PID")
    with pytest.raises(Malformed) as refusal:
        read((raw + child.replace("999312000001", "999312000002") + "\r").encode())
    assert refusal.value.place == "PID[2]"


def test_results_without_a_child_are_refused() -> None:
    """Results that stand under no PID are nobody's."""
    raw = packs.sample(ID, "oru-r01-exam.hl7").decode()
    lines = [line for line in raw.split("\r") if not line.startswith(("PID", "NK1"))]
    with pytest.raises(Malformed):
        read("\r".join(lines).encode())


def test_two_nameless_children_do_not_become_one() -> None:
    """Two children without any identifier are two resources, marked as never matching."""
    raw = packs.sample(ID, "oru-r01-two-children.hl7").decode()
    for number in ("BN-0002", "BN-0003"):
        raw = raw.replace(f"{number}^^^BV-MAU^MR", "")
    children = [packs.resources(strand.bundle, "Patient")[0] for strand in read(raw.encode()).strands]
    assert children[0]["id"] != children[1]["id"]
    assert all(child["meta"]["tag"][0]["code"] == "never-matches" for child in children)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("OBX|1|NM|8867-4", "OBX|1|XX|8867-4", "OBX[1]-5"),
        ("||96|/min", "||ninety-six|/min", "OBX[1]-5"),
        ("<^5|mg/L", "?^5|mg/L", "OBX[22]-5"),
    ],
)
def test_a_value_never_falls_through(old: str, new: str, place: str) -> None:
    """An unknown type of value, a number that is none and an unknown comparator refuse at their place."""
    with pytest.raises(Refusal) as refusal:
        read(exam(old, new))
    assert refusal.value.place.startswith(place)


def test_several_numbers_of_one_test_are_components() -> None:
    """60~120 is neither 60 nor refused: both values stand in components."""
    found = read(exam("||96|/min", "||60~120|/min")).strands[0].bundle
    values = [part["valueQuantity"] for part in packs.resources(found, "Observation")[0]["component"]]
    assert [packs.plain(value)["value"] for value in values] == ["60", "120"]


def test_a_result_that_is_not_there_yet_has_no_value() -> None:
    """An empty OBX-5 is a result without a value, not a zero."""
    found = read(exam("||96|/min^/min^UCUM|60-100|N|||F", "||||||||I")).strands[0].bundle
    first = packs.resources(found, "Observation")[0]
    assert first["status"] == "registered"
    assert not [key for key in first if key.startswith("value")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OBX|1|NM|8867-4", f"OBX|1|{CANARY}|8867-4"),
        ("||96|/min", f"||{CANARY}|/min"),
        ("|E|KCC", f"|{CANARY}|KCC"),
        ("ORU^R01^ORU_R01", f"{CANARY}^R01"),
        ("OBR|1|", f"{CANARY}|1|"),
    ],
)
def test_a_refusal_repeats_nothing(old: str, new: str) -> None:
    """Whatever was wrong, the refusal names the place and never the value."""
    with pytest.raises(Refusal) as refusal:
        read(exam(old, new))
    assert CANARY not in str(refusal.value)
    assert "Mẫu" not in str(refusal.value)


def test_a_message_without_a_visit_class_says_where() -> None:
    """A visit whose class is not in the agreed list is refused at PV1-2."""
    with pytest.raises(Unmappable) as refusal:
        read(exam("|E|KCC", "|Q|KCC"))
    assert refusal.value.place == "PV1[1]-2"


def test_a_cancellation_says_which_referral() -> None:
    """REF^I14 without RF1-6 cancels nothing that anybody could name."""
    raw = packs.sample(ID, "ref-i14-cancel.hl7").decode()
    lines = raw.split("\r")
    at = next(number for number, line in enumerate(lines) if line.startswith("RF1"))
    fields = lines[at].split("|")
    fields[6] = ""
    with pytest.raises(Unmappable) as refusal:
        read("\r".join([*lines[:at], "|".join(fields), *lines[at + 1 :]]).encode())
    assert refusal.value.place.startswith("RF1")


def test_a_file_without_its_bytes_is_refused() -> None:
    """A file in a note whose Base64 is none is not read as a file with nothing in it."""
    raw = packs.sample(ID, "mdm-t02-note.hl7").decode()
    with pytest.raises(Malformed) as refusal:
        read((raw.rstrip("\r") + "\rOBX|9|ED|PDF^Bản quét||^^^Base64^=không phải=||||||F\r").encode())
    assert refusal.value.place.startswith("OBX")


@pytest.mark.parametrize("said", ["||12 Đường Thử^^Mẫu", "^^^&1.2.3&ISO||12 Đường Thử^^Mẫu"])
def test_an_insurer_without_name_and_number_is_nobody(said: str) -> None:
    """IN1 with an insurer's address only: FHIR holds no such Organization (org-1), and no coverage without one; it is a
    told loss, and the rest is read."""
    raw = packs.sample(ID, "adt-a04-register.hl7").decode().rstrip("\r")
    reading = read(f"{raw}\rIN1|9|P1|{said}\r".encode())
    before = read(raw.encode()).strands[0].bundle
    assert len(reading.strands[0].bundle["entry"]) == len(before["entry"])
    (place,) = {loss.place.split("-")[0] for loss in reading.loss if loss.place.startswith("IN1")}
    assert any(loss.place.startswith(f"{place}-5") for loss in reading.loss)


@pytest.mark.parametrize("said", ["Nguyen", "ORU^Nguyen", "0912345678"])
def test_what_is_no_type_at_all_is_not_repeated(said: str) -> None:
    """A name or number in MSH-9 is refused without a word of it."""
    with pytest.raises(Unsupported) as refusal:
        read(exam("ORU^R01^ORU_R01", said))
    assert said.rpartition("^")[2] not in str(refusal.value)
