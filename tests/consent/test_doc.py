"""The page by which a data-protection officer checks the rules is what the policy data and the tests say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.consent.world import AT, policy

ROOT = Path(__file__).parents[2]


def test_the_page_of_rules_is_current() -> None:
    """`docs/consent.md` is what `tools/consent_doc.py` would write."""
    done = subprocess.run(
        [sys.executable, "tools/consent_doc.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_rule_has_a_test_that_is_named_for_it() -> None:
    """No rule of the engine stands on the page without a test."""
    text = (ROOT / "docs" / "consent.md").read_text("utf-8")
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| R")}
    for rule in policy().at(AT).words["rules"]:
        assert f"`test_R{int(rule[1:]):02}_" in lines[rule], rule
