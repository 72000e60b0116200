"""What a decision says about itself, and that it can say it in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import consent
from consent.vocabulary import DataClass, Sector
from tests.consent.world import AT, CHILD, ask, child, decide, given, item, policy, provision

EDITION = policy().at(AT)


def test_every_reason_has_its_words_in_both_languages() -> None:
    """What it says, the smallest change, and who can make it: in Vietnamese and in English."""
    for code, row in EDITION.texts.items():
        assert set(row) == {"vi", "en", "change_vi", "change_en", "who"}, code
        assert all(row.values()), code


def test_every_reason_that_the_engine_gives_has_words() -> None:
    """No reason code stands in the engine without a text in the policy data."""
    folder = Path(consent.__file__).parent
    given_codes = {
        code
        for file in ("acts.py", "alone.py", "engine.py", "law.py")
        for code in re.findall(r'"((?:R\d+|C|D|T|own)-[a-z0-9-]+|internal-error)"', (folder / file).read_text("utf-8"))
    }
    given_codes |= {f"{row.rule}-never-flow" for row in EDITION.never_flow}
    assert given_codes <= set(EDITION.texts), given_codes - set(EDITION.texts)


def test_an_administrator_hears_what_why_whence_and_what_would_change_it() -> None:
    """A refused disclosure explained in Vietnamese names the missing consent, the rule and the next step."""
    root = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM])
    decision = decide(ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM)), child(consents=(given(root, by=CHILD),)))
    vietnamese = consent.explain(decision, policy(), "vi", "administrator")
    assert "Thiếu sự đồng ý của người đại diện hợp lệ." in vietnamese[1]
    english = consent.explain(decision, policy(), "en", "administrator")
    assert "R4" in english[1]
    assert "Record the consent of an unbarred representative." in english[1]


def test_a_recipient_hears_the_same_whatever_is_withheld() -> None:
    """The recipient's form depends on nothing that it may not know."""
    facts = child()
    one = decide(ask(Sector.POLICE, item(DataClass.MENTAL_HEALTH, "HIV")), facts)
    other = decide(ask(Sector.POLICE, item(DataClass.SUPPORT_NEED)), child(match_certain=False))
    for lang in ("vi", "en"):
        assert consent.explain(one, policy(), lang, "recipient") == consent.explain(other, policy(), lang, "recipient")
