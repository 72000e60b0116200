"""What the registry says about one agency: a validated document, imported from YAML, kept in versions."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import import_key
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from consent.model import Code, Party
from consent.vocabulary import Sector

AgencyId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
"""Lower-case letters, digits and hyphens: it stands in URLs, logs and audit rows."""

PackId = Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _zoned(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("a time needs its zone, e.g. 2026-07-01T00:00:00+07:00")
    return value


class Titles(_Entry):
    """The agency's name in both languages."""

    vi: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


class Identifier(_Entry):
    """A business identifier."""

    system: str = Field(min_length=1)
    value: str = Field(min_length=1)


class RoleCode(_Entry):
    """A role by which a consent may name it."""

    system: str = ""
    code: str = Field(min_length=1)


class Packs(_Entry):
    """Which formats it speaks."""

    in_: tuple[PackId, ...] = Field(default=(), alias="in")
    """Formats it sends, the usual one first."""
    out: PackId | None = None
    """The one format that it is written to in; None = it is told nothing."""
    dialect: str = ""
    """Dialect to write in, where its pack has several."""


class Webhook(_Entry):
    """Messages go to its HTTPS address, signed with a secret that only it and the hub can compute."""

    type: Literal["webhook"]
    url: str = Field(pattern=r"^https?://[^\s@#]+$")
    """The exact address; redirects are never followed. ``http`` only on loopback."""
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that the name may resolve to; empty = any public address, or loopback if the URL says so."""
    private: bool = False
    """Whether private ranges are meant."""
    secret_version: int = Field(default=1, ge=1)
    """Raised to change the signing secret (``hub agency secret``)."""


class MllpOut(_Entry):
    """Messages go to its MLLP listener."""

    type: Literal["mllp"]
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    plaintext: bool = False
    """No TLS; on loopback not needed to say."""
    ca: str = ""
    """PEM of who signs its certificate; empty = HUB_MLLP_TLS_CA."""


class Inbox(_Entry):
    """It fetches and acknowledges."""

    type: Literal["inbox"]


Out = Annotated[Webhook | MllpOut | Inbox, Field(discriminator="type")]


class MllpIn(_Entry):
    """How its MLLP messages are known to be its own: names in MSH and, off loopback, its certificate."""

    application: str = Field(min_length=1)
    """MSH-3, first component."""
    facility: str = ""
    """MSH-4, first component; empty = not looked at."""
    certificate: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of its client certificate (DER, lower-case hex)."""
    plaintext: bool = False
    """It can do no TLS: reported at each start, and fails ``hub doctor``."""
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    """Source addresses; needed with `plaintext`."""

    @model_validator(mode="after")
    def _plaintext_is_pinned(self) -> MllpIn:
        if self.plaintext and not self.addresses:
            raise ValueError("plaintext needs the source addresses")
        return self


class Transports(_Entry):
    """How it reaches the hub and is reached."""

    mllp: MllpIn | None = None
    """It may send by MLLP. Any agency with a key may send over HTTPS."""
    out: Out | None = None

    @property
    def fetches(self) -> bool:
        """Whether it is told by fetching from its inbox."""
        return self.out is not None and self.out.type == "inbox"


