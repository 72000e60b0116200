"""Where people with a role work on a case: find a child, record facts, orders and consents, decide matches.

What identifies a child is sent in bodies, never in an address: a search is a POST, and every id in a path is opaque.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from consent.explain import Audience, Lang
from hub import casework, closing, explaining, preview
from hub.api.callers import HeldCaller, HeldParts, may
from hub.casework import Found, Recorded, Withdrawing
from hub.closing import Ending
from hub.security import roles
from hub.security.tokens import Caller

router = APIRouter(tags=["cases"])

Finder = Annotated[Caller, may("case-find")]
Reader = Annotated[Caller, may("case-read")]
Relater = Annotated[Caller, may("person-relate")]
Clearer = Annotated[Caller, may("suspect-clear")]
Verifier = Annotated[Caller, may("order-verify")]
Approver = Annotated[Caller, may("override-approve")]
Previewer = Annotated[Caller, may("preview")]
Explainer = Annotated[Caller, may("explain")]
Ender = Annotated[Caller, may("case-end")]
Matcher = Annotated[Caller, may("match-resolve")]
ConsentAdmin = Annotated[Caller, may("consent-record")]
Withdrawer = Annotated[Caller, may("consent-withdraw")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedBy(_Asked):
    """An identifier of a child."""

    type: str = Field(description="NI (personal number), HC (insurance card), MR (record number)")
    value: str = Field(min_length=1, max_length=100)
    system: str = ""


class Search(_Asked):
    """By identifiers, or by name and birth date."""

    identifiers: tuple[NamedBy, ...] = ()
    agency: str = Field(default="", description="Whose record number (MR) it is")
    name: str = Field(default="", max_length=200)
    birth_date: date | None = None

    @model_validator(mode="after")
    def _enough(self) -> Search:
        if not self.identifiers and not (self.name and self.birth_date):
            raise ValueError("give identifiers, or name and birth_date")
        return self


class FoundChildren(BaseModel):
    """Who fits, exactly; an uncertain one is marked."""

    found: list[Found]


class RelatedPerson(BaseModel):
    """The opaque id by which facts name a related person."""

    person: str


class Fact(_Asked):
    """What is recorded; `body` as its kind wants it."""

    kind: str
    body: dict[str, Any]


class NextVersion(_Asked):
    """What holds from now on instead."""

    kind: str
    body: dict[str, Any]


class History(BaseModel):
    """Every version of every fact, oldest first."""

    facts: list[Recorded]


class Verification(_Asked):
    """A detached JWS of the issuing body; without it the caller says that they called back."""

    signature: str = ""


class ConsentOf(_Asked):
    """The Consent that an agency's claim becomes, with its evidence."""

    consent: dict[str, Any]


class Unmask(_Asked):
    """As which agency's named officer the caller reads, and for what."""

    agency: str
    purpose: str = Field(description="A v3 ActReason code, e.g. CAREMGT")


class Supposed(_Asked):
    """What is taken to be so. An id that is not on record is refused."""

    given: list[dict[str, Any]] = Field(default=[], description="Bodies of consents, as if recorded")
    withdrawn: list[str] = Field(default=[], description="Fact ids of consents and refusals, as if withdrawn")
    verified: list[str] = Field(default=[], description="Fact ids of orders, as if verified")
    suspects: list[str] = Field(default=[], description="Persons of the case, as if suspects")
    on: date | None = Field(default=None, description="As of the start of that day, e.g. a birthday")
    lang: Lang | None = Field(default=None, description="Say in words why, and what would change it")
    unmask: Unmask | None = Field(default=None, description="See the thing itself: a disclosure of its own, recorded")


class SaidBy(_Asked):
    """Whose word ends the consent: the child's person id, or a related person's."""

    by: str


class SameAs(_Asked):
    """The person that it is, or null for a child of its own."""

    same_as: str | None


@router.post("/cases/search", summary="Find a child")
def search(asked: Search, parts: HeldParts, caller: Finder) -> FoundChildren:
    """Children by identifiers, or by name and birth date; the search is audited."""
    query = asked.model_dump(mode="json", exclude_defaults=True)
    return FoundChildren(found=list(casework.find(parts, caller.id, query)))


@router.post("/cases/{case}/persons", status_code=201, summary="Add a related person")
def relate(case: str, body: dict[str, Any], parts: HeldParts, caller: Relater) -> RelatedPerson:
    """Keep a related person (name, identifiers); facts name them by the id in the answer."""
    return RelatedPerson(person=casework.relate(parts, caller.id, case, body))


@router.post("/cases/{case}/facts", status_code=201, summary="Record a fact")
def record(case: str, fact: Fact, parts: HeldParts, caller: HeldCaller) -> Recorded:
    """Record a fact; what it allows or forbids holds from this commit on."""
    roles.require_kind(caller, fact.kind)
    return casework.record(parts, caller.id, case, fact.kind, fact.body)


@router.put("/cases/{case}/facts/{fact}", summary="Record a fact's next version")
def revise(case: str, fact: str, asked: NextVersion, parts: HeldParts, caller: HeldCaller) -> Recorded:
    """Earlier versions stay on record."""
    roles.require_kind(caller, asked.kind)
    return casework.record(parts, caller.id, case, asked.kind, asked.body, fact)


@router.get("/cases/{case}/facts", summary="Read a case's facts")
def history(case: str, parts: HeldParts, caller: Reader, kind: str = "") -> History:
    """Every version, oldest first; the read is audited."""
    return History(facts=list(casework.history(parts, caller.id, case, kind)))


