"""The administrators' page names everything that they can say."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import typer

from consent.model import Party
from consent.outside import _FACT_LISTS
from consent.rulebook import read_policy
from hub.api.cases import Supposed, Unmask
from hub.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "administrators.md").read_text("utf-8")


def test_every_field_of_a_preview_is_documented() -> None:
    """Each field of the request and each option of the command."""
    for name in (*Supposed.model_fields, *Unmask.model_fields):
        assert re.search(rf"[`{{ ]{name}[`,}} ]", PAGE), name
    command = typer.main.get_command(app).commands["preview"]  # type: ignore[attr-defined]
    for option in command.params:
        for name in option.opts if option.opts[0].startswith("--") else ():
            assert name in ("--as", "--help") or f"`{name}" in PAGE or f"{name} " in PAGE, name


def test_every_finding_of_a_consent_check_is_documented() -> None:
    """Each code stands in the table."""
    from consent import policy_documents

    for code in read_policy(policy_documents()).editions[-1][1].words["findings"]:
        assert f"`{code}`" in PAGE, code


def test_every_input_of_decide_is_documented() -> None:
    """Each kind of fact and each field of the recipient stands in the table."""
    for name in _FACT_LISTS:
        assert f"`{name}`" in PAGE, name
    line = next(line for line in PAGE.splitlines() if line.startswith("| `recipient`"))
    for field in fields(Party):
        if field.name != "alternate_for":
            assert field.name.removesuffix("s") in line, field.name
