"""A plain model of the whole decision in one page: sets and dictionaries, slow and obvious, sharing no code with the
engine. It reads the policy's raw YAML and a Consent's raw JSON, and answers one item with (view, basis).

It knows what the generator of `worlds.py` can say, and nothing more. At most 200 lines of code (a test counts them).
"""

# ruff: noqa: E501, SIM102
# fmt: off

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

FOLDER = Path(__file__).parents[2] / "consent" / "policy"
MATRIX = yaml.safe_load((FOLDER / "matrix.yaml").read_text("utf-8"))["rows"]
LAW = yaml.safe_load((FOLDER / "law.yaml").read_text("utf-8"))
RANK = {"none": 0, "flag": 1, "summary": 2, "full": 3}
SENSITIVE = {"HIV", "STD", "PSY", "SDV", "ETH"}
INHERENT = LAW["sensitive"]["inherent"]


def holds(span, at):
    return (span.start is None or span.start <= at) and (span.end is None or at < span.end)


def age(birth, at, zone):
    if birth is None:
        return None
    today = at.astimezone(ZoneInfo(zone)).date()
    years = today.year - birth.year - (1 if (today.month, today.day) < (birth.month, birth.day) else 0)
    return None if years < 0 else years


def needs(years):
    if years is None or 7 <= years < 16:
        return {"child", "representative"}
    return {"representative"} if years < 7 else {"child"}


def people(facts, at):
    suspects = {s.person for s in facts.suspicions if holds(s.span, at) and len(set(s.cleared_by) - {""}) < 2}
    ties = [t for t in facts.relationships if holds(t.span, at)]
    homes = [{t.person, t.to} for t in ties if t.tie == "household"]
    living = set(suspects)
    while any(home & living and not home <= living for home in homes):
        for home in homes:
            if home & living:
                living |= home
    near = {x for t in ties if t.tie in ("kin", "associate") for x, y in ((t.person, t.to), (t.to, t.person)) if y in suspects}
    barred = living | {c.person for c in facts.no_contacts if holds(c.span, at)}
    guardians = {t.person for t in ties if t.tie == "guardian" and t.to == facts.person}
    limited = {t.person for t in ties if t.tie == "guardian" and t.to == facts.person and not t.may_consent}
    units = {t.to for t in ties if t.tie == "staff" and t.person in suspects}
    return suspects, (living | near) - {facts.person}, units, guardians - barred - limited


# --- consents: one purpose, one item; answers "permit", "deny" (with stated or not), "unsure", None --------------------


def tree(resource, ask, item, purpose):
    root = resource["provision"]
    return node(root, {}, resource.get("decision") or root.get("type", "deny"), ask, item, purpose, top=True)


def node(provision, inherited, kind, ask, item, purpose, top=False):
    own = {k: provision[k] for k in ("actor", "purpose", "securityLabel", "class") if k in provision}
    effective = {**inherited, **own, **{k: True for k in provision if k == "modifierExtension"}}
    answers = [a for p in provision.get("provision", []) if (a := node(p, effective, p.get("type", ""), ask, item, purpose))]
    match = "unsure" if "modifierExtension" in effective else matches(effective, ask, item, purpose)
    if match == "unsure" or (match and (not kind or (kind == "permit" and not own and not top))):
        mine = ("unsure", kind != "permit", set())
    elif match:
        mine = (kind, kind == "deny" and (not top or bool(own)), [effective] if kind == "permit" else [])
    else:
        mine = None
    return refine(mine, answers)


def refine(mine, answers):
    said = {a[0] for a in answers}
    if not said:
        return mine
    if "deny" in said:
        return ("deny", any(a[1] for a in answers if a[0] == "deny"), [])
    maybe = any(a[0] == "unsure" and a[1] for a in answers)
    if "permit" in said:
        return ("unsure", True, []) if maybe else ("permit", False, [e for a in answers if a[0] == "permit" for e in a[2]])
    if mine and mine[0] == "permit" and not maybe:
        return mine
    if mine and mine[0] == "deny" and all(a[1] for a in answers):
        return mine
    return ("unsure", maybe or bool(mine and mine[0] != "permit" and mine[1]), [])


def matches(effective, ask, item, purpose):
    result = True
    for kind, stated in effective.items():
        if kind == "actor":
            found = any(a["reference"]["reference"] in ask.recipient.references for a in stated)
        elif kind == "purpose":
            odd = not purpose or any(p["code"] == "XYZZY" for p in stated)
            found = "unsure" if odd else any(p["code"] == purpose for p in stated)
        elif kind == "securityLabel":
            found = any(s["code"] in item.labels for s in stated)
        else:
            found = any(c["code"] == item.data_class for c in stated)
        if not found:
            return False
        result = "unsure" if found == "unsure" or result == "unsure" else True
    return result


