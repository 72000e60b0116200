"""What is true of every release and of every message written from one: one check for each invariant of the design.

As in `invariants.py` the number is the invariant's, and a check answers whether its premise held.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from random import Random
from typing import Any

from fhir.resources.R4B.bundle import Bundle

import consent
from adapters.errors import Unwritable
from adapters.library import load_packs
from adapters.pack import Context, Pack
from adapters.r4.validate import has_errors, validate
from consent.model import Decision
from consent.vocabulary import INLINE_LABEL_URL, Event
from consent.walk import references
from tests.consent import bundles
from tests.consent.bundles import Bundles, Labelled
from tests.consent.world import policy
from tests.consent.worlds import pick

HEADER = {
    "sender": "ONESTOP", "sender-facility": "ONESTOP", "recipient": "CO-QUAN-MAU", "recipient-facility": "CO-QUAN-MAU",
    "message-id": "TIN-MAU-1", "processing": "P",
}  # fmt: skip
WRITING = Context(at=datetime.fromisoformat("2026-06-15T16:00:00+07:00"), agency="co-quan-mau", header=HEADER)


@dataclass(frozen=True, slots=True)
class Release:
    """A labelled bundle, any decision about it, and what was released."""

    rng: Random
    about: Labelled
    decision: Decision
    out: dict[str, Any]
    text: str


def release_of(rng: Random, pool: Bundles) -> Release:
    """Release a bundle of the pool by a decision made at random."""
    about = pick(rng, pool.all)
    decision = bundles.a_decision(rng, about)
    out = consent.release(about.bundle, decision)
    return Release(rng, about, decision, out, json.dumps(out))


def withholds(case: Release) -> bool:
    whole, parts = bundles.withheld(case.decision)
    return case.decision.leaves and bool(whole or parts)


# --- the checks ---------------------------------------------------------------------------------------------


def check_10_what_is_withheld_shows_nowhere(case: Release) -> bool:
    """Whatever the withheld things say, and whether they exist at all, the release is the same to the byte."""
    other = bundles.other_world(case.about, case.decision, case.rng)
    assert json.dumps(consent.release(other, case.decision)) == case.text
    never = bundles.without(case.about, case.decision)
    assert json.dumps(consent.release(never, case.decision)) == case.text
    return withholds(case)


def check_11_no_withheld_value_survives(case: Release) -> bool:
    """No string of a withheld resource or element, no narrative and no internal label is in the release."""
    for secret in bundles.secrets(case.about, case.decision):
        assert secret not in case.text
    assert "<div" not in case.text
    assert INLINE_LABEL_URL not in case.text
    assert "data-class" not in json.dumps([entry["resource"]["meta"] for entry in case.out["entry"]])
    return withholds(case)


def check_12_releasing_twice_is_releasing_once(case: Release) -> bool:
    """A release released by the same decision is itself."""
    assert consent.release(case.out, case.decision) == case.out
    return case.decision.leaves


def check_14_what_leaves_is_valid_and_whole(case: Release) -> bool:
    """The release is R4 to two validators that share nothing, and every reference in it resolves in it."""
    Bundle.model_validate(case.out)
    assert not has_errors(validate(case.out))
    known = {entry.get("fullUrl") for entry in case.out["entry"]}
    for entry in case.out["entry"]:
        assert set(references(entry["resource"])) <= known
    return case.decision.leaves


def check_22_what_is_derived_inherits_the_labels(case: Release) -> bool:
    """What was made from a labelled thing carries its labels; labelling again adds nothing, and a sender who took our
    labels off or put a lower one on gets them all back."""
    policy_data = policy().at(datetime.fromisoformat("2026-06-15T00:00:00+00:00")).labels["derived"]
    resources = {one["fullUrl"]: one["resource"] for one in case.about.bundle["entry"]}
    met = False
    for resource in resources.values():
        rule = policy_data.get(resource["resourceType"])
        for reference in references({key: resource.get(key) for key in _heads(rule)} if rule else {}):
            target = resources.get(reference)
            if target is not None and target is not resource and _sensitive(target["meta"]):
                met = True
                assert _sensitive(target["meta"]) <= _sensitive(resource)
    assert consent.label(case.about.bundle, policy()) == case.about.bundle
    return met


def _heads(rule: dict[str, Any]) -> set[str]:
    return {path.split(".")[0] for path in rule["references"]}


def _sensitive(value: Any) -> set[str]:
    """Every sensitivity and taint code below, on the resource or on an element."""
    found: set[str] = set()
    if isinstance(value, dict):
        if str(value.get("system")).endswith(("v3-ActCode", "CodeSystem/taint")):
            found.add(str(value.get("code")))
        value = list(value.values())
    if isinstance(value, list):
        found = found.union(*map(_sensitive, value))
    return found


# --- through the packs --------------------------------------------------------------------------------------


@cache
def packs() -> tuple[Pack, ...]:
    """Every built-in pack."""
    return tuple(load_packs().values())


def said(pack: Pack, bundle: dict[str, Any]) -> tuple[str, bytes]:
    """What a recipient would get: the message, or the error that an administrator would see."""
    try:
        writing = pack.write(bundle, WRITING)
    except Unwritable as error:
        return f"unwritable {error.place} {error.kind} {error.why}", b""
    return f"{writing.type} {writing.key} {writing.media_type} {writing.loss}", writing.raw


def check_13_release_then_translate_is_translate_of_less(case: Release) -> bool:
    """In every format: the message from a release is the one from a world where the withheld never was, error and
    loss report too, and none of the withheld words is in it, however encoded."""
    event = Event(case.about.event)
    able = [pack for pack in packs() if pack.writes(event)]
    if not able:
        return False
    pack = pick(case.rng, able)
    report, raw = said(pack, case.out)
    never = bundles.without(case.about, case.decision)
    assert said(pack, consent.release(never, case.decision)) == (report, raw)
    other = bundles.other_world(case.about, case.decision, case.rng)
    assert json.dumps(consent.release(other, case.decision)) == case.text
    seen = report.encode() + b"\n" + b"\n".join(encodings(raw))
    for secret in bundles.secrets(case.about, case.decision):
        number = secret.split("-")[1].encode()
        assert number not in seen, f"{pack.id} reveals a withheld word"
    return bool(raw) and withholds(case)


def encodings(raw: bytes) -> list[bytes]:
    """The message as it is, and whatever in it may be base64, hex or UTF-16, undone."""
    found = [raw, raw.replace(b"\0", b"")]
    for token in re.findall(rb"[A-Za-z0-9+/]{12,}={0,2}", raw):
        for undo in (b64decode, bytes.fromhex):
            try:
                found.append(undo(token if undo is b64decode else token.decode()))
            except (ValueError, binascii.Error):
                continue
    return found


Check = Callable[[Release], bool]
CHECKS: dict[str, Check] = {name: check for name, check in sorted(globals().items()) if name.startswith("check_")}
SHARE = dict.fromkeys(CHECKS, 0.25) | {"check_22_what_is_derived_inherits_the_labels": 0.01}
"""In at least this share of all cases the premise must hold."""
THROUGH_PACKS = "check_13_release_then_translate_is_translate_of_less"


def pool_for(name: str, seed: int) -> Bundles:
    """Real bundles for what goes through the packs, made up ones for the rest."""
    return Bundles(seed) if name == THROUGH_PACKS else Bundles(seed, 40)


def walk(start: int, count: int, names: tuple[str, ...] = ()) -> tuple[Counter[str], Counter[str]]:
    """Run the checks on `count` releases from seed `start`: what failed (with its seed), how often premises held."""
    failed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    wanted = names or tuple(CHECKS)
    pools = {real: pool_for(THROUGH_PACKS if real else "", start) for real in {one == THROUGH_PACKS for one in wanted}}
    for seed in range(start, start + count):
        for real, pool in pools.items():
            case = release_of(Random(seed), pool)
            for name in wanted:
                if (name == THROUGH_PACKS) is real:
                    try:
                        met[name] += CHECKS[name](replace(case, rng=Random(seed)))
                    except AssertionError as error:
                        failed[f"{name} at seed {seed} of the walk from {start}: {error}"[:200]] += 1
    return failed, met
