"""Records of several files, put below whom they belong to."""

from __future__ import annotations

import io
import zipfile
from textwrap import dedent

import pytest

from adapters.errors import BrokenPack, Malformed
from adapters.pack import Pack
from tests.adapters.mapping.small import pack, read, resources

MANIFEST = """
id: education/small
version: "1"
titles: {vi: Thử, en: Small}
codec: csv
media-types: [application/zip]
messages:
  - type: Roster
    when: {users.csv/row: $present}
    event: record
    direction: in
    group:
      - {each: users.csv/row, when: {role: student}, as: student}
      - {each: birth.csv/row, on: {userId: id}, under: student, as: birth}
      - {each: users.csv/row, when: {role: guardian}, on: {id: guardians}, split: ",", under: student, as: guardian}
    strand: student
    map: maps/roster.yaml
"""
ROSTER = """
rows:
  - at: student
    rows:
      - at: .
        make: Patient
        find: child
        as: child
        class: demographics
        key: ["identifier[type=student]"]
        rows:
          - {at: id, to: "identifier[type=student].value"}
          - {at: birth/date, to: birthDate, date: dd/MM/yyyy}
      - each: guardian
        make: RelatedPerson
        link: RelatedPerson.patient
        class: demographics
        key: [{of: child, by: [name.text]}]
        ref: {patient: child}
        rows: [{at: name, to: name.text}]
"""
USERS = """id,role,name,guardians
S1,student,A,"G1,G2"
S2,student,B,G2
G1,guardian,Mẫu Một,
G2,guardian,Mẫu Hai,
T1,teacher,Mẫu Ba,
"""
BIRTH = "userId,date\nS2,01/02/2015\nS1,03/04/2016\nS9,05/06/2017\n"


def roster(manifest: str = MANIFEST) -> Pack:
    """The small CSV pack."""
    return pack(manifest, roster=ROSTER)


def zipped(**files: str) -> bytes:
    """Files as one message."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return out.getvalue()


def test_records_go_below_whom_they_belong_to() -> None:
    """Each child has its own birth date and its own guardians, one of whom is a guardian of both."""
    strands = read(zipped(users=USERS, birth=BIRTH), roster()).strands
    said = [
        (
            resources(strand.bundle, "Patient")[0]["birthDate"],
            sorted(person["name"][0]["text"] for person in resources(strand.bundle, "RelatedPerson")),
        )
        for strand in strands
    ]
    assert said == [("2016-04-03", ["Mẫu Hai", "Mẫu Một"]), ("2015-02-01", ["Mẫu Hai"])]


def test_what_belongs_to_nobody_is_loss_at_its_own_place() -> None:
    """The teacher and the birth date of an unknown user are reported where the files have them."""
    places = {loss.place for loss in read(zipped(users=USERS, birth=BIRTH), roster()).loss}
    assert {"users.csv, row 6, name", "birth.csv, row 4, date"} <= places


def test_a_roster_without_a_child_is_refused() -> None:
    """A message of nobody is not taken for a message of somebody."""
    with pytest.raises(Malformed, match="names nobody"):
        read(zipped(users=USERS.replace("student", "teacher")), roster())


def test_records_of_one_key_become_one_child() -> None:
    """A file with several records for each child gives one strand for each."""
    manifest = (
        MANIFEST[: MANIFEST.index("    group:")].replace("users.csv/row", "row")
        + "    group: [{each: row, by: [id], as: student}]\n    strand: student\n    map: maps/stays.yaml\n"
    )
    stays = """
    rows:
      - at: student
        rows:
          - at: .
            make: Patient
            find: child
            as: child
            class: demographics
            key: ["identifier[type=student]"]
            rows: [{at: id, to: "identifier[type=student].value"}]
          - each: row
            make: Condition
            link: "MessageHeader.focus[]"
            class: allegation
            key: [{of: child, by: [code.text]}]
            ref: {subject: child}
            rows: [{at: what, to: code.text}]
    """
    strands = read(b"id,what\n1,a\n2,b\n1,c\n", pack(manifest, stays=stays)).strands
    said = [[each["code"]["text"] for each in resources(strand.bundle, "Condition")] for strand in strands]
    assert said == [["a", "c"], ["b"]]


def test_a_grouped_message_is_read_only() -> None:
    """What cannot be taken apart again may not be written."""
    with pytest.raises(BrokenPack, match="direction is in"):
        roster(MANIFEST.replace("direction: in", "direction: both"))


def test_a_step_says_one_thing() -> None:
    """A step with both `by` and `under`, or `under` without `on`, does not load."""
    with pytest.raises(BrokenPack, match="by or under"):
        roster(MANIFEST.replace("as: birth}", "as: birth, by: [x]}"))
    with pytest.raises(BrokenPack, match="under needs on"):
        roster(MANIFEST.replace("on: {userId: id}, ", ""))


def test_an_association_goes_below_its_end() -> None:
    """In XML the key may stand deeper in the record, as NIEM has it; groups are made before references."""
    manifest = """
    id: police/small
    version: "1"
    titles: {vi: Thử, en: Small}
    codec: xml
    media-types: [application/xml]
    messages:
      - type: Incident
        root: Incident
        event: report
        direction: in
        group: [{each: Link, on: {"Victim/@ref": "@id"}, under: Victim, as: offence}]
        refs: {ref: "@ref", id: "@id"}
        strand: Victim
        map: maps/incident.yaml
    """
    rows = """
    rows:
      - at: Victim
        make: Patient
        find: child
        as: child
        class: demographics
        key: ["identifier[type=PI]"]
        rows:
          - {at: Number, to: "identifier[type=PI].value"}
          - {at: offence/Offence/Code, to: name.text}
    """
    raw = b"""<Incident><Offence id="O1"><Code>a</Code></Offence><Offence id="O2"><Code>b</Code></Offence>
        <Victim id="V1"><Number>1</Number></Victim><Victim id="V2"><Number>2</Number></Victim>
        <Link><Offence ref="O2"/><Victim ref="V1"/></Link>
        <Link><Offence ref="O1"/><Victim ref="V2"/></Link></Incident>"""
    strands = read(raw, pack(dedent(manifest), incident=rows)).strands
    said = [resources(strand.bundle, "Patient")[0] for strand in strands]
    assert [(one["identifier"][0]["value"], one["name"][0]["text"]) for one in said] == [("1", "b"), ("2", "a")]
