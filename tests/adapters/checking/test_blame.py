"""A bundle that is no R4 is told by the map file and the row that wrote it, not by the bundle's own place alone."""

from __future__ import annotations

from random import Random

import pytest

from adapters.checking.problems import Problem
from adapters.checking.static import check_static, errors_of
from adapters.checking.trial import check_messages
from adapters.library import load_pack
from tests.adapters.checking.small import changed

NAMES = "      - {each: names"
FREE = (", schema: schemas/record.schema.json", ""), ('loss: "0"', 'loss: "3"')


def tried(rows: str) -> list[Problem]:
    """What the check tells of the sound pack with rows put in before the names', on messages that it made."""
    files = changed((NAMES, rows + NAMES))
    manifest = files["manifest.yaml"].decode()
    for before, after in FREE:
        manifest = manifest.replace(before, after)
    files = {**files, "manifest.yaml": manifest.encode()}
    del files["schemas/record.schema.json"]
    assert errors_of(check_static(files)) == []
    return check_messages(load_pack(files), files, {}, Random(1).randrange, 40)


def test_the_row_that_wrote_it_is_named() -> None:
    """A phone without a system: the row that reads it, with the law's part and the element beside; and once."""
    (problem,) = tried("      - {at: tel, to: telecom.value}\n")
    assert (problem.file, problem.row) == ("maps/record.yaml", "rows[1].rows[3] (at: tel, to: telecom.value)")
    assert "part 5, Bundle.entry.resource.telecom" in problem.what


def test_two_rows_that_are_wrong_together_are_both_named() -> None:
    """A choice that is given twice is two rows' fault."""
    twice = (
        '      - {at: twin, to: multipleBirthBoolean, bool: {"true": [x], "false": [y]}}\n'
        '      - {at: order, to: multipleBirthInteger, integer: "yes"}\n'
    )
    (problem,) = tried(twice)
    assert "rows[3]" in problem.row
    assert "rows[4]" in problem.what


@pytest.mark.parametrize(("said", "row"), [("A", "rows[3].rows[1]"), ("B", "rows[4].rows[1]")])
def test_of_several_items_the_row_of_the_faulty_one_is_named(said: str, row: str) -> None:
    """Rows that fill one list are told apart by what they say of their items, as everywhere."""
    items = "".join(
        f"      - {{at: {name}, to: contact, where: {{gender: {gender}}}, rows: [{{at: ., to: {path}}}]}}\n"
        for name, gender, path in (
            ("a", "male", "relationship.text" if said == "A" else "name.text"),
            ("b", "female", "relationship.text" if said == "B" else "name.text"),
        )
    )
    assert {problem.row.partition(" ")[0] for problem in tried(items)} == {f"rows[1].{row}"}
