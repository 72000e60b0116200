"""Invariants 10, 15 and 17 where data really leaves: every way out says the same, of nothing that it withholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import consent
from consent.vocabulary import Purpose
from hub import exchange
from hub.disclosing import Disclosed, disclose
from hub.errors import NotFound
from hub.preview import preview
from hub.replaying import kept_by, read_replay
from hub.storage import audits, strands
from tests.consent.invariants import case_of
from tests.consent.world import AT, policy
from tests.consent.worlds import Pool
from tests.fakes.world import HOSPITAL, Json, World, agency, exam
from tests.fakes.world import consent as agreed

WAYS = {"webhook": "nha-tam-lanh-mot", "mllp": "nha-tam-lanh-hai", "inbox": "nha-tam-lanh-ba"}
"""One agency for each way out, alike in everything that a decision reads."""
PURPOSES = frozenset({Purpose.CAREMGT, Purpose.TREAT})
ADMIN = "quan-tri"
HUBS = 12
REPLAYS = 500


def a_hub(make: Callable[[], World], seed: int, story: Json) -> World:
    """A hub that knows the child, three agencies that are alike, and whatever chance recorded."""
    rng, world = Random(seed), make()
    entries = [agency(name, "social", "shelter", out=way) for way, name in WAYS.items()]
    world.parts.registry.add_all(entries, "test")
    world.say(HOSPITAL, exam("FIRST"))
    child, mother, father = world.child(), world.relate("Thử-Nghiệm Thị Mẹ"), world.relate("Thử-Nghiệm Văn Cha")
    world.fact("guardian", {"person": mother, "role": "MTH"})
    if rng.randrange(3):
        world.fact("plan", {"members": list(WAYS.values()), "approved_by": "truong-phong"})
    for name in WAYS.values():
        world.fact("team", {"agency": name, "role": "shelter"})
    if rng.randrange(3):
        for name in WAYS.values():
            for who, as_ in ((mother, "representative"), (child, "child")):
                world.fact("consent", agreed(who, as_, name, child), by=ADMIN)
    if rng.randrange(3) == 0:
        world.fact("refusal", {"by": rng.choice((child, mother))})
    if rng.randrange(4) == 0:
        world.fact("suspect", {"person": rng.choice((father, mother))})
    world.say(HOSPITAL, story)
    return world


def door(world: World, name: str) -> Disclosed:
    """What the one door answers for the newest message."""
    with world.parts.store.read() as unit:
        newest = max(strands.of_case(unit, world.case()), key=lambda one: (one.created_at, one.id))
        return disclose(world.parts, unit, newest, name, PURPOSES, world.parts.clock.now())


def plain(bundle: Json | None) -> Any:
    """A release without what is another for every recipient: its ids, and the number of the message."""
    if bundle is None:
        return None
    names = {entry["fullUrl"]: f"place-{number}" for number, entry in enumerate(bundle["entry"])}
    text = json.dumps({key: value for key, value in bundle.items() if key not in ("identifier", "replaces")})
    for url, name in names.items():
        text = text.replace(url, name).replace(url.removeprefix("urn:uuid:"), name)
    return json.loads(text)


def by_every_way(world: World) -> dict[str, Any]:
    """What each agency got last, by its own way; None where nothing came."""
    world.deliver_all()
    found: dict[str, Any] = {}
    for way, name in WAYS.items():
        if way == "inbox":
            fetched = [exchange.fetch(world.parts, name, one.delivery) for one in exchange.inbox(world.parts, name)]
            for one in fetched:
                one.done()
            got = [json.loads(one.raw) for one in fetched]
        else:
            got = world.received(name)
        found[way] = got[-1] if got else None
    return found


def test_15_every_way_out_gives_the_same_answer(hubs: Callable[[], World]) -> None:
    """Webhook, MLLP, inbox, the door itself and the preview agree on what leaves; now and then something does."""
    left = 0
    for seed in range(HUBS):
        world = a_hub(hubs, seed, exam("SECOND"))
        answers = {name: door(world, name) for name in WAYS.values()}
        shown = {one["agency"]: one for one in preview(world.parts, ADMIN, world.case())}
        told = by_every_way(world)
        expected = plain(answers[WAYS["inbox"]].bundle)
        left += expected is not None
        for way, name in WAYS.items():
            assert plain(answers[name].bundle) == expected, (seed, way)
            assert plain(told[way]) == expected, (seed, way)
            assert bool(shown[name]["messages"]) == (expected is not None), (seed, way)
    assert HUBS // 5 < left < HUBS


def test_10_two_hubs_that_differ_in_what_is_withheld_look_alike(hubs: Callable[[], World]) -> None:
    """HIV test, mood and free text say something else, or were never taken: message, inbox and errors are the same."""
    alike = 0
    for seed in range(0, HUBS, 3):
        other = exam("SECOND")
        for entry in other["entry"]:
            kind = {one.get("code") for one in entry["resource"].get("meta", {}).get("security", ())}
            if kind & {"sexual-health", "narrative"}:
                entry["resource"].pop("valueCodeableConcept", None)
                entry["resource"]["valueString"] = "Một điều khác hẳn, dài hơn nhiều (thử nghiệm)"
        worlds = [a_hub(hubs, seed, story) for story in (exam("SECOND"), other)]
        listed = [len(exchange.inbox(world.parts, WAYS["inbox"])) for world in worlds]
        first, second = (by_every_way(world) for world in worlds)
        assert listed[0] == listed[1]
        assert {way: plain(one) for way, one in first.items()} == {way: plain(one) for way, one in second.items()}
        lengths = [{way: len(json.dumps(one)) for way, one in each.items()} for each in (first, second)]
        assert lengths[0] == lengths[1]
        alike += any(first.values())
        assert [error_of(world) for world in worlds] == ["NotFound", "NotFound"]
    assert alike


def error_of(world: World) -> str:
    """What an agency hears that asks for a message of another's, or of nobody's."""
    try:
        exchange.fetch(world.parts, WAYS["inbox"], "khong-co")
    except NotFound as error:
        return type(error).__name__
    return ""


def test_17_what_the_ledger_keeps_gives_the_same_decision_again() -> None:
    """Sealed arguments, read back, decide to the same bytes: in 500 worlds of every kind."""
    pool, leaves = Pool(17), 0
    for seed in range(REPLAYS):
        case = case_of(Random(seed), pool)
        facts = replace(case.facts, consents=tuple(replace(one, tree=None) for one in case.facts.consents))
        told = Disclosed(case.asked, facts, case.was, AT)
        kept = read_replay(told.replay())
        again = consent.decide(kept.disclosure, kept.facts, policy(), kept.at)
        assert again == kept.decision
        assert Disclosed(kept.disclosure, kept.facts, again, kept.at).replay() == told.replay()
        leaves += case.was.leaves
    assert leaves > REPLAYS // 5


def test_17_a_delivery_is_replayed_from_its_audit_row(hubs: Callable[[], World]) -> None:
    """Each row of the ledger that keeps a decision gives it again, byte for byte."""
    seen = 0
    for seed in range(3):
        world = a_hub(hubs, seed, exam("SECOND"))
        world.deliver_all()
        with world.parts.store.read() as unit:
            for row in audits.listing(unit, case=world.case(), kinds=("attempt", "withheld"), limit=50):
                if row.entry.replay is not None:
                    _, kept = kept_by(world.parts, unit, row.id)
                    again = consent.decide(kept.disclosure, kept.facts, world.parts.policy, kept.at)
                    assert again == kept.decision
                    seen += 1
    assert seen > 5
