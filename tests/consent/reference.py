"""A plain model of the whole decision on one page: sets and dictionaries, slow and obvious, sharing no code with the
engine. It reads the policy's YAML and a Consent's JSON as they are written, and answers one item with (view, basis).
It knows what the generator of `worlds.py` can say, and nothing more."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

FOLDER = Path(__file__).parents[2] / "consent" / "policy"
MATRIX = yaml.safe_load((FOLDER / "matrix.yaml").read_text("utf-8"))["rows"]
LAW = yaml.safe_load((FOLDER / "law.yaml").read_text("utf-8"))
INHERENT = LAW["sensitive"]["inherent"]
RANK = ["none", "flag", "summary", "full"]
KINDS = ("actor", "purpose", "securityLabel", "class", "modifierExtension")


def holds(span, at):
    return (span.start is None or span.start <= at) and (span.end is None or at < span.end)


def age(birth, at, zone):
    today = at.astimezone(ZoneInfo(zone)).date()
    years = birth and today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
    return None if years is None or years < 0 else years


def needs(years):
    """Whose act a consent must be at this age; the stricter band for an unknown age."""
    bands = [LAW["unknown_age"]] if years is None else [one for one in LAW["bands"] if years < one.get("below", 999)]
    return set(bands[0]["needs"])


def people(facts, at):
    """Persons linked to a suspect; units with one on the staff; guardians whose acts count."""
    suspects = {s.person for s in facts.suspicions if holds(s.span, at) and len(set(s.cleared_by) - {""}) < 2}
    ties = [(t.tie.value, t.person, t.to, t.may_consent) for t in facts.relationships if holds(t.span, at)]
    living = set(suspects)
    while grown := {p for t, a, b, _ in ties if t == "household" and living & {a, b} for p in (a, b)} - living:
        living |= grown
    near = {p for t, a, b, _ in ties for p, q in ((a, b), (b, a)) if t in ("kin", "associate") and q in suspects}
    barred = living | {c.person for c in facts.no_contacts if holds(c.span, at)}
    barred |= {a for t, a, b, may in ties if t == "guardian" and b == facts.person and not may}
    guardians = {a for t, a, b, _ in ties if t == "guardian" and b == facts.person}
    units = {b for t, a, b, _ in ties if t == "staff" and a in suspects}
    return (living | near) - {facts.person}, units, guardians - barred


# --- what one consent says of one item for one purpose: (word, was a denial stated, permitting clauses) ---------------


def tree(resource, ask, item, purpose, profile="hub"):
    root, decision = resource.get("provision", {}), resource.get("decision")
    root = {"provision": root} if isinstance(root, list) else root
    return node(root, {}, decision or root.get("type", "deny"), ask, item, purpose, profile, decision, top=True)


def node(provision, inherited, kind, ask, item, purpose, profile, flips, top=False):
    """A provision and its exceptions; a child inherits what it does not state itself."""
    own = {kind: provision[kind] for kind in KINDS if kind in provision}
    own |= {"doubt": True} if unclear(provision, top) else {}
    effective, other, found = {**inherited, **own}, {"permit": "deny", "deny": "permit"}, []
    for child in provision.get("provision", []):
        word = child.get("type") or (other.get(kind, "") if flips else "")
        found.append(node(child, effective, word, ask, item, purpose, profile, flips))
    match = "unsure" if "modifierExtension" in effective else matches(effective, ask, item, purpose)
    mine = None
    if match == "unsure" or (match and (not kind or (kind == "permit" and not own and not top))):
        mine = ("unsure", kind != "permit", [])
    elif match:
        mine = (kind, kind == "deny" and (not top or bool(own)), [effective] if kind == "permit" else [])
    return refine(mine, [one for one in found if one], profile)


def refine(mine, found, profile):
    """Below a provision a denial wins, then a doubt that may be one, then a permit; else its own word stands."""
    denied, permitted, unsure = ([a for a in found if a[0] == word] for word in ("deny", "permit", "unsure"))
    if profile == "pcf" and any("securityLabel" in clause for a in permitted for clause in a[2]):
        denied, found = [], permitted + unsure
    maybe = any(a[1] for a in unsure)
    if denied:
        return "deny", any(a[1] for a in denied), []
    if permitted:
        return ("unsure", True, []) if maybe else ("permit", False, [clause for a in permitted for clause in a[2]])
    if not unsure or (mine and mine[0] == "permit" and not maybe):
        return mine
    denying = mine and mine[0] == "deny" and all(a[1] for a in unsure)
    return ("deny", True, []) if denying else ("unsure", maybe or bool(mine and mine[1]), [])


def matches(effective, ask, item, purpose):
    """Whether everything in effect covers the item: True, False or "unsure"."""
    party, named = {*ask.recipient.references}, {one["reference"]["reference"] for one in effective.get("actor", [])}
    purposes = {one["code"] for one in effective.get("purpose", [])}
    wrong = "actor" in effective and not named & {*party, "Group/unknown"}
    wrong |= "securityLabel" in effective and not item.labels & {s["code"] for s in effective["securityLabel"]}
    wrong = wrong or ("class" in effective and str(item.data_class) not in {one["code"] for one in effective["class"]})
    vague = "purpose" in effective and (not purpose or "XYZZY" in purposes)
    wrong = wrong or ("purpose" in effective and not vague and purpose not in purposes)
    return False if wrong else "unsure" if vague or "doubt" in effective or (named and not named & party) else True


def anywhere(provision, test, top=True):
    return test(provision, top) or any(anywhere(one, test, False) for one in provision.get("provision", []))


def unclear(provision, top):
    return "modifierExtension" in provision or "XYZZY" in {one["code"] for one in provision.get("purpose", [])}


def permits(provision, top):
    return provision.get("type") == "permit" or ("type" not in provision and not top)


def named(clause, item):
    """R26: a clause names each sensitive label of the item, or a class that says it."""
    labels = {one["code"] for one in clause.get("securityLabel", [])}
    classes = {one["code"] for one in clause.get("class", [])}
    return all(label in labels or classes & set(INHERENT[label]) for label in item.labels & set(INHERENT))


def voices(ask, facts, at, item, years, guardians):
    """Who permits by consent; whether somebody stated a denial; whether anybody denies, or may."""
    yes, stated, no = set(), False, False
    for fact in facts.consents:
        root, given = fact.resource["provision"], fact.given_at
        counts = fact.given_by in ({facts.person} if fact.as_ == "child" else guardians)
        if not counts or fact.as_ not in needs(years) or fact.resource["status"] != "active" or fact.replaced:
            continue
        withdrawn = fact.withdrawn_at is not None and fact.withdrawn_at <= at
        if given > at or (withdrawn and not anywhere(root, permits)):
            continue
        answers = [tree(fact.resource, ask, item, purpose) for purpose in sorted(ask.purposes) or [""]]
        murky = anywhere(root, unclear)
        words = ["unsure" if murky and a and a[0] == "permit" else a and a[0] for a in answers]
        word = next((one for one in ("deny", "unsure", None) if one in words), "permit")
        stated |= (here := word in ("deny", "unsure") and any(a and a[0] != "permit" and a[1] for a in answers))
        no |= word == "unsure" or (word == "deny" and (here or not anywhere(root, permits)))
        old = facts.birth_date is None or str(fact.as_) in needs(age(facts.birth_date, given, facts.zone))
        over = given.replace(year=given.year + 1) <= at or (facts.case_closed and facts.case_closed <= at)
        if word == "permit" and fact.evidence and old and not over and not withdrawn and not fact.suspended:
            yes |= {str(fact.as_)} if all(any(named(one, item) for one in a[2]) for a in answers) else set()
    return yes, stated, no


# --- the whole: (view, basis or None) of one item, the narrowest over the classes of it and its taints ----------------


def decide(ask, facts, at, item):
    linked, units, guardians = people(facts, at)
    if {ask.recipient.id, ask.recipient.officer} & (linked | units) or item.data_class is None:
        return "none", None
    classes = {str(item.data_class)} | (item.labels & {"shelter-location", "reporter-identity"})
    return min((one(cls, ask, facts, at, item, guardians) for cls in sorted(classes)), key=lambda f: RANK.index(f[0]))


def closed(rows, cls, item, sector, author, due):
    """Whether one of these rows closes the flow, whatever anybody says."""
    for row in rows:
        spared = author or (row.get("unless") == "author-or-receiver" and due) if "unless" in row else "to" in row
        labelled = "labels" not in row or item.labels & set(row["labels"])
        if not spared and labelled and sector in row.get("sectors", [sector]) and cls in row.get("classes", [cls]):
            return True
    return False


def one(cls, ask, facts, at, item, guardians):
    """Go down the precedence: permits above the first denial add up, the widest view counts."""
    sector, me, reader = str(ask.recipient.sector), ask.recipient.id, ask.recipient.officer
    cell, years = MATRIX[cls][sector], age(facts.birth_date, at, facts.zone)
    legal = ask.purposes and "HPAYMT" not in ask.purposes
    if not facts.match_certain and cls in LAW["uncertain_match"]["withheld"]:
        return "none", None
    yes, stated, no = voices(ask, facts, at, item, years, guardians)
    inherent = all(cls in INHERENT[label] for label in item.labels & set(INHERENT))
    team = [one for one in facts.team if one.agency == me and holds(one.span, at)]
    roles, mine = {one.role for one in team}, {one.role for one in team if one.officer == reader != ""}
    referral = next((one for one in facts.referrals if one.id == ask.referral), None)
    parties, author = {referral.requester, referral.performer} if referral else set(), item.author == me
    good = [o for o in facts.orders if o.number and o.issued and o.items and not o.revoked and holds(o.span, at)]
    good = [o for o in good if o.issued <= at.date() and o.verified_by and o.verified_by != o.entered_by]
    lines = [i for o in good for i in o.items if str(i.data_class) == cls and i.recipient == me]
    lines = [i for i in lines if i.officer in ("", reader) and (not i.codes or set(i.codes) & set(item.codes))]
    own = set(item.codes) - set(item.kinds)
    lines = [(i.officer, set(i.codes) & own) for i in lines if inherent or set(i.codes) & own]
    backed = [o for o in good if referral and o.number == referral.order_number]
    backed = inherent and any(parties & {o.body, *(i.recipient for i in o.items)} for o in backed)
    due = [one for one in facts.reports if holds(one.span, at) and me in one.agencies]
    grave = years is None or years < 16 or (years < 18 and any(one.grave for one in due))
    alarms = [e for e in facts.emergencies if e.agency == me and e.span.start and holds(e.span, at)]
    hours = {kind: timedelta(hours=LAW[kind.replace("-", "_")]["hours"]) for kind in ("vital", "break-glass")}
    alarms = [e for e in alarms if inherent and at < e.span.start + hours[e.kind]]
    broken = cls not in LAW["break_glass"]["never"] and reader != ""
    alarms = [e for e in alarms if e.kind == "vital" or (broken and e.second_factor and e.officer == reader)]
    plans = [one for one in facts.plans if one.approved_by and holds(one.span, at) and me in one.agencies]
    planned = inherent and any(not plan.data_classes or cls in plan.data_classes for plan in plans)
    treats = any(one.agency == me and holds(one.span, at) for one in facts.treating)
    hiv = {"representative"} if "HIV" in item.labels and (years is None or years < 15) else set()

    def met(way, officer, codes):
        """Whether the conditions that a cell puts beside its basis hold."""
        known = {"own": me in parties or author, "transport": "transport" in roles, "receiver": due}
        known |= {"named-codes": codes, "examiner": "examiner" in roles or (referral and referral.performer == me)}
        known |= {"exam-owner": author or "examiner" in roles, "case-owner-or-shelter": mine & {"owner", "shelter"}}
        known |= {"sealed": officer and officer == reader, "named-officer": officer and officer == reader}
        known |= {"shelter-clinician": ask.recipient.unit == "shelter" and "clinician" in mine, "employed-there": False}
        return all(known[need] for need in way.get("needs", []))

    def ways(basis, proofs, rows=cell):
        return [w["view"] for w in rows if basis in w["basis"] for proof in proofs if met(w, *proof)]

    def also(part, basis):
        rows = [row for row in LAW[part]["also"] if row["class"] == cls and sector in row["sectors"]]
        return [*cell, *({"view": row["view"], "basis": [basis]} for row in rows)]

    ordered = ways("P", lines) + ways("P", [("", ())] if backed else [], [w for w in cell if w.get("via")])
    if not any("P" in w["basis"] for w in cell):
        row = next((one for one in LAW["order"]["unforeseen"] if one["class"] == cls), {"view": "full"})
        most = max((w["view"] for w in cell), key=RANK.index, default=row["view"])
        ordered = ways("P", lines, [{**row, "basis": "P", "view": min(row["view"], most, key=RANK.index)}])
    reported = ways("R", [(one.officer, ()) for one in team] or [("", ())], also("report", "R"))
    reported = reported if due and legal and str(ask.event) == "report" else []
    refusing = [r for r in facts.refusals if holds(r.span, at) and r.recipient in ("", me)]
    refusing = [r for r in refusing if r.service in ("", referral.service if referral else "")]
    whose = {"child": {facts.person}, "representative": guardians}
    refused = any(r.by in whose[kind] for r in refusing for kind in needs(years) if r.data_class in (None, cls))
    steps = {
        "absolute-never": closed(LAW["absolute_never"], cls, item, sector, False, False),
        "P": ordered if legal else [],
        "never-flow": closed(LAW["never_flow"], cls, item, sector, author, due),
        "R": reported if grave and inherent else [],
        "V": ways("V", [(e.officer, ()) for e in alarms], also("vital", "V")) if legal else [],
        "refusal": stated or refused,
        "D": ways("D", [("", ())]) if planned and legal else [],
        "T": ways("T", [("", ())]) if treats and legal else [],
        "own": ways("own", [("", ())]) if author else [],
        "C": ways("C", [("", ())]) + reported * (years in (16, 17)) if not no and needs(years) | hiv <= yes else [],
    }
    best = ("none", None)
    for step in LAW["precedence"]:
        if steps[step] is True:
            break
        best = max([best, *((view, step) for view in steps[step] or [])], key=lambda found: RANK.index(found[0]))
    return best
