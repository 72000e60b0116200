"""Acknowledgements: who wants which, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime

import hl7
import pytest

from adapters.codecs import er7
from adapters.codecs.er7_ack import acknowledge, head_of, read_ack, reject_garbage, reply_code
from adapters.errors import Malformed, Unmappable, Unsupported
from adapters.pack import Head

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
FIELDS = {"sender": "HIS", "sender-facility": "BV|MAU", "recipient": "HUB", "message-id": "M1", "processing": "P"}


def head(accept: str = "", application: str = "") -> Head:
    return Head("ORU^R01", "HIS|BV|M1", version="2.5.1", accept_ack=accept, application_ack=application, fields=FIELDS)


@pytest.mark.parametrize(
    ("accept", "application", "accepted", "failed", "rejected"),
    [
        ("", "", "AA", "AE", "AR"),
        ("AL", "NE", "CA", "CE", "CR"),
        ("AL", "AL", "CA", "CE", "CR"),
        ("NE", "NE", None, None, None),
        ("NE", "AL", "AA", "AE", "AR"),
        ("", "AL", "AA", "AE", "AR"),
        ("ER", "NE", None, "CE", "CR"),
        ("SU", "NE", "CA", None, None),
        ("NE", "ER", None, "AE", "AR"),
        ("", "NE", None, None, None),
    ],
)
def test_the_sender_says_what_it_wants(
    accept: str, application: str, accepted: str | None, failed: str | None, rejected: str | None
) -> None:
    """MSH-15 and MSH-16 decide whether and with what letters there is an answer."""
    asked = head(accept, application)
    assert [reply_code(asked, outcome) for outcome in ("accept", "error", "reject")] == [accepted, failed, rejected]


def test_an_acknowledgement_answers_the_message() -> None:
    """MSA-2 names the message, sender and recipient change places, separators in names are escaped."""
    raw = acknowledge(head(), "AA", "A1", AT)
    ack = read_ack(raw)
    assert ack is not None
    assert (ack.code, ack.answers, ack.plain) == ("AA", "M1", True)
    message = hl7.parse(raw.decode())
    assert str(message["MSH"][0][5]) == "HIS"
    assert er7.unescape(str(message["MSH"][0][6])) == "BV|MAU"


@pytest.mark.parametrize(
    ("error", "location", "code"),
    [
        (Unmappable("PID[1]-5[2].1", "unknown-code", "not agreed"), "PID^1^5^2^1", "103"),
        (Malformed("OBR[2]", "misplaced", "may not stand here"), "OBR^2", "100"),
        (Unsupported("MSH[1]-9", "unsupported", "not spoken"), "MSH^1^9^1", "200"),
        (Malformed("line 3", "segment", "no segment"), "", "207"),
    ],
)
def test_an_error_names_its_place(error: Malformed, location: str, code: str) -> None:
    """ERR-2 is the place, ERR-3 the code of table 0357, ERR-8 the sentence."""
    message = hl7.parse(acknowledge(head(), "AE", "A1", AT, [error]).decode())
    segment = message["ERR"][0]
    assert str(segment[2]) == location
    assert str(segment[3]).split("^")[0] == code
    assert str(segment[8]) == error.why


def test_garbage_gets_a_rejection() -> None:
    """What shows no MSH is answered AR, naming no message."""
    ack = read_ack(reject_garbage(AT))
    assert ack is not None
    assert (ack.code, ack.answers) == ("AR", "")


def test_what_is_no_acknowledgement_is_none() -> None:
    """A message without MSA, and bytes that are no message, are no acknowledgement; an RRI is one that says more."""
    assert read_ack(b"nothing") is None
    assert read_ack(b"MSH|^~\\&|A||||||ORU^R01|1|P|2.5.1\rPID|1") is None
    answer = read_ack(b"MSH|^~\\&|A||||||RRI^I12|1|P|2.5.1\rMSA|AA|M1\rRF1|A")
    assert answer is not None
    assert not answer.plain


def test_a_message_that_no_pack_reads_is_answered_by_its_own_msh() -> None:
    """Its control id and what it asks for in MSH-15; bytes without an MSH show nothing to answer to."""
    head = head_of(b"MSH|^~\\&|HIS|BV-MAU|HUB|ONESTOP|20261120||ADT^A02|M7|P|2.5.1|||AL|NE\rPID|1\r")
    assert head is not None
    assert (head.type, head.fields["message-id"], reply_code(head, "reject")) == ("ADT^A02", "M7", "CR")
    assert head_of(b"nothing") is None
