"""From a survey to rows: who the child is, what stands around it, one row or one doubt for every place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.drafting import facts
from adapters.drafting.codemaps import MapDraft, canonical_map, list_of, local_map, map_name
from adapters.drafting.matching import Match, class_of, match, role_of, spot_look
from adapters.drafting.rows import Doubt, Draft, DraftRow, guessed
from adapters.drafting.survey import Spot, step_of
from adapters.drafting.values import Look, family_first
from adapters.drafting.vocabulary import Role, Vocabulary, vocabulary
from adapters.drafting.words import best_cover, slug, words_of
from consent.vocabulary import HUB_BASE

_FOCUS = "MessageHeader.focus[]"
_SPARE_LINK = "Patient.generalPractitioner[]"
_KEYS = frozenset({"key", "attribute", "code", "id", "name", "label", "type", "dataelement", "ma", "ten"})
_VALUES = frozenset({"value", "val", "giatri", "answer"})
_LEAST_OF_ALL = 0.3
_SURE_ROLE = 0.8
_MANY_TIMES = ("name.given", "address.line")


@dataclass(frozen=True, slots=True)
class Here:
    """Where rows are being drafted."""

    role: Role | None
    way: tuple[str, ...] = ()
    """Steps from the cursor."""
    words: tuple[str, ...] = ()
    """Words of the containers since the block began."""

    def place(self, spot: Spot) -> str:
        """The place of a spot below, as a row says it."""
        return "/".join((*self.way, step_of(spot.name)))


@dataclass(slots=True)
class Block:
    """The rows of one block, and what they fill already."""

    rows: list[DraftRow] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)
    parts: dict[str, tuple[DraftRow, Block]] = field(default_factory=dict)
    """Roles that leaves of this block name in their own words."""


class Planner:
    """Drafts one message type."""

    def __init__(self, root: Spot, pack_id: str, maps: dict[str, MapDraft], head: Iterable[Spot], strand: str) -> None:
        self.root = root
        self.pack_id = pack_id
        self.maps = maps
        self.words: Vocabulary = vocabulary()
        self.skip = {id(spot) for spot in head}
        self.draft = Draft(strand=strand)
        self.links: set[str] = set()

    # --- the whole ---------------------------------------------------------------------------------------------------

    def plan(self, child: Spot | None, event: str) -> Draft:
        """Rows for all places; `child` is the place whose every repeat is one child's."""
        self.draft.event = event
        top = Block()
        if child is None:
            self.draft.doubts.append(
                Doubt(".", "no place was recognised as the child; nothing can be made without one")
            )
        elif child is self.root:
            top.rows.append(self._child(child, Here(None)))
        else:
            self._outside(self.root, child, Here(None), top)
        if event == "report":
            top.rows.insert(1, self._report())
        self.draft.rows = top.rows
        _one_focus(top.rows)
        return self.draft

    def _report(self) -> DraftRow:
        fields = {
            "at": ".", "make": "Communication", "link": "MessageHeader.focus[]", "class": "allegation",
            "key": ["identifier", {"of": "child"}], "ref": {"subject": "child"},
            "where": {"category.coding[system=${hub}/CodeSystem/communication-category].code": "report"},
        }  # fmt: skip
        return DraftRow(fields, [DraftRow({"to": "status", "default": "completed"})], guessed(0.4, "a report"))

    def _child(self, spot: Spot, here: Here) -> DraftRow:
        role = self.words.roles["child"]
        start = {"find": "child"} if self.draft.event == "report" else {"link": "MessageHeader.focus[]"}
        at = {} if spot is self.root else {"at": here.place(spot)}
        fields = {**at, "make": "Patient", **start, **{key: value for key, value in role.make.items() if key != "make"}}
        block = Block()
        self._inside(spot, Here(role), block)
        fields["key"] = _keys_held(fields["key"], block)
        if not fields["key"]:
            del fields["key"]
            self._doubt(spot, "nothing here identifies the child: two messages about one child are two children")
        rows = sorted(block.rows, key=lambda row: row.order)
        return DraftRow(fields, rows, guessed(0.7, "the child"), (spot.place,))

    def _outside(self, spot: Spot, child: Spot, here: Here, block: Block) -> None:
        """What stands beside the way to the child."""
        for below in spot.spots.values():
            if below is child:
                block.rows.insert(0, self._child(below, here))
            elif _holds(below, child):
                words = (*here.words, *words_of(below.name))
                self._outside(below, child, replace(here, way=(*here.way, step_of(below.name)), words=words), block)
            elif id(below) not in self.skip:
                self._one(below, here, block)

    # --- blocks ------------------------------------------------------------------------------------------------------

    def _inside(self, spot: Spot, here: Here, block: Block) -> None:
        for below in spot.spots.values():
            if id(below) not in self.skip:
                self._one(below, here, block)

    def _one(self, spot: Spot, here: Here, block: Block) -> None:
        """One place: a leaf, a container with a meaning, or one without."""
        if spot.values or not spot.spots:
            self._leaf(spot, here, block)
            if not spot.spots:
                return
        if (keyed := _keys_and_values(spot)) is not None:
            self._keyed(spot, keyed, here, block)
            return
        role = role_of(spot, self.words)
        if here.role is None and (spot.referred or (role is None and spot.named)):
            self._doubt(spot, "content that belongs to what refers to it, or refers to what stands elsewhere")
            return
        same = role is None or (here.role is not None and role.name == here.role.name) or role.name == "child"
        if same and spot.many and not self._speaks_of(spot, here):
            if here.role is None and self.draft.strand:
                self._doubt(spot, "something of the whole message: of which child is not said")
            else:
                self._thing(spot, here, block)
        elif same or role is None:
            words = (*here.words, *words_of(spot.name))
            self._inside(spot, replace(here, way=(*here.way, step_of(spot.name)), words=words), block)
        else:
            self._block(spot, role, here, block)

    def _block(self, spot: Spot, role: Role, here: Here, block: Block) -> None:
        inner = Block()
        only = next(iter(spot.spots.values())) if len(spot.spots) == 1 and not spot.values else None
        if only is not None and only.many and not only.spots:
            self._leaf(only, Here(role, (".",)), inner)
            for row in inner.rows:
                row.fields = {key: "." if key in ("at", "each") else value for key, value in row.fields.items()}
                row.fields = {"at" if key == "each" else key: value for key, value in row.fields.items()}
            at = {"each": f"{here.place(spot)}/{step_of(only.name)}"}
        else:
            at = {"each" if spot.many else "at": here.place(spot)}
            block.rows += self._told_apart(spot, role, at)
            self._inside(spot, Here(role), inner)
        if not inner.rows:
            return
        block.rows.append(self._made(role, at, inner, guessed(0.6, role.name), (spot.place,)))

    def _told_apart(self, spot: Spot, role: Role, at: Mapping[str, str]) -> list[DraftRow]:
        """Among people of several kinds, those whom a code says to be suspects or reporters: blocks of their own, tried
        before the others', for they are guarded otherwise."""
        rows: list[DraftRow] = []
        for leaf in spot.spots.values() if role.name == "guardian" else ():
            for name in ("suspect", "reporter"):
                other = self.words.roles[name]
                codes = [
                    code for code, said in leaf.codes.items()
                    if best_cover(words_of(said), other.phrases, self.words.noise) >= _SURE_ROLE
                ]  # fmt: skip
                if codes:
                    inner = Block()
                    kept = [one for one in spot.spots.values() if one is not leaf]
                    for one in kept:
                        if one.is_leaf and (found := match(one, (), other, self.words)) and found.role is other:
                            inner.rows.append(self._row(one, step_of(one.name), found))
                            inner.filled.add(inner.rows[-1].fields["to"])
                    told = {**at, "when": {step_of(leaf.name): codes if len(codes) > 1 else codes[0]}}
                    inner.rows.append(self._role_said(leaf, other, codes))
                    rows.append(self._made(other, told, inner, guessed(0.6, f"{name}, by the code"), (spot.place,)))
                    for code in codes:  # nobody of those who are left
                        leaf.codes.pop(code)
                        leaf.values.pop(code, None)
        return rows

    def _role_said(self, leaf: Spot, role: Role, codes: list[str]) -> DraftRow:
        """The code itself, so that a person of whom nothing else is said is there too."""
        ((path, code),) = role.make["where"].items()
        system = path.partition("[system=")[2].partition("]")[0].replace("${hub}", HUB_BASE)
        name = f"codes/{slug(leaf.name)}-{role.name}.csv"
        directions = ["both", *["in"] * (len(codes) - 1)]
        self.maps[name] = MapDraft(
            name, [(one, code, system, "", way, "equal") for one, way in zip(codes, directions, strict=True)]
        )
        row = {"at": step_of(leaf.name), "to": "relationship.coding", "codes": name}
        return DraftRow(row, None, guessed(0.6, role.name), (leaf.place,))

    def _made(self, role: Role, at: Mapping[str, Any], inner: Block, note: str, places: tuple[str, ...]) -> DraftRow:
        make = dict(role.make)
        if make.get("link") in self.links and make["make"] == "Organization":
            make["link"] = _SPARE_LINK
        self.links.add(str(make.get("link", "")))
        for row in inner.rows:
            if row.fields.get("to") in role.constants:
                row.fields.setdefault("default", role.constants[row.fields["to"]])
        make["key"] = _keys_held(make["key"], inner) or [{"of": "child"}]
        fields = {**at, **make}
        constants = [
            DraftRow({"to": path, "default": value})
            for path, value in role.constants.items()
            if path not in inner.filled
        ]
        return DraftRow(fields, constants + sorted(inner.rows, key=lambda row: row.order), note, places, _order(role))

    def _part(self, role: Role, block: Block) -> Block:
        """The block of a role that leaves name in their own words: it keeps the cursor."""
        if role.name not in block.parts:
            inner = Block()
            row = DraftRow({}, inner.rows, guessed(0.5, f"{role.name}, by its columns"), order=_order(role))
            block.parts[role.name] = (row, inner)
            block.rows.append(row)
        return block.parts[role.name][1]

    def _finish(self, block: Block) -> None:
        """Say what the blocks made by columns make, now that it is known what they hold."""
        for name, (row, inner) in block.parts.items():
            made = self._made(self.words.roles[name], {}, inner, row.note, ())
            row.fields, row.rows = made.fields, made.rows

    # --- leaves ------------------------------------------------------------------------------------------------------

    def _leaf(self, spot: Spot, here: Here, block: Block) -> None:
        if counts_rows(spot, self.words):
            self._doubt(spot, "counts the records, and says nothing of anybody")
            return
        if self._is_consent(spot, here):
            claim = {"at": here.place(spot), "claim": "consent", "class": "referral"}
            claim |= {"direction": "in"} if "bool" in spot.native else {}  # a claim is kept as text
            block.rows.append(DraftRow(claim, None, guessed(0.6, "a claim of consent, no permission"), (spot.place,)))
            return
        found = match(spot, here.words, here.role, self.words)
        if found is not None and found.by_look and self._said_elsewhere(spot, here, found):
            self._doubt(spot, _why(spot_look(spot)))
            return
        if found is None and self._relationship(spot, here, block):
            return
        if found is not None and found.role.kind == "words" and not spot.values:
            self._doubt(spot, _why(spot_look(spot)))
            return
        if found is None:
            self._fact_or_doubt(spot, here, block)
            return
        home = block
        if here.role is None or found.role.name != here.role.name:
            if found.role.name == "child":
                self._doubt(
                    spot, f"looks like the child's {found.attribute.name}, and stands outside the child's place"
                )
                return
            home = self._part(found.role, block)
        row = self._row(spot, here.place(spot), found)
        target = row.fields["to"] + str(row.fields.get("where", ""))
        said = f"attribute {found.attribute.name}"
        if said in home.filled or (target in home.filled and not target.startswith(_MANY_TIMES)):
            self._doubt(spot, f"a second place that looks like {found.attribute.name}")
        else:
            home.filled |= {target, said}
            home.rows += [row, *_apart(row, spot)]
        self._finish(block)

    def _is_consent(self, spot: Spot, here: Here) -> bool:
        """Whether a flag says that somebody consented."""
        names = (words_of(spot.name), (*here.words, *words_of(spot.name)))
        said = any(best_cover(name, self.words.consent, self.words.noise) >= 0.5 for name in names)
        return said and spot_look(spot).kind == "flag" and not spot.many

    def _said_elsewhere(self, spot: Spot, here: Here, found: Match) -> bool:
        """Whether a place beside this one says by its name what this one only looks like."""
        beside = spot.above.spots.values() if spot.above is not None else ()
        others = (match(other, here.words, here.role, self.words) for other in beside if other is not spot)
        return any(
            m is not None and not m.by_look and m.role is found.role and m.attribute is found.attribute for m in others
        )

    def _relationship(self, spot: Spot, here: Here, block: Block) -> bool:
        """A relationship to the child that does not say whose: that of the person whom the place before it names."""
        if here.role is None or here.role.name != "child" or spot.above is None:
            return False
        beside = list(spot.above.spots.values())
        number = next(index for index, other in enumerate(beside) if other is spot)
        before = match(beside[number - 1], here.words, here.role, self.words) if number else None
        role = self.words.roles["guardian"] if before is None else before.role
        found = match(spot, here.words, role, self.words)
        if (
            found is None
            or found.role is not role
            or found.attribute.name != "relationship"
            or spot_look(spot).kind == "date"
        ):
            return False
        if before is None or role.kind != "person" or role.name == "child" or found.by_look:
            self._doubt(spot, "a relationship to the child: whose?")
            return True
        home = self._part(role, block)
        row = self._row(spot, here.place(spot), replace(found, sure=_LEAST_OF_ALL))
        if row.fields.get("codes") and "relationship" not in {said.removeprefix("attribute ") for said in home.filled}:
            home.filled |= {row.fields["to"], "attribute relationship"}
            home.rows.append(row)
            self._finish(block)
        return True

    def _row(self, spot: Spot, place: str, found: Match) -> DraftRow:
        attribute, seen = found.attribute, spot_look(spot)
        base: dict[str, Any] = dict(attribute.row)
        many = base["to"] in ("telecom", "payload", *_MANY_TIMES) and spot.many
        row: dict[str, Any] = {"each" if many else "at": place, **base}
        if attribute.codes:
            row |= self._canonical(spot, attribute.codes, str(base["to"]))
        elif attribute.coded_row and (spot.codes or seen.kind in ("code", "flag", "number")) and len(spot.values) <= 40:
            row |= {**attribute.coded_row, "codes": self._local(spot), "unknown": "keep"}
        elif attribute.value == "date" and seen.forms:
            row["date"] = list(seen.forms) if len(seen.forms) > 1 else seen.forms[0]
        elif attribute.value == "date":
            row["date"] = "iso"
        if row.get("codes") or (attribute.value == "id" and not row.get("rows")):
            row |= facts.as_number(spot)
        if attribute.data_class:
            row["class"] = attribute.data_class
        if attribute.label:
            row["label"] = attribute.label
        return DraftRow(row, None, guessed(found.sure, attribute.name), (spot.place,), attribute.order)

    def _canonical(self, spot: Spot, codes: str, to: str) -> dict[str, Any]:
        """A code map to a canonical list; where no code can be told, to the agency's own, if the place takes any."""
        name = map_name(spot, codes, self.maps)
        drafted = canonical_map(name, spot, list_of(codes))
        if not drafted.rows and to.endswith("coding"):
            said = ", ".join(drafted.unknown[:8]) + (", ..." if len(drafted.unknown) > 8 else "")
            self._doubt(
                spot,
                f"nothing tells what these codes mean: {said} (kept as the agency's own; the hub's are {codes})",
            )
            return {"codes": self._local(spot), "unknown": "keep"}
        self.maps[name] = drafted
        if drafted.unknown:
            said = ", ".join(drafted.unknown[:8]) + (", ..." if len(drafted.unknown) > 8 else "")
            self._doubt(spot, f"{name}: nothing tells what these codes mean: {said} (kept as they are)")
        return {"codes": name, "unknown": "keep"}

    def _local(self, spot: Spot) -> str:
        name = map_name(spot, "", self.maps)
        self.maps[name] = local_map(name, spot, self.pack_id)
        return name

    def _fact_or_doubt(self, spot: Spot, here: Here, block: Block) -> None:
        seen = spot_look(spot)
        words = (*words_of(spot.name), *here.words, *spot.words)
        inside = here.role is not None and here.role.name in _CHILDS
        told = seen.kind in ("flag", "number", "date") or (seen.kind == "code" and (seen.sure > 0.6 or spot.codes))
        if not inside or not told:
            self._doubt(spot, _why(seen))
            return
        codes = self._local(spot) if seen.kind == "code" else ""
        value = facts.value_row(here.place(spot), seen, spot, codes)
        if value is None:
            self._doubt(spot, _why(seen))
            return
        data_class, by = class_of((words_of(spot.name), here.words), words, self.words)
        why = f"a coded fact; class {by}: {data_class}"
        block.rows.append(facts.fact(self.pack_id, here.place(spot), spot, data_class, value, why))

    def _doubt(self, spot: Spot, why: str) -> None:
        if not spot.name.startswith("@xsi:"):
            around = (*(word for name in spot.way for word in words_of(name)), *spot.words)
            data_class, _ = class_of((words_of(spot.name),), around, self.words)
            more = f"; if it is mapped, its class is {data_class}, by its words" if data_class in _GUARDED else ""
            self.draft.doubts.append(Doubt(spot.place, why + more))

    def _speaks_of(self, spot: Spot, here: Here) -> bool:
        """Whether a container that may repeat, and does not, says attributes of what is around it."""
        if spot.repeats or here.role is None:
            return False
        found = {m.attribute.name for leaf in spot.leaves() if (m := match(leaf, (), here.role, self.words))
                 and m.role is here.role}  # fmt: skip
        return len(found) > 1

    # --- containers without a meaning of their own that repeat -------------------------------------------------------

    def _thing(self, spot: Spot, here: Here, block: Block) -> None:
        """An Observation of each repeat: when, and what was found, as components."""
        inner = Block()
        self._thing_rows(spot, Here(here.role), inner)
        if not any(row.fields.get("to") == "component" for row in inner.rows):
            for row in inner.rows:
                self.draft.doubts += [
                    Doubt(place, "a date of something that is said in words only") for place in row.places
                ]
            return
        leaves = [word for leaf in spot.leaves() for word in words_of(leaf.name)]
        words = (*words_of(spot.name), *here.words, *spot.words, *leaves)
        dates = [path for path in ("effectiveDateTime", "effectivePeriod.start") if path in inner.filled]
        coded = ["component.valueCodeableConcept.coding.code"] if _coded(inner.rows) else []
        data_class, by = class_of((words_of(spot.name), here.words), words, self.words)
        fields = {
            "each": here.place(spot), "make": "Observation", "link": "Observation.subject", "class": data_class,
            "key": [{"of": "child", "by": ["code.coding.code", *dates, *coded]} if dates or coded else {"of": "child"}],
            "where": {f"code.coding[system=${{hub}}/CodeSystem/local/{self.pack_id}/fact].code": _slug(spot)},
        }  # fmt: skip
        rows = [DraftRow({"to": "status", "default": "unknown"}), *inner.rows]
        note = guessed(facts.FACT, f"a fact in several parts; class {by}: {data_class}")
        block.rows.append(DraftRow(fields, rows, note, (spot.place,)))

    def _thing_rows(self, spot: Spot, here: Here, block: Block) -> None:
        for below in spot.spots.values():
            if below.spots and not below.values:
                if below.many:
                    self._thing(below, here, block)
                else:
                    self._thing_rows(below, replace(here, way=(*here.way, step_of(below.name))), block)
                continue
            self._thing_leaf(below, here, block)

    def _thing_leaf(self, spot: Spot, here: Here, block: Block) -> None:
        seen, place = spot_look(spot), here.place(spot)
        if seen.kind == "date" and not spot.many:
            end = facts.period_end(words_of(spot.name))
            path = f"effectivePeriod.{end}" if end else "effectiveDateTime"
            clash = "effectivePeriod" if not end else "effectiveDateTime"
            if path not in block.filled and not any(one.startswith(clash) for one in block.filled):
                block.filled.add(path)
                date = list(seen.forms) if len(seen.forms) > 1 else seen.forms[0]
                row = {"at": place, "to": path, "date": date}
                block.rows.append(DraftRow(row, None, guessed(0.4, "when"), (spot.place,)))
                return
        codes = self._local(spot) if seen.kind == "code" else ""
        value = facts.value_row(place, seen, spot, codes)
        if value is None:
            self._doubt(spot, _why(seen))
        else:
            block.rows.append(facts.component(self.pack_id, place, spot, value))

    # --- lists of keys and values ------------------------------------------------------------------------------------

    def _keyed(self, spot: Spot, keyed: tuple[str, str, str], here: Here, block: Block) -> None:
        """Each key of a list of keys and values as a place of its own."""
        key, label, value = keyed
        kinds: dict[str, Spot] = {}
        for record in spot.records:
            said = kinds.setdefault(record.get(key, ""), Spot(record.get(label, "") or record.get(key, ""), spot))
            if record.get(value):
                said.values[record[value]] = said.values.get(record[value], 0) + 1
        for code, kind in kinds.items():
            if not code:
                continue
            before = len(block.rows)
            self._leaf(kind, here, block)
            for row in block.rows[before:]:
                self._at_key(row, kind, here.place(spot), key, code, value)

    def _at_key(self, row: DraftRow, kind: Spot, place: str, key: str, code: str, value: str) -> None:
        """Turn a row for a leaf into one for the value of an item with that key."""
        inner = dict(row.fields)
        inner.pop("each", None)
        if row.rows is None:
            inner = {"at": step_of(value), **{name: said for name, said in inner.items() if name != "at"}}
            row.rows = [DraftRow(inner, None, "", row.places)]
            row.fields = {"each": place, "when": {step_of(key): code}}


