"""A transport that keeps what it was given, and fails when told to."""

from __future__ import annotations

from collections.abc import Callable

from hub.errors import SendFailed
from hub.messaging.transport import Outbound, Sent


class RecordingTransport:
    """Every byte that left, by agency; `failures` are raised first, one a send."""

    def __init__(self) -> None:
        self.sent: list[Outbound] = []
        self.failures: list[SendFailed] = []
        self.answers: dict[str, bytes] = {}
        self.before: Callable[[Outbound], None] = lambda _outbound: None

    def send(self, outbound: Outbound) -> Sent:
        self.before(outbound)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(outbound)
        return Sent(self.answers.pop(str(outbound.agency["id"]), None))

    def to(self, agency: str) -> list[Outbound]:
        """What this agency received, in order."""
        return [each for each in self.sent if each.agency["id"] == agency]
