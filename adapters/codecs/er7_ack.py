"""HL7 v2 acknowledgements: what MSH-15 and MSH-16 ask for, said with MSA and ERR, and read again by our own client.

Original mode (both fields empty) answers AA, AE or AR; enhanced mode answers CA, CE or CR when MSH-15 asks for it,
else the application code when only MSH-16 does (HL7 v2.5.1, chapter 2.9).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.codecs import er7
from adapters.codecs.er7 import STANDARD, escape
from adapters.errors import AdapterError, Refusal
from adapters.pack import Head
from adapters.tree import Node

ACCEPT: Final = "accept"
ERROR: Final = "error"
REJECT: Final = "reject"
_LETTER: Final = {ACCEPT: "A", ERROR: "E", REJECT: "R"}
_WANTED: Final = {"AL": (ACCEPT, ERROR, REJECT), "NE": (), "ER": (ERROR, REJECT), "SU": (ACCEPT,)}

_TABLE_0357: Final = {
    "misplaced": ("100", "Segment sequence error"),
    "missing-segment": ("100", "Segment sequence error"),
    "required": ("101", "Required field missing"),
    "date": ("102", "Data type error"),
    "number": ("102", "Data type error"),
    "flag": ("102", "Data type error"),
    "token": ("102", "Data type error"),
    "unknown-code": ("103", "Table value not found"),
    "no-alternative": ("103", "Table value not found"),
    "unsupported": ("200", "Unsupported message type"),
    "unknown-event": ("201", "Unsupported event code"),
    "version": ("203", "Unsupported version id"),
    "unknown-key": ("204", "Unknown key identifier"),
    "duplicate": ("205", "Duplicate key identifier"),
    "conflict": ("205", "Duplicate key identifier"),
    "internal": ("207", "Application internal error"),
    "not-deleted": ("0", "Message accepted"),
}
"""HL7 table 0357 by the kind of a refusal; any other is 207."""

_PLACE: Final = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?)?")
_LONGEST_TEXT: Final = 250


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement as read."""

    code: str
    """MSA-1: AA, AE, AR, CA, CE or CR."""
    answers: str
    """MSA-2: the message that it answers."""
    text: str = ""
    """MSA-3 or the first ERR-8."""
    plain: bool = True
    """Whether it is nothing but an acknowledgement (an RRI answers and says something besides)."""


def reply_code(head: Head, outcome: str) -> str | None:
    """The code to answer with (`outcome` is ``accept``, ``error`` or ``reject``); None when no answer is wanted."""
    accept_ack, application_ack = head.accept_ack.strip().upper(), head.application_ack.strip().upper()
    if not accept_ack and not application_ack:
        return f"A{_LETTER[outcome]}"
    if outcome in _WANTED.get(accept_ack, ()):
        return f"C{_LETTER[outcome]}"
    if accept_ack in ("", "NE") and outcome in _WANTED.get(application_ack, ()):
        return f"A{_LETTER[outcome]}"
    return None


def acknowledge(head: Head, code: str, control_id: str, at: datetime, errors: Sequence[Refusal] = ()) -> bytes:
    """The acknowledgement of a message: MSH, MSA and an ERR for each error, in UTF-8, segments ended by CR.

    In an accepting one (AA, CA) what ERR says is a warning. `at` is aware; `control_id` is this answer's own MSH-10.
    ERR-2 says the place, ERR-3 the code of table 0357, ERR-8 the sentence for a person, which never repeats a value.
    """
    fields = head.fields
    trigger = re.sub(r"[^A-Z0-9]", "", head.type.split("^")[1]) if "^" in head.type else ""
    msh = [
        "MSH",
        STANDARD.encoding,
        escape(fields.get("recipient", "")),
        escape(fields.get("recipient-facility", "")),
        escape(fields.get("sender", "")),
        escape(fields.get("sender-facility", "")),
        at.strftime("%Y%m%d%H%M%S%z"),
        "",
        f"ACK^{trigger}^ACK" if trigger else "ACK",
        escape(control_id),
        escape(fields.get("processing") or "P"),
        escape(head.version or "2.5.1"),
        *[""] * 5,
        "UNICODE UTF-8",
    ]
    msa = ["MSA", code, escape(fields.get("message-id", ""))]
    if errors:
        msa.append(escape(errors[0].why[:80]))
    lines = [msh, msa, *(_err(error, "W" if code.endswith("A") else "E") for error in errors)]
    return "".join("|".join(line) + "\r" for line in lines).encode("utf-8")