@router.post("/cases/{case}/suspects/{fact}/clear", summary="Clear a suspect")
def clear_suspect(case: str, fact: str, parts: HeldParts, caller: Clearer) -> Recorded:
    """One of the two persons that it takes."""
    return casework.clear_suspect(parts, caller.id, case, fact)


@router.post("/cases/{case}/overrides/{fact}/approve", summary="Approve an override")
def approve(case: str, fact: str, parts: HeldParts, caller: Approver) -> Recorded:
    """Somebody else than who asked for it (R29)."""
    return casework.approve(parts, caller.id, case, fact)


@router.post("/cases/{case}/orders/{order}/verify", summary="Verify an order")
def verify_order(case: str, order: str, asked: Verification, parts: HeldParts, caller: Verifier) -> Recorded:
    """A second person called the issuing body back, or its signature holds."""
    return casework.verify_order(parts, caller.id, case, order, asked.signature)


@router.post("/cases/{case}/consent-claims/{claim}/consent", status_code=201, summary="Turn a claim into a Consent")
def turn_into_consent(case: str, claim: str, asked: ConsentOf, parts: HeldParts, caller: ConsentAdmin) -> Recorded:
    """An agency's own consent flag counts only once a person has found evidence."""
    return casework.turn_into_consent(parts, caller.id, case, claim, asked.consent)


@router.post("/cases/{case}/consents/{consent}/withdraw", status_code=202, summary="Withdraw a consent")
def withdraw(
    case: str, consent: str, asked: SaidBy, parts: HeldParts, caller: Withdrawer, response: Response
) -> Withdrawing:
    """Recorded at once: no send starts any more. 202 until nothing is under way; follow `Location`."""
    found = casework.withdraw(parts, caller.id, case, consent, asked.by)
    return _shown(found, response)


@router.get("/withdrawals/{withdrawal}", summary="See how far a withdrawal is")
def withdrawal(withdrawal: str, parts: HeldParts, caller: Withdrawer, response: Response) -> Withdrawing:
    """202 while something is under way, 200 once it is effective."""
    return _shown(casework.withdrawal(parts, withdrawal), response)


@router.get("/cases/{case}/preview", summary="See what each agency would receive now")
def show_preview(case: str, parts: HeldParts, caller: Previewer, lang: Lang | None = None) -> dict[str, Any]:
    """In each agency's own format, masked; with `lang` explained. The look is audited."""
    return {"agencies": preview.preview(parts, caller.id, case, lang=lang)}


@router.post("/cases/{case}/preview", summary="See what each agency would receive if ...")
def suppose(case: str, asked: Supposed, parts: HeldParts, caller: Previewer) -> dict[str, Any]:
    """As if all that were so; nothing is recorded but the look. Unmasked only as far as the caller may know it."""
    supposed = preview.Supposed(asked.given, asked.withdrawn, asked.verified, asked.suspects, asked.on)
    unmask = preview.Unmask(asked.unmask.agency, asked.unmask.purpose) if asked.unmask else None
    return {"agencies": preview.preview(parts, caller.id, case, supposed, lang=asked.lang, unmask=unmask)}


@router.get("/cases/{case}/decisions", summary="List the decisions about a child")
def list_decisions(case: str, parts: HeldParts, caller: Explainer) -> dict[str, Any]:
    """Rows of the ledger that keep a decision, the oldest first; the look is audited."""
    return {"decisions": explaining.decisions(parts, caller.id, case)}


@router.get("/audit/{record}/explanation", summary="Explain a decision")
def explain(
    record: str, parts: HeldParts, caller: Explainer, lang: Lang | None = None, audience: Audience = "administrator"
) -> dict[str, Any]:
    """What left, what did not, why, and what would have altered it; or what a recipient may hear."""
    return explaining.explain(parts, caller.id, record, lang or parts.settings.lang, audience)


@router.post("/cases/{case}/close", summary="Close a case")
def close(case: str, parts: HeldParts, caller: Ender) -> Ending:
    """One of the two persons that it takes; consents of the case end with it."""
    return closing.close(parts, caller.id, case)


@router.post("/cases/{case}/reopen", summary="Open a closed case again")
def reopen(case: str, parts: HeldParts, caller: Ender) -> Ending:
    """One of the two persons that it takes."""
    return closing.reopen(parts, caller.id, case)


@router.post("/cases/{case}/erase", summary="Erase a closed case for good")
def erase(case: str, parts: HeldParts, caller: Ender) -> Ending:
    """One of the two persons that it takes; afterwards nothing said of the child can be read again by anyone."""
    return closing.erase(parts, caller.id, case)


@router.post("/matches/{task}", summary="Decide whose record it is")
def resolve_match(task: str, asked: SameAs, parts: HeldParts, caller: Matcher) -> Found:
    """Link to a known child, or make it a child of its own; then what was held goes on."""
    return casework.resolve_match(parts, caller.id, task, asked.same_as)


@router.post("/persons/{person}/unlink", summary="Undo a link")
def unlink(person: str, parts: HeldParts, caller: Matcher) -> Found:
    """What the link had moved goes back."""
    return casework.unlink(parts, caller.id, person)


def _shown(found: Withdrawing, response: Response) -> Withdrawing:
    """202 with the place to follow while something is under way; 200 once effective, or when it does not count."""
    if not found.counts:
        response.status_code = 200
        return found
    response.headers["location"] = f"/withdrawals/{found.id}"
    response.status_code = 202 if found.effective_at is None else 200
    if found.effective_at is None:
        response.headers["retry-after"] = "1"
    return found
