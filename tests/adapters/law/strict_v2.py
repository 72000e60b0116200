"""Whether HL7 v2 bytes that a pack wrote are strictly 2.5.1: hl7apy at its STRICT level, but for what is no fault, and
the standard's own segment grammars, since hl7apy lets a segment stand where a message has none."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from typing import Final

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.exceptions import HL7apyException, MaxLengthReached, ValidationError
from hl7apy.parser import parse_message

from adapters.codecs import er7
from adapters.errors import Malformed
from adapters.mapping.structure import fold, grammar

EXCEPTIONS: Final = {
    r"Warning: Value .* not in table .*": "a word of a table that its site may extend (2.5.3.6) or that holds patterns "
    "(HL7nnnn and 99zzz of 0396), a datatype in OBX-2 (any but CM, CQ, SI and ID: 7.4.2.2), or a code as it was sent",
    r"Warning: Exceeded max length .*": "lengths are negotiated by the site (2.5.3.2); a value is never cut",
}
"""What hl7apy reports and is no fault, and why. Two more: a value that is longer than its datatype's length is
shortened before it parses; HL7's null (2.5.3.4), which it takes for a wrong date, is a date for it in PR1-5."""

_KNOWN: Final = re.compile("|".join(EXCEPTIONS))
_NULL_DATE: Final = re.compile(r'^(PR1\|(?:[^|\r]*\|){4})""')

GRAMMARS: Final = {
    "ADT_A01": "MSH SFT* EVN PID PD1? ROL* NK1* PV1 PV2? DB1* OBX* AL1* DG1* DRG? PROCEDURE(PR1 ROL*)* GT1* "
    "INSURANCE(IN1 IN2? IN3*)* ACC? UB1? UB2? PDA?",
    "ORU_R01": "MSH SFT* PATIENT_RESULT(PATIENT(PID PD1? NTE* NK1* VISIT(PV1 PV2?)?)? "
    "ORDER(ORC? OBR NTE* TIMING(TQ1 TQ2*)* CTD? OBSERVATION(OBX NTE*)* FT1* CTI* SPECIMEN(SPM OBX*)*)+)+ DSC?",
    "MDM_T02": "MSH SFT* EVN PID PV1 ORDER(ORC? TIMING(TQ1 TQ2*)* OBR NTE*)* TXA OBSERVATION(OBX NTE*)+",
    "REF_I12": "MSH SFT* RF1? AUTHORIZATION(AUT CTD?)? PROVIDER(PRD CTD*)+ PID NK1* GT1* INSURANCE(IN1 IN2? IN3?)* "
    "ACC? DG1* DRG* AL1* PROCEDURE(PR1 AUTHORIZATION(AUT CTD?)?)* RESULTS(OBR NTE* OBSERVATION(OBX NTE*)*)* "
    "VISIT(PV1 PV2?)? NTE*",
    "RRI_I12": "MSH SFT* MSA? RF1? AUTHORIZATION(AUT CTD?)? PROVIDER(PRD CTD*)+ PID ACC? DG1* DRG* AL1* "
    "PROCEDURE(PR1 AUTHORIZATION(AUT CTD?)?)* RESULTS(OBR NTE* OBSERVATION(OBX NTE*)*)* VISIT(PV1 PV2?)? NTE*",
}
"""The message structures of 2.5.1 (chapters 3, 7, 9 and 11) that are written here; ZRC_Z01 is our own and has none."""


def strict_faults(raw: bytes) -> Iterator[str]:
    """Each fault in one line; none of a message that is strictly 2.5.1. Holds values: for tests only."""
    text = raw.decode("utf-8")
    structure = text.split("|", 9)[8].split("^")[2]
    if structure not in GRAMMARS:
        return
    yield from _misplaced(raw, structure)
    try:
        message = _parsed(text)
    except (HL7apyException, ValueError) as fault:
        yield f"{type(fault).__name__}: {fault}"
        return
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as report:
        with contextlib.suppress(ValidationError):  # the first of the report
            message.validate(report_file=report.name)
        yield from (line for line in report.read().splitlines() if line and not _KNOWN.fullmatch(line))


def _misplaced(raw: bytes, structure: str) -> Iterator[str]:
    rules, tree = grammar(GRAMMARS[structure]), er7.parse(raw).tree
    assert isinstance(tree, er7.Message)
    yield from (f"{structure} has no {name}" for name in {one.name for one in tree.segments} - rules.known)
    try:
        fold(tree, rules)
    except Malformed as fault:
        yield f"{structure}: {fault.place} {fault.why}"


def _parsed(text: str) -> Message:
    text = "\r".join(_NULL_DATE.sub(r"\g<1>2000", line) for line in text.split("\r"))
    while True:
        try:
            return parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
        except MaxLengthReached as fault:
            value, most = str(fault.value), int(fault.limit)
            shorter = text.replace(value, value[:most].replace("\\", ""))
            if shorter == text:
                raise
            text = shorter
