"""Working on a case from the command line. What identifies a child is read from a file or standard input, never from an
argument: arguments stand in the process list and in the shell's history."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from hub.cli.desk import As, Input, Json, at_desk, known_language, language, read_input, read_object
from hub.cli.output import print_json, print_rows

case = typer.Typer(help="A child's case and its facts.", rich_markup_mode=None, no_args_is_help=True)
order = typer.Typer(help="Orders: a claim until verified.", rich_markup_mode=None, no_args_is_help=True)
consent = typer.Typer(help="Consents.", rich_markup_mode=None, no_args_is_help=True)
match = typer.Typer(help="Whose record is it?", rich_markup_mode=None, no_args_is_help=True)

CaseId = Annotated[str, typer.Argument(help="Opaque id of the case.", metavar="CASE")]


@case.command("find")
def find(file: Input, admin: As) -> None:
    """Find a child by {"identifiers": [{"type": "NI", "value": "..."}]} or {"name": ..., "birth_date": ...}."""
    from hub import casework

    query = read_object(file)
    with at_desk(admin, "case-find") as (parts, caller):
        found = casework.find(parts, caller.id, query)
    print_json(found)


@case.command("show")
def show(case_id: CaseId, admin: As, kind: str = typer.Option("", help="Only facts of this kind.")) -> None:
    """Print every version of the case's facts as JSON; the read is audited."""
    from hub import casework

    with at_desk(admin, "case-read") as (parts, caller):
        found = casework.history(parts, caller.id, case_id, kind)
    print_json(found)


@case.command("relate")
def relate(case_id: CaseId, file: Input, admin: As) -> None:
    """Keep a related person (name, identifiers); prints the id by which facts name them."""
    from hub import casework

    body = read_object(file)
    with at_desk(admin, "person-relate") as (parts, caller):
        person = casework.relate(parts, caller.id, case_id, body)
    typer.echo(person)


@case.command("record")
def record(
    case_id: CaseId,
    kind: str,
    file: Input,
    admin: As,
    fact: str = typer.Option("", help="The fact that this is the next version of."),
) -> None:
    """Record a fact of a kind (guardian, household, suspect, no-contact, team, treating, plan, refusal, ...)."""
    from hub import casework
    from hub.security import roles

    body = read_object(file)
    with at_desk(admin) as (parts, caller):
        roles.require_kind(caller, kind)
        recorded = casework.record(parts, caller.id, case_id, kind, body, fact)
    print_json(recorded)


@case.command("clear")
def clear(case_id: CaseId, fact: str, admin: As) -> None:
    """Be one of the two persons that clearing a suspect takes."""
    from hub import casework

    with at_desk(admin, "suspect-clear") as (parts, caller):
        recorded = casework.clear_suspect(parts, caller.id, case_id, fact)
    print_json(recorded)


@case.command("approve")
def approve(case_id: CaseId, fact: str, admin: As) -> None:
    """Approve an override that somebody else asked for."""
    from hub import casework

    with at_desk(admin, "override-approve") as (parts, caller):
        recorded = casework.approve(parts, caller.id, case_id, fact)
    print_json(recorded)


@case.command("account")
def account(case_id: CaseId, admin: As) -> None:
    """Print who was told what about this child, when and on what ground, without other persons."""
    from hub import casework

    with at_desk(admin, "case-account") as (parts, caller):
        found = casework.account(parts, caller.id, case_id)
    print_json(found)


@case.command("close")
def close(case_id: CaseId, admin: As) -> None:
    """Be one of the two persons that closing a case takes; its consents end with it."""
    from hub import closing

    with at_desk(admin, "case-end") as (parts, caller):
        ending = closing.close(parts, caller.id, case_id)
    print_json(ending)


@case.command("reopen")
def reopen(case_id: CaseId, admin: As) -> None:
    """Be one of the two persons that opening a closed case again takes."""
    from hub import closing

    with at_desk(admin, "case-end") as (parts, caller):
        ending = closing.reopen(parts, caller.id, case_id)
    print_json(ending)


