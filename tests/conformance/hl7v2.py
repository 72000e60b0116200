"""The public HL7 v2 samples."""

from __future__ import annotations

from tests.conformance.suite import Case, Suite

FOLDER = "health/hl7v2"
DEEP = 90.0
"""Least share for the types that hospitals send the hub first."""

FILES = {
    "ADT-A01-01.hl7": 80.0,
    "ADT-A03-01.hl7": 80.0,
    "ADT-A04-01.hl7": DEEP,
    "ADT-A08-01.hl7": DEEP,
    "ADT-A31-01.hl7": 80.0,
    "ADT-A40-01.hl7": 80.0,
    "ADT04-28.hl7": DEEP,
    "IZ_1_1.1_Admin_Child_Max_Message.hl7": 80.0,
    "LAB-ORU-1.hl7": DEEP,
    "MDM-T02-01.hl7": DEEP,
    "MDM_01.hl7": 80.0,
    "OML-O21-01.hl7": 80.0,
    "ORM-O01-01.hl7": 80.0,
    "ORU-R01-01.hl7": DEEP,
    "REF-I12-01.hl7": DEEP,
    "SIU-S12-01.hl7": 80.0,
}

SUITES = [
    Suite(
        title="health/hl7v2",
        pack="health/hl7v2",
        claim="By MSH-9, never by the file's name: every file translates to a valid bundle with at least 80 % of the "
        f"fields of mapped segments, ORU^R01, MDM^T02, ADT^A04, ADT^A08 and REF^I12 with {DEEP:.0f} %.",
        cases=[Case(name, (f"{FOLDER}/{name}",), least=least) for name, least in FILES.items()],
    )
]