class Jwks(_Entry):
    """Its public keys."""

    keys: tuple[dict[str, Any], ...] = ()

    @field_validator("keys")
    @classmethod
    def _public_signing_keys(cls, keys: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for key in keys:
            if key.get("kty") not in ("RSA", "EC"):
                raise ValueError("a key must be RSA or EC")
            if "d" in key:
                raise ValueError("this is a private key: register the public half only, and make a new pair")
            if not key.get("kid"):
                raise ValueError("each key needs a kid")
            try:
                import_key(key)
            except (JoseError, ValueError, KeyError, TypeError):
                raise ValueError("this is not a JWK") from None
        if len({key["kid"] for key in keys}) != len(keys):
            raise ValueError("two keys have the same kid")
        return keys


class Officer(_Entry):
    """A person of the agency to whom what is sealed may be handed, and who passes it on to nobody.

    Known by the number that an order names them by, never by a name.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,15}$")
    jwks: Jwks = Jwks()
    """The officer's own public keys, with which they fetch from the agency's inbox what is for them alone."""
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @field_validator("valid_from", "valid_to")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        return _zoned(value)

    def in_force(self, at: datetime) -> bool:
        """Whether the officer serves there at `at`."""
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)


class Agency(_Entry):
    """A legal body that speaks and listens."""

    id: AgencyId
    sector: Sector
    unit: str = Field(pattern=r"^[a-z0-9-]+$", max_length=60)
    """Kind of unit: ``exam-unit``, ``ward-police``, ``investigators``, ``shelter``, ``school``, ..."""
    titles: Titles
    identifiers: tuple[Identifier, ...] = ()
    references: tuple[str, ...] = ()
    """FHIR references that stand for it beside ``Organization/<id>``."""
    roles: tuple[RoleCode, ...] = ()
    parents: tuple[str, ...] = ()
    """Registry ids or FHIR references up its organisation, nearest first."""
    groups: tuple[str, ...] = ()
    application: str = ""
    """Its name in a message header when it is spoken to (MSH-5); default its id."""
    facility: str = ""
    """MSH-6."""
    packs: Packs = Packs()
    transports: Transports = Transports()
    routes: tuple[str, ...] = ()
    """Names of the standing routes on which it is offered messages."""
    alternate: AgencyId | None = None
    """Who is told instead when it is linked to a suspect (R40)."""
    contact: str = ""
    """Where its technicians are reached about quarantined messages; never content."""
    jwks: Jwks = Jwks()
    officers: tuple[Officer, ...] = ()
    """To whom the agency hands what is marked to their attention, and to nobody else (sealed, named officer)."""
    scopes: tuple[str, ...] = ()
    """The most it may ever ask for over FHIR (``system/Patient.rs``)."""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    successor: AgencyId | None = None
    """Who takes its place after `valid_to` (R37)."""

    @field_validator("valid_from", "valid_to")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        return _zoned(value)

    @field_validator("officers")
    @classmethod
    def _told_apart(cls, officers: tuple[Officer, ...]) -> tuple[Officer, ...]:
        if len({one.id for one in officers}) != len(officers):
            raise ValueError("two officers have the same id")
        return officers

    @model_validator(mode="after")
    def _keys_are_their_own(self) -> Agency:
        """A key that the agency or a colleague holds too would not tell who fetches."""
        sets = (self.jwks, *(one.jwks for one in self.officers))
        held = [import_key(key).thumbprint() for each in sets for key in each.keys]
        if self.officers and len(set(held)) != len(held):
            raise ValueError("an officer's key is the officer's alone, not the agency's or another officer's")
        return self

    @model_validator(mode="after")
    def _reachable_and_not_its_own_stand_in(self) -> Agency:
        if self.id in (self.alternate, self.successor):
            raise ValueError("an agency cannot stand in for itself")
        if (self.transports.out is None) != (self.packs.out is None):
            raise ValueError("packs.out and transports.out are given together or not at all")
        if self.transports.mllp is not None and not self.packs.in_:
            raise ValueError("a sender by MLLP needs packs.in")
        return self

    def in_force(self, at: datetime) -> bool:
        """Whether it exists at `at`."""
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    def officer(self, officer_id: str, at: datetime) -> Officer | None:
        """The officer of that number who serves there at `at`, if the entry lists one."""
        return next((one for one in self.officers if one.id == officer_id and one.in_force(at)), None)

    def hands_to(self, officer_id: str, at: datetime) -> bool:
        """Whether a message can reach that officer and nobody else of the agency.

        A webhook's receiver has promised it by listing the officer; an inbox needs the officer's own key; MLLP has no
        place that says for whom a message is.
        """
        found, out = self.officer(officer_id, at), self.transports.out
        if found is None or out is None:
            return False
        return out.type == "webhook" or (out.type == "inbox" and bool(found.jwks.keys))

    def title(self, lang: str) -> str:
        """Its name in `lang` (vi or en)."""
        return self.titles.en if lang == "en" else self.titles.vi

    def document(self) -> dict[str, Any]:
        """Plain JSON, as stored and as given to transports; what is not stated is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def party(self) -> Party:
        """The agency as a decision sees it."""
        return Party(
            id=self.id,
            sector=self.sector,
            unit=self.unit,
            identifiers=tuple(Code(one.system, one.value) for one in self.identifiers),
            references=(f"Organization/{self.id}", *self.references),
            roles=tuple(Code(one.system, one.code) for one in self.roles),
            parents=self.parents,
            groups=self.groups,
        )
