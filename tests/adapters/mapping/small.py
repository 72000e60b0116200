"""Small packs for tests: a manifest and one map, written where the test stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from textwrap import dedent
from typing import Any

from adapters.library import load_pack
from adapters.pack import Bundle, Context, Pack, Reading

CONTEXT = Context(
    at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
    agency="bv-mau",
    id_key=b"k" * 32,
    header={"sender": "HUB", "message-id": "OUT1"},
)

ER7 = """
id: health/small
version: "1"
titles: {vi: Thử, en: Small}
codec: er7
media-types: [x-application/hl7-v2+er7]
versions: ["2.5.1"]
names: {v2-0203: http://terminology.hl7.org/CodeSystem/v2-0203, birth: hl7}
dialects:
  slashes: {when: {MSH-3.1: SLASH}, names: {birth: dd/MM/yyyy}}
head:
  key: [MSH-3, MSH-10]
  leaves: {sender: MSH-3.1, at: {place: MSH-7, date: hl7}, message-id: MSH-10, version: MSH-12.1}
messages:
  - type: ORU^R01
    when: {MSH-9.1: ORU}
    event: exam-record
    put: {MSH-12.1: "2.5.1"}
    structure: "MSH PATIENT_RESULT(PID NK1* ORDER(ORC? OBR OBSERVATION(OBX NTE*)*)*)+"
    strand: PATIENT_RESULT
    map: maps/oru.yaml
"""

ORU = """
rows:
  - at: PATIENT_RESULT
    rows:
      - at: PID
        make: Patient
        find: child
        as: child
        class: demographics
        key: ["identifier[type=MR]"]
        rows:
          - each: PID-3
            when: {.5: MR}
            to: "identifier[type=MR]"
            rows: [{at: .1, to: value}, {at: .4, to: assigner.display}]
          - {each: PID-5, to: name, rows: [{at: .1, to: family}, {at: .2, to: given, split: " "}]}
          - {at: PID-7, to: birthDate, date: "${birth}"}
          - {at: PID-8, to: gender, codes: codes/sex.csv}
      - each: NK1
        make: RelatedPerson
        link: RelatedPerson.patient
        class: demographics
        key: [{of: child, by: [name.text]}]
        rows:
          - {at: NK1-2, to: name.text}
          - {at: NK1-3.1, to: relationship.coding, codes: codes/relation.csv, unknown: keep}
      - each: ORDER
        make: DiagnosticReport
        link: "MessageHeader.focus[]"
        as: report
        class: medical-exam
        key: ["identifier[type=FILL]"]
        ref: {subject: child}
        rows:
          - {at: OBR-3.1, to: "identifier[type=FILL].value"}
          - {at: OBR-4.1, to: code.coding.code}
          - {to: status, default: final}
          - each: OBSERVATION
            make: Observation
            link: "DiagnosticReport.result[]"
            key: [{of: report, by: [code.coding.code]}]
            ref: {subject: child}
            rows:
              - {to: status, default: final}
              - {at: OBX-3.1, to: code.coding.code}
              - choose:
                  - when: {OBX-2: NM}
                    where: {valueQuantity: $present, valueQuantity.comparator: $absent}
                    rows: [{at: OBX-5, to: valueQuantity.value, decimal: "."}]
                  - when: {OBX-2: SN}
                    where: {valueQuantity.comparator: $present}
                    rows:
                      - at: OBX-5
                        to: valueQuantity
                        rows:
                          - {at: .1, to: comparator, codes: codes/comparator.csv}
                          - {at: .2, to: value, decimal: "."}
                  - {when: {OBX-2: [ST, TX]}, where: valueString, rows: [{at: OBX-5, to: valueString}]}
                  - {when: {OBX-5: $absent}, rows: []}
                of: OBX-5
              - {each: NTE, to: note, class: narrative, rows: [{at: NTE-3, to: text}]}
"""

CODES = {
    "codes/sex.csv": "source,code\nM,male\nF,female\nO,other\n",
    "codes/relation.csv": "source,code,system,display\nMTH,MTH,http://terminology.hl7.org/CodeSystem/v3-RoleCode,mother\n",
    "codes/comparator.csv": "source,code\n<,<\n>,>\n",
}


def pack(manifest: str = ER7, files: Mapping[str, str] | None = None, **maps: str) -> Pack:
    """A pack of this manifest; `maps` by name, other files by path."""
    found = {"manifest.yaml": manifest, **CODES, "maps/oru.yaml": ORU, **(files or {})}
    found |= {f"maps/{name}.yaml": dedent(text) for name, text in maps.items()}
    return load_pack({name: text.encode() for name, text in found.items()})


def message(*segments: str, sender: str = "HIS") -> bytes:
    """An ORU of the small pack."""
    head = f"MSH|^~\\&|{sender}|||| 20261122100000+0700||ORU^R01|M1|P|2.5.1".replace(" ", "")
    return "\r".join([head, *segments, ""]).encode()


def read(raw: bytes, of: Pack | None = None, **changes: Any) -> Reading:
    """Read with the fixed context."""
    return (of or pack()).read(raw, replace(CONTEXT, **changes))


def resources(bundle: Bundle, kind: str) -> list[dict[str, Any]]:
    """The bundle's resources of one type."""
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def one(raw: bytes, kind: str, of: Pack | None = None) -> dict[str, Any]:
    """The only resource of a type in a message of one strand."""
    (strand,) = read(raw, of).strands
    (found,) = resources(strand.bundle, kind)
    return found
