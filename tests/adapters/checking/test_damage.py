"""The damage that `tools/mutate_packs.py` does to packs is what it says, and is noticed where it should be."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

from adapters.library import load_pack
from tests.adapters.checking.small import sound

tool: Any = importlib.import_module("tools.mutate_packs")
RECORD = "maps/record.yaml"


def rows(kind: str) -> list[Any]:
    """The Patient's rows of the small pack after the first damage of that kind that fits one of them."""
    files = sound()
    for site in tool.sites(files):
        if site[0] == RECORD and site[1] == kind and (made := tool.damaged(files, site)):
            found, was = (yaml.load(each, yaml.BaseLoader)["rows"][0]["rows"] for each in (made[RECORD], files[RECORD]))
            if found != was:
                return list(found)
    raise AssertionError(kind)


def test_rows_are_damaged_one_at_a_time() -> None:
    """Targets change places, a value becomes a constant, a row goes one way only."""
    assert [row["to"] for row in rows("change targets with the next row")][:2] == [
        "gender",
        "identifier[type=MR].value",
    ]
    assert rows("say a constant")[:2] == [
        {"at": "no", "to": "identifier[type=MR].value", "direction": "in"},
        {"at": "no", "out": "1"},
    ]
    assert rows("only read")[0]["direction"] == "in"


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("leave out a code", "source,code,direction\r\nNu,female,\r\n"),
        ("another code", "source,code,direction\r\nNam,female,\r\nNu,female,\r\n"),
        ("another direction", "source,code,direction\r\nNam,male,in\r\nNu,female,\r\n"),
    ],
)
def test_codes_are_damaged_one_at_a_time(kind: str, made: str) -> None:
    """A line goes, means another, or goes one way only."""
    files = tool.damaged(sound(), ("codes/sex.csv", kind, (0,)))
    assert files["codes/sex.csv"].decode() == made


def test_a_sample_is_equal_for_equal_seed() -> None:
    """What is tried is chosen by the pack and the seed alone, and each pack has its turn."""
    some = tool.chosen(["hotline/csv", "social/primero"], 10, 1)
    assert some == tool.chosen(["hotline/csv", "social/primero"], 10, 1) != tool.chosen(["hotline/csv"], 10, 1)
    assert [id_ for id_, _ in some].count("hotline/csv") == 5


def test_damage_loads_or_is_refused_by_type() -> None:
    """A damaged pack is a pack or a BrokenPack: no damage makes the loader crash."""
    files = sound()
    for site in tool.sites(files):
        if (made := tool.damaged(files, site)) is not None:
            try:
                load_pack(made)
            except tool.BrokenPack:
                continue
