"""A law that cannot fail is worthless: each part catches the breaches seeded for it, and a good pack has none."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from adapters.checking.context import CONTEXT as CTX
from adapters.checking.crossing import Bundled, Crossings, check_crossings
from adapters.checking.generate import messages
from adapters.checking.law import Law, _of_the_hub, check_law
from adapters.checking.problems import Breach
from adapters.codecs.common import Parsed
from adapters.errors import Unmappable, Unwritable
from adapters.library import load_pack
from adapters.mapping.engine import RowPack
from adapters.mapping.message import Codec
from adapters.pack import Bundle, Context, Reading, Writing
from adapters.tree import Branch, Node
from tests.adapters.law.cases import pack

MANIFEST = """
id: social/scratch
version: "1"
titles: {vi: Nháp, en: Scratch}
codec: json
media-types: [application/json]
head: {key: [id], leaves: {message-id: id, at: {place: sent, date: iso}}}
messages:
  - {type: Record, when: {type: record}, event: record, map: maps/record.yaml, loss: "LOSS"}
"""
ROWS = """
rows:
  - at: child
    make: Patient
    link: "MessageHeader.focus[]"
    as: child
    required: "yes"
    class: demographics
    key: [identifier]
    rows:
      - {at: number, to: "identifier[type=MR].value"}
      - each: names
        to: name
        rows: [{at: family, to: family}, {at: given, to: given, split: " "}]
      - {at: born, to: birthDate, date: iso}
      - {at: sex, to: gender, codes: codes/sex.csv}
