"""What a decision is asked, what it reads, and what it answers: frozen values, no behaviour.

    decide(disclosure, facts, policy, at, profile="hub") -> Decision
    release(bundle, decision) -> bundle

Everything is an argument, the time too (`at`, always aware). Two calls with equal arguments give equal answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from consent.vocabulary import Action, Basis, DataClass, Event, Purpose, Sector, View

# --- what is asked -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A FHIR Coding without its display."""

    system: str
    code: str


@dataclass(frozen=True, slots=True)
class Party:
    """An agency as a sender or recipient, with everything that a consent or rule can name it by."""

    id: str
    """Registry id."""
    sector: Sector | None = None
    unit: str = ""
    """Kind of unit, as the registry says it: ``ward-police``, ``investigators``, ``exam-unit``, ``shelter``, ..."""
    identifiers: tuple[Code, ...] = ()
    """Business identifiers as (system, value)."""
    references: tuple[str, ...] = ()
    """FHIR references that stand for it (``Organization/54``)."""
    roles: tuple[Code, ...] = ()
    parents: tuple[str, ...] = ()
    """Registry ids, references and ``system|value`` identifiers up the organisation tree, nearest first."""
    groups: tuple[str, ...] = ()
    """FHIR Group references that it is a member of."""
    officer: str = ""
    """Identifier of the named person who reads, where a cell says *sealed* or *named*."""
    alternate_for: tuple[str, ...] = ()
    """Registry ids of the linked units that this party is spoken to instead of (R40)."""
    person: bool = False
    """A person of the family, no agency: `id` is that person's opaque id (R41)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that may leave or stay: a resource, or an element of it that carries its own inline label."""

    place: str
    """``fullUrl`` of the resource; ``fullUrl#path`` (dotted, indices in brackets) for an element."""
    data_class: DataClass | None
    """None leaves on no ground."""
    labels: frozenset[str] = frozenset()
    """Sensitivity, confidentiality and taint codes, the highest inherited."""
    type: str = ""
    """FHIR resource type."""
    codes: tuple[Code, ...] = ()
    """Every code that it can be matched by: what it is, and what kind of thing."""
    at: datetime | date | None = None
    """Clinical date where the resource has one."""
    author: str = ""
    """Registry id or reference of the agency that said it."""
    episode: str = ""
    refs: tuple[str, ...] = ()
    """Everything that the resource refers to, to any depth, by every name: it depends on these."""
    classes: tuple[DataClass, ...] = ()
    """Further classes that its reader named; the item needs a way through the cell of each of them."""
    names: tuple[str, ...] = ()
    """Other names of the resource than its place (``Observation/5``)."""
    cited_by: tuple[str, ...] = ()
    """Everything in the bundle that refers to the resource, to any depth, by every name: it is related to these."""
    authors: tuple[str, ...] = ()
    """References to whoever the resource says made it: performers, authors, recorders, senders."""
    kinds: tuple[Code, ...] = ()
    """Those of `codes` that say only what kind of thing it is (category, type): they name no sensitive thing (R26)."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One agency would be told these things about one person, for a purpose."""

    sender: Party
    recipient: Party
    person: str
    """Opaque person id."""
    case: str
    """Opaque id of the person's protection case."""
    event: Event | None
    purposes: frozenset[Purpose]
    """Empty = not stated, which is Indeterminate for a consent."""
    action: Action = Action.DISCLOSE
    items: tuple[Item, ...] = ()
    referral: str = ""
    """Opaque id of the referral (ServiceRequest) that this belongs to, if any."""
    requested: frozenset[DataClass] = frozenset()
    """Classes that the recipient asked for, if it asked."""
    classes: tuple[Code, ...] = ()
    """FHIR document types / classes named by the request, for ``provision.class``."""


# --- what is read --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FactRef:
    """Which version of which fact was read."""

    kind: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open period [start, end); None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether `at` lies inside."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


