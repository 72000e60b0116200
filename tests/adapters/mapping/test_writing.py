"""The rules of writing: said once, asserted, ordered, and nothing lost in silence."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import hl7
import pytest

from adapters.errors import Unwritable
from adapters.library import load_pack
from adapters.pack import Bundle, LossKind
from tests.adapters.mapping.small import CONTEXT, ORU, message, pack, read, resources

FULL = message(
    "PID|1||BN1^^^BV-MAU^MR~BN2^^^BV-MAU^MR||Mẫu^Thị Thử~Tên^Khác||20120315|F",
    "NK1|1|Người Mẫu|MTH",
    "NK1|2|Người Khác|ZZZ",
    "OBR|1||K1|a",
    "OBX|1|NM|a1||96.50",
    "NTE|1||ghi chú",
    "OBX|2|SN|a2||<^5",
    "OBR|2||K2|b",
    "OBX|1|ST|b1||bình thường\\.br\\dòng hai",
)


def bundle() -> Bundle:
    return copy.deepcopy(read(FULL).strands[0].bundle)


def test_what_is_read_is_written_back() -> None:
    """Stability: read(write(read(m))) == read(m), fullUrls included, and a second write is byte-equal."""
    small, first = pack(), bundle()
    written = small.write(first, CONTEXT)
    assert not written.loss
    again = read(written.raw, small).strands[0].bundle
    ours = {**first, "identifier": again["identifier"], "timestamp": again["timestamp"]}
    assert list(again["entry"][1:]) == ours["entry"][1:]
    assert small.write(again, CONTEXT).raw == written.raw


def test_segments_stand_in_the_structures_order() -> None:
    """Whatever the order of rows, segments come in the order of the grammar, and a peer can read them."""
    written = pack().write(bundle(), CONTEXT).raw.decode()
    names = [line[:3] for line in written.split("\r") if line]
    assert names == ["MSH", "PID", "NK1", "NK1", "OBR", "OBX", "NTE", "OBX", "OBR", "OBX"]
    assert str(hl7.parse(written)["PID"][0][5][1][0]) == "Tên"


def test_when_is_asserted() -> None:
    """A row's `when` is said on the way out: OBX-2 follows from the kind of value, PID-3.5 from the type."""
    lines = pack().write(bundle(), CONTEXT).raw.decode().split("\r")
    assert [line.split("|")[2] for line in lines if line.startswith("OBX")] == ["NM", "SN", "ST"]
    assert "BN1^^^BV-MAU^MR~BN2^^^BV-MAU^MR" in lines[1]


def _leftovers(change: Any) -> list[str]:
    changed = bundle()
    change(changed)
    return [loss.place for loss in pack().write(changed, CONTEXT).loss if loss.kind is LossKind.DROP]


def test_what_the_format_has_no_place_for_is_told() -> None:
    """Each canonical leaf that is not said is a loss with its place; labels and ids are none."""

    def add(changed: Bundle) -> None:
        resources(changed, "Patient")[0]["maritalStatus"] = {"text": "độc thân"}
        resources(changed, "Patient")[0]["name"].append({"text": "Tên Thứ Ba"})
        resources(changed, "Observation")[0]["valueQuantity"]["unit"] = "/min"

    assert set(_leftovers(add)) == {
        "Patient.maritalStatus.text",
        "Patient.name[2].text",
        "Observation.valueQuantity.unit",
    }


def test_a_code_outside_the_map_is_told_never_guessed() -> None:
    """The way back accepts only the map's own range."""

    def change(changed: Bundle) -> None:
        resources(changed, "Patient")[0]["gender"] = "unknown"

    assert _leftovers(change) == ["Patient.gender"]


def test_a_relation_of_another_code_system_is_not_taken_for_ours() -> None:
    """MTH of another code system is not the mother of ours: loss, not a wrong code."""

    def change(changed: Bundle) -> None:
        resources(changed, "RelatedPerson")[0]["relationship"][0]["coding"][0]["system"] = "urn:elsewhere"

    assert "RelatedPerson.relationship[0].coding[0].code" in _leftovers(change)


def test_a_kept_code_is_read_back_by_its_own_pack_only() -> None:
    """The original code comes back through the pack that kept it; another pack leaves it."""
    written = pack().write(bundle(), CONTEXT).raw.decode()
    assert "NK1||Người Khác|ZZZ" in written
    from tests.adapters.mapping.small import ER7

    other = pack(ER7.replace("health/small", "health/other"))
    assert "ZZZ" not in other.write(bundle(), CONTEXT).raw.decode()


def test_another_constant_is_told() -> None:
    """A canonical constant is expected on the way out; another value is loss, not silently final."""

    def change(changed: Bundle) -> None:
        resources(changed, "DiagnosticReport")[0]["status"] = "cancelled"

    assert _leftovers(change) == ["DiagnosticReport.status"]


