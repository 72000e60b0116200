"""What each kind of fact holds, checked when it is recorded, and how a decision reads it.

A body names persons by opaque ids (the child's, or a related person's of the case) and agencies by registry id. What
the hub itself keeps about the act (`set_by`, `cleared_by`, `entered_by`, ...) is never taken from outside.
"""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from consent import model
from consent.model import Code, FactRef, Span, Tie
from consent.vocabulary import DataClass
from hub.errors import Fault, Invalid


class Body(BaseModel):
    """Any fact: the period in which it holds, half-open, open where not stated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    kept: ClassVar[frozenset[str]] = frozenset()
    """Fields that only the hub sets."""

    @property
    def span(self) -> Span:
        """When it holds."""
        return Span(self.start, self.end)

    def persons(self) -> tuple[str, ...]:
        """Opaque ids of the persons it speaks of."""
        return ()

    def agencies(self) -> tuple[str, ...]:
        """Registry ids that it names."""
        return ()


class BirthDate(Body):
    """When the child was born, as an administrator found it proven."""

    date: date


class Tied(Body):
    """A person lives with, is kin to, or is an associate of the child or of another person of the case."""

    person: str
    to: str = ""
    """"" = the child."""

    def persons(self) -> tuple[str, ...]:
        """Both ends."""
        return (self.person, self.to) if self.to else (self.person,)

    def read(self, ref: FactRef, child: str) -> model.Relationship:
        """As a decision reads it."""
        return model.Relationship(ref, self.person, Tie(ref.kind), self.to or child, span=self.span)


class Guardian(Tied):
    """Who may act for the child, and whether an authority has limited that."""

    role: str = Field(default="GUARD", pattern=r"^[A-Z]{2,12}$")
    """v3 RoleCode: MTH, FTH, GUARD, ..."""
    may_consent: bool = True

    def read(self, ref: FactRef, child: str) -> model.Relationship:
        """As a decision reads it."""
        to = self.to or child
        return model.Relationship(ref, self.person, Tie.GUARDIAN, to, self.role, self.may_consent, self.span)


class Staff(Body):
    """A person works for an agency."""

    person: str
    agency: str

    def persons(self) -> tuple[str, ...]:
        """Who works there."""
        return (self.person,)

    def agencies(self) -> tuple[str, ...]:
        """Where."""
        return (self.agency,)

    def read(self, ref: FactRef, _child: str) -> model.Relationship:
        """As a decision reads it."""
        return model.Relationship(ref, self.person, Tie.STAFF, self.agency, span=self.span)


class Suspect(Body):
    """A person is a suspect in this case. One person sets it, clearing takes two."""

    person: str
    set_by: str = ""
    cleared_by: tuple[str, ...] = ()

    kept: ClassVar = frozenset({"set_by", "cleared_by"})

    def persons(self) -> tuple[str, ...]:
        """The suspect."""
        return (self.person,)

    def read(self, ref: FactRef, _child: str) -> model.Suspicion:
        """As a decision reads it."""
        return model.Suspicion(ref, self.person, self.set_by, self.cleared_by, self.span)


class NoContact(Body):
    """A person may not contact, or not represent, the child."""

    person: str
    bars_representation: bool = False

    def persons(self) -> tuple[str, ...]:
        """Who may not."""
        return (self.person,)

    def read(self, ref: FactRef, _child: str) -> model.NoContact:
        """As a decision reads it."""
        return model.NoContact(ref, self.person, self.bars_representation, self.span)


class OrderItem(Body):
    """One thing that an order opens. A missing field is kept as missing: it denies (R22)."""

    data_class: DataClass | None = None
    codes: tuple[tuple[str, str], ...] = ()
    """(system, code)."""
    episode: str = ""
    recipient: str = ""
    officer: str = ""

    def agencies(self) -> tuple[str, ...]:
        """To whom."""
        return (self.recipient,) if self.recipient else ()

    def item(self) -> model.OrderItem:
        """As a decision reads it."""
        codes = tuple(Code(system, code) for system, code in self.codes)
        return model.OrderItem(self.data_class, codes, self.episode, self.span, self.recipient, self.officer)


class Order(Body):
    """A court's, procuracy's or investigator's decision; a claim until a second person or a signature verified it."""

    number: str = Field(min_length=1)
    body: str = Field(min_length=1)
    issued: date | None = None
    items: tuple[OrderItem, ...] = ()
    revoked: bool = False
    outside_jurisdiction: bool = False
    entered_by: str = ""
    verified_by: str = ""

    kept: ClassVar = frozenset({"entered_by", "verified_by"})

    def agencies(self) -> tuple[str, ...]:
        """Who decided, and to whom it opens."""
        return (self.body, *(each for item in self.items for each in item.agencies()))

    def read(self, ref: FactRef, _child: str) -> model.Order:
        """As a decision reads it."""
        items = tuple(item.item() for item in self.items)
        acts = (self.entered_by, self.verified_by, self.revoked, self.outside_jurisdiction)
        return model.Order(ref, self.number, self.body, self.issued, items, self.span, *acts)


