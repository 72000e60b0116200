"""A pack that speaks canonical bundles as they are: one, or a list of one for each child."""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.errors import Malformed, Unwritable
from adapters.pack import Bundle, Context, Head, Reading, Strand, Writing
from consent.vocabulary import Event
from hub.bundles import event_of, header_of


class PlainPack:
    """Small and real: what it writes, it reads again."""

    id = "test/plain"
    version = "1"
    hash = "0" * 64
    media_types = ("application/json",)

    def writes(self, event: Event) -> bool:
        return True

    def split(self, raw: bytes) -> tuple[bytes, ...]:
        return ()

    def head(self, raw: bytes, context: Context) -> Head:
        return _head(_bundles(raw))

    def read(self, raw: bytes, context: Context) -> Reading:
        found = _bundles(raw)
        return Reading(_head(found), tuple(Strand(bundle) for bundle in found))

    def write(self, bundle: Bundle, context: Context) -> Writing:
        event = event_of(bundle)
        if not event:
            raise Unwritable("Bundle.entry[0]", "no-event", "The bundle says no event.")
        said = {**bundle, "identifier": {"value": context.header["message-id"]}}
        if "replaces" in context.header:
            said["replaces"] = context.header["replaces"]
        return Writing(msgspec.json.encode(said), self.media_types[0], event, context.header["message-id"])


def _bundles(raw: bytes) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise Malformed("", "not-json", "Send JSON.") from None
    return found if isinstance(found, list) else [found]


def _head(found: list[dict[str, Any]]) -> Head:
    first = found[0]
    answers = header_of(first).get("response", {}).get("identifier", "")
    key = first.get("identifier", {}).get("value", "")
    known = event_of(first) in set(Event)
    return Head("plain", key, Event(event_of(first)) if known else None, answers=answers)