def unclear(provision):
    odd = any(p["code"] == "XYZZY" for p in provision.get("purpose", []))
    return odd or "modifierExtension" in provision or any(unclear(p) for p in provision.get("provision", []))


def consents(ask, facts, at, item):
    """(permitting kinds of person, somebody stated a denial, anybody denies, anybody unsure)"""
    years, counting = age(facts.birth_date, at, facts.zone), people(facts, at)[3]
    yes, stated, no, unsure = set(), False, False, False
    for c in facts.consents:
        mine = c.given_by == facts.person if c.as_ == "child" else c.given_by in counting
        if not mine or c.as_ not in needs(years) or c.resource["status"] != "active" or c.replaced:
            continue
        withdrawn = c.withdrawn_at is not None and c.withdrawn_at <= at
        if (withdrawn and not has_permit(c.resource["provision"], top=True)) or c.given_at > at:
            continue
        answers = [tree(c.resource, ask, item, p) for p in sorted(ask.purposes) or [""]]
        words = [a[0] if a else None for a in answers]
        word = next((w for w in ("deny", "unsure", None) if w in words), "permit")
        if word == "permit" and unclear(c.resource["provision"]):
            word, answers = "unsure", [("unsure", False, [])]
        stated |= word in ("deny", "unsure") and any(a and a[0] != "permit" and a[1] for a in answers)
        no, unsure = no or word == "deny", unsure or word == "unsure"
        old = c.as_ == "representative" or facts.birth_date is None or "child" in needs(age(facts.birth_date, c.given_at, facts.zone))
        ended = c.given_at.replace(year=c.given_at.year + 1) <= at or (facts.case_closed and facts.case_closed <= at)
        if word == "permit" and c.evidence and old and not ended and not withdrawn and not c.suspended:
            if any(names(e, item) for a in answers[:1] for e in a[2]):
                yes.add(c.as_)
    return yes, stated, no, unsure


def has_permit(provision, top=False):
    return provision.get("type") == "permit" or ("type" not in provision and not top) or any(has_permit(p) for p in provision.get("provision", []))


def names(effective, item):
    labels = {s["code"] for s in effective.get("securityLabel", [])}
    classes = {c["code"] for c in effective.get("class", [])}
    return all(s in labels or classes & set(INHERENT[s]) for s in item.labels & SENSITIVE)


# --- the whole --------------------------------------------------------------------------------------------------------


def decide(ask, facts, at, item):
    """(view, basis or None) of one item; the widest of what the precedence leaves, the narrowest over its classes."""
    suspects, linked, units, _ = people(facts, at)
    if ask.recipient.id in linked | units or ask.recipient.officer in suspects or item.data_class is None:
        return "none", None
    classes = {str(item.data_class)} | (item.labels & {"shelter-location", "reporter-identity"})
    found = [one(c, ask, facts, at, item) for c in sorted(classes)]
    return min(found, key=lambda f: RANK[f[0]])


