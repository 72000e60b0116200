"""Drafts the next migration from the difference between the newest one and `hub/storage/tables.py`.

    python tools/draft_migration.py 0002 "what changes"

Read the draft before you commit it: a new column that may not be NULL needs a default for the rows that exist.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from hub.storage.migrate import configuration, migrate
from hub.storage.store import Store


def main(number: str, message: str) -> None:
    """Write `hub/storage/migrations/versions/vNUMBER_message.py`."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/draft.db")
        migrate(store)
        config = configuration()
        config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
        with store.write() as unit:
            config.attributes["connection"] = unit
            script = command.revision(config, message, autogenerate=True, rev_id=number)
        store.close()
    path = Path(str(getattr(script, "path", "")))
    text = path.read_text().replace("hub.storage.types.Instant", "Instant")
    path.write_text("\n".join(line for line in text.splitlines() if "Alembic" not in line) + "\n")
    for step in (["format"], ["check", "--fix"]):
        subprocess.run([sys.executable, "-m", "ruff", *step, "--quiet", str(path)], check=True)
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
