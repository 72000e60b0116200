"""The examples of the court filing standard, ECF 5.0."""

from __future__ import annotations

from tests.conformance.suite import Case, Suite

FOLDER = "court/ecf5/examples"

FILES = (
    "caserequest.xml",
    "caseresponse.xml",
    "civil.xml",
    "docketcallback.xml",
    "domestic.xml",
    "filingstatusrequest.xml",
    "filingstatusresponse.xml",
    "juvenile.xml",
    "messagestatus.xml",
    "new-civil-filing.xml",
    "reviewfilingcallback.xml",
    "scheduleresponse.xml",
)

SUITES = [
    Suite(
        title="court/ecf",
        pack="court/ecf",
        claim="All twelve examples of ECF 5.0 translate to a valid bundle with at least 80 % of the populated fields "
        "of mapped elements; none is broken.",
        cases=[Case(name, (f"{FOLDER}/{name}",)) for name in FILES],
    )
]
