"""What one pack reads, each pack that speaks of such events can say: a report is a report in every format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.errors import Unwritable
from adapters.pack import Bundle
from consent.vocabulary import Event
from tests.adapters.law import cases
from tests.adapters.packs import CONTEXT

_NO_COURT = "the samples name no court, and a court's message is nothing without (CaseCourt is missing)"
EXCUSED: dict[tuple[str, str, str], str] = {
    ("education/school-support", "referral-status", "court/ecf"): _NO_COURT,
    ("health/fhir", "recall", "court/ecf"): _NO_COURT,
    ("health/fhir", "referral-request", "court/ecf"): _NO_COURT,
    (
        "health/fhir",
        "result",
        "health/hl7v2",
    ): "the samples name no placer's number, by which an ORU is known as a result",
    ("police/niem", "recall", "court/ecf"): _NO_COURT,
    ("police/niem", "referral-status", "court/ecf"): _NO_COURT,
    ("social/primero", "recall", "court/ecf"): _NO_COURT,
    ("social/primero", "referral-status", "court/ecf"): _NO_COURT,
}
"""(reader, event, writer): why none of the reader's samples can be said there."""


def bundles(id_: str) -> dict[str, list[Bundle]]:
    """The bundles that a pack's samples give, by event."""
    found: dict[str, list[Bundle]] = {}
    for bundle in cases.bundles(cases.pack(id_), cases.samples(id_)):
        code = bundle["entry"][0]["resource"].get("eventCoding", {}).get("code", "")
        if code:
            found.setdefault(code, []).append(bundle)
    return found


def said(bundle: Bundle, writer: str) -> str:
    try:
        cases.pack(writer).write(bundle, replace(CONTEXT, header={"message-id": "TN6", "sender": "MAU"}))
    except Unwritable as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize("reader", cases.manifests())
def test_each_event_can_be_said_by_each_pack_that_speaks_of_it(reader: str) -> None:
    """Of an event's samples at least one is written by each pack with a message for the event, or excused."""
    for event, found in bundles(reader).items():
        for writer in cases.manifests():
            if writer == reader or not cases.pack(writer).writes(Event(event)):
                continue
            faults = [said(bundle, writer) for bundle in found]
            assert ("" in faults) != ((reader, event, writer) in EXCUSED), (event, writer, faults)


@pytest.mark.parametrize("reader", ["hotline/csv", "hotline/aselo"])
def test_every_call_can_be_told_to_the_police(reader: str) -> None:
    """A hotline's call becomes an IncidentReport, and that it was a call is a reported loss."""
    for bundle in bundles(reader)["report"]:
        context = replace(CONTEXT, header={"message-id": "TN6", "sender": "MAU"})
        written = cases.pack("police/niem").write(bundle, context)
        assert written.type == "IncidentReport"
        assert any(loss.place.startswith("Communication.category") for loss in written.loss)
