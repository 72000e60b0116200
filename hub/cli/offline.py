"""Commands that need no running hub, no database and no key: translate, decide, validate."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.desk import Input, Packs, csv_files, read_input, read_json
from hub.cli.output import print_json, to_json

if TYPE_CHECKING:
    from adapters.pack import Context, Loss, Pack, Reading, Strand


Message = Annotated[
    str,
    typer.Argument(help="A file, a folder of CSV files that are one message, or - for stdin.", metavar="FILE|DIR|-"),
]


def translate(
    file: Message,
    source: Annotated[str, typer.Option("--from", help="Pack that reads, e.g. health/hl7v2.", metavar="PACK")],
    target: Annotated[str, typer.Option("--to", help="Pack that writes; without it the bundle.", metavar="PACK")] = "",
    packs: Packs = None,
) -> None:
    """Translate a message offline: the bundle (or the other pack's message) on stdout, deviations and loss on stderr.

    A message about several children gives a JSON list of bundles, or one written message after the other. What does not
    become valid R4 is refused (exit 2). CSV files that are one message are given as their folder, or as a ZIP. An HL7
    batch (FHS, BHS) is read message by message; if one is refused, all are.
    """
    from adapters.library import load_packs
    from adapters.pack import Context
    from hub.clock import SystemClock
    from hub.settings import read_settings

    known = load_packs(*read_settings().pack_folders, *(packs or ()))
    reader = _pack(known, source, "--from")
    writer = _pack(known, target, "--to") if target else None
    at = SystemClock().now()
    readings = [reader.read(raw, Context(at=at)) for raw in _messages(reader, _message(reader, file))]
    for reading in readings:
        _tell(reading)
        _refuse_invalid(reading)
    strands = [strand for reading in readings for strand in reading.strands]
    if writer is not None:
        _write(writer, strands, Context(at=at))
        return
    bundles = [strand.bundle for strand in strands]
    print_json(bundles[0] if len(bundles) == 1 else bundles)


def validate(file: Input) -> None:
    """Check a FHIR R4 resource (or a list of them, as `translate` prints); prints an OperationOutcome."""
    from adapters.r4.validate import has_errors, to_operation_outcome
    from adapters.r4.validate import validate as check

    found = read_json(file)
    issues = tuple(issue for one in (found if isinstance(found, list) else [found]) for issue in check(one))
    print_json(to_operation_outcome(issues))
    if has_errors(issues):
        raise typer.Exit(2)


def decide(file: Input) -> None:
    """Ask the consent engine: prints the decision. Exit 0 whatever it is, 2 when the input cannot be read."""
    from consent import decide_input, policy_documents, read_policy

    print_json(decide_input(read_json(file), read_policy(policy_documents())))


def _pack(known: dict[str, Pack], name: str, option: str) -> Pack:
    if name not in known:
        raise typer.BadParameter(f"{option}: there is no pack {name}; known are {', '.join(sorted(known))}")
    return known[name]


def _message(reader: Pack, name: str) -> bytes:
    """The bytes of a file; a folder of CSV files is the ZIP that an agency would send of them."""
    from adapters.checking.compare import codec_of
    from adapters.codecs import csv
    from hub.errors import Invalid

    if name == "-" or not Path(name).is_dir():
        return read_input(name)
    codec = codec_of(reader)
    if codec != "csv":
        raise Invalid(f"{name} is a folder, and a message of {reader.id} is one file ({codec}): name the file.")
    return csv.zipped(csv_files(Path(name)))


def _messages(reader: Pack, raw: bytes) -> tuple[bytes, ...]:
    return reader.split(raw) or (raw,)


def _write(writer: Pack, strands: Iterable[Strand], context: Context) -> None:
    from dataclasses import replace
    from hashlib import sha256

    for number, strand in enumerate(strands):
        digest = sha256(to_json(strand.bundle, indent=False).encode()).hexdigest()[:20]
        header = {"message-id": digest.upper(), "sender": "HUB", "sender-facility": "HUB", "processing": "P"}
        written = writer.write(strand.bundle, replace(context, header=header))
        _tell_loss(written.loss)
        if number:
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.write(written.raw)
    sys.stdout.buffer.flush()


def _refuse_invalid(reading: Reading) -> None:
    """End with 2 when what was read is no R4, each fault's place and reason on stderr."""
    from adapters.r4.validate import validate as check

    issues = [issue for strand in reading.strands for issue in check(strand.bundle)]
    faults = [issue for issue in issues if issue.severity in ("error", "fatal")]
    for fault in faults:
        typer.echo(f"hub: {fault.expression}: {fault.code}: {fault.diagnostics}", err=True)
    if faults:
        raise typer.Exit(2)


def _tell(reading: Reading) -> None:
    for deviation in reading.deviations:
        typer.echo(f"deviation  {deviation.place}: {deviation.why}", err=True)
    _tell_loss(reading.loss)


def _tell_loss(loss: Iterable[Loss]) -> None:
    for one in loss:
        typer.echo(f"loss  {one.place}: {one.kind.value}: {one.why}", err=True)
