"""Logs: one JSON line an event, made of an allow-list of fields. What is not on the list does not get into a log.

An event is a fixed word (``mllp-fault``), never a sentence with values in it. Of an exception only its class and the
places in the code are kept, because messages of libraries repeat what they were given. The same holds for what
libraries log themselves.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

FIELDS: Final = frozenset(
    {
        "event", "level", "timestamp", "logger", "error", "where",
        "method", "route", "status", "ms", "caller", "request",
        "agency", "transport", "message", "strand", "delivery", "attempt", "state", "lane", "kind", "reason", "outcome",
        "task", "withdrawal", "process", "count", "seconds", "host", "port", "database", "dispatcher", "workers",
        "version",
    }
)  # fmt: skip
"""Names of codes, counts, opaque ids and registry ids; none of them can hold personal data."""

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,60}")
_LIBRARIES_WITH_TEMPLATES: Final = ("kafka", "uvicorn")
"""Their log messages are constant templates, whose arguments are left out."""


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send all logs of this process through the allow-list to `stream` (standard error)."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_the_fault,
            keep_listed_fields,
            structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [LibraryHandler()]
    root.setLevel(logging.WARNING)


class LibraryHandler(logging.Handler):
    """Takes what libraries log, without their arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log who spoke and how serious it is; the text only where it is known to be a constant template."""
        template = str(record.msg) if record.name.startswith(_LIBRARIES_WITH_TEMPLATES) else ""
        structlog.get_logger().log(
            record.levelno, "library", logger=record.name, reason=template, exc_info=record.exc_info or None
        )


def name_the_fault(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its class and the places in our own code that it passed."""
    given = event.pop("exc_info", None)
    fault = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(fault, BaseException):
        event["error"] = type(fault).__name__
        event["where"] = " ".join(
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
            for frame in traceback.extract_tb(fault.__traceback__)[-8:]
        )
    return event


def keep_listed_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what is on the list; an event that is not a fixed word loses its text."""
    kept: dict[str, Any] = {name: _plain(value) for name, value in event.items() if name in FIELDS}
    if not _WORD.fullmatch(str(kept.get("event", ""))):
        kept["event"] = "unnamed"
    return kept


def _plain(value: Any) -> str | int | float | bool | None:
    """Numbers and short ASCII texts as they are; anything else by its type."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value) if isinstance(value, str) else ""
    return text[:200] if text.isascii() and (text or value == "") else type(value).__name__
