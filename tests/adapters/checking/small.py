"""One small sound pack as files, and ways to break it: what each check is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapters.checking.problems import Problem
from adapters.checking.samples import SAMPLE_CONTEXT, bundle_text
from adapters.checking.static import check_static
from adapters.library import load_pack

MANIFEST = """
id: social/mau
version: "1.0.0"
titles: {vi: Mẫu, en: Sample}
codec: json
media-types: [application/json]
head: {key: [id], leaves: {message-id: id}}
messages:
  - {type: Record, when: {type: Record}, event: record, map: maps/record.yaml, schema: schemas/record.schema.json, loss: "0"}
"""  # noqa: E501
RECORD = """
shapes:
  spoken:
    - {at: text, to: text}
rows:
  - at: child
    make: Patient
    link: "MessageHeader.focus[]"
    as: child
    class: demographics
    key: ["identifier[type=MR]"]
    rows:
      - {at: no, to: "identifier[type=MR].value"}
      - {at: sex, to: gender, codes: codes/sex.csv}
      - {each: names, to: name, shape: spoken}
"""
SEX = "source,code\nNam,male\nNu,female\n"
SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"const": "Record"},
        "id": {"type": "string"},
        "child": {
            "type": "object",
            "properties": {
                "no": {"type": "string"},
                "sex": {"type": "string"},
                "names": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}},
            },
        },
    },
}
SAMPLE = {"type": "Record", "id": "M1", "child": {"no": "T-01", "sex": "Nu", "names": [{"text": "Thử Thị Mẫu"}]}}


def sound() -> dict[str, bytes]:
    """A pack without a problem."""
    files = {
        "manifest.yaml": MANIFEST.encode(),
        "maps/record.yaml": RECORD.encode(),
        "codes/sex.csv": SEX.encode(),
        "schemas/record.schema.json": json.dumps(SCHEMA).encode(),
        "samples/record.json": json.dumps(SAMPLE).encode(),
        "README.md": b"# A sample\n",
    }
    reading = load_pack(files).read(files["samples/record.json"], SAMPLE_CONTEXT)
    return files | {"samples/record.bundle.json": bundle_text(reading)}


def changed(*changes: tuple[str, str], file: str = "maps/record.yaml", **more: str) -> dict[str, bytes]:
    """The sound pack with pieces of one file replaced; `more` are further files by path with ``/`` as ``__``."""
    files = sound()
    text = files[file].decode()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    files[file] = text.encode()
    return files | {name.replace("__", "/"): said.encode() for name, said in more.items()}


def told(files: Mapping[str, bytes], what: str, severity: str = "error") -> Problem:
    """The problem of that severity whose words hold `what`; fails when there is none, telling those that there are."""
    problems = check_static(files)
    found = [one for one in problems if what in one.what and one.severity == severity]
    assert found, "\n".join(map(str, problems)) or "no problem was told"
    return found[0]
