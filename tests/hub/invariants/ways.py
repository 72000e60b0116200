"""Generated children in a running hub, and what every way out says of each: invariants 10 and 15.

A case is one child and two agencies that are alike in everything that a decision reads: one fetches from its inbox, the
other is told by webhook or by MLLP, in turn. Preview, account and the door itself speak about both. Children of one hub
have nothing to do with one another, so that one hub serves many of them; a second hub holds the same children in a
world that differs only in what is withheld.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import event

from consent.vocabulary import DataClass, View
from hub import casework, exchange, facts
from hub.accounts import account
from hub.disclosing import Disclosed, disclose
from hub.envelope import Waiting
from hub.preview import masked, preview
from hub.security.vault import Vault
from hub.storage import deliveries, persons, strands
from hub.storage import facts as stored
from hub.storage.ids import new_id
from hub.storage.migrate import migrate
from hub.storage.store import Store, Unit
from tests.conftest import SetClock
from tests.fakes.world import HOSPITAL, Json, World, agency, exam, observation, patient
from tests.fakes.world import consent as agreed

KINDS = {"tam-lanh": ("social", "shelter"), "kham": ("health", "exam-unit"), "ctxh": ("social", "social-work-centre")}
"""Agencies that a record of an examination is offered to: sector and unit."""
WAYS = ("webhook", "mllp", "inbox")
ADMIN = "quan-tri"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LETTERS = "abcdefghik"


def pair(kind: str, seed: int) -> tuple[str, str]:
    """Who is told and who fetches, of one kind of agency and for one child."""
    return f"{kind}-{WAYS[seed % 2]}", f"{kind}-inbox"


class RememberingVault(Vault):
    """Fetches each key once, as nobody erases one here: keys are half of what a case asks the database for."""

    def __init__(self, root_key: bytes) -> None:
        super().__init__(root_key)
        self._kept: dict[str, AESGCM] = {}

    def _key(self, unit: Unit, key_id: str) -> AESGCM:
        found = self._kept.get(key_id)
        if found is None:
            found = self._kept[key_id] = super()._key(unit, key_id)
        return found


class Hubs:
    """Hubs in one process, each on a migrated SQLite file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._opened = folder, 0
        self._template = folder / "template.db"
        store = Store(f"sqlite:///{self._template}")
        migrate(store)
        with store.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()

    @contextmanager
    def fresh(self) -> Iterator[World]:
        """A hub that knows every trio and no child."""
        path = self._folder / f"{self._opened}.db"
        self._opened += 1
        shutil.copy(self._template, path)
        store = Store(f"sqlite:///{path}")
        # Nobody pulls the plug here: nothing is proven by waiting for the disk.
        event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        world = World(store, RememberingVault(bytes(range(32))), SetClock(NOW))
        entries = [
            agency(f"{kind}-{way}", sector, unit, out=way) for kind, (sector, unit) in KINDS.items() for way in WAYS
        ]
        world.parts.registry.add_all(entries, "test")
        yield world
        store.close()


# --- children -----------------------------------------------------------------------------------------------


def chance(rng: Random, one_in: int) -> bool:
    return rng.randrange(one_in) == 0


def a_message(rng: Random, seed: int) -> Json:
    """A record of an examination: some of its findings, and now and then more of them, of classes of their own."""
    name = "".join(LETTERS[int(digit)] for digit in str(seed))
    born = date(2026 - rng.choice((3, 6, 7, 10, 12, 15, 16, 17, 19)), 11, rng.choice((1, 22, 23)))
    child = patient(f"0793{seed:08d}", f"BN-{seed}", f"Thử-Nghiệm Thị {name}", born.isoformat())
    said = exam(f"KHAM-{seed}", child)
    report = next(one["resource"] for one in said["entry"] if one["resource"]["resourceType"] == "DiagnosticReport")
    extra = [rng.choice(tuple(DataClass)).value for _ in range(rng.randrange(3))]
    for number, data_class in enumerate(extra):
        place = f"urn:uuid:00000000-0000-4000-8000-{number:012d}"
        said["entry"].append({"fullUrl": place, "resource": observation("8302-2", "258500001", data_class)})
        report["result"].append({"reference": place})
    return said


