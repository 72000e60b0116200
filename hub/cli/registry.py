"""Agencies, administrators and keys: who may speak to the hub and who works on it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.desk import As, Input, Json, at_desk, read_input, read_object
from hub.cli.output import complain, print_json, print_rows
from hub.errors import Invalid

if TYPE_CHECKING:
    from hub.directory.agency import Agency

agency = typer.Typer(help="The registry of agencies.", rich_markup_mode=None, no_args_is_help=True)
admin = typer.Typer(help="Administrators of the hub.", rich_markup_mode=None, no_args_is_help=True)
keys = typer.Typer(help="The root key.", rich_markup_mode=None, no_args_is_help=True)

KeyFile = Annotated[Path, typer.Option("--key", help="File with the private key (JWK).", metavar="FILE")]
Url = Annotated[str, typer.Option("--url", envvar="HUB_BASE_URL", help="Address of the running hub.")]


# --- agencies ------------------------------------------------------------------------------------------------------


@agency.command("import")
def import_agencies(file: Input, admin: As = "", as_json: Json = False) -> None:
    """Take over all agencies of a YAML file, all or none; an agency that is known gets a new version."""
    from hub import administration
    from hub.directory.registry import read_documents

    documents = read_documents(_text(file))
    with at_desk(admin, "agency-add") as (parts, caller):
        added = administration.add_agencies(parts, caller.id, documents)
        _tell_unknown_packs(added, parts.packs)
        lang = parts.settings.lang
    rows = [{"id": one.id, "sector": one.sector.value, "unit": one.unit, "title": one.title(lang)} for one in added]
    print_rows(rows, ("id", "sector", "unit", "title"), as_json)


@agency.command("add")
def add_agency(file: Input, admin: As = "") -> None:
    """Add one agency from a YAML or JSON document, or a new version of it."""
    from hub import administration
    from hub.directory.registry import read_documents

    documents = read_documents(_text(file))
    if len(documents) != 1:
        raise Invalid("The file holds several agencies: use `hub agency import`.")
    with at_desk(admin, "agency-add") as (parts, caller):
        added = administration.add_agencies(parts, caller.id, documents)
        _tell_unknown_packs(added, parts.packs)
    typer.echo(added[0].id)


def _tell_unknown_packs(added: Iterable[Agency], packs: Container[str]) -> None:
    """Warn of packs that this hub does not have: such an agency's messages would be refused."""
    for one in added:
        for name in dict.fromkeys((*one.packs.in_, one.packs.out)):
            if name and name not in packs:
                complain(f"{one.id}: there is no pack {name} here; name its folder in PACKS_PATH, also for `hub serve`")


@agency.command("key")
def set_agency_key(agency_id: str, file: Input, admin: As = "") -> None:
    """Give a registered agency its public keys: a JWK set, as `hub keys agency` prints it."""
    from hub import administration

    jwks = read_object(file)
    with at_desk(admin, "agency-add") as (parts, caller):
        entry = parts.registry.get(agency_id).document() | {"jwks": jwks}
        administration.add_agencies(parts, caller.id, [entry])
    typer.echo(agency_id)


@agency.command("officer")
def set_officer(
    agency_id: str,
    officer_id: str,
    keys_file: Annotated[str, typer.Option("--keys", help="The officer's own public keys (JWK set).")] = "",
    until: Annotated[str, typer.Option(help="When the officer leaves, or left.", metavar="TIME")] = "",
    admin: As = "",
) -> None:
    """List an officer to whom the agency hands what is for that officer alone; keys are needed to fetch it."""
    from hub import administration

    entry: dict[str, Any] = {"id": officer_id}
    entry |= {"jwks": read_object(keys_file)} if keys_file else {}
    entry |= {"valid_to": until} if until else {}
    with at_desk(admin, "agency-add") as (parts, caller):
        listed = administration.list_officer(parts, caller.id, agency_id, entry)
        at = parts.clock.now()
    if listed.officer(officer_id, at) and not listed.hands_to(officer_id, at):
        complain(f"{agency_id}: nothing reaches {officer_id} alone yet; an inbox needs --keys, MLLP cannot do it")
    typer.echo(f"{agency_id}/{officer_id}")


@agency.command("list")
def list_agencies(admin: As = "", as_json: Json = False) -> None:
    """List all agencies."""
    with at_desk(admin, "agency-list") as (parts, _):
        found, lang, at = parts.registry.list(), parts.settings.lang, parts.clock.now()
    rows = [
        {
            **one.document(),
            "title": one.title(lang),
            "in": list(one.packs.in_),
            "out": one.packs.out,
            "reached by": one.transports.out.type if one.transports.out else None,
            "in force": "yes" if one.in_force(at) else "no",
        }
        for one in found
    ]
    print_rows(rows, ("id", "sector", "unit", "title", "in", "out", "reached by", "in force"), as_json)