def _apart(row: DraftRow, spot: Spot) -> list[DraftRow]:
    """The parts of a whole name that has its family name before a comma: read only, the whole name says them."""
    if row.fields.get("to") != "name.text" or not spot.values or not all(map(family_first, spot.values)):
        return []
    parts = (("family", "$trim($substringBefore($, ','))"), ("given", "$trim($substringAfter($, ','))"))
    return [
        DraftRow(
            {"at": row.fields["at"], "to": f"name.{name}", "jsonata": {"read": said}, "direction": "in"}, None,
            guessed(0.6, f"{name} name, by the comma"), (spot.place,), row.order,
        )
        for name, said in parts
    ]  # fmt: skip


def _order(role: Role) -> int:
    """Blocks without a `where` stand behind those with one: on the way out the first that matches takes each."""
    return 9 if "where" in role.make or role.kind != "person" else 10


def _coded(rows: list[DraftRow]) -> bool:
    """Whether a component says a code."""
    return any("valueCodeableConcept" in str(inner.get("to")) for row in rows for inner in row.fields.get("rows", ()))


_GUARDED = frozenset({"shelter-location", "sexual-health", "mental-health"})


def counts_rows(spot: Spot, words: Vocabulary) -> bool:
    """Whether a column of a file numbers its records: called so, or 1, 2, 3 from the first."""
    values = list(spot.values)
    named = words_of(spot.name) in words.row_numbers
    return spot.name != "" and named and all(value.isdigit() for value in values) and bool(values)


