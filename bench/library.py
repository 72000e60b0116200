"""What libraries do, without a socket: parsing, reading through rows, validating, deciding.

Run as ``python -X pure -m bench.library ROUNDS SECONDS``; prints the figures as JSON. One process does all of it, so
that the two sides of a ratio have the same interpreter and the same neighbours; within a round the works follow one
another.
What is compiled (`make fast`) and its peer have a process of their own: the same without ``-X pure``, and ``compiled``
behind.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from bench import decisions, releases
from bench.figures import Comparison, Figure, Unmeasurable
from bench.messages import Mould

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of works made together; when making fails, each of them is missing for that reason."""

    names: dict[str, str]
    """Key of a figure -> what it measures."""
    make: Callable[[], dict[str, Work]]
    pieces: int = 1
    """Pieces of work in one call."""


def parsing() -> dict[str, Work]:
    """The ER7 codec against python-hl7."""
    from adapters.codecs import er7

    raw = Mould("oru", "lib").cast(1)

    def populated() -> int:
        tree: Any = er7.parse(raw).tree
        return len(list(er7.places(tree.segments)))

    if populated() < 300:
        raise Unmeasurable("the codec finds fewer leaves than the message has")
    return {"er7/lines": lambda: er7.parse(raw), "er7/leaves": populated}


def peer_parsing() -> dict[str, Work]:
    """python-hl7 on the same bytes."""
    import hl7

    raw = Mould("oru", "lib").cast(1)
    if sum(1 for segment in hl7.parse(raw) if str(segment[0]) == "OBX") != 30:
        raise Unmeasurable("python-hl7 does not find the 30 OBX")
    return {"hl7/parse": lambda: hl7.parse(raw)}


def reading() -> dict[str, Work]:
    """The health/hl7v2 pack: bytes to canonical bundle."""
    from adapters.library import load_packs
    from adapters.pack import Context
    from adapters.r4.validate import has_errors, validate

    pack = load_packs()["health/hl7v2"]
    raw, context = Mould("oru", "lib").cast(1), Context(at=datetime.now(UTC), agency="bench", id_key=bytes(range(32)))
    bundle = pack.read(raw, context).strands[0].bundle
    observations = [each for each in bundle["entry"] if each["resource"]["resourceType"] == "Observation"]
    if len(observations) != 30:
        raise Unmeasurable(f"30 OBX became {len(observations)} Observations")
    if has_errors(validate(bundle)):
        raise Unmeasurable("the bundle that was read does not pass the validator")
    return {"rows/read": lambda: pack.read(raw, context), "r4/bundle": lambda: validate(bundle)}


def reading_compiled() -> dict[str, Work]:
    """The health/hl7v2 pack, its engine compiled, against python-hl7."""
    from adapters import compiled

    if not compiled.is_used():
        raise Unmeasurable("the engine is not compiled: `make fast`")
    return {"hl7/beside": peer_parsing()["hl7/parse"], "rows/compiled": reading()["rows/read"]}


def validating() -> dict[str, Work]:
    """The R4 validator on one Observation."""
    from adapters.r4.validate import has_errors, validate

    raw = Mould("observation", "lib").cast(1)

    def judge(text: bytes = raw) -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(text, parse_float=Decimal)
        return None if has_errors(validate(found)) else found

    _tells_apart(raw, lambda text: judge(text) is not None)
    return {"r4/judge": judge}


def peer_validating() -> dict[str, Work]:
    """fhir.resources, R4B, on the same Observation."""
    from fhir.resources.R4B.observation import Observation
    from pydantic import ValidationError

    raw = Mould("observation", "lib").cast(1)

    def judge(text: bytes = raw) -> Observation:
        return Observation.model_validate_json(text)

    def accepts(text: bytes) -> bool:
        try:
            judge(text)
        except ValidationError:
            return False
        return True

    _tells_apart(raw, accepts)
    return {"fhir.resources/judge": judge}


def _tells_apart(raw: bytes, accepts: Callable[[bytes], bool]) -> None:
    if not accepts(raw) or accepts(raw.replace(b'"status":"final",', b"")):
        raise Unmeasurable("it does not accept the good Observation and refuse the one without status")


def _prefixed(prefix: str, make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Work]]:
    return lambda: {f"{prefix}/{name}": work for name, work in make().items()}


CONSENTS: Final = (1, 10, 100, 1000)
"""Consents for one child; each decision passes over those that name neither its recipient nor its purpose."""