class Tie(StrEnum):
    """How a person is related to the child or to a suspect."""

    GUARDIAN = "guardian"
    HOUSEHOLD = "household"
    KIN = "kin"
    ASSOCIATE = "associate"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Relationship:
    """A recorded tie between two persons, or between a person and an agency (`STAFF`)."""

    ref: FactRef
    person: str
    """Opaque id of the related person."""
    tie: Tie
    to: str
    """Opaque id of the child, of another person, or the registry id of an agency."""
    role: str = ""
    """v3 RoleCode for a guardian: MTH, FTH, GUARD, ..."""
    may_consent: bool = True
    """False once an authority has limited the guardianship."""
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A person is a suspect in this case. One person may set it; `cleared_by` needs two."""

    ref: FactRef
    person: str
    set_by: str
    cleared_by: tuple[str, ...] = ()
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class NoContact:
    """A person may not contact or not represent the child (an order or a plan says so)."""

    ref: FactRef
    person: str
    bars_representation: bool = False
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class OrderItem:
    """What an order opens: every field stated narrows; `data_class` and `recipient` are required (R22)."""

    data_class: DataClass | None
    codes: tuple[Code, ...] = ()
    episode: str = ""
    period: Span = Span()
    recipient: str = ""
    """Registry id; "" is a missing field, which denies."""
    officer: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A court's, procuracy's or investigator's decision. It counts only when verified; never a Consent."""

    ref: FactRef
    number: str
    body: str
    """Registry id of the issuing body."""
    issued: date | None
    items: tuple[OrderItem, ...]
    span: Span = Span()
    entered_by: str = ""
    verified_by: str = ""
    """Administrator id of the second person who called back, or ``signature:KID``; "" = a claim."""
    revoked: bool = False
    outside_jurisdiction: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The child or a representative declines a service or a sharing (R16 and the precedence of `domain.md`)."""

    ref: FactRef
    by: str
    """Opaque person id; the child's own id for the child."""
    service: str = ""
    recipient: str = ""
    """Registry id; "" = everyone."""
    data_class: DataClass | None = None
    """None = every class."""
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class TeamMember:
    """An agency that works on the case, with the purposes that its work gives it."""

    ref: FactRef
    agency: str
    role: str = ""
    """``owner``, ``examiner``, ``shelter``, ``case-owner``, ``receiver``, ..."""
    officer: str = ""
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class Treating:
    """A recorded treating relationship in this episode (basis T)."""

    ref: FactRef
    agency: str
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class Plan:
    """A recorded, dated protection plan (basis D): who may be told what for it."""

    ref: FactRef
    agencies: tuple[str, ...]
    data_classes: frozenset[DataClass] = frozenset()
    """Empty = whatever the matrix gives on basis D."""
    approved_by: str = ""
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class Emergency:
    """An asserted immediate danger (R20) or a break-glass (R21); judged as basis V."""

    ref: FactRef
    agency: str
    reason: str
    kind: str = "vital"
    """``vital`` or ``break-glass``."""
    officer: str = ""
    second_factor: bool = False
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class Report:
    """A mandatory report is due or was made in this case (basis R): to whom it is owed."""

    ref: FactRef
    agencies: tuple[str, ...]
    told: tuple[str, ...] = ()
    """Agencies already told of the case (R23)."""
    grave: bool = False
    """Grave danger or a crime, which R19 asks for at 16 and 17."""
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class OpenReferral:
    """Parties to a referral: what "own" and "F own" mean (data class `referral`)."""

    ref: FactRef
    id: str
    requester: str
    performer: str
    state: str
    order_number: str = ""
    data_classes: frozenset[DataClass] = frozenset()
    """What the requester asked for."""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Authority:
    """A data-protection authority's stop (R35), or an approved override (R29)."""

    ref: FactRef
    kind: str
    """``stop`` or ``override``."""
    legal_basis: str = ""
    reason: str = ""
    requested_by: str = ""
    approved_by: str = ""
    agency: str = ""
    data_classes: frozenset[DataClass] = frozenset()
    span: Span = Span()


class AgreedBy(StrEnum):
    """Whose act a consent is."""

    CHILD = "child"
    REPRESENTATIVE = "representative"