_CHILDS = frozenset({"child", "case", "visit", "allegation", "diagnosis", "request"})


def _one_focus(rows: list[DraftRow]) -> None:
    """What a record is of is a case or a visit where there is one; the child herself only when there is none."""
    made = [row for top in rows for row in top.walk() if row.fields.get("make")]
    if any(row.fields["make"] != "Patient" and row.fields.get("link") == _FOCUS for row in made):
        for row in made:
            if row.fields["make"] == "Patient":
                row.fields = {
                    ("find" if k == "link" else k): ("child" if k == "link" else v) for k, v in row.fields.items()
                }


def _keys_held(keys: Iterable[Any], block: Block) -> list[Any]:
    """Those keys of a role that the drafted rows fill."""
    held: list[Any] = []
    for key in keys:
        if isinstance(key, str):
            if any(path.startswith(key) for path in block.filled):
                held.append(key)
        elif by := [path for path in key["by"] if any(_meet(path, filled) for filled in block.filled)]:
            held.append({**key, "by": by})
    return held


def _meet(path: str, filled: str) -> bool:
    return path.startswith(filled) or filled.startswith(path)


def _why(seen: Look) -> str:
    said = {
        "none": "empty in the samples", "date": "a date of something", "flag": "yes or no to something",
        "number": "a number of something", "code": "codes of something", "text": "free text, or names of something",
        "name": "a name of somebody",
        "short-year": "dates whose year has two digits, which says no century: ask for four",
    }  # fmt: skip
    return said.get(seen.kind, f"looks like {seen.kind}")


