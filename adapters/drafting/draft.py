"""A pack's first draft: guessed, loaded, tried on its own samples, mended until it reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from adapters.checking.chance import Pick
from adapters.checking.context import answering
from adapters.checking.generate import messages
from adapters.checking.law import Law
from adapters.checking.places import bare
from adapters.checking.problems import Breach
from adapters.checking.samples import SAMPLE_CONTEXT, bundle_text, expected_name, plain
from adapters.drafting import heads, hints
from adapters.drafting.codemaps import MapDraft
from adapters.drafting.grouping import csv_groups
from adapters.drafting.manifest import MessageDraft, counts, manifest_text, readme_text
from adapters.drafting.planning import Planner, find_child
from adapters.drafting.rows import Doubt, DraftRow, map_text
from adapters.drafting.segments import er7_message
from adapters.drafting.sources import Sources, recognise
from adapters.drafting.survey import Spot, step_of, survey
from adapters.drafting.words import slug
from adapters.errors import AdapterError, BrokenPack, Refusal
from adapters.library import load_pack
from adapters.mapping import grouping, referring
from adapters.pack import Bundle
from adapters.r4.validate import has_errors, validate
from adapters.tree import Node

_MENDS = 60
_MADE = 12
"""Messages made of each type to see whether it may be written."""
_SPARE = 3
"""Places that a rarer message may lose beside."""
_ROW = re.compile(r"maps/([\w-]+)\.yaml rows((?:\[\d+\]|\.rows)+)")
_SUFFIX = {"er7": ".hl7", "xml": ".xml", "json": ".json"}


@dataclass(frozen=True, slots=True)
class Drafted:
    """A whole pack folder, and what is to be said of it."""

    files: Mapping[str, bytes]
    guessed: int
    not_guessed: Sequence[tuple[str, Doubt]]
    """Message type and place."""
    problems: Sequence[str]
    """What keeps the draft from loading or from reading its samples; empty when it does both."""
    notes: Sequence[str]


def draft_pack(pack_id: str, samples: Mapping[str, bytes], schemas: Mapping[str, bytes] | None = None) -> Drafted:
    """Draft a pack from samples (file name -> bytes) and schemas (path -> bytes).

    Raises a :class:`adapters.errors.Refusal` for samples that no codec reads, `BrokenPack` for what is no schema.
    """
    drafter = _Drafter(pack_id, recognise(samples), dict(schemas or {}))
    drafter.plan()
    problems = [*drafter.mend(), *drafter.silent()]
    return drafter.result(problems)


class _Drafter:
    """One pack on its way."""

    def __init__(self, pack_id: str, sources: Sources, schemas: dict[str, bytes]) -> None:
        self.pack_id = pack_id
        self.sources = sources
        self.schemas = schemas
        self.maps: dict[str, MapDraft] = {}
        self.messages: list[MessageDraft] = []
        self.head: dict[str, Any] = {"key": [], "leaves": {}}
        self.nobody: list[str] = []
        """Samples that speak of no child."""

    # --- guessing ----------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """One message type for each kind of sample."""
        trees = {name: self.sources.parse(raw).tree for name, raw in self.sources.messages.items()}
        for type_, names in _kinds(self.sources.codec, trees).items():
            if self.sources.codec == "er7":
                message, head = er7_message(type_, names, [trees[name] for name in names], self.maps)
                self._head_leaves(head)
                self.messages.append(message)
            else:
                self.messages.append(self._message(type_, names, [trees[name] for name in names]))

    def _message(self, type_: str, names: list[str], trees: list[Node]) -> MessageDraft:
        root = first = survey(trees)
        recognise_by, told_by = _recognised(self.sources.codec, root)
        group = csv_groups(root) if self.sources.codec == "csv" else []
        refs = _refs(root)
        if group:
            steps = grouping.steps(group, "draft")
            root = survey(grouping.group(tree, steps) for tree in trees)
        if refs:
            referred = {spot.place for spot in root.below() if refs["ref"] in spot.spots}
            said = {value for spot in root.below() if spot.name == refs["ref"] for value in spot.values}
            named = {s.place for s in root.below() if refs["id"] in s.spots and said & set(s.spots[refs["id"]].values)}
            root = survey(referring.resolve(tree, refs["ref"], refs["id"]) for tree in trees)
            for spot in root.below():
                spot.referred, spot.named = spot.place in referred, spot.place in named
        hints.apply(root, self.schemas)
        child = find_child(root)
        head = heads.head_of(root, child)
        strand = child.place if child is not None and child is not root and _many(child) else ""
        upper = [spot for below in root.spots.values() for spot in (below, *below.spots.values()) if spot.spots]
        event = heads.event_of(iter((type_, *(spot.name for spot in upper))))
        skip = [*head.spots, *([told_by] if told_by is not None else []), *_reference_spots(root, refs)]
        planned = Planner(root, self.pack_id, self.maps, skip, strand).plan(child, event)
        self._head_leaves({"leaves": head.leaves})
        if self.sources.codec == "csv":
            unread = {doubt.place.rpartition("/")[2] for doubt in planned.doubts}
            recognise_by = _columns(first, unread, _identifying(planned.rows))
        return MessageDraft(
            type=type_,
            slug=slug(type_),
            samples=names,
            title=f"{type_} -> {planned.event}: a first draft; look at every guess",
            recognise=recognise_by,
            event=planned.event,
            strand=strand,
            group=group,
            refs=refs,
            structure=_structure(root) if self.sources.codec in ("xml", "csv") else "",
            schema=self._schema_for(root),
            rows=planned.rows,
            doubts=[doubt for doubt in head.doubts if told_by is None or doubt.place != told_by.place] + planned.doubts,
        )

    def _head_leaves(self, head: Mapping[str, Any]) -> None:
        for name, place in head.get("leaves", {}).items():
            self.head["leaves"].setdefault(name, place)
        if head.get("key"):
            self.head["key"] = head["key"]
        elif not self.head["key"] and "message-id" in self.head["leaves"]:
            self.head["key"] = [self.head["leaves"]["message-id"]]

    def _schema_for(self, root: Spot) -> str:
        """The schema file that declares the document element; of a JSON message, the only one."""
        if self.sources.codec == "xml":
            local = root.name.rpartition(":")[2].rpartition("}")[2].encode()
            pattern = re.compile(rb"<\w+:element\s[^>]*name=[\"']" + re.escape(local) + rb"[\"']")
            return next((name for name, raw in self.schemas.items() if pattern.search(raw)), "")
        return (
            next((name for name in self.schemas if name.endswith(".json")), "") if self.sources.codec == "json" else ""
        )

    # --- trying and mending ------------------------------------------------------------------------------------------

    def mend(self) -> list[str]:
        """Take out the rows that keep the draft from loading or reading; what is left over is told."""
        for _ in range(_MENDS):
            fault = self._fault()
            if fault is None:
                return []
            if not self._take_out(*fault):
                return [fault[1]]
        return ["the draft has more faults than can be mended"]

    def _fault(self) -> tuple[MessageDraft | None, str, str] | None:
        """(message, what is wrong, the place of the sample) of the first fault; None when all samples are read."""
        try:
            pack = load_pack(self.files([]))
        except BrokenPack as broken:
            return self._named(str(broken)), str(broken), ""
        for message in self.messages:
            for name in message.samples:
                try:
                    reading = pack.read(self.sources.messages[name], SAMPLE_CONTEXT)
                except Refusal as refusal:
                    if refusal.kind == "nobody" and len(message.samples) > 1:
                        continue
                    return message, f"{name} is refused: {refusal}", refusal.place
                for strand in reading.strands:
                    issues = validate(strand.bundle)
                    if has_errors(issues):
                        said = "; ".join(f"{issue.expression}: {issue.diagnostics}" for issue in issues[:3])
                        return None, f"{name} becomes a bundle that is not valid: {said}", ""
        return None

    def _named(self, text: str) -> MessageDraft | None:
        found = _ROW.search(text)
        return next((one for one in self.messages if found and one.slug == found[1]), None)

    def _take_out(self, message: MessageDraft | None, why: str, place: str) -> bool:
        """Take out the row that a fault names, or that reads the place; False when there is none."""
        if message is None:
            return False
        found = _ROW.search(why)
        if found and not place:
            return self._remove(message, [int(n) for n in re.findall(r"\[(\d+)\]", found[2])], why)
        bare = _bare(place)
        for path, row in _paths(message.rows):
            if row.rows is None and any(bare.endswith(one) for one in row.places):
                return self._remove(message, path, why)
        for path, row in reversed(list(_paths(message.rows))):
            if row.rows is not None and any(bare.endswith(one) for one in row.places):
                return self._remove(message, path, why)
        return False

    def _remove(self, message: MessageDraft, path: Sequence[int], why: str) -> bool:
        rows = message.rows
        for number in path[:-1]:
            rows = rows[number - 1].rows or []
        if not 0 < path[-1] <= len(rows):
            return False
        row = rows.pop(path[-1] - 1)
        message.doubts += [Doubt(place, f"a row was taken out: {why}") for one in row.walk() for place in one.places]
        if len(path) > 1:
            _without_idle(message.rows)
        return True

    # --- the folder --------------------------------------------------------------------------------------------------

    def files(self, problems: Sequence[str]) -> dict[str, bytes]:
        """The whole folder, without the expected bundles."""
        text = {
            "manifest.yaml": manifest_text(self.pack_id, self.sources, self.head, self.messages),
            "README.md": readme_text(self.pack_id, self.sources, self.messages, problems),
        }
        for message in self.messages:
            text[f"maps/{message.slug}.yaml"] = map_text(message.title, message.rows)
        used = " ".join(text.values())
        found = {name: said.encode() for name, said in text.items()}
        found |= {name: draft.text() for name, draft in self.maps.items() if name in used and draft.rows}
        found |= {f"samples/{self._sample(name)}": raw for name, raw in self.sources.messages.items()}
        return found | self.schemas

    def _sample(self, name: str) -> str:
        suffix = _SUFFIX.get(self.sources.codec, PurePosixPath(name).suffix)
        return PurePosixPath(name).stem + suffix

    def silent(self) -> list[str]:
        """The types of which no row could be guessed."""
        return [
            f"{message.type}: nothing of it could be guessed, so nothing is read: its rows are to be written by hand"
            for message in self.messages
            if not message.rows
        ]

    def result(self, problems: Sequence[str]) -> Drafted:
        """The finished draft; types that can be written back are said to be both in and out."""
        if not problems:
            self._unread_fields()
            self._both_ways()
        files = self.files(problems)
        if not problems:
            pack = load_pack(files)
            for name, raw in self.sources.messages.items():
                path = f"samples/{self._sample(name)}"
                try:
                    files[expected_name(path)] = bundle_text(pack.read(raw, SAMPLE_CONTEXT))
                except Refusal:  # of nobody: no sample to keep
                    del files[path]
                    self.nobody.append(f"{name}: names nobody, so it is refused; it is not among the samples")
        doubts = [(message.type, doubt) for message in self.messages for doubt in message.doubts]
        return Drafted(files, counts(self.messages)[0], doubts, problems, (*self.sources.notes, *self.nobody))

    def _unread_fields(self) -> None:
        """List the fields of known HL7 segments that no row reads (other syntaxes are gone through place by place)."""
        pack = load_pack(self.files([]))
        for message in self.messages if self.sources.codec == "er7" else ():
            told = {doubt.place for doubt in message.doubts}
            for name in message.samples:
                for loss in pack.read(self.sources.messages[name], SAMPLE_CONTEXT).loss:
                    place = bare(loss.place, "er7")
                    if place.partition("-")[0] not in told and place not in told:
                        told.add(place)
                        message.doubts.append(Doubt(place, "drafts do not read this field; see the pack health/hl7v2"))

    def _both_ways(self) -> None:
        """Say `direction: both` of each type that keeps the law, of others why not; and what each may lose."""
        for message in self.messages:
            if not (message.group or message.refs):
                message.direction = "both"
                why = self._breach(message)
                if why:
                    message.direction = "in"
                    message.doubts.append(Doubt("direction", f"read only: {why}"))
            message.loss = 2 * self._law(message)[0].lost + _SPARE

    def _breach(self, message: MessageDraft) -> str:
        """Why a type cannot be written as it stands; "" when it can."""
        pack = load_pack(self.files([]))
        own = [self.sources.messages[name] for name in message.samples]
        try:
            for raw in own:
                reading = pack.read(raw, SAMPLE_CONTEXT)
                for strand in reading.strands:
                    again = pack.read(pack.write(strand.bundle, answering(reading.head)).raw, SAMPLE_CONTEXT)
                    if len(again.strands) != 1 or _unclaimed(again.strands[0].bundle) != _unclaimed(strand.bundle):
                        return "what is written of a sample is read as something else"
        except AdapterError as fault:
            return f"a sample cannot be written: {fault}"
        _, breaches = self._law(message)
        if any(breach.why.endswith(f"what makes a {message.type}") for breach in breaches):
            return (
                "a message without what it is recognised by cannot be written: let its `when` name a place that is"
                ' always filled, and give the row of that place `required: "yes"`'
            )
        why = f"{breaches[0].place}: {breaches[0].why}".removeprefix(": ") if breaches else ""
        wanting = (
            "; let the message say `validate: both`, or that place's row `required`" if ": required: " in why else ""
        )
        return why + wanting

    def _law(self, message: MessageDraft) -> tuple[Law, list[Breach]]:
        """The law as made messages found it, and how they break it; the cap of losses is what this finds out."""
        pack = load_pack(self.files([]))
        own = [self.sources.messages[name] for name in message.samples]
        law = Law(pack, message.type)
        return law, [one for raw in messages(pack, message.type, _in_turn(), _MADE, own) for one in law.check(raw)]


def _unclaimed(bundle: Bundle) -> Any:
    """A bundle without what its sender claims, which a draft may only read."""
    header, *rest = bundle["entry"]
    resource = {name: value for name, value in header["resource"].items() if name != "extension"}
    return plain({**bundle, "entry": [{**header, "resource": resource}, *rest]})


def _in_turn() -> Pick:
    """Numbers that look like chance and are the same each time."""
    state = 1

    def pick(below: int) -> int:
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**31
        return (state >> 8) % below

    return pick


def _kinds(codec: str, trees: Mapping[str, Node]) -> dict[str, list[str]]:
    """Message type -> names of the samples that are of it."""
    found: dict[str, list[str]] = {}
    for name, tree in trees.items():
        found.setdefault(_type(codec, tree, name), []).append(name)
    return found


def _type(codec: str, tree: Node, name: str) -> str:
    if codec == "xml":
        return tree.name.rpartition("}")[2].rpartition(":")[2]
    if codec == "er7":
        from adapters.drafting.segments import er7_type

        return er7_type(tree)
    if codec == "csv":
        stem = re.sub(r"[^A-Za-z0-9]+", "-", slug(PurePosixPath(name).stem)).strip("-")
        return stem if any(child.name != "row" for child in tree.children()) else "records"
    said = heads.type_of(survey([tree]))
    if said is not None and re.fullmatch(r"[\w.:-]{1,40}", said[0]):
        return said[0]
    top = [child.name for child in tree.children() if child.children()] or [child.name for child in tree.children()]
    return slug(top[0]) if top and top[0] else "message"


def _recognised(codec: str, root: Spot) -> tuple[dict[str, Any], Spot | None]:
    """How the type is told from others, and the place that tells it."""
    if codec == "xml":
        return {"root": root.name}, None
    said = heads.type_of(root) if codec == "json" else None
    if said is not None:
        return {"when": {said[1].place: said[0]}}, said[1]
    name = next((spot.place for spot in root.spots.values() if spot.spots), "")
    name = name or next((spot.place for spot in root.spots.values() if spot.values), "*")
    return {"when": {name: "$present"}}, None


def _identifying(rows: Sequence[DraftRow]) -> set[str]:
    """The places that identify somebody or something."""
    walked = (one for row in rows for one in row.walk())
    return {
        row.fields["at"] for row in walked if str(row.fields.get("to")).startswith("identifier") and "at" in row.fields
    }


def _columns(root: Spot, unread: set[str], first: set[str]) -> dict[str, Any]:
    """How a table is told from others: by two columns that are always filled, and that rows read and write; those that
    identify somebody `first`."""
    rows = [spot for spot in (root, *root.below()) if any(not below.spots for below in spot.spots.values())]
    found = [leaf for row in rows for leaf in row.spots.values() if sum(leaf.values.values()) == row.count]
    told = [leaf for leaf in found if leaf.name not in unread] or found
    told.sort(key=lambda leaf: step_of(leaf.name) not in first)
    return {"when": {leaf.place: "$present" for leaf in told[:2]}}


def _refs(root: Spot) -> dict[str, str]:
    """The attributes (or members) by which places refer to one another, when there are any."""
    ids = {
        spot.name for spot in root.below() if spot.name.lstrip("@").rpartition(":")[2] == "id" and spot.name[0] == "@"
    }
    for spot in root.below():
        if spot.name[:1] == "@" and spot.name.rpartition(":")[2].lstrip("@") == "ref" and spot.values:
            prefix = spot.name[: -len("ref")]
            if f"{prefix}id" in ids:
                return {"ref": spot.name, "id": f"{prefix}id"}
    return {}


def _structure(root: Spot) -> dict[str, str]:
    """The order of each element's children, as the samples have it; one name with two orders is left out."""
    found: dict[str, str] = {}
    unsure: set[str] = set()
    for spot in (root, *root.below()):
        names = [name for name in spot.spots if not name.startswith("@")]
        if len(names) > 1 and not any(char.isspace() for name in names for char in name):
            order = " ".join(names)
            if found.setdefault(spot.name, order) != order:
                unsure.add(spot.name)
    return {name: order for name, order in found.items() if name not in unsure}


