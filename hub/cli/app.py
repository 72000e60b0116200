"""The tree of commands."""

from __future__ import annotations

import typer

from hub.cli import cases, looking, offline, packs, registry, running

app = typer.Typer(
    name="hub",
    help="A consent-aware hub between the agencies that protect a child.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _start(context: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        from importlib.metadata import version as of

        typer.echo(of("onestop-hub"))
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("serve")(running.serve)
app.command("worker")(running.worker)
app.command("demo", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(running.demo)
app.command("doctor")(running.doctor)
app.command("translate")(offline.translate)
app.command("decide")(offline.decide)
app.command("validate")(offline.validate)
app.command("preview")(cases.preview)
for name, group in (
    ("agency", registry.agency),
    ("admin", registry.admin),
    ("keys", registry.keys),
    ("pack", packs.pack),
    ("case", cases.case),
    ("order", cases.order),
    ("consent", cases.consent),
    ("match", cases.match),
    ("message", looking.message),
    ("audit", looking.audit),
):
    app.add_typer(group, name=name)