def _slug(spot: Spot) -> str:
    return "-".join(words_of(spot.name)) or "item"


def _holds(spot: Spot, other: Spot) -> bool:
    return any(below is other for below in spot.below())


def _keys_and_values(spot: Spot) -> tuple[str, str, str] | None:
    """(key, label, value) names of a list whose items are keys and values."""
    if not spot.repeats or (len(spot.records) < 2 and len(spot.spots) > 4):
        return None
    names = {name: "".join(words_of(name)) for name in spot.spots}
    value = next((name for name, said in names.items() if said in _VALUES), "")
    keys = [name for name, said in names.items() if said in _KEYS and name != value]
    labels = [name for name, said in names.items() if said in ("displayname", "label", "name", "title", "ten")]
    if not value or not keys:
        return None
    key = next((name for name in keys if name not in labels), keys[0])
    return key, (labels[0] if labels else key), value


def find_child(root: Spot) -> Spot | None:
    """The place that most looks like one child's record."""
    words = vocabulary()
    role = words.roles["child"]
    best: tuple[float, bool, Spot] | None = None
    for spot in (root, *(one for one in root.below() if one.spots and not _by_reference(one))):
        named = role_of(spot, words)
        if named is not None and named.name != "child" and named.kind == "person":
            continue
        found = {m.attribute.name for leaf in _near(spot) if (m := match(leaf, _chain(leaf, spot), role, words))
                 and m.role.name == "child"}  # fmt: skip
        score = len(found) + (2.5 if named is not None and named.name == "child" and len(spot.spots) > 1 else 0.0)
        score -= 0.2 * max(len(spot.way) - 3, 0)
        several = len(spot.spots) > 1
        if score >= 2 and (best is None or (score, several) > best[:2]):
            best = (score, several, spot)
    return _inmost(best[2], words) if best is not None else None


