"""Content that stands elsewhere in the message, seen where it is referred to."""

from __future__ import annotations

import time

import pytest

from adapters.errors import Refusal, TooLarge
from adapters.pack import Pack
from tests.adapters.mapping.small import pack, read, resources

MANIFEST = """
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
    refs: {ref: "@ref", id: "@id"}
    map: maps/incident.yaml
"""
ROWS = """
rows:
  - at: Victim/Person
    make: Patient
    find: child
    as: child
    class: demographics
    key: ["identifier[type=PI]"]
    rows:
      - {at: Number, to: "identifier[type=PI].value"}
      - {at: Name, to: name.text}
      - {at: Of/Name, to: name.family}
"""


def incidents() -> Pack:
    """The small XML pack."""
    return pack(MANIFEST, incident=ROWS)


def test_the_victim_is_the_person_referred_to() -> None:
    """Of two persons the one that the victim's role names is the child."""
    raw = b"""<Incident><Victim><Person ref="P2"/></Victim>
        <Person id="P1"><Number>1</Number></Person><Person id="P2"><Number>2</Number></Person></Incident>"""
    reading = read(raw, incidents())
    assert resources(reading.strands[0].bundle, "Patient")[0]["identifier"][0]["value"] == "2"
    assert [loss.place for loss in reading.loss] == ["/Incident/Person[1]/@id", "/Incident/Person[1]/Number"]


def test_content_referred_to_may_refer_on() -> None:
    """A person whose part stands elsewhere again is seen whole."""
    raw = b"""<Incident><Victim><Person ref="P2"/></Victim>
        <Person id="P2"><Number>2</Number><Of ref="F"/></Person><Family id="F"><Name>Mau</Name></Family></Incident>"""
    assert resources(read(raw, incidents()).strands[0].bundle, "Patient")[0]["name"][0]["family"] == "Mau"


def test_a_cycle_and_an_unknown_name_are_left_as_they_stand() -> None:
    """Neither hangs; the attribute that leads nowhere is reported."""
    raw = b"""<Incident><Victim><Person ref="P2"/></Victim>
        <Person id="P2"><Number>2</Number><Of ref="P2"/><Of ref="nobody"/></Person></Incident>"""
    reading = read(raw, incidents())
    assert resources(reading.strands[0].bundle, "Patient")[0]["identifier"][0]["value"] == "2"
    assert "/Incident/Person/Of[2]/@ref" in {loss.place for loss in reading.loss}


def test_references_cannot_multiply_a_message_without_end() -> None:
    """Forty levels that each refer twice to the next are refused at once."""
    levels = "".join(f'<Of id="L{n}"><Of ref="L{n + 1}"/><Of ref="L{n + 1}"/></Of>' for n in range(40))
    start = time.process_time()
    with pytest.raises(TooLarge):
        read(f'<Incident><Victim><Person ref="L0"/></Victim>{levels}</Incident>'.encode(), incidents())
    assert time.process_time() - start < 2


@pytest.mark.parametrize("back", [0, 399])
def test_long_chains_and_large_cycles_end(back: int) -> None:
    """A chain of 400, ending or in a circle, is refused and not followed until Python gives up."""
    chain = "".join(f'<Of id="L{n}"><Of ref="L{n + 1 if n != back else 0}"/></Of>' for n in range(400))
    with pytest.raises(Refusal):
        read(f'<Incident><Victim><Person ref="L1"/></Victim>{chain}</Incident>'.encode(), incidents())


def test_what_one_childs_part_reads_is_lost_for_nobody() -> None:
    """Two victims whose persons stand outside both: each is read for one child, and neither is reported as loss."""
    manifest = MANIFEST.replace("    map:", "    strand: Victim\n    map:")
    raw = b"""<Incident><Victim><Person ref="P1"/></Victim><Victim><Person ref="P2"/></Victim>
        <Person id="P1"><Number>1</Number></Person><Person id="P2"><Number>2</Number></Person></Incident>"""
    reading = read(raw, pack(manifest, incident=ROWS))
    assert len(reading.strands) == 2
    assert list(reading.loss) == []
