"""A drafted manifest and README as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.drafting.rows import Doubt, DraftRow, flow, scalar
from adapters.drafting.sources import MEDIA_TYPES, Sources


@dataclass(slots=True)
class MessageDraft:
    """One message type of a draft."""

    type: str
    slug: str
    samples: list[str]
    title: str
    recognise: dict[str, Any]
    """`root`, `when`."""
    event: str
    strand: str = ""
    group: list[dict[str, Any]] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    structure: str | dict[str, str] = ""
    schema: str = ""
    direction: str = "in"
    loss: int = 0
    """How many places a message may lose: what made ones lost, and as much again."""
    rows: list[DraftRow] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """The message as the manifest says it."""
        found: dict[str, Any] = {"type": self.type, **self.recognise, "event": self.event, "direction": self.direction}
        for name in ("group", "refs", "strand", "structure", "schema"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        return {**found, "map": f"maps/{self.slug}.yaml", "loss": str(self.loss)}


def manifest_text(pack_id: str, sources: Sources, head: Mapping[str, Any], messages: Sequence[MessageDraft]) -> str:
    """The manifest of a drafted pack."""
    name = pack_id.partition("/")[2]
    lines = [
        f"id: {pack_id}",
        'version: "0.1.0"',
        f"titles: {{vi: {scalar(name)}, en: {scalar(name)}}}  # guessed: what does the agency call it, vi and en?",
        f"codec: {sources.codec}",
        f"media-types: {flow(MEDIA_TYPES[sources.codec])}",
    ]
    if sources.charset != "utf-8":
        lines.append(f"charset: {sources.charset}")
    if sources.namespaces:
        lines += ["namespaces:", *(f"  {scalar(p)}: {scalar(a)}" for p, a in sources.namespaces.items())]
    leaves = head.get("leaves", {})
    if leaves:
        lines.append("head:  # guessed: by the names of what stands in the header")
        if head.get("key"):
            lines.append(f"  key: {flow(head['key'])}")
        lines += ["  leaves:", *(f"    {leaf}: {flow(place)}" for leaf, place in leaves.items())]
    lines.append("messages:")
    for message in messages:
        mark = "- "
        for key, value in message.fields().items():
            lines += _member(f"  {mark}", key, value)
            mark = "  "
    return "\n".join(lines) + "\n"


def _member(pad: str, key: str, value: Any) -> list[str]:
    inner = " " * len(pad)
    if key == "group":
        return [f"{pad}{key}:", *(f"{inner}  - {flow(step)}" for step in value)]
    if key == "structure" and isinstance(value, dict):
        return [
            f"{pad}{key}:  # guessed: the order of the samples",
            *(f"{inner}  {scalar(k)}: {v}" for k, v in value.items()),
        ]
    return [f"{pad}{key}: {flow(value)}"]


def counts(messages: Sequence[MessageDraft]) -> tuple[int, int]:
    """(rows guessed, places not guessed)."""
    rows = sum(1 for message in messages for row in message.rows for one in row.walk() if one.note)
    return rows, sum(len(message.doubts) for message in messages)


def readme_text(pack_id: str, sources: Sources, messages: Sequence[MessageDraft], problems: Sequence[str]) -> str:
    """The README of a drafted pack: what maps, what was not guessed, and what people have to say."""
    guessed, not_guessed = counts(messages)
    lines = [
        f"# {pack_id}",
        "",
        "Drafted by `hub pack new` and not yet read by anybody: every guess is marked `# guessed` with how sure it is.",
        "",
        f"Rows guessed: {guessed}. Places not guessed: {not_guessed}.",
        "",
        "## What maps",
        "",
    ]
    for message in messages:
        lines += [f"### {message.type} ({message.event})", "", "| place | becomes | guess |", "|---|---|---|"]
        for row in message.rows:
            lines += _mapped(row, "")
        lines.append("")
    lines += ["## Not guessed", "", "Nothing reads these places: they are loss, kept for the sender only.", ""]
    for message in messages:
        lines += [f"- {message.type} `{doubt.place}`: {doubt.why}" for doubt in message.doubts]
    lines += [f"- {note}" for note in (*sources.notes, *problems)]
    lines += [
        "",
        "## What does not map, and why",
        "",
        "To be said by whoever edits this draft.",
        "",
        "## Whose law",
        "",
        "To be said by whoever edits this draft: under which law the agency may say this, and to whom.",
        "",
        "The samples must be synthetic: no child in them may exist.",
    ]
    return "\n".join(lines) + "\n"


def _mapped(row: DraftRow, target: str) -> list[str]:
    said = str(row.fields.get("make") or row.fields.get("to") or target)
    whole = f"{target}.{said}" if target and not row.fields.get("make") and said != target else said
    lines = []
    if row.places and row.note:
        lines.append(f"| `{row.places[0]}` | {whole.replace('|', '/')} | {row.note.removeprefix('guessed ')} |")
    for inner in row.rows or ():
        lines += _mapped(inner, whole)
    return lines
