"""Runs the story: starts a hub of its own (or goes to one that runs), shows each step, ends 0 only if all held."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from rich.console import Console
from rich.live import Live
from rich.table import Table

from hub.demo.standins import Client
from hub.demo.story import STEPS, Scene, Unexpected
from hub.demo.world import World, read_admin_key

START_SECONDS = 60.0
OPERATOR = "demo-operator"


def run(
    lang: str = "vi",
    *,
    fast: bool = False,
    as_json: bool = False,
    against: str = "",
    admin_key: Path | None = None,
    mllp: str = "",
    folder: Path = Path(".hub/demo"),
) -> int:
    """Tell the story; 0 if every expectation held, else 1.

    `against` is the address of a running hub and `admin_key` an operator's key file on it; without them a hub with its
    embedded default is started in `folder`, which is emptied first.
    """
    show = _Json() if as_json else _Shown(lang, slow=not fast)
    if against:
        if admin_key is None:
            raise ValueError("--against needs --admin-key")
        host = urlsplit(against).hostname or "127.0.0.1"
        name, _, port = (mllp or f"{host}:2575").rpartition(":")
        return _tell(World(against, (name, int(port)), read_admin_key(admin_key, against)), show)
    with _hub(folder) as world:
        ended = _tell(world, show)
        if ended == 0:
            show.close(_sandbox(world, folder))
        return ended


def _tell(world: World, show: _Show) -> int:
    try:
        with show:
            world.settle_in()
            for number, step in enumerate(STEPS, 1):
                began = time.monotonic()
                scene = step(world)
                show.step(number, step.__name__, scene, time.monotonic() - began)
    except (Unexpected, RuntimeError, httpx.HTTPError) as error:
        show.fail(step.__name__ if "step" in locals() else "settle_in", str(error))
        return 1
    finally:
        world.close()
    return 0


# --- a hub of its own ------------------------------------------------------------------------------------------------


@contextmanager
def _hub(folder: Path) -> Iterator[World]:
    """A hub process on the embedded default, stopped at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    http, mllp = _free_port(), _free_port()
    settings = {"HUB_DATA_DIR": str(folder), "HUB_HTTP_PORT": str(http), "HUB_MLLP_PORT": str(mllp)}
    mine = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | settings
    key = folder / f"{OPERATOR}.key.json"
    _hub_command(mine, "keys", "init")
    _hub_command(mine, "admin", "add", OPERATOR, "--role", "operator", "--out", str(key))
    log = (folder / "hub.log").open("wb")
    process = subprocess.Popen([sys.executable, "-m", "hub", "serve"], env=mine, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{http}"
    try:
        _wait_for(base, process, folder / "hub.log")
        yield World(base, ("127.0.0.1", mllp), read_admin_key(key, base))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _hub_command(environment: dict[str, str], *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "hub", *words], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"hub {' '.join(words[:2])} ended {done.returncode}: {done.stderr.strip()[-600:]}")


