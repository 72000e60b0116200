"""Invariants 10, 15 and 17 where data really leaves: every way out says the same, of nothing that it withholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import consent
from hub import exchange
from hub.disclosing import Disclosed
from hub.errors import HubError
from hub.replaying import kept_by, read_replay
from hub.storage import audits, deliveries
from tests.consent.invariants import case_of
from tests.consent.world import AT, policy
from tests.consent.worlds import Pool
from tests.fakes.world import HOSPITAL, Json, World, agency, exam
from tests.fakes.world import consent as agreed
from tests.hub.invariants.ways import CHECKS, walk

WAYS = {"webhook": "nha-tam-lanh-mot", "mllp": "nha-tam-lanh-hai", "inbox": "nha-tam-lanh-ba"}
"""One agency for each way out, alike in everything that a decision reads."""
ADMIN = "quan-tri"
CHILDREN, SHARDS = 42, 4
"""Generated children with three cases each (504 together), and the parts that they are walked in."""
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


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.timeout(600)
def test_10_and_15_every_way_out_says_the_same_and_nothing_of_what_stays(shard: int, tmp_path: Path) -> None:
    """Webhook, MLLP, inbox, preview and account say what the door says; had the withheld findings said something else
    or never been made, every agency would see the same to the byte."""
    failed, met = walk(shard * CHILDREN, CHILDREN, tmp_path)
    assert not failed
    assert min(met[name] for name in CHECKS) > CHILDREN // 2


def test_10_what_is_withheld_is_asked_for_in_vain_as_what_never_was(hubs: Callable[[], World]) -> None:
    """An agency that asks for a message that it may not have hears what it hears of one that does not exist."""
    seen = 0
    for seed in range(4):
        world = a_hub(hubs, seed, exam("SECOND"))
        name = WAYS["inbox"]
        with world.parts.store.read() as unit:
            offered = [each.id for each in deliveries.listing(unit, agency=name, limit=100)]
        waiting = {one.delivery for one in exchange.inbox(world.parts, name)}
        for id_ in set(offered) - waiting:
            assert heard(world, name, id_) == heard(world, name, "khong-co") != ""
            seen += 1
    assert seen


def heard(world: World, name: str, delivery: str) -> str:
    """The error that an agency hears."""
    try:
        exchange.fetch(world.parts, name, delivery)
    except HubError as error:
        return repr(error)
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