@agency.command("show")
def show_agency(agency_id: str, admin: As = "", history: bool = typer.Option(False, help="All versions.")) -> None:
    """Print an agency's registry entry as JSON."""
    with at_desk(admin, "agency-list") as (parts, _):
        entry: Any = parts.registry.get(agency_id).document()
        if history:
            entry = [
                {"version": one.version, "at": one.recorded_at, "by": one.recorded_by, **one.document}
                for one in parts.registry.history(agency_id)
            ]
    print_json(entry)


@agency.command("secret")
def show_secret(agency_id: str, admin: As = "") -> None:
    """Print the secret (hexadecimal) with which the messages to an agency's webhook are signed."""
    from hub import administration

    with at_desk(admin, "agency-secret") as (parts, caller):
        typer.echo(administration.webhook_secret(parts, caller.id, agency_id))


@agency.command("token")
def agency_token(agency_id: str, key: KeyFile, url: Url = "http://127.0.0.1:8080") -> None:
    """Ask the running hub for an access token, as the agency would; prints it alone."""
    from hub.cli.tokens import ask, read_key

    typer.echo(ask(url, agency_id, read_key(key)))


# --- administrators ------------------------------------------------------------------------------------------------


@admin.command("add")
def add_admin(
    admin_id: str,
    role: Annotated[list[str], typer.Option("--role", help="operator, consent-admin, case-worker or auditor.")],
    key: Annotated[str, typer.Option(help="Public keys (JWK set); without it a new pair is made.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where the new private key goes.")] = None,
    admin: As = "",
) -> None:
    """Add an administrator; makes a key pair unless public keys are given."""
    from hub import administration
    from hub.cli.tokens import make_key, public_half
    from hub.security.tokens import Role

    known = {one.value for one in Role}
    if not set(role) <= known:
        raise typer.BadParameter(f"a role is one of {', '.join(sorted(known))}")
    with at_desk(admin, "admin-add") as (parts, caller):
        path = None if key else out or parts.settings.data_dir / f"{admin_id}.key.json"
        jwks = read_object(key) if path is None else public_half(make_key(path, admin_id))
        try:
            administration.add_administrator(parts, caller.id, admin_id, [Role(one) for one in role], jwks)
        except Exception:
            if path is not None:
                path.unlink()
            raise
    typer.echo(admin_id if path is None else f"{admin_id}: private key in {path}")


@admin.command("list")
def list_admins(admin: As = "", as_json: Json = False) -> None:
    """List administrators."""
    from hub import administration

    with at_desk(admin, "admin-list") as (parts, _):
        found = administration.list_administrators(parts)
    print_rows(found, ("id", "roles", "created_at", "disabled_at"), as_json)


@admin.command("disable")
def disable_admin(admin_id: str, admin: As = "") -> None:
    """End an administrator's rights and tokens, at once."""
    from hub import administration

    with at_desk(admin, "admin-disable") as (parts, caller):
        administration.disable_administrator(parts, caller.id, admin_id)


@admin.command("token")
def admin_token(admin_id: str, key: KeyFile, url: Url = "http://127.0.0.1:8080") -> None:
    """Ask the running hub for an access token (good for 300 s); prints it alone."""
    from hub.cli.tokens import ask, read_key

    typer.echo(ask(url, admin_id, read_key(key)))


# --- keys ----------------------------------------------------------------------------------------------------------


@keys.command("init")
def init_keys() -> None:
    """Make the root key that protects everything stored. It is never overwritten; keep a copy of it, apart."""
    from hub.security.vault import make_root_key
    from hub.settings import read_settings

    settings = read_settings()
    make_root_key(settings.key_file)
    typer.echo(f"{settings.key_file}")
    complain("Keep a copy of this file apart from the database's backups: without it nothing can be read again.")


@keys.command("agency")
def make_agency_key(
    agency_id: str, out: Annotated[Path, typer.Option(help="Where the private key goes.", metavar="FILE")]
) -> None:
    """Make a key pair for an agency (a sandbox); prints the public half for its registry entry."""
    from hub.cli.tokens import make_key, public_half

    print_json(public_half(make_key(out, agency_id)))


def _text(file: str) -> str:
    try:
        return read_input(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file is not UTF-8.") from None