class Refusal(Body):
    """The child or a representative declines a service or a sharing."""

    by: str
    service: str = ""
    recipient: str = ""
    data_class: DataClass | None = None

    def persons(self) -> tuple[str, ...]:
        """Who declines."""
        return (self.by,)

    def agencies(self) -> tuple[str, ...]:
        """Towards whom."""
        return (self.recipient,) if self.recipient else ()

    def read(self, ref: FactRef, _child: str) -> model.Refusal:
        """As a decision reads it."""
        return model.Refusal(ref, self.by, self.service, self.recipient, self.data_class, self.span)


class Team(Body):
    """An agency works on the case."""

    agency: str
    role: str = ""
    officer: str = ""

    def agencies(self) -> tuple[str, ...]:
        """The member."""
        return (self.agency,)

    def read(self, ref: FactRef, _child: str) -> model.TeamMember:
        """As a decision reads it."""
        return model.TeamMember(ref, self.agency, self.role, self.officer, self.span)


class Treating(Body):
    """An agency treats the child in this episode."""

    agency: str

    def agencies(self) -> tuple[str, ...]:
        """Who treats."""
        return (self.agency,)

    def read(self, ref: FactRef, _child: str) -> model.Treating:
        """As a decision reads it."""
        return model.Treating(ref, self.agency, self.span)


class Plan(Body):
    """A protection plan: who may be told what for it. One without an approval is none."""

    members: tuple[str, ...] = Field(min_length=1)
    """Registry ids."""
    data_classes: frozenset[DataClass] = frozenset()
    approved_by: str = Field(min_length=1)
    """Administrator id or office of who approved it."""

    def agencies(self) -> tuple[str, ...]:
        """Its members."""
        return self.members

    def read(self, ref: FactRef, _child: str) -> model.Plan:
        """As a decision reads it."""
        return model.Plan(ref, self.members, self.data_classes, self.approved_by, self.span)


class Emergency(Body):
    """An asserted immediate danger."""

    agency: str
    reason: str = Field(min_length=1)
    kind: Literal["vital", "break-glass"] = "vital"
    officer: str = ""
    second_factor: bool = False

    def agencies(self) -> tuple[str, ...]:
        """Who responds."""
        return (self.agency,)

    def read(self, ref: FactRef, _child: str) -> model.Emergency:
        """As a decision reads it."""
        told = (self.agency, self.reason, self.kind, self.officer, self.second_factor)
        return model.Emergency(ref, *told, self.span)


class Report(Body):
    """A mandatory report is due or was made, and to whom it is owed."""

    owed_to: tuple[str, ...] = Field(min_length=1)
    told: tuple[str, ...] = ()
    grave: bool = False
    """Grave danger or a crime (R19)."""

    def agencies(self) -> tuple[str, ...]:
        """All it names."""
        return (*self.owed_to, *self.told)

    def read(self, ref: FactRef, _child: str) -> model.Report:
        """As a decision reads it."""
        return model.Report(ref, self.owed_to, self.told, self.grave, self.span)


