"""The fixed context in which the law is held: one moment, one agency, one salt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from adapters.pack import Context, Head

CONTEXT: Final = Context(at=datetime.fromisoformat("2026-03-06T08:00:00+07:00"), agency="law-agency", salt=b"law")


def answering(head: Head) -> Context:
    """Says a message's own header again, so that only the rows can change anything."""
    at = head.fields.get("at")
    return replace(
        CONTEXT, at=datetime.fromisoformat(at) if at else CONTEXT.at, header=head.fields, dialect=head.dialect
    )