"""
CODES = "source,code\nM,male\nF,female\n"
SAMPLE = """{"type": "record", "id": "m1", "sent": "2026-03-06T08:00:00+07:00", "child": {"number": "01",
 "names": [{"family": "Thử-Nghiệm", "given": "Thị Mẫu"}], "born": "2015-02-03", "sex": "F", "pet": "mèo"}}""".encode()

Wrong = Callable[[Any], Any]


def scratch(rows: str = ROWS, loss: str = "0", codes: str = CODES) -> RowPack:
    """The scratch pack with some of its data changed."""
    manifest = MANIFEST.replace("LOSS", loss) if loss else MANIFEST.replace(', loss: "LOSS"', "")
    files = {"manifest.yaml": manifest, "maps/record.yaml": rows, "codes/sex.csv": codes}
    found = load_pack({name: text.encode() for name, text in files.items()})
    assert isinstance(found, RowPack)
    return found


class Faulty(RowPack):
    """The scratch pack with a fault in its program, as an engine may have one."""

    on_read: Wrong = staticmethod(lambda reading: reading)
    on_write: Wrong = staticmethod(lambda raw: raw)

    def read(self, raw: bytes, context: Context) -> Reading:
        """As the pack, then the fault."""
        found: Reading = self.on_read(super().read(raw, context))
        return found

    def write(self, bundle: Bundle, context: Context) -> Writing:
        """As the pack, then the fault."""
        written = super().write(bundle, context)
        return replace(written, raw=self.on_write(written.raw))


def faulty(read: Wrong | None = None, write: Wrong | None = None) -> Faulty:
    """A scratch pack with faults."""
    sound = scratch(loss="2")
    found = Faulty(**{field.name: getattr(sound, field.name) for field in fields(sound) if field.name[0] != "_"})
    found.on_read, found.on_write = read or found.on_read, write or found.on_write
    return found


def parts(found: list[Breach]) -> set[int]:
    """Which parts of the law are broken."""
    return {breach.part for breach in found}


def swapped(old: bytes, new: bytes) -> Wrong:
    """A fault that says something else."""
    return lambda raw: raw.replace(old, new)


def bundles_changed(change: Callable[[Bundle], None]) -> Wrong:
    """A fault in what is read."""

    def read(reading: Reading) -> Reading:
        for strand in reading.strands:
            change(strand.bundle)
        return reading

    return read


def child(bundle: Bundle) -> dict[str, Any]:
    """The Patient of a bundle."""
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")


def made(of: RowPack, count: int = 30) -> list[bytes]:
    """The sample and messages made from the pack."""
    return [SAMPLE, *messages(of, "Record", random.Random(1).randrange, count, [SAMPLE])]


def test_a_good_pack_breaks_nothing() -> None:
    """The pack that the faults are seeded in keeps the law on everything that is made from it."""
    sound = scratch(loss="2")
    raws = made(sound)
    assert len(set(raws)) > 20
    assert check_law(sound, "Record", raws) == []
    assert not check_crossings([strand.bundle for raw in raws[:5] for strand in sound.read(raw, CTX).strands], sound)


def test_part_one_catches_a_codec_that_changes_the_order() -> None:
    """A codec that writes children in another order is a breach."""
    sound = scratch(loss="2")

    def dump(tree: Node) -> bytes:
        assert isinstance(tree, Branch)
        turned = Branch(tree.name, nodes=tree.nodes[::-1])
        return sound.codec.dump(turned)

    broken = replace(sound, codec=Codec("json", sound.codec.parse, dump))
    assert 1 in parts(check_law(broken, "Record", [SAMPLE]))


def test_part_one_catches_a_codec_that_loses_text() -> None:
    """A codec that reads a shorter text the second time is a breach."""
    sound, often = scratch(loss="2"), itertools.count()

    def parse(raw: bytes) -> Parsed:
        return sound.codec.parse(raw.replace("mèo".encode(), b"m") if next(often) % 2 else raw)

    broken = replace(sound, codec=Codec("json", parse, sound.codec.dump))
    assert 1 in parts(check_law(broken, "Record", [SAMPLE] * 3))


@pytest.mark.parametrize(
    "write",
    [
        swapped(b'"born":"2015-02-03",', b""),  # a leaf is dropped silently
        swapped(b'"sex":"F"', b'"sex":"F","consent":"true"'),  # one is invented
        swapped(b'"sex":"F"', b'"sex":"M"'),  # a code is changed
        swapped(b'"01"', b'"1"'),  # a number loses its nought
        swapped("Thử".encode(), b"Thu"),  # a tone mark is lost
    ],
)
def test_part_two_catches_what_does_not_come_back(write: Wrong) -> None:
    """A leaf dropped, invented or changed on the way back is a breach unless it is declared."""
    assert 2 in parts(check_law(faulty(write=write), "Record", [SAMPLE]))


def test_part_two_catches_a_flag_that_becomes_something_else() -> None:
    """A row whose code map gives another code back than it took is a breach, unless the engine reports it."""
    both = "source,code,system,display,direction\nM,male,,,both\nF,female,,,in\nX,female,,,both\n"
    sound = scratch(codes=both, loss="2")
    assert check_law(sound, "Record", [SAMPLE]) == []  # reported: several codes mean this
    silent = faulty(write=swapped(b'"sex":"F"', b'"sex":"X"'))
    assert 2 in parts(check_law(silent, "Record", [SAMPLE]))


def test_part_two_catches_a_constant_said_in_the_place_of_a_value() -> None:
    """A value that is only read, and a row that says something else in its place: each is declared, both are a lie."""
    lie = ROWS.replace(
        "- {at: sex, to: gender, codes: codes/sex.csv}",
        "- {at: sex, to: gender, codes: codes/sex.csv, direction: in}\n      - {at: sex, out: M}",
    )
    found = check_law(scratch(lie, loss="2"), "Record", [SAMPLE])
    assert [(breach.part, breach.place) for breach in found] == [(2, "/child/sex")]


def test_part_two_catches_what_cannot_be_written() -> None:
    """A bundle that a pack reads and cannot write is a breach."""

    def refuse(raw: bytes) -> bytes:
        raise Unwritable("Patient.name", "required", "the recipient's format requires it")

    assert 2 in parts(check_law(faulty(write=refuse), "Record", [SAMPLE]))


def test_part_three_catches_an_unstable_pack() -> None:
    """A second write that differs, an address that moves, a second reading that differs: each is a breach."""
    often = itertools.count()
    restless = faulty(write=lambda raw: raw.replace(b'"type"', b" " * (next(often) % 2) + b'"type"'))
    assert 3 in parts(check_law(restless, "Record", [SAMPLE]))
    moving = itertools.count()

    def move(bundle: Bundle) -> None:
        url = f"urn:uuid:00000000-0000-4000-8000-{next(moving):012d}"
        bundle["entry"][-1]["fullUrl"] = bundle["entry"][0]["resource"]["focus"][0]["reference"] = url

    assert 3 in parts(check_law(faulty(read=bundles_changed(move)), "Record", [SAMPLE]))


def test_part_three_catches_a_change_beside_a_loss_that_is_reported() -> None:
    """What a format has no place for excuses nothing else: another sex is a breach however much was reported lost."""
    often = itertools.count()

    def change(bundle: Bundle) -> None:
        child(bundle)["maritalStatus"] = {"text": "chưa"}
        if next(often):
            child(bundle)["gender"] = "male"

    found = check_law(faulty(read=bundles_changed(change)), "Record", [SAMPLE])
    assert (3, "Patient.gender") in [(breach.part, breach.place) for breach in found]


def test_a_date_that_is_said_less_finely_is_a_reported_loss() -> None:
    """The first format says the month alone: the day is lost, and never in silence."""
    month = scratch(ROWS.replace("date: iso", "date: [yyyy-MM, iso]"))
    (strand,) = month.read(SAMPLE, CTX).strands
    written = month.write(strand.bundle, CTX)
    assert b'2015-02"' in written.raw
    assert [loss.place for loss in written.loss] == ["Patient.birthDate"]


def test_part_four_catches_what_is_read_and_then_dropped() -> None:
    """A leaf that a row reads and no way back says is lost to its sender: the residual holds only what nobody read."""
    one_way = "source,code,system,display,direction\nM,male,,,both\nF,female,,,in\n"
    found = check_law(scratch(codes=one_way, loss="2"), "Record", [SAMPLE])
    assert 4 in parts(found)


def test_part_five_catches_a_bundle_that_is_no_r4() -> None:
    """A code outside its binding, a birth date with a time and a period turned round are breaches."""
    for name, value in (("gender", "xx"), ("birthDate", "2015-02-03T10:00:00Z"), ("active", "true")):

        def spoil(bundle: Bundle, name: str = name, value: str = value) -> None:
            child(bundle)[name] = value

        assert 5 in parts(check_law(faulty(read=bundles_changed(spoil)), "Record", [SAMPLE]))
    turned = (
        ROWS
        + "      - {to: telecom, rows: [{at: since, to: period.start, date: iso},"
        + " {at: until, to: period.end, date: iso}]}\n"
    )
    raw = SAMPLE.replace(b'"sex"', b'"since": "2020-01-01", "until": "2019-01-01", "sex"')
    assert 5 in parts(check_law(scratch(turned, loss="2"), "Record", [raw]))


def test_part_five_catches_a_bundle_that_is_about_nothing() -> None:
    """An event whose focus is empty, and one that lacks what the canonical page says it is about, are breaches."""

    for event, why in (("result", "focus is empty"), ("referral-status", "about a Task")):

        def spoil(bundle: Bundle, event: str = event) -> None:
            bundle["entry"][0]["resource"]["eventCoding"]["code"] = event
            del bundle["entry"][0]["resource"]["focus"]

        found = check_law(faulty(read=bundles_changed(spoil)), "Record", [SAMPLE])
        assert any(breach.part == 5 and why in breach.why for breach in found)


def test_part_five_catches_a_person_of_too_lenient_a_class() -> None:
    """Who is said to have done it is no family member like another, wherever a pack meets them."""

    def accuse(bundle: Bundle) -> None:
        system = "https://hub.onestop.example/fhir/CodeSystem/person-role"
        role = {"coding": [{"system": system, "code": "alleged-perpetrator"}]}
        tags = [{"system": "https://hub.onestop.example/fhir/CodeSystem/data-class", "code": "demographics"}]
        person = {"resourceType": "RelatedPerson", "id": "p", "meta": {"security": tags}, "relationship": [role]}
        person["patient"] = {"reference": bundle["entry"][-1]["fullUrl"]}
        bundle["entry"].append({"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000009", "resource": person})

    whys = [breach.why for breach in check_law(faulty(read=bundles_changed(accuse)), "Record", [SAMPLE])]
    assert sum("who is alleged-perpetrator has not" in why for why in whys) == 2


def test_part_five_catches_a_task_that_says_two_things() -> None:
    """A referral that is completed by its state and rejected by its status is followed wrongly by someone."""

    def contradict(bundle: Bundle) -> None:
        system = "https://hub.onestop.example/fhir/CodeSystem/referral-state"
        state = {"coding": [{"system": system, "code": "completed"}]}
        task = {"resourceType": "Task", "id": "t", "status": "rejected", "intent": "order", "businessStatus": state}
        bundle["entry"].append({"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000009", "resource": task})

    found = check_law(faulty(read=bundles_changed(contradict)), "Record", [SAMPLE])
    assert any("is completed has not the status completed" in breach.why for breach in found)


@pytest.mark.parametrize(
    ("place", "ours"),
    [
        ("/timestamp", True),
        ("/entry/0/resource/source/endpoint", True),
        ("/entry/1/fullUrl", True),
        ("/entry/1/resource/meta/security/0/code", True),
        ("/entry/1/resource/subject/reference", True),
        ("/entry/1/resource/sender/display", False),
        ("/entry/1/resource/source/display", False),
        ("/entry/1/resource/extension/0/id", False),
    ],
)
def test_a_bundle_exempts_its_header_and_addresses_alone(place: str, ours: bool) -> None:
    """Who sent a Communication is said by its sender: only the MessageHeader's `sender` is the hub's to say."""
    assert _of_the_hub(place, {"/entry/0/resource/resourceType": "MessageHeader"}) is ours


def test_part_six_catches_widening() -> None:
    """A writer's format that gives back what was not in the bundle widens it."""

    def widen(bundle: Bundle) -> None:
        child(bundle)["maritalStatus"] = {"text": "bịa"}

    sound = scratch()
    (strand,) = sound.read(SAMPLE, CTX).strands
    assert check_crossings([strand.bundle], sound) == []
    assert parts(check_crossings([strand.bundle], faulty(read=bundles_changed(widen)))) == {6}