def _wait_for(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{base}/health", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"the hub did not start; its log ends: {log.read_text('utf-8', 'replace')[-800:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _sandbox(world: World, folder: Path) -> dict[str, str]:
    """Leave an agency to play with behind: its key, a message, and lines that work once the hub is opened again."""
    name = f"demo-sandbox-{world.run}"
    client = Client(world.base, name)
    entry = {
        "id": name,
        "sector": "social",
        "unit": "social-work-centre",
        "titles": {"vi": "Cơ quan thử", "en": "Sandbox agency"},
        "packs": {"in": ["health/fhir"], "out": "health/fhir"},
        "transports": {"out": {"type": "inbox"}},
        "jwks": client.jwks,
    }
    read_admin_key(folder / f"{OPERATOR}.key.json", world.base).tell("POST", "/agencies", [entry])
    key, bundle = folder / "sandbox.key.json", folder / "sandbox-bundle.json"
    key.write_text(json.dumps(client.key.as_dict(private=True) | {"kid": client.kid, "sub": name}))
    key.chmod(0o600)
    world.agencies["social"] = name
    bundle.write_text(world.filled("school-support.json", control=f"SANDBOX-{world.run}"), "utf-8")
    command, url = Path(sys.executable).parent / "hub", "http://127.0.0.1:8080"
    shown = os.path.relpath(command)
    token = f"$({shown} agency token {name} --key {key} --url {url})"
    bearer = f'-H "Authorization: Bearer {token}"'
    return {
        "serve": f"HUB_DATA_DIR={folder} {shown} serve",
        "key": str(key),
        "say": f'curl -s {bearer} -H "Content-Type: application/fhir+json" --data-binary @{bundle} {url}/fhir',
        "inbox": f"curl -s {bearer} {url}/agencies/{name}/inbox",
        "health": f"curl -s {url}/health",
    }


# --- showing ---------------------------------------------------------------------------------------------------------


class _Show:
    """Where the story is told."""

    def __enter__(self) -> _Show:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def step(self, number: int, name: str, scene: Scene, seconds: float) -> None:
        """One step held."""

    def fail(self, name: str, why: str) -> None:
        """The story broke."""

    def close(self, lines: dict[str, str]) -> None:
        """What to try next."""


class _Json(_Show):
    """One JSON object a line, for scripts."""

    def step(self, number: int, name: str, scene: Scene, seconds: float) -> None:
        """One step held."""
        told = {"step": number, "name": name, "held": True, "seconds": round(seconds, 2)}
        print(json.dumps(told | {field: getattr(scene, field) for field in Scene.__slots__}, ensure_ascii=False))

    def fail(self, name: str, why: str) -> None:
        """The story broke."""
        print(json.dumps({"name": name, "held": False, "why": why}, ensure_ascii=False))

    def close(self, lines: dict[str, str]) -> None:
        """What to try next."""
        print(json.dumps({"try": lines}, ensure_ascii=False))


class _Shown(_Show):
    """A table that grows."""

    def __init__(self, lang: str, *, slow: bool) -> None:
        self._texts: dict[str, Any] = yaml.safe_load((files("hub.demo") / "texts.yaml").read_text("utf-8"))
        self._lang, self._pause = lang, 0.6 if slow else 0.0
        self._console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else 150)
        self._table = Table(show_lines=True, expand=True)
        self._table.add_column("#", width=2)
        for name, ratio in (("step", 4), ("who", 3), ("became", 2), ("decision", 4), ("received", 3)):
            self._table.add_column(self._say("columns", name), ratio=ratio, overflow="fold")
        self._live = Live(self._table, console=self._console, refresh_per_second=4, vertical_overflow="visible")

    def __enter__(self) -> _Show:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def step(self, number: int, name: str, scene: Scene, seconds: float) -> None:
        """One step held."""
        nothing = self._say("closing", "nothing")
        who = f"{self._say('names', scene.sender)}: {scene.said}"
        received = f"{self._say('names', scene.recipient)}: {scene.received or nothing}" if scene.recipient else ""
        row = (str(number), self._say("steps", name), who, scene.became, scene.decision, received)
        self._table.add_row(*row)
        self._live.refresh()
        time.sleep(self._pause)

    def fail(self, name: str, why: str) -> None:
        """The story broke."""
        self._console.print(f"{self._say('closing', 'failed')} ({name}): {why}", markup=False, style="bold red")

    def close(self, lines: dict[str, str]) -> None:
        """What to try next."""
        say = self._console.print
        say(self._say("closing", "title"), style="bold green")
        for heading, names in (("again", ["serve"]), ("sandbox", ["key"]), ("curl", ["say", "inbox", "health"])):
            say(f"\n{self._say('closing', heading)}", style="bold")
            for one in names:
                say(f"  {lines[one]}", markup=False, highlight=False, soft_wrap=True)

    def _say(self, part: str, name: str) -> str:
        return str(self._texts[part][name][self._lang])
