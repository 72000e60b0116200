"""Decides what may leave: pure, explainable, replayable. Nothing here reads a clock, a network or a database.

decide(disclosure, facts, policy, at) -> Decision      what may leave, and why
release(bundle, decision) -> bundle                    only that much
label(bundle, policy) -> bundle                        sensitivity, free text, taints, confidentiality
items_of(bundle) -> items                              what a Disclosure asks about
read_policy(policy_documents()) -> Policy              dated tables
explain(decision, policy, lang, audience) -> lines     in Vietnamese or English
changes(disclosure, facts, policy, at) -> changes      the smallest that would alter it, found by trying
"""

from consent.engine import decide
from consent.errors import ConsentError, UnreadableInput, UnreadablePolicy
from consent.explain import describe, explain
from consent.fhir import read_consent
from consent.items import items_of
from consent.labels import label
from consent.outside import decide_input
from consent.policy import policy_documents
from consent.release import rekey, release
from consent.rulebook import Policy, read_policy
from consent.supposing import changes

__all__ = [
    "ConsentError",
    "Policy",
    "UnreadableInput",
    "UnreadablePolicy",
    "changes",
    "decide",
    "decide_input",
    "describe",
    "explain",
    "items_of",
    "label",
    "policy_documents",
    "read_consent",
    "read_policy",
    "rekey",
    "release",
]