@case.command("erase")
def erase(case_id: CaseId, admin: As) -> None:
    """Be one of the two persons that erasing a closed case takes. Nothing brings it back."""
    from hub import closing

    with at_desk(admin, "case-end") as (parts, caller):
        ending = closing.erase(parts, caller.id, case_id)
    print_json(ending)


@order.command("enter")
def enter_order(case_id: CaseId, file: Input, admin: As) -> None:
    """Enter an order (number, body, issued, items, period); it counts only once verified."""
    from hub import casework

    body = read_object(file)
    with at_desk(admin, "fact-record") as (parts, caller):
        recorded = casework.record(parts, caller.id, case_id, "order", body)
    print_json(recorded)


@order.command("verify")
def verify_order(
    case_id: CaseId,
    order_id: str,
    admin: As,
    signature: str = typer.Option("", help="File with the issuing body's detached JWS.", metavar="FILE|-"),
) -> None:
    """Say that you called the issuing body back (not who entered it), or give its signature."""
    from hub import casework

    given = read_input(signature).decode("ascii", "replace").strip() if signature else ""
    with at_desk(admin, "order-verify") as (parts, caller):
        recorded = casework.verify_order(parts, caller.id, case_id, order_id, given)
    print_json(recorded)


@consent.command("record")
def record_consent(case_id: CaseId, file: Input, admin: As) -> None:
    """Record a Consent: {"resource": Consent, "given_by": person, "evidence": ...}."""
    from hub import casework

    body = read_object(file)
    with at_desk(admin, "consent-record") as (parts, caller):
        recorded = casework.record(parts, caller.id, case_id, "consent", body)
    print_json(recorded)


@consent.command("check")
def check_consent(
    file: Input,
    lang: Annotated[str, typer.Option(help="vi or en; default HUB_LANG.")] = "",
    as_json: Json = False,
) -> None:
    """Check a Consent, or the body of one to be recorded, without a hub: clashes, empty permits, dead clauses, ..."""
    from consent import policy_documents, read_policy
    from consent.authoring import Severity, check
    from consent.authoring import as_json as shown
    from consent.outside import consents_from_input
    from hub.clock import SystemClock
    from hub.settings import read_settings

    body, settings, at = read_object(file), read_settings(), SystemClock().now()
    given, *_ = consents_from_input({"consents": [body]}, {}, at)
    found = check(given, read_policy(policy_documents()), at, zone=settings.zone)
    said = known_language(lang) or settings.lang
    rows = [{**shown(one), "says": one.vi if said == "vi" else one.en} for one in found]
    print_rows(rows, ("severity", "place", "code", "says"), as_json)
    if any(one.severity is Severity.REFUSED for one in found):
        raise typer.Exit(2)


@consent.command("from-claim")
def turn_into_consent(case_id: CaseId, claim: str, file: Input, admin: As) -> None:
    """Turn an agency's consent claim into a Consent with evidence."""
    from hub import casework

    body = read_object(file)
    with at_desk(admin, "consent-record") as (parts, caller):
        recorded = casework.turn_into_consent(parts, caller.id, case_id, claim, body)
    print_json(recorded)


@consent.command("withdraw")
def withdraw(
    case_id: CaseId,
    consent_id: str,
    admin: As,
    by: str = typer.Option(..., help="Whose word it is: the child's person id, or a related person's."),
) -> None:
    """Withdraw a consent: no send starts any more; `effective_at` is null while something is under way."""
    from hub import casework

    with at_desk(admin, "consent-withdraw") as (parts, caller):
        found = casework.withdraw(parts, caller.id, case_id, consent_id, by)
    print_json(found)


