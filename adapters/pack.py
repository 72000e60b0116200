"""What a pack promises: read an agency's bytes into canonical bundles, write a bundle in the agency's words.

The values here are the seam between translation and the hub; :class:`Pack` is the contract, implemented once, by the
row engine, for every folder of pack data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from consent.vocabulary import Event

Bundle = dict[str, Any]
"""A FHIR R4 message Bundle as parsed JSON; decimals are :class:`decimal.Decimal`."""


class LossKind(StrEnum):
    """What happened to a leaf that does not arrive as it left."""

    DROP = "drop"
    NORMALISE = "normalise"
    MERGE = "merge"
    DEFAULT = "default"


DELETES: Final = "says delete; what was told before stays on record"
"""Why of a loss that is a wish to delete: HL7's ``""``, a JSON null (docs/decisions/0020)."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One leaf that the other side will not see as it was; never holds the value."""

    place: str
    kind: LossKind
    why: str


@dataclass(frozen=True, slots=True)
class Deviation:
    """A tolerated departure from the agreed format (a BOM, a wrong charset or version)."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a translation may know beside the message: it reads no clock and makes no chance."""

    at: datetime
    """Aware; the moment of receipt or of writing."""
    agency: str = ""
    """Registry id of who speaks (read) or is spoken to (write)."""
    id_key: bytes = b"\0" * 32
    """Key of the HMACs that make every ``fullUrl``."""
    dialect: str = ""
    zone: str = "Asia/Ho_Chi_Minh"
    """Zone of times that state none."""
    header: Mapping[str, str] = field(default_factory=dict)
    """Header leaves for the way out: ``sender``, ``sender-facility``, ``recipient``, ``recipient-facility``,
    ``message-id``, ``replaces`` (an earlier message id), ``processing`` (P, T, D)."""
    salt: bytes = b""
    """Stands for the message's hash in the ids of resources without a key (so that a test can read a message again)."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a message says about itself, readable before anything is mapped."""

    type: str
    """In the sender's terms: ``ORU^R01``, ``ForensicExamRequest``, ``Bundle/message``."""
    key: str
    """The sender's own message key (MLLP: MSH-3, -4 and -10; XML/JSON: its message id); "" if it has none."""
    event: Event | None = None
    version: str = ""
    charset: str = "utf-8"
    dialect: str = ""
    accept_ack: str = ""
    """MSH-15 as sent ("" = original mode)."""
    application_ack: str = ""
    """MSH-16 as sent."""
    answers: str = ""
    """The message key that this one answers (MSA-2), if any."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Header leaves by name, as in :attr:`Context.header`, for replies."""


@dataclass(frozen=True, slots=True)
class Strand:
    """One child's part of a message."""

    bundle: Bundle
    leaves: Mapping[str, str] = field(default_factory=dict)
    """That child's own source leaves, place -> raw text; the residual is derived from them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message as understood: one strand for each child, or one without a Patient when nobody is named."""

    head: Head
    strands: tuple[Strand, ...]
    deviations: tuple[Deviation, ...] = ()
    loss: Sequence[Loss] = ()
    """May be found only when asked for (:class:`adapters.mapping.residual.Losses`)."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A bundle as said in the agency's format."""

    raw: bytes
    media_type: str
    type: str
    """In the recipient's terms."""
    key: str
    """The message key that its answer will name."""
    loss: tuple[Loss, ...] = ()


class Pack(Protocol):
    """One format, both directions."""

    @property
    def id(self) -> str:
        """``<sector>/<pack>``."""

    @property
    def version(self) -> str:
        """From the manifest."""

    @property
    def hash(self) -> str:
        """SHA-256 over the pack's data files; goes into Provenance."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """Media types that its bodies are accepted under, the first one written."""

    def writes(self, event: Event) -> bool:
        """Whether this pack can say a message of this event."""

    def split(self, raw: bytes) -> tuple[bytes, ...]:
        """The messages of a batch of this format, in order; none of what is no batch.

        Raises :class:`adapters.errors.Malformed` when the batch is not whole.
        """

    def head(self, raw: bytes, context: Context) -> Head:
        """Read the header only.

        Raises :class:`adapters.errors.Malformed` or :class:`adapters.errors.Unsupported`.
        """

    def read(self, raw: bytes, context: Context) -> Reading:
        """Read a whole message.

        Raises a :class:`adapters.errors.Refusal` that names the place in the sender's terms.
        """

    def write(self, bundle: Bundle, context: Context) -> Writing:
        """Say `bundle` in this format; validates against the agreed schema.

        Raises :class:`adapters.errors.Unwritable`.
        """
