"""Code maps onto the project's own code systems are whole: what a format has no word for is listed here, not lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.checking.canon import code_systems
from adapters.library import BUILT_IN
from adapters.mapping.codes import CodeMap
from adapters.mapping.engine import RowPack
from consent.vocabulary import HUB_BASE
from tests.adapters.law.cases import manifests, pack

_CLASSES = "allegation alleged-perpetrator court-orders referral reporter-identity shelter-location support-need"
_SEXUAL = "coerced-intercourse intercourse molestation prostitution-pornography rape"
_OFFICERS = "case-manager hotline-counsellor investigator school-counsellor social-worker"
_REFUSALS = "declined-by-survivor duplicate no-legal-basis wrong-service"
GAPS = {
    ("court/ecf", "requested-data.csv"): _CLASSES,  # no agency asks for these by name
    ("police/niem", "requested-data.csv"): _CLASSES,
    ("social/primero", "requested-data.csv"): _CLASSES,
    (
        "court/ecf",
        "message-reason.csv",
    ): "declined-by-survivor duplicate no-capacity no-legal-basis outside-area wrong-service",
    ("court/ecf", "official-role.csv"): _OFFICERS,  # they are no officials of a case
    ("court/ecf", "role.csv"): "reporter",  # a court is never told who reported
    ("education/school-support", "abuse.csv"): _SEXUAL,  # a teacher or a caller says sexual abuse, and no finer
    ("hotline/aselo", "violence.csv"): _SEXUAL,
    ("hotline/csv", "abuse.csv"): _SEXUAL,
    ("hotline/aselo", "relation.csv"): "reporter support-person",
    ("hotline/csv", "risk.csv"): "none",  # who calls sees a risk
    ("education/school-support", "decline-reason.csv"): _REFUSALS,  # a school may not say more
    ("education/school-support", "need.csv"): "collect-by",  # a name, which has a place of its own
    ("education/school-support", "need-en.csv"): "collect-by",
    ("education/school-support", "need-vi.csv"): "collect-by",
    ("social/primero", "identifier-type.csv"): "case decision referral",  # these have places of their own
}
"""(pack, code map): codes of the project that it neither reads nor writes, and why."""
_HELD_ELSEWHERE = ("wants-",)
"""Maps of one flag each."""
MINE = [id_ for id_, folder in manifests().items() if folder.is_relative_to(BUILT_IN) and id_ != "health/hl7v2"]


def missing(found: CodeMap) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(system, way, codes) of the project's systems that a map goes to and does not cover on a way that it goes."""
    read = {(code.system, code.code) for code in found.reads.values()}
    for way, pairs in (("in", read), ("out", set(found.writes))):
        for system in {system for system, _ in pairs}:
            name = system.removeprefix(f"{HUB_BASE}/CodeSystem/")
            if name in code_systems():
                yield name, way, code_systems()[name] - {code for each, code in pairs if each == system}


@pytest.mark.parametrize("id_", MINE)
def test_code_maps_cover_the_projects_systems(id_: str) -> None:
    """Each code of a system can be read and said, but for those listed; states of referrals have a crosswalk."""
    of = pack(id_)
    if not isinstance(of, RowPack):
        return
    for name, found in of.codes.items():
        file = name.removeprefix("codes/")
        for system, way, codes in missing(found):
            if file.startswith(_HELD_ELSEWHERE) or (system == "referral-state" and not id_.startswith("hotline/")):
                continue
            assert codes == set(GAPS.get((id_, file), "").split()), (file, way)


@pytest.mark.parametrize("id_", MINE)
def test_every_sex_has_a_word(id_: str) -> None:
    """A map of sexes reads male, female and unknown, and says the four that R4 has."""
    of = pack(id_)
    for name, found in (of.codes if isinstance(of, RowPack) else {}).items():
        if name in ("codes/sex.csv", "codes/gender.csv"):
            assert {code.code for code in found.reads.values()} >= {"male", "female", "unknown"}
            assert {code for _, code in found.writes} == {"male", "female", "other", "unknown"}