@dataclass(frozen=True, slots=True)
class ConsentFact:
    """A stored consent: the FHIR resource as it was recorded, and what the hub knows about the act.

    `resource` is a FHIR R4 Consent (R5 shapes are read too); `profile` names how its corners are read.
    """

    ref: FactRef
    resource: Mapping[str, Any] = field(hash=False)
    given_by: str = ""
    """Opaque person id of who gave it."""
    as_: AgreedBy = AgreedBy.REPRESENTATIVE
    evidence: str = ""
    """Hash or id of the stored evidence; "" = none, and then it is not a consent (R12)."""
    given_at: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawn_by: str = ""
    """Opaque id of the person who withdrew; a barred person's withdrawal has no effect. "" = somebody who may."""
    suspended: bool = False
    """An agency reported a withdrawal; holds until reviewed."""
    replaced: bool = False
    """Explicitly and permanently replaced; never revives."""
    profile: str = "hub"
    tree: Any = field(default=None, compare=False, repr=False)
    """`resource` as compiled by :func:`consent.read_consent`, if the caller kept it; never a decision."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything recorded about one child's case that a decision may read, as of one epoch."""

    person: str
    birth_date: date | None = None
    birth_ref: FactRef | None = None
    match_certain: bool = True
    """False while a person has not resolved whose record it is (R33)."""
    relationships: tuple[Relationship, ...] = ()
    suspicions: tuple[Suspicion, ...] = ()
    no_contacts: tuple[NoContact, ...] = ()
    orders: tuple[Order, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    team: tuple[TeamMember, ...] = ()
    treating: tuple[Treating, ...] = ()
    plans: tuple[Plan, ...] = ()
    emergencies: tuple[Emergency, ...] = ()
    reports: tuple[Report, ...] = ()
    referrals: tuple[OpenReferral, ...] = ()
    authorities: tuple[Authority, ...] = ()
    consents: tuple[ConsentFact, ...] = ()
    case_closed: datetime | None = None
    zone: str = "Asia/Ho_Chi_Minh"
    """IANA zone in which birthdays fall."""
    epoch: int = 0
    """Number of the last change of these facts; checked again when the attempt is recorded."""


# --- what is answered ----------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """Overall answer; everything but PERMIT lets nothing leave."""

    PERMIT = "PERMIT"
    DENY = "DENY"
    NO_CONSENT = "NO_CONSENT"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a reason code, the rule or clause that decided, where the rule comes from, and what it read."""

    code: str
    """Stable, e.g. ``R26-needs-explicit-ground``; texts in both languages live in policy data."""
    rule: str
    """``R8``, ``matrix:police/medical-exam``, ``Consent/<id>#provision.provision[0]``."""
    citation: str = ""
    policy_version: str = ""
    read: tuple[FactRef, ...] = ()


class ObligationKind(StrEnum):
    """Duties that go with what leaves."""

    REDACT = "redact"
    PSEUDONYMISE = "pseudonymise"
    NO_REDISCLOSURE = "no-redisclosure"
    DELETE_BY = "delete-by"
    NOTIFY = "notify"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One duty; `codes` and `except_any_of` are the LEAP / IHE PCF parameters."""

    kind: ObligationKind
    codes: tuple[Code, ...] = ()
    except_any_of: tuple[Code, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Residual:
    """What the consents leave permitted or forbidden by label, in IHE PCF form."""

    type: str
    """``permit`` or ``forbid``."""
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much of one item may leave, as which projection, on what ground."""

    place: str
    view: View
    projection: str = ""
    """Name of the projection in the policy data; "" for NONE, and for FULL without a schema."""
    basis: Basis | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """Work that a decision raises for a person: a review, an alarm, another representative to seek."""

    kind: str
    reason: str
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `verdicts` lists every item asked about; only those with a view above NONE may leave."""

    outcome: Outcome
    verdicts: tuple[Verdict, ...]
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...] = ()
    residual: tuple[Residual, ...] = ()
    tasks: tuple[Task, ...] = ()
    alarms: tuple[str, ...] = ()
    """Codes such as ``order-opens-absolute-never``: the delivery parks (rule: `domain.md`, Orders)."""
    redirect: str = ""
    """``alternate`` when the receiving unit is linked to a suspect and must be bypassed (R40)."""
    policy_version: str = ""
    read: tuple[FactRef, ...] = ()
    input_hash: str = ""
    """SHA-256 of the canonical form of all arguments."""
    projections: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Projection name -> element paths that it keeps, so that `release` needs nothing but the decision."""
    notice: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The constant notice (language -> text) that goes with everything that leaves."""

    @property
    def leaves(self) -> bool:
        """Whether anything may leave."""
        return self.outcome is Outcome.PERMIT
