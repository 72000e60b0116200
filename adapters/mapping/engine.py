"""The pack that rows make: reads a message into strands, writes a bundle as a message. One class for every agency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any, Final

from adapters.codecs import er7, er7_batch
from adapters.codecs.common import Parsed
from adapters.errors import BrokenPack, Malformed, Unsupported, Unwritable
from adapters.mapping import dates, places
from adapters.mapping.assemble import Assembly, deviations
from adapters.mapping.codes import CodeMap
from adapters.mapping.env import Env, Material
from adapters.mapping.grouping import group
from adapters.mapping.heading import is_of, said_at
from adapters.mapping.message import Codec, Dialect, HeadLeaf, Message
from adapters.mapping.places import Cursor
from adapters.mapping.reader import compile_rows
from adapters.mapping.referring import resolve
from adapters.mapping.residual import Leaves, Losses
from adapters.mapping.script import Script, Speech, compile_script
from adapters.mapping.siblings import Siblings
from adapters.mapping.strands import apart
from adapters.mapping.structure import Group, fold
from adapters.mapping.walk import Frame, Reader, Walk
from adapters.pack import Bundle, Context, Deviation, Head, Reading, Strand, Writing
from adapters.tree import Node
from consent.vocabulary import Event

_HL7_TYPE: Final = re.compile(r"[A-Z]{3}(\^[A-Z][A-Z0-9]{2})?")


@dataclass(eq=False)
class RowPack:
    """A pack of rows; implements :class:`adapters.pack.Pack`."""

    id: str
    version: str
    hash: str
    media_types: tuple[str, ...]
    titles: Mapping[str, str]
    codec: Codec
    versions: tuple[str, ...]
    key: tuple[str, ...]
    leaves: tuple[HeadLeaf, ...]
    dialects: Mapping[str, Dialect]
    """The sender's own ones by name; "" is the plain format."""
    codes: Mapping[str, CodeMap]
    _readers: dict[tuple[str, str, bool], Reader] = field(default_factory=dict)
    _scripts: dict[tuple[str, str], Script] = field(default_factory=dict)
    _compiling: RLock = field(default_factory=RLock)
    """Many threads may need the same rows first: one compiles, the others wait."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The message types of the plain format."""
        return self.dialects[""].messages

    def writes(self, event: Event) -> bool:
        """Whether a message of this event can be said."""
        return any(message.says(event) for message in self.messages)

    def split(self, raw: bytes) -> tuple[bytes, ...]:
        """The messages of an HL7 batch; none of anything else."""
        return er7_batch.split_batch(raw).messages if self.codec.name == "er7" and er7_batch.is_batch(raw) else ()

    def head(self, raw: bytes, context: Context) -> Head:
        """Read the header only."""
        parsed = self.codec.parse(raw)
        return self._head(parsed, context)[0]

    def read(self, raw: bytes, context: Context) -> Reading:
        """Read a whole message into one strand for each child."""
        parsed = self.codec.parse(raw)
        head, message, head_nodes = self._head(parsed, context)
        if message.schema is not None and message.validate in ("in", "both"):
            message.schema.check_inbound(parsed.tree, raw)
        tree: Node = parsed.tree
        if message.grammar is not None and isinstance(tree, er7.Message):
            tree = fold(tree, message.grammar)
        if message.group:
            tree = group(tree, message.group)
        if message.refs:
            tree = resolve(tree, *message.refs)
        short = isinstance(parsed.tree, er7.Message) and message.grammar is not None and parsed.tree.tidy
        strands, found, losses = [], [*parsed.deviations, *self._version(head)], Losses(head_nodes)
        views = tuple(self._strands(tree, message))
        siblings = Siblings() if len(views) > 1 else None
        for number, view in enumerate(views):
            walk = Walk(zone=context.zone, agency=context.agency)
            meant = self._meant(message, parsed.tree, view, head.dialect) if siblings is not None else message
            self._reader(meant, head.dialect, short)(Frame(view, None, {}, {}, None, walk))
            own = head if meant is message else replace(head, type=meant.type, event=meant.event)
            assembly = Assembly(walk, context, own, raw, number, siblings)
            bundle = assembly.bundle((self.id, self.version))
            found += walk.deviations
            losses.add(view, walk)
            strands.append(Strand(bundle, Leaves(view)))
        return Reading(head, tuple(strands), deviations(found), losses)

    def write(self, bundle: Bundle, context: Context) -> Writing:
        """Say a bundle in this format; what is said validates against the agreed schema."""
        dialect = context.dialect if context.dialect in self.dialects else ""
        event = event_of(bundle)
        candidates = [m for m in self.dialects[dialect].messages if m.says(event)]
        fault = Unwritable("MessageHeader.eventCoding", "event", "this format has no message for this event")
        for message in candidates:
            script = self._script(message, dialect)
            if script.fits(bundle):
                try:
                    return script.write(bundle, context)
                except Unwritable as found:
                    fault = found if fault.kind in _NOT_MEANT else fault
        raise fault

    def _speech(self) -> Speech:
        return Speech(self.codec, self.leaves, self.media_types[0], self.recognise)

    def recognise(self, raw: bytes, message: Message, context: Context) -> None:
        """Refuse to send what would not be read as this type, in its own structure."""
        tree = self.codec.parse(raw).tree
        dialect = context.dialect if context.dialect in self.dialects else ""
        found = next((m for m in self.dialects[dialect].messages if is_of(self.codec.name, m, tree, [])), None)
        if found is None or found.type != message.type:
            raise Unwritable("MessageHeader", "type", f"the bundle does not say what makes a {message.type}")
        if message.grammar is not None and isinstance(tree, er7.Message):
            try:
                fold(tree, message.grammar)
            except Malformed as fault:
                raise Unwritable(fault.place, "structure", fault.why) from None

    def _meant(self, message: Message, tree: Node, view: Node, dialect: str) -> Message:
        """What one child's part is by itself: of two children's results one may answer an order, and the other none."""
        if not isinstance(tree, er7.Message) or not isinstance(view, Group):
            return message
        part = er7.Message(tree.syntax)
        part.segments = list(view.segments())
        kin = (m for m in self.dialects[dialect].messages if (m.strand, m.grammar) == (message.strand, message.grammar))
        return next((m for m in kin if m.direction != "out" and is_of(self.codec.name, m, part, [])), message)

    def _version(self, head: Head) -> Iterator[Deviation]:
        if self.versions and head.version and head.version not in self.versions:
            yield Deviation("", "a version that is not agreed; read all the same")

    def _head(self, parsed: Parsed, context: Context) -> tuple[Head, Message, list[Node]]:
        tree, codec = parsed.tree, self.codec.name
        known = context.dialect and context.dialect in self.dialects
        dialect = context.dialect if known else self._dialect(tree)
        nodes: list[Node] = []
        message = next((m for m in self.dialects[dialect].messages if is_of(self.codec.name, m, tree, nodes)), None)
        fields: dict[str, str] = {}
        for leaf in self.leaves:
            said = said_at(codec, tree, leaf.place, nodes)
            if said and leaf.date:
                moment = dates.parse(said, leaf.date)
                said = (dates.to_fhir(moment, "instant", context.zone) if moment else None) or ""
            if said:
                fields[leaf.name] = said
        if message is None or message.direction == "out":
            why = f"{self._type_said(tree)} is not spoken here{self._spoken(dialect)}"
            raise Unsupported(self._type_place(), "unsupported", why)
        key = "|".join([said_at(codec, tree, place, nodes) for place in self.key])
        head = Head(
            type=message.type,
            key=key if key.strip("|") else "",
            event=self._event(message, tree, nodes),
            version=fields.get("version", ""),
            charset=parsed.charset,
            dialect=dialect,
            accept_ack=fields.get("accept-ack", ""),
            application_ack=fields.get("application-ack", ""),
            answers=fields.get("answers") or fields.get("replaces", ""),
            fields=fields,
        )
        return head, message, nodes

    def _event(self, message: Message, tree: Node, nodes: list[Node]) -> Event | None:
        if message.event is not None or message.event_codes is None:
            return message.event
        said = said_at(self.codec.name, tree, message.event_at, nodes)
        code = message.event_codes.reads.get(said)
        if code is None:
            raise Unsupported(message.event_at, "unknown-event", "this event is not among the agreed ones")
        return Event(code.code)

    def _dialect(self, tree: Node) -> str:
        for name, dialect in self.dialects.items():
            if (
                name
                and dialect.when
                and all(said_at(self.codec.name, tree, place, []) in values for place, values in dialect.when.items())
            ):
                return name
        return ""

    def _type_place(self) -> str:
        return "MSH[1]-9" if self.codec.name == "er7" else ""

    def _type_said(self, tree: Node) -> str:
        """The type as far as the header shows it: a short token only, never free text."""
        if self.codec.name == "er7":
            said = "^".join(part for part in (said_at("er7", tree, f"MSH-9.{number}", []) for number in "12") if part)
            return said if _HL7_TYPE.fullmatch(said) else "this message type"
        said = tree.name.rpartition("}")[2]
        plain = said.isascii() and len(said) <= 60 and all(char.isalnum() or char in "^_:-." for char in said)
        return said if said and plain else "this message type"

    def _spoken(self, dialect: str) -> str:
        """What makes a message one of the types that are; of HL7 v2 its own header says the type."""
        told = [message.told for message in self.dialects[dialect].messages if message.direction != "out"]
        if self.codec.name == "er7" or not told:
            return ""
        more = f", and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        return f"; spoken are {', '.join(told[:_TOLD])}{more}"

    def _env(self, message: Message) -> Env:
        material = Material(self.id, self.codec.name, message.shapes, self.codes)
        return Env(material, (Cursor(self.codec.name, message.grammar),))

    def _reader(self, message: Message, dialect: str, short: bool = False) -> Reader:
        key = (message.type, dialect, short)
        reader = self._readers.get(key)
        if reader is None:
            with self._compiling:
                if key not in self._readers:
                    self._readers[key] = compile_rows(message.rows, replace(self._env(message), short=short))
            reader = self._readers[key]
        return reader

    def _script(self, message: Message, dialect: str) -> Script:
        script = self._scripts.get((message.type, dialect))
        if script is None:
            with self._compiling:
                if (message.type, dialect) not in self._scripts:
                    compiled = compile_script(self._speech(), message, self._env(message), dialect)
                    self._scripts[(message.type, dialect)] = compiled
            script = self._scripts[(message.type, dialect)]
        return script

    def compile(self) -> None:
        """Compile every message type both ways, so that a broken row shows at load."""
        for name, dialect in self.dialects.items():
            for message in dialect.messages:
                if message.direction != "out":
                    self._reader(message, name)
                if message.direction != "in":
                    self._script(message, name)

    def _strands(self, tree: Node, message: Message) -> Iterable[Node]:
        """The tree as each child's part sees it: without the other children's."""
        if not message.strand:
            return (tree,)
        place = places.parse(message.strand, (Cursor(self.codec.name, message.grammar),))
        found = places.walk(tree, place.steps)
        if not found:
            raise Malformed(message.strand, "nobody", "the message names nobody: it has none of these")
        if len(found) == 1:
            return (tree,)
        return apart(tree, found)


_TOLD = 6
"""Message types named when another one came."""
_NOT_MEANT = ("event", "type", "structure")
"""Faults of a type that was not meant for the bundle: one that was says better why it cannot be written."""


def event_of(bundle: Bundle) -> Event:
    """The event that a bundle's MessageHeader states."""
    header: Mapping[str, Any] = next((entry.get("resource", {}) for entry in bundle.get("entry", ())), {})
    coding = header.get("eventCoding") or {}
    try:
        return Event(coding.get("code", ""))
    except ValueError:
        raise Unwritable("MessageHeader.eventCoding", "event", "the bundle states no known event") from None


def broken_first(messages: Sequence[Message]) -> None:
    """Refuse two messages of one name."""
    names = [message.type for message in messages]
    for name in names:
        if names.count(name) > 1:
            raise BrokenPack(f"manifest.yaml: message {name} stands twice")
