"""One message type, ready to be said: head leaves, constants, rows, order, schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.errors import BrokenPack
from adapters.mapping import dates, paths, places
from adapters.mapping.assemble import MESSAGE_KEY_URL
from adapters.mapping.env import Env, canonical_links
from adapters.mapping.ledger import Ledger, Place
from adapters.mapping.message import Codec, HeadLeaf, Message
from adapters.mapping.paths import ABSENT, PRESENT, Json
from adapters.mapping.places import Cursor
from adapters.mapping.structure import Item
from adapters.mapping.writer import Writer, compile_rows
from adapters.pack import Bundle, Context, Writing
from adapters.tree import Branch
from consent.vocabulary import Event


@dataclass(frozen=True, slots=True)
class Speech:
    """What a pack gives to each of its message types for writing."""

    codec: Codec
    leaves: tuple[HeadLeaf, ...]
    media_type: str
    recognise: Callable[[bytes, Message, Context], None]
    """Refuses what would not be read as the type that it was written as."""


@dataclass(frozen=True, slots=True)
class Script:
    """A message type compiled for writing."""

    speech: Speech
    message: Message
    rows: Writer
    dialect: str
    head: frozenset[str]
    """Header leaves that this type has a place for."""

    def fits(self, bundle: Bundle) -> bool:
        """Whether this message type is meant for the bundle: its `where` holds."""
        if not self.message.where:
            return True
        ledger = Ledger(bundle, _NOBODY)
        return all(_holds(ledger, way, values) for way, values in self.message.where.items())

    def write(self, bundle: Bundle, context: Context) -> Writing:
        """The bundle in the agency's words; what does not pass the agreed schema is :class:`Unwritable`."""
        ledger = Ledger(bundle, context)
        root = Branch(self.message.root)
        self.rows(Place(root, None, {}, {}, (), ledger))
        self._head(root, ledger)
        self._constants(root, ledger)
        prune(root)
        arrange(root, self.message)
        raw = self.speech.codec.dump(root)
        self.speech.recognise(raw, self.message, context)
        if self.message.schema is not None and self.message.validate in ("out", "both"):
            self.message.schema.check_outbound(raw)
        ledger.close()
        key = context.header.get("message-id", "")
        loss = (*ledger.loss, *ledger.leftovers())
        return Writing(raw, self.speech.media_type, self.message.type, key, tuple(dict.fromkeys(loss)))

    def _constants(self, root: Branch, ledger: Ledger) -> None:
        said = {place: values[0] for place, values in self.message.when.items() if values[0] not in (PRESENT, ABSENT)}
        for place, text in {**said, **self.message.put}.items():
            if self._stands(root, place):
                self._say(root, place, _now(ledger.context, self.speech.leaves) if text == "$at" else text)
        if self.message.event_codes is not None:
            self._say(root, self.message.event_at, self.message.event_codes.writes[("", _event(ledger))])

    def _stands(self, root: Branch, place: str) -> bool:
        """Whether a constant may be said: it makes no segment that the structure leaves open (an empty MSA)."""
        grammar = self.message.grammar
        if grammar is None:
            return True
        first = places.parse(place, (Cursor(self.speech.codec.name, grammar),)).steps[0]
        item = next((item for item in grammar.items if item.name == first), None)
        return item is None or item.required or next(root.all(first), None) is not None

    def _say(self, root: Branch, place: str, text: str) -> None:
        cursor = Cursor(self.speech.codec.name, self.message.grammar)
        node = places.make(root, places.parse(place, (cursor,)).steps, False)
        if node.value is None and not node.nodes:
            node.value = text

    def _head(self, root: Branch, ledger: Ledger) -> None:
        context = ledger.context
        names = {leaf.name for leaf in self.speech.leaves}
        other = "answers" if self.message.event is Event.RECALL and "replaces" in names else "replaces"
        for leaf in self.speech.leaves:
            if leaf.name == other:
                continue
            text = context.header.get(leaf.name, "")
            if leaf.name == "at":
                text = _now(context, (leaf,))
            elif leaf.name == ("replaces" if _event(ledger) == Event.RECALL else "answers") and not text:
                text = answered_key(ledger.header)
            if text and leaf.name in self.head:
                self._say(root, leaf.place, text)


