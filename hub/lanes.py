"""How patient the hub is, as data (`hub/policy/delivery.yaml`), and what a failed try leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Final

import yaml

from hub.errors import Ambiguous, Misconfigured, Permanent
from hub.states import DeliveryState, Lane
from hub.storage.deliveries import Delivery, Failure

DIED: Final = "process-died"
"""The failure of a delivery whose process ended while it was in hand."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between tries: `first`, then `factor` times as long, never above `most`, shortened by up to `jitter`."""

    first: float
    factor: float
    most: float
    jitter: float

    def wait(self, tries: int, chance: float) -> timedelta:
        """Before the next try, after `tries` failed ones; `chance` in [0, 1)."""
        exponent = min(max(tries - 1, 0), 64)
        longest = min(self.first * self.factor**exponent, self.most)
        return timedelta(seconds=longest * (1 - self.jitter * chance))


@dataclass(frozen=True, slots=True)
class Lanes:
    """The whole of `delivery.yaml`; times in seconds."""

    version: str
    lease: timedelta
    backoff: Mapping[Lane, Backoff]
    same_failure_limit: int
    patient_with: frozenset[str]
    died_limit: int
    sweep: float
    heartbeat: float
    abort_poll: float
    per_agency: int


def read_lanes(text: str | None = None) -> Lanes:
    """The policy in force, from `text` or the hub's own file. Raises :class:`hub.errors.Misconfigured`."""
    if text is None:
        text = resources.files("hub.policy").joinpath("delivery.yaml").read_text("utf-8")
    try:
        return _lanes(yaml.safe_load(text))
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise Misconfigured(f"delivery.yaml cannot be read: {error}") from error


def after_failure(lanes: Lanes, held: Delivery, failure: Exception | str, at: datetime, chance: float) -> Failure:
    """What becomes of a claimed delivery whose try failed; `chance` in [0, 1) spreads the next tries.

    `failure` is the error that ended it, or :data:`DIED`, after which it is due again at once. A permanent one parks; a
    kind that is not the message's fault waits on until the deadline; any other parks after the same one
    `same_failure_limit` times.
    """
    kind = failure if isinstance(failure, str) else getattr(failure, "kind", "") or type(failure).__name__.lower()
    same = held.same_failures + 1 if held.last_failure == kind else 1
    limit = lanes.died_limit if kind == DIED else lanes.same_failure_limit
    if isinstance(failure, Permanent) or (kind not in lanes.patient_with and same >= limit):
        return Failure(DeliveryState.PARKED, at, kind, same)
    again = DeliveryState.UNKNOWN if isinstance(failure, Ambiguous) else DeliveryState.PENDING
    due_at = at if kind == DIED else at + lanes.backoff[held.lane].wait(held.tries + 1, chance)
    return Failure(again, due_at, kind, same)


def _lanes(data: Mapping[str, Any]) -> Lanes:
    backoff = {Lane(lane): Backoff(**{k: float(v) for k, v in row.items()}) for lane, row in data["backoff"].items()}
    return Lanes(
        version=str(data["version"]),
        lease=timedelta(seconds=float(data["lease"])),
        backoff={lane: backoff[lane] for lane in Lane},
        same_failure_limit=int(data["same_failure_limit"]),
        patient_with=frozenset(map(str, data["patient_with"])),
        died_limit=int(data["died_limit"]),
        sweep=float(data["sweep"]),
        heartbeat=float(data["heartbeat"]),
        abort_poll=float(data["abort_poll"]),
        per_agency=int(data["per_agency"]),
    )