def _inmost(spot: Spot, words: Vocabulary) -> Spot:
    """The container in a place that says most of what that place says of a child, as long as there is one."""
    role = words.roles["child"]
    while True:
        said = _attributes(spot, role, words)
        inner = [one for one in spot.spots.values() if one.spots and not one.many and not one.referred]
        inner = [one for one in inner if role_of(one, words) in (None, role) and not _keys_and_values(one)]
        found = [one for one in inner if len(_attributes(one, role, words)) >= max(_MOST_OF * len(said), 2)]
        if len(found) != 1 or not any(name in _WHO for name in _attributes(found[0], role, words)):
            return spot
        spot = found[0]


_MOST_OF = 0.6
_WHO = frozenset({"personal number", "record number", "student number", "insurance card", "birth date"})


def _attributes(spot: Spot, role: Role, words: Vocabulary) -> set[str]:
    """What leaves near a spot say of a child."""
    found = (match(leaf, _chain(leaf, spot), role, words) for leaf in _near(spot))
    return {m.attribute.name for m in found if m is not None and m.role.name == "child"}


def _near(spot: Spot, depth: int = 0) -> Iterable[Spot]:
    """The leaves of a spot that speak of it: through containers that do not repeat and are nobody else."""
    words = vocabulary()
    for below in spot.spots.values():
        if below.is_leaf and not below.spots:
            yield below
        elif (keyed := _keys_and_values(below)) is not None:
            for record in below.records:
                one = Spot(record.get(keyed[1], ""), below)
                one.values[record.get(keyed[2], "")] = 1
                yield one
        elif depth < 3 and (not below.repeats or below.referred):
            role = role_of(below, words)
            if role is None or role.name == "child":
                yield from _near(below, depth + 1)


def _by_reference(spot: Spot) -> bool:
    """Whether a place, or one above it, shows what stands elsewhere."""
    above: Spot | None = spot
    while above is not None:
        if above.referred:
            return True
        above = above.above
    return False


def _chain(leaf: Spot, top: Spot) -> tuple[str, ...]:
    words: tuple[str, ...] = ()
    above = leaf.above
    while above is not None and above is not top:
        words = (*words_of(above.name), *words)
        above = above.above
    return words
