"""Second opinions on what packs say: other people's parsers and validators of HL7 v2, FHIR and agreed schemas."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import fhirkit
import hl7
from fhir.resources.R4B.bundle import Bundle as R4BBundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from pydantic import ValidationError

from adapters.errors import AdapterError, Unwritable
from adapters.mapping.bundles import BundlePack
from adapters.mapping.engine import RowPack
from adapters.pack import Bundle, Pack


def doubts(pack: Pack, type_: str, raw: bytes) -> Iterator[str]:
    """What others find wrong with bytes that a pack wrote."""
    if isinstance(pack, BundlePack):
        yield from fhir_doubts(json.loads(raw, parse_float=Decimal))
        return
    assert isinstance(pack, RowPack)
    message = next(message for message in pack.messages if message.type == type_)
    if message.schema is not None:
        try:
            message.schema.check_outbound(raw)
        except Unwritable as fault:
            yield f"breaks its agreed schema at {fault.place}"
    if pack.codec.name == "er7":
        yield from v2_doubts(raw)
    try:
        pack.codec.parse(raw)
    except AdapterError as fault:
        yield f"its own codec refuses it: {type(fault).__name__}"


def v2_doubts(raw: bytes) -> Iterator[str]:
    """What python-hl7 and hl7apy cannot parse, or parse into other segments than are there."""
    text = raw.decode("utf-8")
    lines = [line[:3] for line in text.split("\r") if line]
    if [str(segment[0]) for segment in hl7.parse(text)] != lines:
        yield "python-hl7 sees other segments"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = parse_message(text, find_groups=False, validation_level=VALIDATION_LEVEL.TOLERANT)
    if [str(segment.name) for segment in parsed.children] != lines:
        yield "hl7apy sees other segments"


def fhir_doubts(bundle: Bundle) -> Iterator[str]:
    """What fhir.resources (R4B) and fhirkit find wrong with a bundle."""
    data: Any = json.loads(json.dumps(bundle, default=float))
    try:
        R4BBundle.model_validate(data)
    except ValidationError as fault:
        for error in fault.errors()[:3]:
            yield f"fhir.resources: {'.'.join(map(str, error['loc']))}: {error['type']}"
    for issue in fhirkit.validate(json.dumps(data)):
        if issue.severity == "error":
            yield f"fhirkit: {issue}"