def _now(context: Context, leaves: Sequence[HeadLeaf]) -> str:
    """The context's moment, in the form of the header leaf `at`."""
    form = next((leaf.date[0] for leaf in leaves if leaf.name == "at" and leaf.date), "iso")
    return dates.from_fhir(dates.fhir_moment(context.at.astimezone(dates.zone_of(context.zone))), form) or ""


def compile_script(speech: Speech, message: Message, env: Env, dialect: str) -> Script:
    """Compile a message type for writing; a broken row is a :class:`BrokenPack`."""
    head = frozenset(leaf.name for leaf in speech.leaves if _has(leaf.place, env))
    return Script(speech, message, compile_rows(message.rows, env), dialect, head)


def _has(place: str, env: Env) -> bool:
    """Whether a message's structure has a place at all (an RRI has no recall segment)."""
    try:
        places.parse(place, env.cursors)
    except BrokenPack:
        return False
    return True


def _event(ledger: Ledger) -> str:
    return str((ledger.header.get("eventCoding") or {}).get("code", ""))


def answered_key(header: Json) -> str:
    """The message key that the bundle answers or takes back."""
    response = header.get("response") or {}
    for extension in (response.get("_identifier") or {}).get("extension", ()):
        if extension.get("url") == MESSAGE_KEY_URL:
            return str(extension.get("valueString", ""))
    return str(response.get("identifier", ""))


def _holds(ledger: Ledger, way: str, values: Any) -> bool:
    start, _, rest = way.partition(".")
    if start == "focus":
        resources = ledger.start(("focus",))
    else:
        kind = canonical_links().roles.get(start, start)
        resources = [resource for resource in ledger.resources if resource.get("resourceType") == kind]
    wanted = tuple(values) if isinstance(values, list) else (values,)
    return any(_matches(resource, rest, wanted) for resource in resources) or (wanted == (ABSENT,) and not resources)


def _matches(resource: Json, way: str, wanted: Sequence[str]) -> bool:
    if way == "resourceType":
        return resource.get("resourceType") in wanted
    try:
        path = paths.parse(way, str(resource.get("resourceType")))
    except BrokenPack:
        return False
    return paths.holds(resource, (paths.Test(path, tuple(wanted)),))


def prune(branch: Branch) -> bool:
    """Take out nodes that say nothing; True when the node itself says something."""
    branch.nodes = [child for child in branch.nodes if prune(child)]
    return branch.value is not None or bool(branch.nodes) or branch.state.value == "null"


def arrange(root: Branch, message: Message) -> None:
    """Segments and children in the order that the message's structure says."""
    if message.grammar is not None:
        _order_segments(root, message.grammar.items)
    elif message.order:
        _order_children(root, message.order)


def _order_segments(branch: Branch, items: Sequence[Item]) -> None:
    rank = {item.name: index for index, item in reversed(list(enumerate(items)))}
    groups = {item.name: item for item in items if item.items}
    branch.nodes.sort(key=lambda node: rank.get(node.name, len(rank)))
    for node in branch.nodes:
        if node.name in groups:
            _order_segments(node, groups[node.name].items)


def _order_children(branch: Branch, order: Mapping[str, Sequence[str]]) -> None:
    names = order.get(branch.name)
    if names:
        rank = {name: index for index, name in enumerate(names)}
        branch.nodes.sort(key=lambda node: (not node.name.startswith("@"), rank.get(node.name, len(rank))))
    for node in branch.nodes:
        _order_children(node, order)


_NOBODY = Context.__new__(Context)
