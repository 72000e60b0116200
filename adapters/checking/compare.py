"""What two packs, or two editions of one, say differently: messages, rows and codes, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.mapping.bundles import BundlePack
from adapters.mapping.engine import RowPack
from adapters.mapping.message import Message
from adapters.mapping.rows import Row
from adapters.pack import Pack


def messages_of(pack: Pack) -> list[dict[str, str]]:
    """The message types of a pack: type, event, direction, number of rows, loss cap."""
    if isinstance(pack, RowPack):
        return [
            {
                "type": message.type,
                "event": message.event.value if message.event else f"by {message.event_at}",
                "direction": message.direction,
                "rows": str(sum(1 for _ in rows_of(message))),
                "loss": "-" if message.loss is None else str(message.loss),
            }
            for message in pack.messages
        ]
    assert isinstance(pack, BundlePack)
    return [
        {"type": f"Bundle/{type_}", "event": "as said", "direction": direction, "rows": "-", "loss": "-"}
        for type_, direction in pack.directions.items()
    ]


def titles_of(pack: Pack) -> Mapping[str, str]:
    """What a pack is called, in Vietnamese (`vi`) and English (`en`)."""
    assert isinstance(pack, RowPack | BundlePack)
    return pack.titles


def codec_of(pack: Pack) -> str:
    """The syntax of a pack."""
    return pack.codec.name if isinstance(pack, RowPack) else "fhir"


def rows_of(message: Message) -> Iterator[tuple[str, Row]]:
    """Every row of a message with the place that it reads, seen from the message; shapes are gone into."""
    yield from _rows(message.rows, "", message, ())


def _rows(rows: Sequence[Row], above: str, message: Message, inside: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
    for row in rows:
        place = _joined(above, row.place) or " + ".join(_joined(above, part) for part in row.parts)
        yield place, row
        base = place if row.place else above
        yield from _rows(row.rows or (), base, message, inside)
        yield from _rows(row.choose, base, message, inside)
        if row.shape and row.shape not in inside:
            yield from _rows(message.shapes.get(row.shape, ()), base, message, (*inside, row.shape))


def _joined(above: str, place: str) -> str:
    while place.startswith("../"):
        above, place = above.rpartition("/")[0], place[3:]
    if not place or place == ".":
        return above
    return f"{above}{'' if not above or place[0] in '.-' else '/'}{place}"


def describe(row: Row) -> str:
    """A row in words: what it makes or fills, by which transforms, of which class."""
    said = [
        f"makes {row.make}" if row.make else f"claims {row.claim}" if row.claim else f"fills {row.to}" if row.to else ""
    ]
    said += [f"linked by {row.link}"] if row.link else []
    said += [f"through shape {row.shape}"] if row.shape else []
    said += [f"{name} {_said(value)}" for name, value in _details(row).items() if value]
    return ", ".join(part for part in said if part) or "groups rows"


def _details(row: Row) -> dict[str, Any]:
    return {
        "class": row.data_class, "labels": row.labels, "when": row.when, "where": row.where, "codes": row.codes,
        "unknown codes": row.unknown if row.codes else "", "date": row.date, "default": row.default, "says": row.out,
        "prefix": row.prefix, "split": row.split, "join": row.join, "flag": row.bools, "key": row.key,
        "direction": row.direction if row.direction != "both" else "", "required": "yes" if row.required else "",
        "text": "yes" if row.text else "", "agrees": "yes" if row.agrees else "",
    }  # fmt: skip


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return " and ".join(f"{key} = {_said(item)}" for key, item in value.items())
    if isinstance(value, tuple | list):
        return "/".join(_said(item) for item in value)
    return str(value)


def differences(one: Pack, other: Pack) -> list[str]:
    """Each difference as a line in words, `-` what only the first says and `+` what only the second says."""
    lines = []
    for name in ("id", "version"):
        if getattr(one, name) != getattr(other, name):
            lines.append(f"{name}: {getattr(one, name)} became {getattr(other, name)}")
    first, second = ({row["type"]: row for row in messages_of(pack)} for pack in (one, other))
    lines += [
        f"- message {type_} ({first[type_]['event']}) is not spoken any more" for type_ in first if type_ not in second
    ]
    lines += [f"+ message {type_} ({second[type_]['event']}) is new" for type_ in second if type_ not in first]
    for type_ in (name for name in first if name in second):
        for what in ("event", "direction", "loss"):
            if first[type_][what] != second[type_][what]:
                lines.append(f"message {type_}: {what} {first[type_][what]} became {second[type_][what]}")
    if isinstance(one, RowPack) and isinstance(other, RowPack):
        lines += _row_differences(one, other)
        lines += _code_differences(one, other)
    return lines


def _row_differences(one: RowPack, other: RowPack) -> Iterator[str]:
    types = {message.type: message for message in other.messages}
    for message in one.messages:
        if message.type not in types:
            continue
        first, second = _by_place(message), _by_place(types[message.type])
        for place, said in first.items():
            gone = [line for line in said if line not in second.get(place, [])]
            come = [line for line in second.get(place, []) if line not in said]
            yield from (f"- {message.type} {place or '(constant)'}: {line}" for line in gone)
            yield from (f"+ {message.type} {place or '(constant)'}: {line}" for line in come)
        for place in (name for name in second if name not in first):
            yield from (f"+ {message.type} {place}: {line}" for line in second[place])


def _by_place(message: Message) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, row in rows_of(message):
        found.setdefault(place, []).append(describe(row))
    return found


def _code_differences(one: RowPack, other: RowPack) -> Iterator[str]:
    for name in sorted({*one.codes, *other.codes}):
        if name not in other.codes:
            yield f"- code map {name} is gone"
        elif name not in one.codes:
            yield f"+ code map {name} is new"
        else:
            first, second = one.codes[name].reads, other.codes[name].reads
            for source in sorted({*first, *second}):
                if first.get(source) != second.get(source):
                    before, after = (side[source].code if source in side else "nothing" for side in (first, second))
                    yield f"{name}: {source} meant {before}, means {after}"
            back, now = one.codes[name].writes, other.codes[name].writes
            for target in sorted({*back, *now}):
                if back.get(target) != now.get(target):
                    said, says = back.get(target, "nothing"), now.get(target, "nothing")
                    yield f"{name}: {target[1]} was written {said}, is written {says}"
