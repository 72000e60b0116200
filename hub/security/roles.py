"""Which administrator may do what: one table for the API and the command line.

An operator keeps the hub running and sees no personal data; who sees a child's facts cannot change the registry.
"""

from __future__ import annotations

from typing import Final

from hub.errors import Forbidden
from hub.security.tokens import Caller, Role

_ANY: Final = frozenset(Role)
_OPERATOR: Final = frozenset({Role.OPERATOR})
_CASE: Final = frozenset({Role.CASE_WORKER})
_CONSENT: Final = frozenset({Role.CONSENT_ADMIN})
_AUDITOR: Final = frozenset({Role.AUDITOR})

MAY: Final = {
    "agency-list": _ANY,
    "agency-add": _OPERATOR,
    "agency-secret": _OPERATOR,
    "admin-list": _OPERATOR,
    "admin-add": _OPERATOR,
    "admin-disable": _OPERATOR,
    "message-list": _OPERATOR,
    "delivery-retry": _OPERATOR,
    "refusal-list": _OPERATOR,
    "task-list": _ANY,
    "case-find": _CASE | _CONSENT,
    "case-read": _CASE | _CONSENT,
    "person-relate": _CASE | _CONSENT,
    "case-end": _CASE | _CONSENT,
    "fact-record": _CASE,
    "suspect-clear": _CASE,
    "order-verify": _CASE | _CONSENT,
    "override-approve": _CASE | _CONSENT,
    "match-resolve": _CASE,
    "consent-record": _CONSENT,
    "consent-withdraw": _CONSENT,
    "preview": _CASE | _CONSENT,
    "explain": _CASE | _CONSENT | _AUDITOR,
    "audit-list": _AUDITOR,
    "case-account": _AUDITOR | _CONSENT,
}
"""What may be done -> the roles that may do it. An operator's view of tasks leaves out what is not an operator's."""

CONSENT_KINDS: Final = frozenset({"consent", "consent-claim"})
"""Kinds of fact that only a consent administrator records."""


def require(caller: Caller, what: str) -> None:
    """Raises :class:`hub.errors.Forbidden` unless `caller` is an administrator who may do `what`."""
    roles = MAY[what]
    if caller.kind != "admin" or not caller.scope.intersection(roles):
        raise Forbidden(f"This needs the role {' or '.join(sorted(roles))}.")


def require_kind(caller: Caller, kind: str) -> None:
    """As :func:`require`, for recording a fact of `kind`."""
    require(caller, "consent-record" if kind in CONSENT_KINDS else "fact-record")