def test_an_event_that_the_format_has_not_is_refused() -> None:
    """A bundle of another event is Unwritable, and `writes` says so before."""
    changed = bundle()
    changed["entry"][0]["resource"]["eventCoding"]["code"] = "recall"
    with pytest.raises(Unwritable):
        pack().write(changed, CONTEXT)


def test_what_breaks_the_structure_is_not_sent() -> None:
    """A message that its own structure would refuse does not leave."""
    changed = bundle()
    changed["entry"] = [entry for entry in changed["entry"] if entry["resource"]["resourceType"] != "Patient"]
    with pytest.raises(Unwritable) as fault:
        pack().write(changed, CONTEXT)
    assert fault.value.kind in ("structure", "type")


def test_header_leaves_come_from_the_context() -> None:
    """Who sends, when and under what id is the context's, never the earlier sender's."""
    written = pack().write(bundle(), CONTEXT)
    header = written.raw.decode().split("\r")[0].split("|")
    assert (header[2], header[6], header[9], written.key) == ("HUB", "20261122100000+0700", "OUT1", "OUT1")


def test_a_dialect_is_written_as_it_is_read() -> None:
    """A reply to a sender of a dialect uses its forms."""
    written = pack().write(bundle(), replace(CONTEXT, dialect="slashes", header={"sender": "SLASH"}))
    assert "|15/03/2012|" in written.raw.decode()


def test_a_code_that_json_says_as_a_number_goes_back_as_one() -> None:
    """`"sex": 2` is read by the code map as its digits, and written as the number; so is a number that identifies."""
    manifest = (
        'id: social/so\nversion: "1"\ntitles: {vi: Thử, en: Small}\ncodec: json\nmedia-types: [application/json]\n'
        "messages: [{type: Record, when: {no: $present}, event: record, map: maps/record.yaml}]\n"
    )
    rows = (
        'rows:\n  - make: Patient\n    link: "MessageHeader.focus[]"\n    as: child\n    class: demographics\n'
        '    key: ["identifier[type=MR]"]\n    rows:\n'
        '      - {at: no, to: "identifier[type=MR].value", integer: "yes"}\n'
        '      - {at: sex, to: gender, codes: codes/sex.csv, integer: "yes"}\n'
    )
    files = {"manifest.yaml": manifest, "maps/record.yaml": rows, "codes/sex.csv": "source,code\n1,male\n2,female\n"}
    numbers = load_pack({name: text.encode() for name, text in files.items()})
    reading = numbers.read(b'{"no": 881, "sex": 2}', CONTEXT)
    child = reading.strands[0].bundle["entry"][1]["resource"]
    assert (child["identifier"][0]["value"], child["gender"], reading.loss) == ("881", "female", ())
    assert numbers.write(reading.strands[0].bundle, CONTEXT).raw == b'{"no":881,"sex":2}\n'
    told = numbers.read(b'{"no": "0881", "sex": "2"}', CONTEXT)
    assert [(loss.place, loss.kind.value) for loss in told.loss] == [("/sex", "normalise")]


def test_a_default_of_the_format_is_a_told_loss() -> None:
    """`out` beside `to`: what nobody said is said by the format's own word, and the loss tells that it was."""
    small = pack(
        oru=ORU.replace(
            "{at: PID-8, to: gender, codes: codes/sex.csv}", "{at: PID-8, to: gender, codes: codes/sex.csv, out: U}"
        )
    )
    silent = read(message("PID|1||BN1^^^BV-MAU^MR||Mẫu^An", "OBR|1||K1|a"), small).strands[0].bundle
    written = small.write(silent, CONTEXT)
    assert written.raw.decode().split("\r")[1].split("|")[8] == "U"
    assert ("Patient.gender", LossKind.DEFAULT) in {(loss.place, loss.kind) for loss in written.loss}


def test_a_day_has_no_place_for_the_time() -> None:
    """`hl7-day` says YYYY[MM[DD]], the day in the context's zone; the time is a told loss."""
    rows = ORU.replace(
        '{at: PID-7, to: birthDate, date: "${birth}"}', "{at: PID-7, to: deceasedDateTime, date: [hl7-day, hl7]}"
    )
    small = pack(oru=rows)
    for said, back, lost in (("202611222330+0000", "20261123", True), ("202611", "202611", False)):
        found = read(message(f"PID|1||BN1^^^BV-MAU^MR||Mẫu^An||{said}|F", "OBR|1||K1|a"), small).strands[0].bundle
        written = small.write(found, CONTEXT)
        assert written.raw.decode().split("\r")[1].split("|")[7] == back
        assert any(loss.kind is LossKind.NORMALISE for loss in written.loss) == lost
