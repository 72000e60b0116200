"""The command `hub`. Commands import what they need when they run, so that ``hub --help`` is fast.

Exit codes: 0 done, 2 the input was refused (place and reason on standard error), 64 wrong usage, else a fault.
"""

from __future__ import annotations

import sys

from hub.errors import HubError, Misconfigured

REFUSED = 2
USAGE = 64
FAULT = 1


def main() -> None:
    """Run the command of this process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    from typer.exceptions import Abort, TyperException

    from adapters.errors import AdapterError
    from consent.errors import ConsentError
    from hub.cli.app import app
    from hub.cli.output import complain

    try:
        code = app(arguments, standalone_mode=False, prog_name="hub")
        return code if isinstance(code, int) else 0
    except TyperException as error:
        error.show()  # type: ignore[attr-defined]  # public in use, not in the type
        return USAGE if error.exit_code == REFUSED else FAULT
    except Misconfigured as error:
        complain(str(error))
        return FAULT
    except HubError as error:
        complain(str(error), [f"{one.place}: {one.why}" for one in error.faults])
        return REFUSED
    except (AdapterError, ConsentError) as error:
        complain(str(error))
        return REFUSED
    except (Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return FAULT
