"""What commands print: tables for people, JSON for scripts, complaints on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import typer


def complain(message: str, lines: Iterable[str] = ()) -> None:
    """Say on standard error what is wrong and how to mend it."""
    typer.echo(f"hub: {message}", err=True)
    for line in lines:
        typer.echo(f"  {line}", err=True)


def print_json(value: Any, *, indent: bool = True) -> None:
    """Print JSON; decimals as they were written."""
    sys.stdout.write(to_json(value, indent=indent) + "\n")


def to_json(value: Any, *, indent: bool = True) -> str:
    """JSON text; decimals stay numbers with all their digits, times are ISO 8601."""
    import msgspec

    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    raw = msgspec.json.Encoder(decimal_format="number").encode(plain)
    return (msgspec.json.format(raw, indent=2) if indent else raw).decode()


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print rows as a table of `columns`, or whole as JSON."""
    if as_json:
        print_json(list(rows))
        return
    cells = [list(columns), *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(columns))]
    for line in cells:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
