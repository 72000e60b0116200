"""The schema, once, for both databases. Alembic's migrations are made from it; no extensions are needed.

What is personal is only in `LargeBinary` columns, sealed by the vault (AES-256-GCM), or in `*_token` columns, which
are keyed HMACs. Ids are opaque random strings and say nothing; `seq` is internal and never leaves.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hub.storage.types import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(40)
CODE = String(80)

process = Table(
    "process",
    metadata,
    Column("id", ID, primary_key=True),
    Column("host", String(200), nullable=False, comment="machine and boot, so that a pid means something"),
    Column("pid", Integer, nullable=False),
    Column("ticks", BigInteger, comment="start, in clock ticks since boot: tells it from a later one with its pid"),
    Column("started_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    Column("ended_at", Instant, comment="left in order, or confirmed dead"),
)

vault_key = Table(
    "vault_key",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(10), nullable=False, comment="case or intake"),
    Column("wrapped", LargeBinary, comment="wrapped by the root key; NULL once destroyed"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, comment="intake keys only"),
    Column("destroyed_at", Instant),
)

# --- who speaks ----------------------------------------------------------------------------------------------------

agency = Table(
    "agency",
    metadata,
    Column("id", CODE, nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", JSON, nullable=False, comment="the registry entry as imported"),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", CODE, nullable=False),
    PrimaryKeyConstraint("id", "version"),
)

administrator = Table(
    "administrator",
    metadata,
    Column("id", CODE, primary_key=True),
    Column("roles", JSON, nullable=False),
    Column("jwks", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

used_assertion = Table(
    "used_assertion",
    metadata,
    Column("issuer", CODE, nullable=False),
    Column("jti_hash", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    PrimaryKeyConstraint("issuer", "jti_hash"),
)

access_token = Table(
    "access_token",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("subject_kind", String(10), nullable=False, comment="agency or admin"),
    Column("subject", CODE, nullable=False),
    Column("scope", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("revoked_at", Instant),
)

# --- what was said -------------------------------------------------------------------------------------------------

message = Table(
    "message",
    metadata,
    Column("id", ID, primary_key=True),
    Column("agency", CODE, nullable=False),
    Column("key_token", String(64), comment="HMAC of the sender's message key; NULL after 30 days or if none"),
    Column("content_hash", String(64), nullable=False, comment="HMAC of the original bytes"),
    Column("transport", CODE, nullable=False),
    Column("type", CODE, nullable=False, comment="in the sender's terms, e.g. ORU^R01"),
    Column("event", CODE),
    Column("pack", CODE, nullable=False),
    Column("pack_version", CODE, nullable=False),
    Column("pack_hash", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("received_at", Instant, nullable=False, index=True),
    Column("original", LargeBinary, comment="sealed under the intake key"),
    Column("intake_key", ID),
    Column("answer", LargeBinary, comment="what was answered, sealed; given again to a duplicate"),
    Column("problems", JSON, nullable=False, comment="places and kinds when quarantined, deviations and loss"),
    UniqueConstraint("agency", "key_token"),
)

refusal = Table(
    "refusal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("agency", CODE, comment="NULL when the speaker is unknown"),
    Column("at", Instant, nullable=False, index=True),
    Column("transport", CODE, nullable=False),
    Column("type", CODE, nullable=False),
    Column("faults", JSON, nullable=False, comment="[{place, kind, why}], no personal data"),
)

strand = Table(
    "strand",
    metadata,
    Column("id", ID, primary_key=True),
    Column("message", ID, index=True, comment="NULL when the hub itself speaks (recall, result of a fact)"),
    Column("ordinal", Integer, nullable=False),
    Column("agency", CODE, nullable=False, comment="who said it"),
    Column("person", ID, nullable=False),
    Column("case", ID, nullable=False, index=True),
    Column("referral", ID, index=True),
    Column("event", CODE, nullable=False),
    Column("state", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("bundle", LargeBinary, nullable=False, comment="canonical labelled bundle, sealed under the case key"),
    Column("leaves", LargeBinary, comment="that child's own source leaves, sealed under the case key"),
    Column("seq", BigInteger, nullable=False, comment="order of arrival in its case, whatever the clock said"),
    Column(
        "focus", String(64), index=True, comment="HMAC of what it is about; a later strand of the same focus is newer"
    ),
    Column("moved_from", ID, comment="the case that a link of two persons took it from; unlinking gives it back"),
)

# --- whose child ---------------------------------------------------------------------------------------------------

person = Table(
    "person",
    metadata,
    Column("id", ID, primary_key=True),
    Column("provisional", Boolean, nullable=False, comment="match not certain: R33"),
    Column("linked_to", ID, comment="the person that a reviewer found this one to be"),
    Column("created_at", Instant, nullable=False),
)

person_record = Table(
    "person_record",
    metadata,
    Column("id", ID, primary_key=True),
    Column("person", ID, nullable=False, index=True),
    Column("agency", CODE, nullable=False, comment="whose record says this"),
    Column("record", LargeBinary, nullable=False, comment="names, birth date, sex, place: sealed, for matching"),
    Column("vault_key", ID, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)

person_token = Table(
    "person_token",
    metadata,
    Column("token", String(64), nullable=False, comment="blind index: HMAC of (kind, system, value)"),
    Column("kind", String(20), nullable=False, comment="identifier, name, birth-date"),
    Column("person", ID, nullable=False, index=True),
    PrimaryKeyConstraint("token", "person"),
)

case = Table(
    "case",
    metadata,
    Column("id", ID, primary_key=True),
    Column("person", ID, nullable=False, index=True),
    Column("vault_key", ID, nullable=False),
    Column("state", String(20), nullable=False, comment="provisional, open, closed, merged, erased"),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("epoch", Integer, nullable=False, comment="counts changes of facts"),
    Column("next_seq", BigInteger, nullable=False),
)

# --- what is known -------------------------------------------------------------------------------------------------

fact = Table(
    "fact",
    metadata,
    Column("id", ID, nullable=False),
    Column("version", Integer, nullable=False),
    Column("case", ID, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False, comment="sealed under the case key"),
    Column("epoch", Integer, nullable=False, comment="the case's epoch that this change made"),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", CODE, nullable=False),
    Column("current", Boolean, nullable=False, comment="the newest version of this fact"),
    Column("moved_from", ID, comment="the case that a link of two persons took it from; unlinking gives it back"),
    PrimaryKeyConstraint("id", "version"),
    Index("ix_fact_case_current", "case", "current"),
)

related_person = Table(
    "related_person",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False, comment="name and identifiers, sealed under the case key"),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", CODE, nullable=False),
    Column("moved_from", ID, comment="the case that a link of two persons took it from; unlinking gives it back"),
)

referral = Table(
    "referral",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, nullable=False, index=True),
    Column("requester", CODE, nullable=False),
    Column("performer", CODE),
    Column("service", CODE),
    Column("state", String(30), nullable=False),
    Column("state_at", Instant, nullable=False),
    Column("asked", JSON, nullable=False, comment="data classes asked for"),
    Column("order_token", String(64), comment="HMAC of the decision number claimed"),
    Column("opened_at", Instant, nullable=False),
    Column("deadline", Instant),
    Column("closed_at", Instant),
    Column("answer_by", Instant, comment="until when its performer has time to answer"),
    Column("late", CODE, comment="what a person was called for: unanswered, unfinished"),
    Column("version", Integer, nullable=False, comment="grows with each change of state"),
    Column(
        "body", LargeBinary, comment="placer and filler numbers, decision number and body: sealed under the case key"
    ),
    Column("moved_from", ID, comment="the case that a link of two persons took it from; unlinking gives it back"),
)

referral_token = Table(
    "referral_token",
    metadata,
    Column("token", String(64), nullable=False, comment="HMAC of (agency, placer or filler number, outbound id)"),
    Column("referral", ID, nullable=False),
    PrimaryKeyConstraint("token", "referral"),
)

withdrawal = Table(
    "withdrawal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, nullable=False, index=True),
    Column("consent", ID, nullable=False, comment="fact id"),
    Column("epoch", Integer, nullable=False, comment="attempts that read an earlier epoch must close first"),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", CODE, nullable=False),
    Column("effective_at", Instant),
)

task = Table(
    "task",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, index=True),
    Column("kind", String(60), nullable=False, comment="match-review, consent-conflict, alarm, withdrawal-review, ..."),
    Column("reason", CODE, nullable=False),
    Column("owner", CODE, nullable=False, comment="a role, or an agency id"),
    Column("state", String(20), nullable=False, comment="open, done"),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("closed_at", Instant),
    Column("closed_by", CODE),
    Column("subject", JSON, nullable=False, comment="opaque ids only: strand, person, candidates, delivery"),
)

# --- what leaves ---------------------------------------------------------------------------------------------------

delivery = Table(
    "delivery",
    metadata,
    Column("id", ID, primary_key=True),
    Column("strand", ID, nullable=False, index=True),
    Column("case", ID, nullable=False),
    Column("agency", CODE, nullable=False, comment="whom it was routed to"),
    Column("addressee", CODE, comment="the alternate addressee actually used (R40)"),
    Column("officer", CODE, nullable=False, server_default="", comment="who alone reads it there; empty = the desk"),
    Column("lane", String(10), nullable=False),
    Column("seq", BigInteger, nullable=False, comment="order within (case, agency, officer, lane)"),
    Column("state", String(20), nullable=False),
    Column("event", CODE, nullable=False),
    Column("route", CODE, nullable=False, comment="which row of the routes offered it"),
    Column("purposes", JSON, nullable=False),
    Column("referral", ID),
    Column("recalls", ID, comment="the attempt whose message this recalls"),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("same_failures", Integer, nullable=False),
    Column("last_failure", CODE),
    Column("owner_process", ID, comment="who holds the lease"),
    Column("fence", Integer, nullable=False, comment="grows with each claim; an older holder may not write"),
    Column("lease_until", Instant),
    Column("closed_at", Instant),
    Column("offered_epoch", Integer, nullable=False, comment="the case's epoch when it was offered"),
    UniqueConstraint("case", "agency", "lane", "seq"),
    Index("ix_delivery_state_due_at", "state", "due_at"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", ID, primary_key=True),
    Column("delivery", ID, nullable=False, index=True),
    Column("case", ID, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("agency", CODE, nullable=False, comment="to whom it really went"),
    Column("process", ID, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("outbound_id", CODE, nullable=False, comment="message id on the wire"),
    Column("outbound_token", String(64), nullable=False, index=True, comment="to match an answer that names it"),
    Column("replaces", CODE, comment="an earlier outbound id"),
    Column("release_hash", String(64), nullable=False),
    Column("frozen", LargeBinary, nullable=False, comment="the bytes that leave, sealed under the case key"),
    Column("media_type", CODE, nullable=False),
    Column("facts_epoch", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("failure", CODE, comment="kind of failure"),
    Column("abort_requested", Boolean, nullable=False),
)

ground = Table(
    "ground",
    metadata,
    Column("attempt", ID, nullable=False),
    Column("basis", String(5), nullable=False),
    Column("fact_kind", String(40), nullable=False),
    Column("fact", ID, nullable=False),
    Column("fact_version", Integer, nullable=False),
    PrimaryKeyConstraint("attempt", "basis", "fact", "fact_version"),
    Index("ix_ground_fact", "fact"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", ID, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column(
        "kind", String(40), nullable=False, comment="accepted, attempt, outcome, fact, withdrawal, read, admin, ..."
    ),
    Column("actor", CODE, nullable=False, comment="agency id, administrator id, or hub"),
    Column("agency", CODE, comment="the agency told, if one was"),
    Column("case", ID, index=True),
    Column("message", ID),
    Column("strand", ID),
    Column("delivery", ID, index=True),
    Column("attempt", ID),
    Column("outcome", CODE),
    Column("reasons", JSON, nullable=False, comment="reason codes and rules"),
    Column("policy_version", CODE),
    Column("input_hash", String(64)),
    Column("read", JSON, nullable=False, comment="[[kind, fact id, version]]"),
    Column("detail", JSON, nullable=False, comment="no personal data"),
    Column("replay", LargeBinary, comment="the decision's arguments and answer, sealed under the case key"),
)
