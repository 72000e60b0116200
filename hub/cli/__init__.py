"""The command `hub`. Commands import what they need when they run, so that ``hub --help`` is fast.

Exit codes: 0 done, 2 the input was refused (place and reason on standard error), 64 wrong usage, else a fault.
"""

from __future__ import annotations

import sys
import traceback

from hub.errors import HubError, Misconfigured

REFUSED = 2
USAGE = 64
FAULT = 1
INTERRUPTED = 130


def main() -> None:
    """Run the command of this process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    from hub.cli.app import app

    try:
        code = app(arguments, standalone_mode=False, prog_name="hub")
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, BrokenPipeError):
        return INTERRUPTED
    except Exception as error:
        return _explain(error)


def _explain(error: Exception) -> int:
    """Say what went wrong; of a fault of ours only where, because its message may repeat what it was given."""
    from typer.exceptions import Abort, TyperException

    from adapters.errors import AdapterError
    from consent.errors import ConsentError
    from hub.cli.output import complain

    match error:
        case Abort():
            return INTERRUPTED
        case TyperException():
            error.show()  # type: ignore[attr-defined]  # every error of the command line has it
            return USAGE if error.exit_code == REFUSED else FAULT
        case Misconfigured():
            complain(str(error))
            return FAULT
        case HubError():
            complain(str(error), [f"{one.place}: {one.why}" for one in error.faults])
            return REFUSED
        case AdapterError() | ConsentError():
            complain(str(error))
            return REFUSED
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    complain(f"fails with {type(error).__name__}", [f"{one.filename}:{one.lineno}" for one in frames])
    return FAULT