def _err(error: Refusal, severity: str = "E") -> list[str]:
    number, said = _TABLE_0357.get(error.kind, ("207", "Application internal error"))
    return [
        "ERR",
        "",
        _location(error.place),
        f"{number}^{said}^HL70357",
        severity,
        escape(error.kind),
        "",
        "" if _PLACE.fullmatch(error.place) else escape(error.place[:_LONGEST_TEXT]),
        escape(error.why[:_LONGEST_TEXT]),
    ]


def _location(place: str) -> str:
    """ERR-2: segment, its sequence, field, repetition, component, subcomponent."""
    match = _PLACE.fullmatch(place)
    if match is None:
        return ""
    segment, sequence, field, repetition, component, part = match.groups()
    parts = [segment, sequence or "1", field or "", (repetition or "1") if field else "", component or "", part or ""]
    return "^".join(parts).rstrip("^")


def head_of(raw: bytes) -> Head | None:
    """What the MSH of a message that no pack reads says for its answer; None when there is none."""
    try:
        tree = er7.parse(raw).tree
    except AdapterError:
        return None
    places = {"sender": "3", "sender-facility": "4", "recipient": "5", "recipient-facility": "6"}
    fields = {name: _text(tree, "MSH", number, "1") for name, number in places.items()}
    fields |= {"message-id": _text(tree, "MSH", "10"), "processing": _text(tree, "MSH", "11", "1")}
    return Head(
        type="^".join(_text(tree, "MSH", "9", part) for part in "12"),
        key="|".join((fields["sender"], fields["sender-facility"], fields["message-id"])),
        version=_text(tree, "MSH", "12", "1"),
        accept_ack=_text(tree, "MSH", "15"),
        application_ack=_text(tree, "MSH", "16"),
        fields=fields,
    )


def reject_garbage(at: datetime) -> bytes:
    """AR for bytes that show no MSH to answer to."""
    error = "ERR||MSH^1|100^Segment sequence error^HL70357|E||||A message begins with an MSH segment"
    return _reject(at, "", "This is no HL7 v2 message", error)


def reject_batch(control: str, at: datetime, refusal: Refusal) -> bytes:
    """AR for a batch that is not whole; `control` is its own control id, "" if it has none."""
    return _reject(at, control, refusal.why, "|".join(_err(refusal)))


def _reject(at: datetime, answers: str, why: str, error: str) -> bytes:
    moment = at.strftime("%Y%m%d%H%M%S%z")
    lines = (
        f"MSH|{STANDARD.encoding}|||||{moment}||ACK|NACK{at:%Y%m%d%H%M%S%f}|P|2.5.1||||||UNICODE UTF-8",
        f"MSA|AR|{answers}|{escape(why[:80])}",
        error,
    )
    return "".join(f"{line}\r" for line in lines).encode("utf-8")


def read_ack(raw: bytes) -> Ack | None:
    """What an acknowledgement says; None when the bytes are no message or it has no MSA."""
    try:
        tree = er7.parse(raw).tree
        message_type = _text(tree, "MSH", "9", "1")
        if not list(tree.all("MSA")):
            return None
        said = _text(tree, "MSA", "3") or _text(tree, "ERR", "8")
        return Ack(_text(tree, "MSA", "1"), _text(tree, "MSA", "2"), said, message_type in ("ACK", ""))
    except AdapterError:
        return None


def _text(tree: Node, segment: str, field: str, component: str = "") -> str:
    """The first value at a place, "" without one."""
    for line in tree.all(segment):
        for part in line.all(field):
            if isinstance(part, er7.Part):
                found = next(part.all(component), None) if component else part
                return (found.first if found else None) or ""
    return ""
