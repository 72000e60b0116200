"""Bugs to seed: Python that breaks a running hub, and which promise it must then be seen to break."""

from __future__ import annotations

from typing import Final

_ACK_BEFORE_COMMIT = """
import threading
from hub import exchange
from hub.states import MessageState
from hub.storage.ids import new_id
kept = exchange._keep
def keep_soon(parts, heard):
    if b"||7000" not in heard.envelope.raw:
        return kept(parts, heard)
    threading.Timer(1, kept, (parts, heard)).start()
    return exchange.Acknowledgement(new_id(), MessageState.STORED, heard.reading.head), []
exchange._keep = keep_soon
"""

_SEND_BEFORE_RECORD = """
from hub import outgoing
record, send = outgoing.record, outgoing._send
outgoing.record = lambda parts, claim, said: None
def send_first(parts, claim, said, abort):
    sent = send(parts, claim, said, abort)
    outgoing.reached("sent")
    record(parts, claim, said)
    return sent
outgoing._send = send_first
"""

_NEW_ID_FOR_A_RESEND = """
from hub import outgoing
outgoing._same_before = lambda unit, held, recipient, hashed: None
"""

_WITHDRAWN_CONSENT_COUNTS = """
from dataclasses import replace
from hub import facts
facts_of = facts.facts_of
def blind(*arguments, **named):
    found = facts_of(*arguments, **named)
    return replace(found, consents=tuple(replace(each, withdrawn_at=None) for each in found.consents))
facts.facts_of = blind
"""

_EFFECTIVE_TOO_SOON = """
from sqlalchemy import update
from hub.storage import withdrawals
from hub.storage.tables import withdrawal
def settle(unit, at):
    unsettled = update(withdrawal).where(withdrawal.c.effective_at.is_(None)).values(effective_at=at)
    return [withdrawals._withdrawal(row) for row in unit.execute(unsettled.returning(withdrawal))]
withdrawals.settle = settle
"""

BUGS: Final = {
    "ack-before-commit": (_ACK_BEFORE_COMMIT, "lost"),
    "send-before-record": (_SEND_BEFORE_RECORD, "doubled"),
    "new-id-for-a-resend": (_NEW_ID_FOR_A_RESEND, "doubled"),
    "withdrawn-consent-counts": (_WITHDRAWN_CONSENT_COUNTS, "left after an effective withdrawal"),
    "effective-too-soon": (_EFFECTIVE_TOO_SOON, "recorded to effective"),
}
"""Name -> (Python run in the hub before it starts, how the violation or the missed window begins)."""