@consent.command("withdrawal")
def withdrawal(withdrawal_id: str, admin: As) -> None:
    """See how far a withdrawal is."""
    from hub import casework

    with at_desk(admin, "consent-withdraw") as (parts, _):
        found = casework.withdrawal(parts, withdrawal_id)
    print_json(found)


@match.command("list")
def list_matches(admin: As, as_json: Json = False) -> None:
    """List uncertain matches that wait for a person."""
    from dataclasses import asdict

    from hub import administration

    with at_desk(admin, "match-resolve") as (parts, caller):
        found = administration.list_tasks(parts, caller, "open", "match-review", 200)
    print_rows([asdict(one) for one in found], ("id", "reason", "opened_at", "due_at", "subject"), as_json)


@match.command("resolve")
def resolve_match(
    task: str,
    admin: As,
    same_as: str = typer.Option("", help="The person that it is."),
    new: bool = typer.Option(False, "--new", help="A child of its own."),
) -> None:
    """Decide: the same child as --same-as PERSON, or --new."""
    from hub import casework

    if bool(same_as) == new:
        raise typer.BadParameter("say either --same-as PERSON or --new")
    with at_desk(admin, "match-resolve") as (parts, caller):
        found = casework.resolve_match(parts, caller.id, task, same_as or None)
    print_json(found)


@match.command("unlink")
def unlink(person: str, admin: As) -> None:
    """Undo a link of two persons."""
    from hub import casework

    with at_desk(admin, "match-resolve") as (parts, caller):
        found = casework.unlink(parts, caller.id, person)
    print_json(found)


def preview(
    case_id: CaseId,
    admin: As,
    given: Annotated[
        list[str] | None, typer.Option(help="A consent as if it had been given; may be repeated.", metavar="FILE|-")
    ] = None,
    withdrawn: Annotated[
        list[str] | None, typer.Option(help="A consent or refusal as if withdrawn.", metavar="FACT")
    ] = None,
    verified: Annotated[list[str] | None, typer.Option(help="An order as if verified.", metavar="FACT")] = None,
    suspect: Annotated[list[str] | None, typer.Option(help="A person as if a suspect.", metavar="PERSON")] = None,
    on: Annotated[str, typer.Option(help="As of the start of that day, e.g. a birthday.", metavar="YYYY-MM-DD")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say why, and what would change it.")] = False,
    lang: Annotated[str, typer.Option(help="Language of explanations: vi or en; default HUB_LANG.")] = "",
    unmask: Annotated[
        str, typer.Option(help="Unmasked, as this agency's named officer; itself a disclosure.", metavar="AGENCY")
    ] = "",
    purpose: Annotated[str, typer.Option(help="Why, with --unmask: a v3 ActReason code.", metavar="CODE")] = "",
) -> None:
    """Show what each agency would receive now, or if ..., in its own format, masked."""
    from hub import preview as previewing

    if bool(unmask) != bool(purpose):
        raise typer.BadParameter("--unmask needs --purpose, and --purpose needs --unmask")
    supposed = previewing.Supposed(
        given=[read_object(one) for one in given or ()],
        withdrawn=withdrawn or (),
        verified=verified or (),
        suspects=suspect or (),
        on=_day(on) if on else None,
    )
    asked = previewing.Unmask(unmask, purpose) if unmask else None
    with at_desk(admin, "preview") as (parts, caller):
        said = language(parts, lang) if explain else None
        found = previewing.preview(parts, caller.id, case_id, supposed, lang=said, unmask=asked)
    print_json(found)


@case.command("decisions")
def decisions(case_id: CaseId, admin: As, as_json: Json = False) -> None:
    """List the decisions about this child that the ledger keeps; `hub audit explain` explains one."""
    from hub import explaining

    with at_desk(admin, "explain") as (parts, caller):
        found = explaining.decisions(parts, caller.id, case_id)
    print_rows(found, ("record", "at", "agency", "event", "kind", "decision", "reasons"), as_json)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--on is a day: YYYY-MM-DD") from None
