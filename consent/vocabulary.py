"""The words that every room of the hub shares: purposes, labels, data classes, sectors, views, events.

Names are the standard's where a standard has them (FHIR R4, HL7 v3 ActReason, v3 Confidentiality, v3 ActCode);
the others are the project's code systems (design, `domain.md`). Adapters may import this module and nothing else
of `consent`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

HUB_BASE: Final = "https://hub.onestop.example/fhir"
"""Base of the project's own canonical addresses; a name, never fetched."""

DATA_CLASS_SYSTEM: Final = f"{HUB_BASE}/CodeSystem/data-class"
TAINT_SYSTEM: Final = f"{HUB_BASE}/CodeSystem/taint"
EVENT_SYSTEM: Final = f"{HUB_BASE}/CodeSystem/event"
REFERRAL_STATE_SYSTEM: Final = f"{HUB_BASE}/CodeSystem/referral-state"
REASON_SYSTEM: Final = f"{HUB_BASE}/CodeSystem/reason"
CONFIDENTIALITY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"

INLINE_LABEL_URL: Final = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
"""DS4P inline label: an extension on an element with one ``valueCoding`` a label (data class, sensitivity, taint)."""

ORIGINAL_CODE_URL: Final = f"{HUB_BASE}/StructureDefinition/original-code"
"""Extension that keeps a source code that a map does not know; only the pack that wrote it reads it back."""

CLAIM_URL: Final = f"{HUB_BASE}/StructureDefinition/claim"
"""Extension on MessageHeader: what the sender claims (a consent flag, a decision number); never a permission."""


class Sector(StrEnum):
    """The six kinds of agency; a column of the matrix each."""

    HEALTH = "health"
    POLICE = "police"
    COURT = "court"
    EDUCATION = "education"
    SOCIAL = "social"
    HOTLINE = "hotline"


class DataClass(StrEnum):
    """The seventeen rows of the matrix (design, `domain.md`, "Who may see what")."""

    DEMOGRAPHICS = "demographics"
    SAFETY_PLAN = "safety-plan"
    MEDICAL_EXAM = "medical-exam"
    FORENSIC = "forensic"
    MENTAL_HEALTH = "mental-health"
    SEXUAL_HEALTH = "sexual-health"
    PHOTOGRAPHS = "photographs"
    STATEMENT = "statement"
    SHELTER_LOCATION = "shelter-location"
    ATTENDANCE = "attendance"
    NARRATIVE = "narrative"
    REFERRAL = "referral"
    ALLEGATION = "allegation"
    SUPPORT_NEED = "support-need"
    COURT_ORDERS = "court-orders"
    REPORTER_IDENTITY = "reporter-identity"
    ALLEGED_PERPETRATOR = "alleged-perpetrator"


class View(StrEnum):
    """How much of an item may leave; `FULL` > `SUMMARY` > `FLAG` > `NONE`."""

    FULL = "full"
    SUMMARY = "summary"
    FLAG = "flag"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 for NONE to 3 for FULL, for comparison."""
        return _VIEW_RANK[self]


_VIEW_RANK: Final = {View.NONE: 0, View.FLAG: 1, View.SUMMARY: 2, View.FULL: 3}


class Basis(StrEnum):
    """The ground on which an item leaves; the letters are those of the matrix."""

    TREATMENT = "T"
    CONSENT = "C"
    DUTY = "D"
    ORDER = "P"
    REPORT = "R"
    VITAL = "V"
    OWN = "own"


class Purpose(StrEnum):
    """HL7 v3 ActReason codes in use."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    BTG = "BTG"
    CAREMGT = "CAREMGT"
    HLEGAL = "HLEGAL"
    THREAT = "THREAT"
    PUBHLTH = "PUBHLTH"
    PATRQT = "PATRQT"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"


class Sensitivity(StrEnum):
    """HL7 v3 ActCode sensitivity labels in use, each needing an explicit ground (R26)."""

    HIV = "HIV"
    PSY = "PSY"
    SDV = "SDV"
    STD = "STD"
    ETH = "ETH"


class Confidentiality(StrEnum):
    """HL7 v3 Confidentiality codes in use: normal, restricted, very restricted."""

    NORMAL = "N"
    RESTRICTED = "R"
    VERY_RESTRICTED = "V"


NO_REDISCLOSURE: Final = "NORDSCLCD"
"""v3 ActCode obligation put on everything that leaves (R27)."""


class Taint(StrEnum):
    """Labels that every derived value inherits."""

    SHELTER_LOCATION = "shelter-location"
    REPORTER_IDENTITY = "reporter-identity"


class Action(StrEnum):
    """FHIR consentaction codes (http://terminology.hl7.org/CodeSystem/consentaction)."""

    COLLECT = "collect"
    ACCESS = "access"
    USE = "use"
    DISCLOSE = "disclose"
    CORRECT = "correct"


class Event(StrEnum):
    """What a canonical message Bundle is about: the code of its MessageHeader."""

    EXAM_RECORD = "exam-record"
    REFERRAL_REQUEST = "referral-request"
    REFERRAL_STATUS = "referral-status"
    RESULT = "result"
    ORDER = "order"
    REPORT = "report"
    SCHOOL_SUPPORT = "school-support"
    SHELTER_TRANSFER = "shelter-transfer"
    APPOINTMENT = "appointment"
    RECORD = "record"
    QUERY = "query"
    IDENTITY = "identity"
    RECALL = "recall"


class ReferralState(StrEnum):
    """Canonical referral states, carried in ``Task.businessStatus`` (design, `domain.md`)."""

    REQUESTED = "requested"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    REJECTED = "rejected"
    DECLINED_BY_SURVIVOR = "declined-by-survivor"
    CANCEL_REQUESTED = "cancel-requested"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PARTIALLY_ACCEPTED = "partially-accepted"
