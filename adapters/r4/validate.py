"""The question that every border of the hub asks: is this R4, and if not, where and what must be mended?"""

from __future__ import annotations

from typing import Any

from adapters.r4 import table
from adapters.r4.issues import Issue, Severity, to_operation_outcome
from adapters.r4.references import judge
from adapters.r4.shape import Walk

__all__ = ["Issue", "Severity", "has_errors", "to_operation_outcome", "validate"]


def validate(resource: dict[str, Any]) -> tuple[Issue, ...]:
    """Check a resource, as parsed from JSON, against R4 (4.0.1); no issue means that nothing wrong was found.

    Decimals may be ``Decimal``, int or float. Never raises on what was parsed from JSON, and never repeats a value.
    Profiles, extensible and preferred bindings and external terminologies are not judged.
    """
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    walk = Walk()
    walk.resource(resource, name if isinstance(name, str) and name in table.resource_types() else "Resource")
    for issue in judge(walk):
        walk.say(issue.code, issue.expression, issue.diagnostics, issue.severity)
    return tuple(walk.issues)


def has_errors(issues: tuple[Issue, ...]) -> bool:
    """Whether the resource must be refused; warnings and information do not count."""
    return any(issue.severity == "error" for issue in issues)
