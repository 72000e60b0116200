"""A finding about a resource, and the OperationOutcome that tells the sender of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: where, and what to do; never holds the value, which may be somebody's name."""

    severity: Severity
    code: str
    """Of FHIR's IssueType: ``structure``, ``required``, ``value``, ``invariant``, ``code-invalid``, ..."""
    expression: str
    """FHIRPath: ``Bundle.entry[3].resource.birthDate``."""
    diagnostics: str


def to_operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """Make an R4 OperationOutcome; without issues it holds one piece of information that all is well."""
    listed = [
        {
            "severity": issue.severity,
            "code": issue.code,
            "diagnostics": issue.diagnostics,
            "expression": [issue.expression],
        }
        for issue in issues
    ]
    fine = {"severity": "information", "code": "informational", "diagnostics": "No problem was found."}
    return {"resourceType": "OperationOutcome", "issue": listed or [fine]}
