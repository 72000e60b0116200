"""The tools of packs: list, show, compare, check, draft. They need no running hub, no database and no key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.desk import Json, Packs, csv_files
from hub.cli.output import complain, print_rows

if TYPE_CHECKING:
    from adapters.checking.problems import Problem
    from adapters.drafting.draft import Drafted
    from adapters.pack import Pack

pack = typer.Typer(help="Packs: the formats that agencies speak.", rich_markup_mode=None, no_args_is_help=True)

_LEVELS = 6
"""How far above a schema's own folder the files that it includes may stand."""


@pack.command("list")
def list_packs(packs: Packs = None, as_json: Json = False) -> None:
    """List the built-in packs, those of PACKS_PATH and of --packs."""
    from adapters.checking.compare import codec_of, messages_of, titles_of
    from hub.settings import read_settings

    lang = read_settings().lang
    rows = []
    for one in _known(packs).values():
        spoken = messages_of(one)
        ways = {way: [row["type"] for row in spoken if row["direction"] in (way, "both")] for way in ("in", "out")}
        row = {"id": one.id, "version": one.version, "title": titles_of(one)[lang], "codec": codec_of(one)}
        rows.append({**row, "in": len(ways["in"]), "out": len(ways["out"])})
    print_rows(rows, ("id", "version", "title", "codec", "in", "out"), as_json)


@pack.command("show")
def show_pack(
    pack_id: Annotated[str, typer.Argument(metavar="ID")], packs: Packs = None, as_json: Json = False
) -> None:
    """Show what a pack speaks: its message types, events, directions, rows and loss caps."""
    from adapters.checking.compare import codec_of, messages_of, titles_of

    one = _pack(_known(packs), pack_id)
    titles = titles_of(one)
    if not as_json:
        typer.echo(f"{one.id} {one.version}  {titles['vi']} / {titles['en']}")
        typer.echo(f"{codec_of(one)}, {', '.join(one.media_types)}, {one.hash[:16]}")
    print_rows(messages_of(one), ("type", "event", "direction", "rows", "loss"), as_json)


@pack.command("diff")
def diff_packs(
    first: Annotated[str, typer.Argument(help="A pack's id, or a folder.", metavar="A")],
    second: Annotated[str, typer.Argument(help="A pack's id, or a folder.", metavar="B")],
    packs: Packs = None,
) -> None:
    """Say in words what B says otherwise than A: messages, rows, codes. Exit 0 whether they differ or not."""
    from adapters.checking.compare import differences

    lines = differences(_either(first, packs), _either(second, packs))
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo("no difference")


@pack.command("check")
def check_pack(
    folder: Annotated[Path, typer.Argument(help="The pack's folder.", metavar="DIR")],
    messages: Annotated[int, typer.Option(min=0, help="Messages made for each type; 0 = samples only.")] = 20,
    seed: Annotated[int, typer.Option(help="The made messages are the same for one seed.")] = 1,
    write_expected: Annotated[
        bool, typer.Option(help="First write the bundle beside each sample, as read now.")
    ] = False,
    packs: Packs = None,
) -> None:
    """Check a pack: statically, then its samples, then the law on made messages. Exit 0 without errors, else 2."""
    from adapters.checking.static import check_static, errors_of

    if write_expected:
        _write_expected(folder)
    files = _files(folder)
    found = check_static(files)
    if not errors_of(found):
        found += _tried(files, packs, messages, seed)
    for problem in found:
        typer.echo(str(problem))
    errors, warnings = len(errors_of(found)), len(found) - len(errors_of(found))
    typer.echo(f"{folder}: {errors} errors, {warnings} warnings")
    if errors:
        raise typer.Exit(2)


def _tried(files: Mapping[str, bytes], packs: list[Path] | None, count: int, seed: int) -> list[Problem]:
    from random import Random

    from adapters.checking.trial import check_messages
    from adapters.library import load_pack

    one = load_pack(files)
    others = {name: other for name, other in _known(packs).items() if name != one.id}
    return check_messages(one, files, others, Random(seed).randrange, count)


def _write_expected(folder: Path) -> None:
    """The bundle beside each sample, as it is read now: for whoever looks at it before it is committed."""
    from adapters.checking.samples import SAMPLE_CONTEXT, bundle_text, expected_name, samples_of
    from adapters.errors import Unsupported
    from adapters.library import load_pack

    files = _files(folder)
    one = load_pack(files)
    for sample in samples_of(files):
        try:
            (folder / expected_name(sample.name)).write_bytes(bundle_text(one.read(sample.raw, SAMPLE_CONTEXT)))
        except Unsupported:  # of a type that is only written: its bundle is written by hand
            continue


def _files(folder: Path) -> dict[str, bytes]:
    from adapters.library import read_folder

    if not (folder / "manifest.yaml").is_file():
        raise typer.BadParameter(f"{folder} is no pack: it has no manifest.yaml")
    return read_folder(folder)


def _known(packs: list[Path] | None) -> dict[str, Pack]:
    from adapters.library import load_packs
    from hub.settings import read_settings

    return load_packs(*read_settings().pack_folders, *(packs or ()))


def _pack(known: Mapping[str, Pack], name: str) -> Pack:
    if name not in known:
        raise typer.BadParameter(f"there is no pack {name}; known are {', '.join(sorted(known))}")
    return known[name]


def _either(said: str, packs: list[Path] | None) -> Pack:
    """A pack by its folder, else by its id."""
    from adapters.library import load_pack

    if (Path(said) / "manifest.yaml").is_file():
        return load_pack(_files(Path(said)))
    return _pack(_known(packs), said)


@pack.command("new")
def new_pack(
    folder: Annotated[Path, typer.Argument(help="Folder of the new pack; must be new or empty.", metavar="DIR")],
    pack_id: Annotated[str, typer.Option("--id", help="<sector>/<name>, e.g. social/cin.", metavar="SECTOR/NAME")],
    sample: Annotated[
        list[Path],
        typer.Option(
            help="A synthetic sample message, or a folder of CSV files; several may be given.", metavar="FILE"
        ),
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
    found = [one for path in sample for one in _samples(path)]
    samples = dict(found)
    if len(samples) < len(found):
        raise Invalid("Two samples have one file name.")
    drafted = draft_pack(pack_id, samples, _schemas(schema or []))
    for name, raw in drafted.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    _tell(drafted, folder)
    if drafted.problems:
        raise typer.Exit(2)


def _samples(path: Path) -> list[tuple[str, bytes]]:
    return list(csv_files(path).items()) if path.is_dir() else [(path.name, _read(path))]


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
