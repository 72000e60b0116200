"""Walk many generated worlds through every invariant, shard by shard, and remember which shards are done.

    python tools/campaign_consent.py [--worlds 200000] [--shard 1000] [--record FILE]

The record holds one line a shard (first seed, worlds, failures); a campaign that is started again goes on after it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.consent.test_invariants import walk  # noqa: E402


def main() -> int:
    """Run what is not on record yet; return the number of shards with a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200_000)
    parser.add_argument("--shard", type=int, default=1_000)
    parser.add_argument("--record", type=Path, default=ROOT / "docs" / "consent-campaign.txt")
    given = parser.parse_args()
    done = {}
    if given.record.exists():
        for line in given.record.read_text("utf-8").splitlines():
            start, _, rest = line.partition(" ")
            done[int(start)] = rest
    for start in range(0, given.worlds, given.shard):
        if start not in done:
            failed, seen = walk(start, given.shard)
            line = f"{start} {given.shard} worlds, {sum(failed.values())} failures {sorted(failed)[:3] or ''}".rstrip()
            with given.record.open("a", encoding="utf-8") as record:
                record.write(line + "\n")
            done[start] = line
            print(line, dict(seen), flush=True)
    return sum(" 0 failures" not in line for line in done.values())


if __name__ == "__main__":
    sys.exit(main())
