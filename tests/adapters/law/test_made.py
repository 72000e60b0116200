"""What the law holds packs against is worth something: made messages are what a sender could say."""

from __future__ import annotations

from adapters.checking.declared import Declared
from tests.adapters.law.cases import cases

RESULT = next(case for case in cases() if case.type == "ORU^R01^ORU_R01")


def test_a_word_of_the_manifest_is_never_said() -> None:
    """Where a type may say a code or nothing (`[R01, $absent]`), made messages say one or the other."""
    made = list(RESULT.made(40, "words"))
    assert made
    assert not [raw for raw in made if b"$absent" in raw or b"$present" in raw]
    assert {raw.split(raw[3:4])[8].partition(b"^")[2][:3] for raw in made if raw[:4] == b"MSH|"} >= {b"R01"}


def test_each_childs_part_is_of_the_messages_type() -> None:
    """A message of results about two children says an order's number for each, or a part would be none."""
    for raw in RESULT.made(60, "parts"):
        for part in raw.replace(b"\n", b"\r").split(b"\rPID")[1:]:
            fields = [line.split(part[:1]) for line in part.split(b"\r") if line.startswith(b"ORC")]
            assert any(len(line) > 2 and line[2] for line in fields), part


def test_what_is_read_twice_may_move_from_one_of_its_places() -> None:
    """A place that is written back for one thing and elsewhere for another declares the other place."""
    declared = Declared("er7", {"A": {"Report.x", "Request.x"}}, {"Request.x": {"A"}, "Report.x": {"B"}})
    assert declared.moved_to("A") == {"B"}
    assert Declared("er7", {"A": {"Request.x"}}, {"Request.x": {"A", "B"}}).moved_to("A") == set()