def one(cls, ask, facts, at, item):
    sector, me = str(ask.recipient.sector), ask.recipient.id
    cell = MATRIX[cls][sector]
    if not facts.match_certain and cls in LAW["uncertain_match"]["withheld"]:
        return "none", None
    if cls == "photographs" and sector in ("education", "hotline"):
        return "none", None
    legal = not {"HPAYMT", "HOPERAT"} & set(ask.purposes)
    years, (yes, stated, no, unsure) = age(facts.birth_date, at, facts.zone), consents(ask, facts, at, item)
    inherent = all(cls in INHERENT[s] for s in item.labels & SENSITIVE)
    good = [o for o in facts.orders if o.number and o.body and o.issued and o.items and not o.revoked and holds(o.span, at)
            and o.issued <= at.date() and o.verified_by and o.verified_by != o.entered_by]
    lines = [i for o in good for i in o.items if i.data_class == cls and i.recipient == me
             and (not i.codes or set(i.codes) & set(item.codes)) and i.officer in ("", ask.recipient.officer)]
    referral = next((r for r in facts.referrals if r.id == ask.referral), None)
    party = referral is not None and me in (referral.requester, referral.performer)
    backed = referral and any(o.number == referral.order_number for o in good if {o.body, *(i.recipient for i in o.items)} & {referral.requester, referral.performer})
    roles = {t.role for t in facts.team if t.agency == me and holds(t.span, at)}
    officers = {t.officer for t in facts.team if t.agency == me and holds(t.span, at)} - {""}
    reader = ask.recipient.officer
    author = item.author in (me, *ask.recipient.references)
    due = [r for r in facts.reports if holds(r.span, at) and me in r.agencies]
    reported = due and ask.event == "report" and (years is None or years < 16 or (years < 18 and any(r.grave for r in due)))
    rescue = [e for e in facts.emergencies if e.agency == me and e.reason and e.span.start and holds(e.span, at)
              and at < e.span.start + timedelta(hours=4 if e.kind == "break-glass" else 24)
              and (e.kind == "vital" or (e.second_factor and reader and e.officer == reader and cls not in ("photographs", "reporter-identity")))]

    def met(way, officer, codes):
        checks = {
            "own": party or author, "examiner": "examiner" in roles or (referral and referral.performer == me),
            "exam-owner": author or roles & {"examiner", "exam-owner"}, "named-codes": codes, "transport": "transport" in roles,
            "sealed": officer and officer == reader, "named-officer": officer and officer == reader, "receiver": due,
            "case-owner-or-shelter": any(t.agency == me and t.role in ("owner", "case-owner", "shelter") and t.officer == reader != "" and holds(t.span, at) for t in facts.team),
            "shelter-clinician": ask.recipient.unit == "shelter" and any(t.agency == me and t.role == "clinician" and t.officer == reader != "" and holds(t.span, at) for t in facts.team),
            "employed-there": False,
        }
        return all(checks[n] for n in way.get("needs", []))

    def ways(basis, proofs, extra=()):
        return [w["view"] for w in (*cell, *extra) if basis in w["basis"] for officer, codes in proofs if met(w, officer, codes)]

    steps = []
    if legal:
        order = [(i.officer, i.codes) for i in lines if inherent or i.codes]
        ordered = ways("P", order)
        ordered += [w["view"] for w in cell if "P" in w["basis"] and w.get("via") and backed and inherent and met(w, "", ())]
        if order and not any("P" in w["basis"] for w in cell):
            ordered.append(max((w["view"] for w in cell), key=RANK.get, default="full"))
        steps.append(("P", ordered))
    never = sector == "education" and (cls in ("medical-exam", "forensic", "mental-health", "sexual-health", "narrative", "shelter-location", "reporter-identity") or item.labels & SENSITIVE)
    never = never or (cls == "narrative" and "PSY" in item.labels and not author) or (cls == "photographs" and sector == "social")
    never = never or (cls == "reporter-identity" and sector in ("health", "social", "hotline") and not author and not due)
    never = never or ("HIV" in item.labels and sector not in ("health", "social"))
    steps.append((None, never))
    if legal:
        also = [{"view": "full", "basis": ["R"]}] if cls == "demographics" and sector == "social" else []
        steps.append(("R", ways("R", [(o, ()) for o in officers or {""}], also) if reported and inherent else []))
        also = [{"view": "summary", "basis": ["V"]}] if cls == "demographics" and sector in ("health", "police", "social") else []
        steps.append(("V", ways("V", [(e.officer, ()) for e in rescue], also) if inherent else []))
    refusing = [r for r in facts.refusals if holds(r.span, at) and r.recipient in ("", me) and r.data_class in (None, cls) and r.service in ("", referral.service if referral else "")
                and ("child" in needs(years) if r.by == facts.person else r.by in people(facts, at)[3] and "representative" in needs(years))]
    steps.append((None, bool(refusing) or stated))
    if legal:
        planned = any(p.approved_by and p.span.start and holds(p.span, at) and me in p.agencies and (not p.data_classes or cls in p.data_classes) for p in facts.plans)
        steps.append(("D", ways("D", [("", ())]) if planned and inherent else []))
        steps.append(("T", ways("T", [("", ())]) if any(t.agency == me and holds(t.span, at) for t in facts.treating) else []))
    steps.append(("own", ways("own", [("", ())]) if author else []))
    hiv = {"representative"} if "HIV" in item.labels and (years is None or years < 15) else set()
    steps.append(("C", ways("C", [("", ())]) if not no and not unsure and (needs(years) | hiv) <= yes else []))
    return climb(steps)


def climb(steps):
    best = ("none", None)
    for basis, answer in steps:
        if basis is None and answer:
            return best
        for view in answer if basis else []:
            if RANK[view] > RANK[best[0]]:
                best = (view, basis)
    return best