def some_facts(rng: Random, seed: int, child: str, mother: str, father: str) -> Iterator[tuple[str, Json]]:
    """What is recorded about the child: everybody is in the team, the rest is chance."""
    yield "guardian", {"person": mother, "role": "MTH", "may_consent": not chance(rng, 10)}
    if chance(rng, 2):
        yield "guardian", {"person": father, "role": "FTH"}
    if chance(rng, 4):
        yield "suspect", {"person": rng.choice((father, father, mother)), "set_by": ADMIN}
    for kind, (sector, _) in KINDS.items():
        names = pair(kind, seed)
        if chance(rng, 2):
            ends = (NOW + timedelta(seconds=rng.choice((0, 1, 9999)))).isoformat()
            classes = [rng.choice(("medical-exam", "mental-health", "demographics"))] if chance(rng, 4) else []
            yield (
                "plan",
                {"members": list(names), "approved_by": "truong-phong", "start": "2026-11-01T00:00:00Z", "end": ends,
                 "data_classes": classes},
            )  # fmt: skip
        if not chance(rng, 3):
            yield from some_consents(rng, child, mother, father, names)
        if chance(rng, 8):
            refusal: Json = {"by": rng.choice((child, mother, father))}
            classes = [rng.choice(("medical-exam", "demographics", "mental-health"))] if chance(rng, 2) else []
            for name in names if chance(rng, 2) else ("",):
                yield "refusal", refusal | {"recipient": name} | ({"data_class": classes[0]} if classes else {})
        for name in names if chance(rng, 8) else ():
            yield "staff", {"person": father, "agency": name}
        for name in names if sector == "health" and chance(rng, 2) else ():
            yield "treating", {"agency": name, "start": "2026-11-01T00:00:00Z"}
        start = (NOW - timedelta(hours=rng.choice((1, 23, 24, 25)))).isoformat()
        for name in names if chance(rng, 8) else ():
            yield "emergency", {"agency": name, "reason": "thử nghiệm", "kind": "vital", "start": start}
        for name in names:
            yield "team", {"agency": name, "role": "owner"}


def some_consents(
    rng: Random, child: str, mother: str, father: str, names: tuple[str, str]
) -> Iterator[tuple[str, Json]]:
    """Mother and child, or one of them, or another, permit two agencies something, with exceptions."""
    clauses: list[Json] = []
    for _ in range(rng.randrange(2)):
        label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": rng.choice(("HIV", "PSY"))}
        clauses.append({"type": rng.choice(("permit", "deny")), "securityLabel": [label]})
    for person, as_ in ((mother, "representative"), (child, "child"), (father, "representative")):
        if (person == father or chance(rng, 6)) and not chance(rng, 6):
            continue
        body = agreed(person, as_, names[0], child)
        provision = body["resource"]["provision"]
        (actor,) = provision["actor"]
        provision["actor"] = [{**actor, "reference": {"reference": f"Organization/{name}"}} for name in names]
        if clauses:
            provision["provision"] = clauses
        if chance(rng, 8):
            provision["type"] = "deny"
        if chance(rng, 8):
            body["given_at"] = (NOW - timedelta(days=366)).isoformat()
        yield "consent", body


def tell(world: World, seed: int, message: Json) -> str:
    """The hub hears of the child and of everything recorded about it; answers the case."""
    known = len(world.cases())
    world.say(HOSPITAL, message)
    (case,) = world.cases()[known:]
    parts, at = world.parts, world.parts.clock.now()
    with parts.store.write() as unit:
        held = persons.get_case(unit, case)
        mother, father = (
            stored.add_related(unit, parts.vault, held.vault_key, case, {"name": name}, at, ADMIN)
            for name in ("Thử-Nghiệm Thị Mẹ", "Thử-Nghiệm Văn Cha")
        )
        for kind, body in some_facts(Random(seed), seed, held.person, mother, father):
            kept = facts.read_body(kind, body).model_dump(mode="json", exclude_defaults=True)
            new = stored.Fact(new_id(), 1, case, kind, kept, persons.next_epoch(unit, case), at, ADMIN, True)
            stored.add(unit, parts.vault, held.vault_key, new)
    # One more fact, as a case worker records it: after it the case is offered as it stands.
    casework.record(parts, ADMIN, case, "household", {"person": mother})
    return case


# --- ways out -----------------------------------------------------------------------------------------------


def plain(bundle: Json | None) -> Any:
    """A release without what is another for every recipient: its ids, and the number of the message."""
    if bundle is None:
        return None
    text = json.dumps({key: value for key, value in bundle.items() if key not in ("identifier", "replaces")})
    for number, entry in enumerate(bundle["entry"]):
        text = text.replace(entry["fullUrl"], f"place-{number}").replace(entry["fullUrl"][9:], f"place-{number}")
    return json.loads(text)


@dataclass(frozen=True, slots=True)
class Told:
    """What one agency came to hold of one child, and everything that it could see of that."""

    message: Any
    length: int
    waited: tuple[str, ...]
    """Media types of what waited in its inbox."""
    state: tuple[str, ...]
    """How its deliveries ended."""
    told: Any
    """Its lines of the child's account: what it was told on which grounds, and whether it surely holds that."""


