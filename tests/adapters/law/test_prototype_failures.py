"""Where a throw-away prototype of packs went silently wrong: each failure is a test that fails without the rule."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.errors import BrokenPack, Malformed, Unmappable
from adapters.library import load_pack
from adapters.pack import Reading
from adapters.r4 import table
from adapters.r4.validate import has_errors, validate
from consent.vocabulary import ORIGINAL_CODE_URL
from tests.adapters.packs import CONTEXT, pack, resources, said_as_read, sample

HEAD = "MSH|^~\\&|HIS|BV-MAU|HUB|HUB|20260306080000+0700||ORU^R01^ORU_R01|M1|P|2.5.1||||||UNICODE UTF-8\r"
ORDER = "OBR|1||F{n}^BV|88^Khám^L|||20260306\r"


def oru(*segments: str) -> bytes:
    """An ORU of some segments after its header."""
    return (HEAD + "".join(f"{segment}\r" for segment in segments)).encode()


def read(raw: bytes, of: str = "health/hl7v2") -> Reading:
    """Read with the fixed context."""
    return pack(of).read(raw, CONTEXT)


def observation(value: str) -> dict[str, Any]:
    """The Observation of one OBX whose value type and value are given as in the message."""
    kind, _, said = value.partition("|")
    raw = oru("PID|1||MR1^^^BV^MR||Mẫu^An", ORDER.format(n=1).strip(), f"OBX|1|{kind}|1^A^L||{said}||||||F")
    (strand,) = read(raw).strands
    (found,) = resources(strand.bundle, "Observation")
    return found


SCRATCH = """
id: social/yaml
version: 1.50
titles: {vi: NO, en: 01}
codec: json
media-types: [application/json]
head: {key: [id], leaves: {message-id: id}}
messages:
  - {type: Record, when: {kind: NO, part: 01, level: 1.50}, event: record, map: maps/record.yaml}
"""
FLAGS = """
rows:
  - at: child
    make: Patient
    find: child
    class: demographics
    key: [identifier]
    rows:
      - {at: number, to: "identifier[type=MR].value"}
      - {at: alive, to: active, bool: {true: [Y, 01], false: [NO, 00]}}
      - {at: born, to: birthDate, date: iso}