def _reference_spots(root: Spot, refs: Mapping[str, str]) -> list[Spot]:
    return [spot for spot in root.below() if spot.name in refs.values()]


def _many(child: Spot) -> bool:
    """Whether a message may be about several children: the place repeats, or stands alone in a container of many."""
    if child.many:
        return True
    above = child.above
    return above is not None and above.above is not None and len(above.spots) == 1 and above.name.startswith(child.name)


def _paths(rows: Sequence[DraftRow], before: tuple[int, ...] = ()) -> Iterable[tuple[tuple[int, ...], DraftRow]]:
    for number, row in enumerate(rows, 1):
        yield (*before, number), row
        yield from _paths(row.rows or (), (*before, number))


def _without_idle(rows: list[DraftRow]) -> None:
    """Take out blocks in which no row is left that reads a place: they would make something out of constants."""
    for row in list(rows):
        if row.rows is not None:
            _without_idle(row.rows)
            reads = any({"at", "each"} & set(one.fields) for inner in row.rows for one in inner.walk())
            if not reads and not row.places:
                rows.remove(row)


def _bare(place: str) -> str:
    """A sender's place without what counts repeats, as rows say places."""
    text = re.sub(r"\[\d+\]", "", place)
    text = re.sub(r"/\d+(?=/|$)", "", text)
    row = re.fullmatch(r"(?:(.*), )?row \d+(?:, (.*))?", text)
    return "/".join(part for part in (row[1], "row", row[2]) if part) if row else text
