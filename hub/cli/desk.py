"""What commands have in common: input, the parts of this machine's hub, and who acts.

Whoever may run these commands can open the database and holds the root key; ``--as`` says which administrator it is,
and that administrator's roles are enforced as they are over HTTP. Without ``--as`` only an operator's work can be done,
and the ledger says `local`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hub.errors import Fault, Forbidden, Invalid

if TYPE_CHECKING:
    from consent.explain import Lang
    from hub.parts import Parts
    from hub.security.tokens import Caller

LOCAL: Final = "local"
LANGS: Final = ("vi", "en")

As = Annotated[str, typer.Option("--as", envvar="HUB_AS", help="The administrator who acts.", metavar="ADMIN")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Packs = Annotated[list[Path] | None, typer.Option("--packs", help="Folder of packs beside the built-in ones.")]
Input = Annotated[str, typer.Argument(help="A file, or - for standard input.", metavar="FILE|-")]


@contextmanager
def at_desk(admin: str, what: str = "") -> Iterator[tuple[Parts, Caller]]:
    """The parts, and the administrator who acts, checked for `what` (:data:`hub.security.roles.MAY`)."""
    from hub import wiring
    from hub.security import roles
    from hub.settings import read_settings

    _quiet()
    with wiring.opened(read_settings()) as parts:
        caller = _caller(parts, admin)
        if what:
            roles.require(caller, what)
        yield parts, caller


def language(parts: Parts, given: str) -> Lang:
    """The language asked for, or that of the settings."""
    return known_language(given) or parts.settings.lang


def known_language(given: str) -> Lang | None:
    """The language asked for, if one was; another one is wrong usage."""
    if given not in ("", *LANGS):
        raise typer.BadParameter(f"--lang is one of {', '.join(LANGS)}")
    return "vi" if given == "vi" else "en" if given == "en" else None


def read_input(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``. Raises :class:`hub.errors.Invalid`."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise Invalid(f"The file cannot be read: {error.strerror}.") from None


def csv_files(folder: Path) -> dict[str, bytes]:
    """The CSV files of a folder, name -> bytes. Raises :class:`hub.errors.Invalid` when there is none."""
    found = {path.name: path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".csv" and path.is_file()}
    if not found:
        raise Invalid(f"The folder {folder.name} holds no .csv file.")
    return {name: read_input(str(path)) for name, path in found.items()}


def read_json(name: str) -> Any:
    """JSON from a file or standard input: decimals as written, no name twice. Raises :class:`hub.errors.Invalid`."""
    from adapters.codecs.json_faults import first_fault

    raw = read_input(name)
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_float=Decimal, object_pairs_hook=_object)
    except UnicodeDecodeError:
        fault = Fault("file", "syntax", "not UTF-8")
    except json.JSONDecodeError as error:
        fault = Fault(f"line {error.lineno}, column {error.colno}", "syntax", "not JSON")
    except (ValueError, RecursionError):
        found = first_fault(raw.decode("utf-8-sig"))
        fault = Fault(found.pointer, "syntax", found.why) if found else Fault("file", "syntax", "not JSON")
    raise Invalid("The input is not JSON.", faults=(fault,))


def read_object(name: str) -> dict[str, Any]:
    """A JSON object from a file or standard input. Raises :class:`hub.errors.Invalid`."""
    found = read_json(name)
    if not isinstance(found, dict):
        raise Invalid("The input must be a JSON object.")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _caller(parts: Parts, admin: str) -> Caller:
    from hub.security.tokens import Caller, Role
    from hub.storage import administrators

    if not admin:
        return Caller("admin", LOCAL, frozenset({Role.OPERATOR.value}))
    with parts.store.read() as unit:
        found = administrators.get(unit, admin)
    if found is None or found.disabled_at is not None:
        raise Forbidden("There is no such administrator in force.")
    return Caller("admin", found.id, frozenset(found.roles))


def _quiet() -> None:
    """Logs of a command go to standard error only when something is wrong."""
    import logging

    from hub.logging import configure

    configure(level=logging.WARNING)