def test_part_six_catches_a_writer_that_fails() -> None:
    """A crash, an Unwritable for a spoken event, a false complaint and bytes that cannot be read are breaches."""
    (strand,) = scratch().read(SAMPLE, CTX).strands

    def complain(kind: str, place: str) -> Wrong:
        def refuse(raw: bytes) -> bytes:
            raise Unwritable(place, kind, "no")

        return refuse

    for write in (
        lambda raw: {}[raw],
        complain("pack", "Patient"),
        complain("required", "Patient.name"),
        lambda raw: b"{",
    ):
        assert parts(check_crossings([strand.bundle], faulty(write=write))) == {6}
    assert check_crossings([strand.bundle], faulty(write=complain("required", "Patient.photo"))) == []


def test_part_six_measures_the_loss_on_the_bundle() -> None:
    """What a format has no place for is measured, and is all of it when nothing is written."""
    (strand,) = scratch().read(SAMPLE, CTX).strands
    narrow = scratch("\n".join(line for line in ROWS.splitlines() if "birthDate" not in line))
    whole, less = Crossings(scratch()).cross(Bundled(strand.bundle)), Crossings(narrow).cross(Bundled(strand.bundle))
    assert (whole.lost, less.lost, less.written) == (0, 1, True)
    deaf = Crossings(pack("hotline/csv")).cross(Bundled(strand.bundle))
    assert (deaf.lost, deaf.written) == (deaf.leaves, False)


