"""Source places that pick among repeats by what these say."""

from __future__ import annotations

import pytest

from adapters.errors import BrokenPack
from adapters.mapping import places
from adapters.mapping.places import Cursor
from adapters.pack import LossKind
from adapters.tree import Branch
from tests.adapters.mapping import small
from tests.adapters.packs import said_as_read

MANIFEST = """
id: court/small
version: "1"
titles: {vi: Thử, en: Small}
codec: xml
media-types: [application/xml]
namespaces: {c: "urn:c"}
head:
  key: ["c:Id[c:Kind=message]/c:Value"]
  leaves: {message-id: "c:Id[c:Kind=message]/c:Value"}
messages:
  - {type: Filing, root: "c:Filing", event: identity, direction: both, map: maps/filing.yaml,
     strand: "c:Party[c:Role=Child|Minor]"}
"""
ROWS = """
rows:
  - at: "c:Party[c:Role=Child|Minor]"
    make: Patient
    find: child
    as: child
    link: ""
    class: demographics
    key: ["identifier[type=MR]"]
    rows:
      - {at: "../c:Id[c:Kind=case]/c:Value", to: "identifier[type=case].value"}
      - {at: "c:Number", to: "identifier[type=MR].value"}
""".replace('    link: ""\n', "").replace("find: child", 'link: "MessageHeader.focus[]"')
PARTY = "<c:Party><c:Role>{}</c:Role><c:Number>{}</c:Number></c:Party>"


def message(*parties: str) -> bytes:
    """A filing with two ids, the case's first."""
    said = (("case", "7"), ("message", "M1"))
    ids = "".join(f"<c:Id><c:Value>{value}</c:Value><c:Kind>{kind}</c:Kind></c:Id>" for kind, value in said)
    return f'<c:Filing xmlns:c="urn:c">{ids}{"".join(parties)}</c:Filing>'.encode()


PACK = small.pack(MANIFEST, filing=ROWS)


def test_repeats_are_told_apart_by_what_they_say() -> None:
    """The message's id is the one that says so, not the first; the party that is read is the child."""
    reading = PACK.read(message(PARTY.format("Witness", "W"), PARTY.format("Child", "79")), small.CONTEXT)
    (patient,) = small.resources(reading.strands[0].bundle, "Patient")
    assert reading.head.key == "M1"
    assert [identifier["value"] for identifier in patient["identifier"]] == ["7", "79"]
    assert {loss.place for loss in reading.loss} == {"/c:Filing/c:Party[1]/c:Number", "/c:Filing/c:Party[1]/c:Role"}


def test_each_child_is_a_strand_and_nobody_else() -> None:
    """Two children are two bundles; a witness makes none."""
    raw = message(PARTY.format("Child", "1"), PARTY.format("Witness", "W"), PARTY.format("Minor", "2"))
    children = [small.resources(strand.bundle, "Patient")[0] for strand in PACK.read(raw, small.CONTEXT).strands]
    assert [child["identifier"][1]["value"] for child in children] == ["1", "2"]


def test_what_tells_repeats_apart_is_written() -> None:
    """Written back each repeat says what it is; another word for the same is reported as normalised."""
    reading = PACK.read(message(PARTY.format("Minor", "2")), small.CONTEXT)
    written = PACK.write(reading.strands[0].bundle, said_as_read(reading.strands[0], reading.head.fields))
    assert [(loss.place, loss.kind) for loss in reading.loss] == [("/c:Filing/c:Party/c:Role", LossKind.NORMALISE)]
    assert b"<c:Kind>message</c:Kind><c:Value>M1</c:Value>" in written.raw
    assert b"<c:Kind>case</c:Kind><c:Value>7</c:Value>" in written.raw
    assert b"<c:Role>Child</c:Role><c:Number>2</c:Number>" in written.raw
    assert written.loss == ()


def test_several_conditions_all_hold() -> None:
    """A repeat is meant when it says all that is asked, and is made so."""
    (step,) = places.parse("c:Id[c:Kind=case][c:From=court|judge]", (Cursor("xml"),)).steps
    branch = Branch("c:Filing")
    made = places.make(branch, (step,), False)
    assert [(child.name, child.value) for child in made.nodes] == [("c:Kind", "case"), ("c:From", "court")]
    assert places.make(branch, (step,), False) is made
    made.nodes[1].value = "police"
    assert places.walk(branch, (step,)) == []


def test_repeats_are_not_picked_by_number() -> None:
    """A place that counts repeats does not load."""
    with pytest.raises(BrokenPack, match="picked by"):
        places.parse("c:Id[2]/c:Value", (Cursor("xml"),))


NAMES = """
rows:
  - at: "c:Party[c:Role=Child|Minor]"
    make: Patient
    link: "MessageHeader.focus[]"
    class: demographics
    rows:
      - at: "."
        to: name
        rows:
          - {at: "c:Middle", to: given, split: " ", leave: "1"}
          - {at: "c:Given", to: given}
"""


@pytest.mark.parametrize(("middle", "given"), [("Thị Ngọc", "Mẫu"), ("Thị", "Mẫu"), ("", "Mẫu")])
def test_the_last_given_name_has_its_own_place(middle: str, given: str) -> None:
    """Middle names are read in the order spoken, and on the way out the last given name is left for its own place."""
    of = small.pack(MANIFEST, filing=NAMES)
    said = f"<c:Middle>{middle}</c:Middle>" * bool(middle) + f"<c:Given>{given}</c:Given>"
    raw = message(f"<c:Party><c:Role>Child</c:Role>{said}</c:Party>")
    (strand,) = of.read(raw, small.CONTEXT).strands
    (patient,) = small.resources(strand.bundle, "Patient")
    assert patient["name"] == [{"given": [*middle.split(), given]}]
    assert said.encode() in of.write(strand.bundle, small.CONTEXT).raw