class Authority(Body):
    """A data-protection authority's stop, or an override that takes an approver who did not ask for it."""

    kind: Literal["stop", "override"]
    legal_basis: str = ""
    reason: str = ""
    agency: str = ""
    data_classes: frozenset[DataClass] = frozenset()
    requested_by: str = ""
    approved_by: str = ""

    kept: ClassVar = frozenset({"requested_by", "approved_by"})

    def agencies(self) -> tuple[str, ...]:
        """Whom it concerns."""
        return (self.agency,) if self.agency else ()

    def read(self, ref: FactRef, _child: str) -> model.Authority:
        """As a decision reads it."""
        who = (self.requested_by, self.approved_by, self.agency)
        return model.Authority(ref, self.kind, self.legal_basis, self.reason, *who, self.data_classes, self.span)


class Consent(Body):
    """A FHIR Consent as recorded, who gave it, and the stored evidence of the act."""

    resource: dict[str, Any]
    given_by: str
    as_: model.AgreedBy = Field(alias="as")
    evidence: str = ""
    given_at: AwareDatetime | None = None
    profile: Literal["hub", "pcf", "leap-2020"] = "hub"
    withdrawn_at: AwareDatetime | None = None
    withdrawn_by: str = ""
    suspended: bool = False
    replaced: bool = False

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)
    kept: ClassVar = frozenset({"withdrawn_at", "withdrawn_by", "suspended", "replaced"})

    def persons(self) -> tuple[str, ...]:
        """Who gave it."""
        return (self.given_by,)

    def read(self, ref: FactRef, _child: str) -> model.ConsentFact:
        """As a decision reads it."""
        return model.ConsentFact(
            ref=ref,
            resource=self.resource,
            given_by=self.given_by,
            as_=self.as_,
            evidence=self.evidence,
            given_at=self.given_at,
            withdrawn_at=self.withdrawn_at,
            withdrawn_by=self.withdrawn_by,
            suspended=self.suspended,
            replaced=self.replaced,
            profile=self.profile,
        )


class Claim(Body):
    """What a message says beside its content: a consent, an order, a withdrawal, an emergency. Never a permission."""

    kind: str
    agency: str
    strand: str
    value: str = ""
    by: str = ""
    date: str = ""
    referral: str = ""
    settled_by: str = ""
    """Fact that an administrator made of it."""


class Withdrawal(Body):
    """Someone asked to end a consent; `counts` is False for a barred person (R8)."""

    consent: str
    by: str
    counts: bool
    said_at: AwareDatetime

    def persons(self) -> tuple[str, ...]:
        """Who asked."""
        return (self.by,)


KINDS: dict[str, type[Body]] = {
    "birth-date": BirthDate,
    "guardian": Guardian,
    "household": Tied,
    "kin": Tied,
    "associate": Tied,
    "staff": Staff,
    "suspect": Suspect,
    "no-contact": NoContact,
    "order": Order,
    "refusal": Refusal,
    "team": Team,
    "treating": Treating,
    "plan": Plan,
    "emergency": Emergency,
    "report": Report,
    "authority": Authority,
    "consent": Consent,
    "consent-claim": Claim,
    "order-claim": Claim,
    "withdrawal-claim": Claim,
    "emergency-claim": Claim,
    "withdrawal": Withdrawal,
}
"""Every kind of fact, and what it holds."""

BY_THE_HUB = frozenset({"consent-claim", "order-claim", "withdrawal-claim", "emergency-claim", "withdrawal"})
"""Kinds that no one records by hand."""


def read_body(kind: str, body: dict[str, Any]) -> Body:
    """A checked body. Raises :class:`hub.errors.Invalid`, naming places and never values."""
    if kind not in KINDS:
        raise Invalid("There is no such kind of fact.", faults=(Fault("kind", "unknown", "see the list of kinds"),))
    try:
        return KINDS[kind].model_validate(body)
    except ValidationError as error:
        faults = tuple(
            Fault(".".join(str(part) for part in each["loc"]) or "body", each["type"], each["msg"])
            for each in error.errors(include_input=False, include_context=False, include_url=False)
        )
        raise Invalid("The fact cannot be read.", faults=faults) from None