"""


def scratch(rows: str = FLAGS) -> Any:
    """A pack whose YAML is full of what YAML would turn into something else."""
    return load_pack({"manifest.yaml": SCRATCH.encode(), "maps/record.yaml": rows.encode()})


@pytest.mark.parametrize(("flag", "active"), [("NO", False), ("00", False), ("01", True), ("Y", True)])
def test_every_scalar_of_a_pack_is_a_string(flag: str, active: bool) -> None:
    """`NO`, `01` and `1.50` in a pack are what is written there, not false, 1 and 1.5."""
    said = {"kind": "NO", "part": "01", "level": "1.50", "id": "m1", "child": {"number": "01", "alive": flag}}
    (strand,) = scratch().read(json.dumps(said).encode(), CONTEXT).strands
    (child,) = resources(strand.bundle, "Patient")
    assert child["active"] is active
    assert child["identifier"][0]["value"] == "01"
    assert scratch().version == "1.50"


def test_a_second_child_has_its_own_results() -> None:
    """A second PID opens a second child: its results do not hang on the first."""
    segments = [
        *("PID|1||MR1^^^BV^MR||Mẫu^An", ORDER.format(n=1).strip(), "OBX|1|NM|1^A^L||1||||||F"),
        *("PID|2||MR2^^^BV^MR||Mẫu^Bình", ORDER.format(n=2).strip(), "OBX|1|NM|1^A^L||2||||||F"),
    ]
    strands = read(oru(*segments)).strands
    values = [[o["valueQuantity"]["value"] for o in resources(strand.bundle, "Observation")] for strand in strands]
    assert values == [[Decimal(1)], [Decimal(2)]]


def test_a_second_child_where_none_may_stand_refuses() -> None:
    """A segment that the grammar knows, in the wrong place, refuses the whole message."""
    raw = sample("health/hl7v2", "adt-a04-register.hl7")
    with pytest.raises(Malformed) as refused:
        read(raw.rstrip(b"\r") + b"\rPID|2||MR2^^^BV^MR||M\xe1\xba\xabu^B\xc3\xacnh\r")
    assert refused.value.place == "PID[2]"


def test_an_empty_value_is_no_value() -> None:
    """An empty OBX-5 makes an Observation that says none, whatever its type."""
    for kind in ("NM", "ST", "CWE", ""):
        assert not [name for name in observation(f"{kind}|") if name.startswith("value")]


@pytest.mark.parametrize(
    ("value", "element", "said"),
    [
        ("SN|>^100", "valueQuantity", {"comparator": ">", "value": Decimal(100)}),
        ("SN|<=^0.50", "valueQuantity", {"comparator": "<=", "value": Decimal("0.50")}),
        ("SN|^1^-^5", "valueRange", {"low": {"value": Decimal(1)}, "high": {"value": Decimal(5)}}),
    ],
)
def test_a_structured_number_keeps_what_it_says(value: str, element: str, said: Any) -> None:
    """`>100` is not 100, and `1-5` is neither 1 nor 5; the digits stay."""
    found = observation(value)[element]
    assert found == said
    assert str(found.get("value", "")) == str(said.get("value", ""))


def test_repeated_values_are_all_there() -> None:
    """Of a repeated OBX-5 every value is read, none is chosen."""
    found = observation("NM|1~2")
    assert [part["valueQuantity"]["value"] for part in found["component"]] == [Decimal(1), Decimal(2)]
    assert "valueQuantity" not in found


@pytest.mark.parametrize("value", ["ZZ|x", "|x", "NM|viele", "SN|>^x"])
def test_a_clinical_value_never_falls_through(value: str) -> None:
    """A value of a kind or form that is not agreed refuses the message, naming the place and not the value."""
    with pytest.raises(Unmappable) as refused:
        observation(value)
    assert refused.value.place.startswith("OBX[1]-5")
    assert "viele" not in str(refused.value)


def test_two_nameless_children_do_not_become_one() -> None:
    """Children without an identifier are told apart within a message and between messages, and marked so."""
    segments = [
        *("PID|1", ORDER.format(n=1).strip(), "OBX|1|NM|1^A^L||1||||||F"),
        *("PID|2", ORDER.format(n=2).strip(), "OBX|1|NM|1^A^L||2||||||F"),
    ]
    raws = [oru(*segments), oru(*segments).replace(b"|M1|", b"|M2|")]
    bare = CONTEXT.__class__(at=CONTEXT.at, agency=CONTEXT.agency)  # salted by each message's own hash
    found = [strand.bundle for raw in raws for strand in pack("health/hl7v2").read(raw, bare).strands]
    children = [child for bundle in found for child in resources(bundle, "Patient")]
    assert len({child["id"] for child in children}) == len(children) == 4
    assert all("never-matches" in str(child["meta"]["tag"]) for child in children)


def test_a_word_is_no_flag() -> None:
    """`bool` maps only to a boolean: a truthy `routine` cannot become `<Urgent>true`."""
    urgent = FLAGS.replace("to: active", "to: gender")
    with pytest.raises(BrokenPack):
        scratch(urgent)
    said = {"kind": "NO", "part": "01", "level": "1.50", "id": "m1", "child": {"number": "01", "alive": "routine"}}
    with pytest.raises(Unmappable):
        scratch().read(json.dumps(said).encode(), CONTEXT)


def test_a_routine_request_is_not_urgent_in_any_format() -> None:
    """The priority of a request goes through both formats that have one and stays what it was."""
    (strand,) = read(sample("health/hl7v2", "ref-i12-forensic.hl7")).strands
    (request,) = resources(strand.bundle, "ServiceRequest")
    for priority in ("routine", "urgent"):
        request["priority"] = priority
        for other in ("health/hl7v2", "police/niem"):
            header = {"message-id": "M9", "sender": "HUB", "sender-facility": "HUB", "recipient": "MAU"}
            raw = pack(other).write(strand.bundle, said_as_read(strand, header)).raw
            (again,) = read(raw, other).strands
            (found,) = resources(again.bundle, "ServiceRequest")
            assert found["priority"] == priority


def test_a_mother_of_another_code_system_is_not_written_as_mother() -> None:
    """The way back of a code map takes only its own system: `MTH` of another one is loss, never a mother."""
    (strand,) = read(oru("PID|1||MR1^^^BV^MR||Mẫu^An", "NK1|1|Mẫu^Lan|MTH", ORDER.format(n=1).strip())).strands
    (related,) = resources(strand.bundle, "RelatedPerson")
    context = said_as_read(strand, {"message-id": "M9"})
    assert b"|MTH" in pack("health/hl7v2").write(strand.bundle, context).raw
    related["relationship"] = [{"coding": [{"system": "http://example.org/other", "code": "MTH"}]}]
    written = pack("health/hl7v2").write(strand.bundle, context)
    assert b"|MTH" not in written.raw
    assert any(loss.place.startswith("RelatedPerson.relationship") for loss in written.loss)


def test_two_quotes_say_delete_and_are_no_text() -> None:
    """HL7's `""` is no value and no name; that it was said stands in the loss list."""
    reading = read(oru('PID|1||MR1^^^BV^MR||""^An|||""', ORDER.format(n=1).strip()))
    (child,) = resources(reading.strands[0].bundle, "Patient")
    assert '""' not in json.dumps(child, default=str)
    assert "gender" not in child
    told = {loss.place: loss.why for loss in reading.loss}
    assert "delete" in told["PID[1]-8"]
    assert "delete" in told["PID[1]-5.1"]


def test_no_value_set_is_cut_short() -> None:
    """All of R4's codes of a binding are known, also those behind the one at which a library's list ends."""
    whole = {
        *("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled"),
        *("in-progress", "on-hold", "failed", "completed", "entered-in-error"),
    }
    assert table.required_codes("Task.status") == whole
    for status in sorted(whole):
        task = {"resourceType": "Task", "status": status, "intent": "order"}
        assert not has_errors(validate(task))
    assert has_errors(validate({"resourceType": "Task", "status": "accepted+", "intent": "order"}))


def test_a_code_outside_its_binding_is_never_read() -> None:
    """An unknown code is kept as the sender's own, beside the element: never where R4 binds a code, never as other."""
    raw = oru("PID|1||MR1^^^BV^MR||Mẫu^An|||Z9", ORDER.format(n=1).strip())
    (strand,) = read(raw).strands
    (child,) = resources(strand.bundle, "Patient")
    assert "gender" not in child
    assert ORIGINAL_CODE_URL in str(child["_gender"])
