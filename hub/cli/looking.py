"""Looking: messages and deliveries by state, refusals, what waits for a person, the ledger."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hub.cli.desk import As, Json, at_desk, language
from hub.cli.output import print_json, print_rows

message = typer.Typer(help="Messages and their deliveries.", rich_markup_mode=None, no_args_is_help=True)
audit = typer.Typer(help="Who was told what, when, on what ground.", rich_markup_mode=None, no_args_is_help=True)

Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


@message.command("list")
def list_messages(
    admin: As = "",
    agency: str = typer.Option("", help="Only from this agency."),
    state: str = typer.Option("", help="stored or quarantined."),
    parked: bool = typer.Option(False, help="Deliveries that wait for a person."),
    refused: bool = typer.Option(False, help="What was refused: place and reason."),
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the newest messages; with --parked deliveries that are stuck, with --refused what was not taken."""
    from hub.storage import overview

    with at_desk(admin, "message-list") as (parts, _), parts.store.read() as unit:
        if parked:
            rows = overview.deliveries(unit, agency=agency, state="parked", limit=limit)
            columns: tuple[str, ...] = ("id", "agency", "event", "lane", "tries", "last_failure", "deadline")
        elif refused:
            rows = overview.refusals(unit, agency=agency, limit=limit)
            rows = [{**row, "why": [f"{one['place']}: {one['why']}" for one in row["faults"]]} for row in rows]
            columns = ("at", "agency", "transport", "type", "why")
        else:
            rows = overview.messages(unit, agency=agency, state=state, limit=limit)
            columns = ("id", "received_at", "agency", "transport", "type", "event", "state")
    print_rows(rows, columns, as_json)


@message.command("show")
def show_message(message_id: str, admin: As = "") -> None:
    """Print a message's strands, deliveries and attempts, by state, as JSON."""
    from hub import administration

    with at_desk(admin, "message-list") as (parts, _):
        found = administration.message(parts, message_id)
    print_json(found)


@message.command("retry")
def retry(delivery_id: str, admin: As = "") -> None:
    """Let a parked delivery try again; it is decided anew, as of now."""
    from hub import administration

    with at_desk(admin, "delivery-retry") as (parts, caller):
        administration.retry(parts, caller.id, delivery_id)


@message.command("tasks")
def list_tasks(
    admin: As = "",
    kind: str = typer.Option("", help="match-review, alarm, ..."),
    limit: Limit = 200,
    as_json: Json = False,
) -> None:
    """List what waits for a person with your roles."""
    from dataclasses import asdict

    from hub import administration

    with at_desk(admin, "task-list") as (parts, caller):
        found = administration.list_tasks(parts, caller, "open", kind, limit)
    rows = [asdict(one) for one in found]
    print_rows(rows, ("id", "kind", "reason", "owner", "opened_at", "due_at", "subject"), as_json)


@audit.command("list")
def list_audit(
    admin: As,
    case: str = typer.Option("", help="Only this case."),
    agency: str = typer.Option("", help="Only what this agency was told."),
    limit: Limit = 200,
    as_json: Json = False,
) -> None:
    """List the ledger, the oldest first."""
    from hub import administration
    from hub.storage import audits

    with at_desk(admin, "audit-list") as (parts, _), parts.store.read() as unit:
        found = audits.listing(unit, case=case or None, agency=agency or None, limit=limit)
    rows = [administration.audit_row(one) for one in found]
    print_rows(rows, ("at", "kind", "actor", "agency", "outcome", "reasons"), as_json)


@audit.command("explain")
def explain_record(
    record: Annotated[str, typer.Argument(help="A row of the ledger, as `hub case decisions` lists them.")],
    admin: As,
    lang: Annotated[str, typer.Option(help="vi or en; default HUB_LANG.")] = "",
    recipient: Annotated[bool, typer.Option("--recipient", help="As it may be told to the recipient.")] = False,
    as_json: Json = False,
) -> None:
    """Explain a decision: what left, what did not, why, and the smallest change that would have altered it."""
    from hub import explaining

    with at_desk(admin, "explain") as (parts, caller):
        audience: Literal["recipient", "administrator"] = "recipient" if recipient else "administrator"
        found = explaining.explain(parts, caller.id, record, language(parts, lang), audience)
    if as_json:
        print_json(found)
        return
    for line in found["explanation"]:
        typer.echo(line)