def test_the_declared_loss_is_a_tight_cap() -> None:
    """A number below what a message loses is a breach, and so is one that no message comes near."""
    raws = [SAMPLE]
    assert check_law(scratch(loss="1"), "Record", raws) == []
    assert "does not say its loss" in check_law(scratch(loss=""), "Record", raws)[0].why
    assert "9999" in check_law(scratch(loss="9999"), "Record", raws)[0].why
    assert parts(check_law(scratch(loss="0"), "Record", raws)) == {2}


def test_a_crash_while_reading_is_a_breach_and_a_refusal_is_none() -> None:
    """Only a typed refusal is an answer."""

    def crash(reading: Reading) -> Reading:
        raise KeyError("x")

    def refuse(reading: Reading) -> Reading:
        raise Unmappable("/child", "value", "no")

    assert check_law(faulty(read=crash), "Record", [SAMPLE])
    law = Law(faulty(read=refuse), "Record")
    assert law.check(SAMPLE) == []
    assert (law.read, law.refused) == (0, 1)


def test_a_breach_holds_no_value() -> None:
    """Nothing of a message stands in what the law says of it."""
    found = check_law(faulty(write=swapped(b'"sex":"F"', b'"sex":"M"')), "Record", [SAMPLE])
    assert found
    assert not any(word in str(found) for word in ("Thử", "Mẫu", "2015", "mèo"))