def by_every_way(world: World, case: str, seed: int) -> dict[str, Told]:
    """Deliver, fetch and confirm everything; what each agency got, by its own way."""
    parts = world.parts
    before = len(world.wire.sent)
    world.deliver_all()
    got: defaultdict[str, list[bytes]] = defaultdict(list)
    for each in world.wire.sent[before:]:
        got[str(each.agency["id"])].append(each.raw)
    waited: dict[str, tuple[Waiting, ...]] = {}
    for kind in KINDS:
        name = f"{kind}-inbox"
        waited[name] = exchange.inbox(parts, name)
        for one in waited[name]:
            fetched = exchange.fetch(parts, name, one.delivery)
            fetched.done()
            exchange.confirm(parts, name, one.delivery)
            got[name].append(fetched.raw)
    lines = account(parts, ADMIN, case)
    with parts.store.read() as unit:
        ended = deliveries.listing(unit, case_id=case, limit=1000)
    return {
        name: Told(
            message=[plain(json.loads(raw)) for raw in got[name]],
            length=sum(map(len, got[name])),
            waited=tuple(one.media_type for one in waited.get(name, ())),
            state=tuple(sorted(each.state.value for each in ended if each.agency == name)),
            told=[(line["told"], line["state"]) for line in lines if line["agency"] == name],
        )
        for kind in KINDS
        for name in pair(kind, seed)
    }


def door(world: World, case: str, name: str) -> Disclosed:
    """What the one door answers."""
    parts = world.parts
    with parts.store.read() as unit:
        (strand,) = strands.of_case(unit, case)
        purposes = parts.routes.purposes[parts.registry.get(name).sector]
        return disclose(parts, unit, strand, name, purposes, parts.clock.now())


def withheld(told: Disclosed) -> frozenset[str]:
    """Places of the findings of which nothing leaves."""
    shown = {one.place.partition("#")[0] for one in told.decision.verdicts if one.view is not View.NONE}
    return frozenset(
        one.place for one in told.disclosure.items if one.type == "Observation" and one.place not in shown
    ) - {one.place for one in told.disclosure.items if "#" in one.place}


def otherwise(message: Json, places: frozenset[str], rng: Random) -> Json:
    """The same message in a world where these findings say something else, or were never made."""
    other = deepcopy(message)
    gone = {place for place in places if rng.randrange(2)}
    for entry in other["entry"]:
        resource = entry["resource"]
        if entry["fullUrl"] in places:
            resource.pop("valueCodeableConcept", None)
            resource["valueString"] = "Một điều khác hẳn (thử nghiệm) " * rng.randrange(1, 9)
        if resource["resourceType"] == "DiagnosticReport":
            results = [one for one in resource.pop("result") if one["reference"] not in gone]
            resource |= {"result": results} if results else {}
    other["entry"] = [entry for entry in other["entry"] if entry["fullUrl"] not in gone]
    return other


# --- the walk -----------------------------------------------------------------------------------------------


def said(answer: Disclosed) -> dict[str, list[str]]:
    """What the account says of a release: each class of data that left, with the grounds."""
    classes = {one.place: str(one.data_class) for one in answer.disclosure.items}
    left = [one for one in answer.decision.verdicts if one.view is not View.NONE]
    return {
        name: sorted({str(one.basis) for one in left if classes[one.place] == name})
        for name in sorted({classes[one.place] for one in left})
    }


def check_15(answer: Disclosed, told: Mapping[str, Told], shown: Mapping[str, Json], names: tuple[str, str]) -> None:
    """Webhook or MLLP, inbox, preview and account say what the door says."""
    expected = plain(answer.bundle)
    for name in names:
        assert told[name].message == ([] if expected is None else [expected]), name
        seen = [plain(json.loads(one["message"])) for one in shown[name]["messages"]]
        assert seen == ([] if answer.bundle is None else [plain(masked(answer.bundle))]), name
        assert told[name].told == ([] if expected is None else [(said(answer), "delivered")]), name
        assert told[name].state == (("withheld",) if expected is None else ("delivered",)), name
    assert told[names[1]].waited == (() if expected is None else ("application/json",))


CHECKS = ("check_10_withheld_findings_show_by_no_way_out", "check_15_every_way_out_gives_the_same_answer")


def walk(start: int, count: int, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Walk `count` children from seed `start`, a case for each kind of agency: what failed, how often premises held.

    The premise of 15 holds where something leaves; that of 10 where something stays beside what leaves.
    """
    failed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    ten, fifteen = CHECKS
    with (hubs := Hubs(folder)).fresh() as one, hubs.fresh() as other:
        for seed in range(start, start + count):
            rng, message = Random(f"{seed} twin"), a_message(Random(f"{seed} message"), seed)
            case = tell(one, seed, message)
            answers = {kind: door(one, case, f"{kind}-inbox") for kind in KINDS}
            shown = {each["agency"]: each for each in preview(one.parts, ADMIN, case)}
            told = by_every_way(one, case, seed)
            places = frozenset.intersection(*map(withheld, answers.values()))
            twin = by_every_way(other, tell(other, seed, otherwise(message, places, rng)), seed)
            for kind, answer in answers.items():
                met[fifteen] += answer.leaves
                try:
                    check_15(answer, told, shown, pair(kind, seed))
                except AssertionError as error:
                    failed[f"{fifteen} at seed {seed}, {kind}: {error}"[:300]] += 1
                met[ten] += bool(places) and answer.leaves
                if any(told[name] != twin[name] for name in pair(kind, seed)):
                    failed[f"{ten} at seed {seed}, {kind}"] += 1
    return failed, met
