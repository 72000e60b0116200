"""police/nibrs, a pack outside the source tree: who a suspect is does not depend on where the suspect stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.checking.samples import SAMPLE_CONTEXT
from adapters.library import load_pack, read_folder

FOLDER = Path(__file__).parents[3] / "examples" / "packs" / "police" / "nibrs"
PACK = load_pack(read_folder(FOLDER))
SAMPLE = (FOLDER / "samples" / "incident.xml").read_text("utf-8")
HIS = '<nc:Person s:id="PS1"><j:PersonSexCode>M</j:PersonSexCode></nc:Person>'
HERS = '<nc:Person s:id="PS2"><j:PersonSexCode>F</j:PersonSexCode></nc:Person>'
NUMBER = "<j:SubjectSequenceNumberText>{}</j:SubjectSequenceNumberText>"


def subject(of: int, number: str) -> str:
    said = NUMBER.format(number) if number else ""
    return f'<j:Subject s:id="S{of}"><nc:RoleOfPerson s:ref="PS{of}"/>{said}</j:Subject>'


def suspected(of: int, victim: int, relation: str) -> str:
    return (
        f'<j:SubjectVictimAssociation><j:Subject s:ref="S{of}"/><j:Victim s:ref="V{victim}"/>'
        f"<nibrs:VictimToSubjectRelationshipCode>{relation}</nibrs:VictimToSubjectRelationshipCode>"
        "</j:SubjectVictimAssociation>"
    )


def incident(subjects: list[str], associations: list[str]) -> str:
    """The sample with other subjects and other suspicions."""
    before, _, rest = SAMPLE.replace(HIS, HIS + HERS).partition('<j:Subject s:id="S1">')
    middle, _, after = rest.partition("</j:Subject>")[2].partition("<j:SubjectVictimAssociation>")
    return "".join((before, *subjects, middle, *associations, after.partition("</j:SubjectVictimAssociation>")[2]))


def suspects(raw: str) -> set[tuple[str, str, str]]:
    """(victim's id, suspect's sex, suspect's id) of each suspect."""
    return {
        (resource["patient"]["reference"], resource["gender"], resource["id"])
        for strand in PACK.read(raw.encode(), SAMPLE_CONTEXT).strands
        for resource in (entry["resource"] for entry in strand.bundle["entry"])
        if resource["resourceType"] == "RelatedPerson"
    }


@pytest.mark.parametrize(("his", "hers"), [("1", "2"), ("", ""), ("00", "00")])
def test_the_order_of_suspects_says_nothing(his: str, hers: str) -> None:
    """Numbered, without a number, or both unknown: the same suspect is the same, whoever is named first."""
    subjects = [subject(1, his), subject(2, hers)]
    associations = [suspected(1, 1, "Family Member_Stepparent"), suspected(2, 1, "Acquaintance")]
    found = suspects(incident(subjects, associations))
    assert len(found) == len({id_ for *_, id_ in found}) == 2
    assert suspects(incident(subjects[::-1], associations[::-1])) == found


def test_a_suspect_of_two_victims_is_the_same_to_each_as_if_alone() -> None:
    """The second victim's suspect is who she is when the message names that victim only."""
    one = suspects(incident([subject(1, "1")], [suspected(1, 2, "Acquaintance")]))
    both = suspects(incident([subject(1, "1")], [suspected(1, 1, "Acquaintance"), suspected(1, 2, "Acquaintance")]))
    assert len(one) == 1
    assert one < both


def test_the_number_of_the_incident_is_nobodys() -> None:
    """A victim or suspect whom the police gave no number has none: not that of the incident, which all of it shares."""
    raw = incident([subject(1, "")], [suspected(1, 1, "Acquaintance")])
    raw = raw.replace("<j:VictimSequenceNumberText>1</j:VictimSequenceNumberText>", "")
    bundle = PACK.read(raw.encode(), SAMPLE_CONTEXT).strands[0].bundle
    people = [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] in ("Patient", "RelatedPerson")
    ]
    assert [person.get("identifier") for person in people] == [None, None]
