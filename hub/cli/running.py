"""Running the hub: serve, worker, demo, doctor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Annotated, Literal

import typer

from hub.cli.desk import Json, Packs
from hub.cli.output import complain, print_json


def serve(
    host: Annotated[str | None, typer.Option(help="Address of the HTTP door.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the HTTP door; 0 = any free one.")] = None,
    mllp_port: Annotated[int | None, typer.Option(help="Port of the MLLP door; 0 = any free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that deliver; 0 = none here.")] = None,
    packs: Packs = None,
) -> None:
    """Run the hub: API, MLLP and worker in one process. Prints one line when it is ready."""
    from hub import logging, serving, wiring
    from hub.settings import read_settings

    logging.configure()
    settings = read_settings(http_host=host, http_port=port, mllp_port=mllp_port, workers=workers).with_packs(packs)
    if wiring.make_key_if_new(settings):
        complain(f"Made a root key in {settings.key_file}: keep a copy of it apart from the database.")
    serving.run(settings, lambda doors: typer.echo(str(doors)))


def worker(
    threads: Annotated[int | None, typer.Option(help="Threads that deliver.")] = None,
    packs: Packs = None,
) -> None:
    """Deliver in a process of its own, beside `hub serve` or many of it."""
    import signal
    from threading import Thread

    from hub import exchange, logging, timely, wiring
    from hub.settings import read_settings
    from hub.worker import Worker

    logging.configure()
    settings = read_settings(workers=threads).with_packs(packs)
    count, asked = max(settings.workers, 1), Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    with wiring.opened(settings) as parts:
        working = Worker(parts, exchange.deliver, exchange.recall, count, timely.pass_time)
        working.start()
        typer.echo(f"hub worker ready  ({count} threads)")
        Thread(target=_then_set, args=(working.wait, asked), daemon=True).start()
        asked.wait()
        if not working.stop():
            raise typer.Exit(1)


def _then_set(wait: Callable[[], None], event: Event) -> None:
    wait()
    event.set()


def demo(
    lang: Annotated[Literal["vi", "en"] | None, typer.Option(help="Language of the story.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="No pauses.")] = False,
    as_json: Json = False,
    against: Annotated[str, typer.Option(help="Address of a running hub.", metavar="URL")] = "",
    admin_key: Annotated[Path | None, typer.Option(help="Key file of an operator of that hub.", metavar="FILE")] = None,
    mllp: Annotated[
        str, typer.Option(help="Its MLLP door; default: the same host, port 2575.", metavar="HOST:PORT")
    ] = "",
) -> None:
    """Tell the whole story over real sockets, with synthetic data; exits 0 only if everything held."""
    from hub.demo.run import run
    from hub.settings import read_settings

    if bool(against) != (admin_key is not None):
        raise typer.BadParameter("--against URL and --admin-key FILE go together")
    settings = read_settings()
    ended = run(
        lang or settings.lang,
        fast=fast,
        as_json=as_json,
        against=against,
        admin_key=admin_key,
        mllp=mllp,
        folder=settings.data_dir / "demo",
    )
    raise typer.Exit(ended)


def doctor(as_json: Json = False) -> None:
    """Check database, migrations, keys, packs, broker, ports, clock and plaintext doors; says how to mend."""
    from hub.doctor import examine
    from hub.settings import read_settings

    found = examine(read_settings())
    if as_json:
        print_json([{"check": one.name, "ok": one.ok, "says": one.says, "mend": one.mend} for one in found])
    else:
        for one in found:
            typer.echo(f"{'ok  ' if one.ok else 'FAIL'}  {one.name}: {one.says}")
            if not one.ok:
                typer.echo(f"      mend: {one.mend}")
    if not all(one.ok for one in found):
        raise typer.Exit(1)
