"""The tools of packs: list, show, compare, check, draft. They need no running hub, no database and no key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.output import complain

if TYPE_CHECKING:
    from adapters.drafting.draft import Drafted

pack = typer.Typer(help="Packs: the formats that agencies speak.", rich_markup_mode=None, no_args_is_help=True)

_LEVELS = 6
"""How far above a schema's own folder the files that it includes may stand."""


@pack.command("new")
def new_pack(
    folder: Annotated[Path, typer.Argument(help="Folder of the new pack; must be new or empty.", metavar="DIR")],
    pack_id: Annotated[str, typer.Option("--id", help="<sector>/<name>, e.g. social/cin.", metavar="SECTOR/NAME")],
    sample: Annotated[
        list[Path], typer.Option(help="A synthetic sample message; several may be given.", metavar="FILE")
    ],
    schema: Annotated[list[Path] | None, typer.Option(help="Its XSD or JSON Schema.", metavar="FILE")] = None,
) -> None:
    """Draft a pack from samples of a format that the hub does not know; every guess is marked as one.

    Several CSV files with other columns each are one message (a set). What could not be guessed is said on stderr and
    in the README. Exit 0 when the draft loads and reads its samples, 2 when something keeps it from that.
    """
    from adapters.drafting.draft import draft_pack
    from hub.errors import Invalid

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Invalid("The folder of a new pack must be new or empty.")
    _check_id(pack_id)
    samples = {path.name: _read(path) for path in sample}
    if len(samples) < len(sample):
        raise Invalid("Two samples have one file name.")
    drafted = draft_pack(pack_id, samples, _schemas(schema or []))
    for name, raw in drafted.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    _tell(drafted, folder)
    if drafted.problems:
        raise typer.Exit(2)


def _check_id(pack_id: str) -> None:
    import re

    from consent.vocabulary import Sector

    sectors = "|".join(sector.value for sector in Sector)
    if not re.fullmatch(rf"({sectors})/[a-z0-9][a-z0-9-]*", pack_id):
        raise typer.BadParameter(f"--id: is <sector>/<name>, a sector of {sectors.replace('|', ', ')}")


def _schemas(paths: list[Path]) -> Mapping[str, bytes]:
    """Each schema with what it includes, below ``schemas/``."""
    from adapters.drafting.hints import gather
    from hub.errors import Invalid

    found: dict[str, bytes] = {}
    for path in paths:
        whole = path.resolve()
        base = whole.parents[min(_LEVELS, len(whole.parents) - 1)]
        files = gather(whole.relative_to(base).as_posix(), _fetcher(base))
        if not files:
            raise Invalid(f"The schema {path.name} cannot be read.")
        found |= {f"schemas/{name}": raw for name, raw in files.items()}
    return found


def _fetcher(base: Path) -> Callable[[str], bytes | None]:
    def fetch(name: str) -> bytes | None:
        path = (base / name).resolve()
        return path.read_bytes() if path.is_relative_to(base) and path.is_file() else None

    return fetch


def _read(path: Path) -> bytes:
    from hub.errors import Invalid

    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"The file cannot be read: {error.strerror}.") from None


def _tell(drafted: Drafted, folder: Path) -> None:
    for type_, doubt in drafted.not_guessed:
        typer.echo(f"not guessed  {type_} {doubt.place}: {doubt.why}", err=True)
    for note in drafted.notes:
        typer.echo(f"note  {note}", err=True)
    if drafted.problems:
        complain("the draft does not read its samples yet", drafted.problems)
    typer.echo(f"{folder}: {drafted.guessed} rows guessed, {len(drafted.not_guessed)} places not guessed")