KINDS: Final = (
    Kind({"hl7/parse": "python-hl7: parse the ORU^R01 with 30 OBX"}, peer_parsing),
    Kind(
        {
            "er7/lines": "ER7 codec: the same, lazily (lines cut, fields when asked for)",
            "er7/leaves": "ER7 codec: the same, and walk every populated leaf",
        },
        parsing,
    ),
    Kind(
        {
            "rows/read": "Pack health/hl7v2: the same bytes to a canonical bundle, through rows",
            "r4/bundle": "R4 validator: that bundle (30 Observations)",
        },
        reading,
    ),
    Kind({"fhir.resources/judge": "fhir.resources R4B: one Observation, bytes to verdict"}, peer_validating),
    Kind({"r4/judge": "R4 validator: the same Observation, bytes to verdict"}, validating),
    Kind(
        {
            "cedar/parsed": "cedarpy: one decision, policies and entities already parsed",
            "cedar/parsing": "cedarpy: one decision from the policies' text",
        },
        _prefixed("cedar", decisions.cedar),
        len(decisions.QUESTIONS),
    ),
    Kind(
        {
            "consent/tree": "Consent engine: the same consent alone, compiled",
            "consent/decide": "Consent engine: whole decision (law, people, consent, grounds, hash), consent compiled",
            "consent/compile+decide": "Consent engine: whole decision, consent compiled anew each time",
        },
        _prefixed("consent", decisions.ours),
        len(decisions.QUESTIONS),
    ),
    Kind(
        {
            f"among/{count}": f"Consent engine: whole decision about a child with {count:,} consents, all compiled"
            for count in CONSENTS
        },
        lambda: {f"among/{count}": decisions.among(count) for count in CONSENTS},
        len(decisions.QUESTIONS),
    ),
    Kind(
        {"fhir.resources/parse": "fhir.resources R4B: parse a bundle of 50 entries"},
        _prefixed("fhir.resources", releases.peer),
    ),
    Kind(
        {
            "release/whole": "Consent engine: release that bundle to the treating hospital, all of it",
            "release/summary": "Consent engine: release that bundle to police under an order, in summary",
        },
        _prefixed("release", releases.ours),
    ),
)

COMPILED: Final = (
    Kind(
        {
            "hl7/beside": "python-hl7: the same ORU^R01, in the process of the compiled engine",
            "rows/compiled": "Pack health/hl7v2: the same to a canonical bundle, through rows, the engine compiled",
        },
        reading_compiled,
    ),
)
"""What the process with the compiled engine measures."""

COMPARISONS: Final = (
    Comparison("ER7 parse, lazily", "er7/lines", "hl7/parse"),
    Comparison("ER7 parse and walk every leaf", "er7/leaves", "hl7/parse"),
    Comparison("Read 30 OBX, bytes to bundle, through rows, the engine as Python", "rows/read", "hl7/parse", 3),
    Comparison("Read 30 OBX, bytes to bundle, through rows, the engine compiled", "rows/compiled", "hl7/beside", 3),
    Comparison("Validate one Observation, bytes to verdict", "r4/judge", "fhir.resources/judge", 20),
    Comparison("Consent of 12 provisions, compiled, alone", "consent/tree", "cedar/parsed", 20),
    Comparison("Whole decision on all layers of law, consent compiled", "consent/decide", "cedar/parsed"),
    Comparison("Parse, compile and decide", "consent/compile+decide", "cedar/parsing", 2),
    # Sub-linear up to a hundred: one decision may cost less than so many times one decision.
    Comparison("Ten consents for one child", "among/10", "among/1", 1 / 10),
    Comparison("A hundred consents for one child", "among/100", "among/1", 1 / 100),
    Comparison("A thousand consents for one child", "among/1000", "among/1"),
    Comparison("Release 50 entries, whole", "release/whole", "fhir.resources/parse", 5),
    Comparison("Release 50 entries, in summary", "release/summary", "fhir.resources/parse", 5),
)


def measure(rounds: int, seconds: float, kinds: Sequence[Kind] = KINDS) -> Iterator[Figure]:
    """Every figure; those whose work cannot be made say why."""
    figures: dict[str, Figure] = {}
    works: list[tuple[Figure, Work, int, int]] = []
    for kind in kinds:
        figures |= {key: Figure(key, what) for key, what in kind.names.items()}
        try:
            made = kind.make()
        except Exception as error:
            why = str(error) if isinstance(error, Unmeasurable) else f"{type(error).__name__} when it was set up"
            print(f"bench: {', '.join(kind.names)}: {error!r}", file=sys.stderr)
            for key in kind.names:
                figures[key].missing = why
            continue
        works += [(figures[key], work, _calls(work, seconds), kind.pieces) for key, work in made.items()]
    for _ in range(rounds):
        for figure, work, calls, pieces in works:
            _round(figure, work, calls, pieces)
    yield from figures.values()


def _calls(work: Work, seconds: float) -> int:
    """How many calls fill `seconds`, warm; by the fastest of some, so that a collection meanwhile does not count."""
    work()
    gc.collect()
    return max(1, round(seconds / min(_spent(work) for _ in range(7))))


def _spent(work: Work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _round(figure: Figure, work: Work, calls: int, pieces: int) -> None:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    figure.rates.append(calls * pieces / wall)
    figure.costs.append(cpu / (calls * pieces))
    figure.count += calls * pieces


def main() -> None:
    """Measure and print."""
    rounds, seconds = int(sys.argv[1]), float(sys.argv[2])
    kinds = COMPILED if sys.argv[3:] == ["compiled"] else KINDS
    json.dump([asdict(figure) for figure in measure(rounds, seconds, kinds)], sys.stdout)


if __name__ == "__main__":
    main()
