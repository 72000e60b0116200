"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage.types import Instant

revision: str = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "access_token",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("subject_kind", sa.String(length=10), nullable=False, comment="agency or admin"),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_access_token")),
    )
    with op.batch_alter_table("access_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_token_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "administrator",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("jwks", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_administrator")),
    )
    op.create_table(
        "agency",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False, comment="the registry entry as imported"),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_agency")),
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("delivery", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agency", sa.String(length=80), nullable=False, comment="to whom it really went"),
        sa.Column("process", sa.String(length=40), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("outbound_id", sa.String(length=80), nullable=False, comment="message id on the wire"),
        sa.Column("outbound_token", sa.String(length=64), nullable=False, comment="to match an answer that names it"),
        sa.Column("replaces", sa.String(length=80), nullable=True, comment="an earlier outbound id"),
        sa.Column("release_hash", sa.String(length=64), nullable=False),
        sa.Column(
            "frozen", sa.LargeBinary(), nullable=False, comment="the bytes that leave, sealed under the case key"
        ),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("facts_epoch", sa.Integer(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("failure", sa.String(length=80), nullable=True, comment="kind of failure"),
        sa.Column("abort_requested", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_case"), ["case"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_delivery"), ["delivery"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_outbound_token"), ["outbound_token"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_state"), ["state"], unique=False)

    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column(
            "kind",
            sa.String(length=40),
            nullable=False,
            comment="accepted, attempt, outcome, fact, withdrawal, read, admin, ...",
        ),
        sa.Column("actor", sa.String(length=80), nullable=False, comment="agency id, administrator id, or hub"),
        sa.Column("agency", sa.String(length=80), nullable=True, comment="the agency told, if one was"),
        sa.Column("case", sa.String(length=40), nullable=True),
        sa.Column("message", sa.String(length=40), nullable=True),
        sa.Column("strand", sa.String(length=40), nullable=True),
        sa.Column("delivery", sa.String(length=40), nullable=True),
        sa.Column("attempt", sa.String(length=40), nullable=True),
        sa.Column("outcome", sa.String(length=80), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False, comment="reason codes and rules"),
        sa.Column("policy_version", sa.String(length=80), nullable=True),
        sa.Column("input_hash", sa.String(length=64), nullable=True),
        sa.Column("read", sa.JSON(), nullable=False, comment="[[kind, fact id, version]]"),
        sa.Column("detail", sa.JSON(), nullable=False, comment="no personal data"),
        sa.Column(
            "replay",
            sa.LargeBinary(),
            nullable=True,
            comment="the decision's arguments and answer, sealed under the case key",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_case"), ["case"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_delivery"), ["delivery"], unique=False)

    op.create_table(
        "case",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.Column("vault_key", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False, comment="provisional, open, closed"),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="counts changes of facts"),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case")),
    )
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_person"), ["person"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("strand", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("agency", sa.String(length=80), nullable=False, comment="whom it was routed to"),
        sa.Column(
            "addressee", sa.String(length=80), nullable=True, comment="the alternate addressee actually used (R40)"
        ),
        sa.Column("lane", sa.String(length=10), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="order within (case, agency, lane)"),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("route", sa.String(length=80), nullable=False, comment="which row of the routes offered it"),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("referral", sa.String(length=40), nullable=True),
        sa.Column("recalls", sa.String(length=40), nullable=True, comment="the attempt whose message this recalls"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("deadline", Instant(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("same_failures", sa.Integer(), nullable=False),
        sa.Column("last_failure", sa.String(length=80), nullable=True),
        sa.Column("owner_process", sa.String(length=40), nullable=True, comment="who holds the lease"),
        sa.Column(
            "fence", sa.Integer(), nullable=False, comment="grows with each claim; an older holder may not write"
        ),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("offered_epoch", sa.Integer(), nullable=False, comment="the case's epoch when it was offered"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("case", "agency", "lane", "seq", name=op.f("uq_delivery_case_agency_lane_seq")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index("ix_delivery_state_due_at", ["state", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_strand"), ["strand"], unique=False)

    op.create_table(
        "fact",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed under the case key"),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="the case's epoch that this change made"),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False, comment="the newest version of this fact"),
        sa.Column(
            "moved_from",
            sa.String(length=40),
            nullable=True,
            comment="the case that a link of two persons took it from; unlinking gives it back",
        ),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_fact")),
    )
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.create_index("ix_fact_case_current", ["case", "current"], unique=False)

    op.create_table(
        "ground",
        sa.Column("attempt", sa.String(length=40), nullable=False),
        sa.Column("basis", sa.String(length=5), nullable=False),
        sa.Column("fact_kind", sa.String(length=40), nullable=False),
        sa.Column("fact", sa.String(length=40), nullable=False),
        sa.Column("fact_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("attempt", "basis", "fact", "fact_version", name=op.f("pk_ground")),
    )
    with op.batch_alter_table("ground", schema=None) as batch_op:
        batch_op.create_index("ix_ground_fact", ["fact"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agency", sa.String(length=80), nullable=False),
        sa.Column(
            "key_token",
            sa.String(length=64),
            nullable=True,
            comment="HMAC of the sender's message key; NULL after 30 days or if none",
        ),
        sa.Column("content_hash", sa.String(length=64), nullable=False, comment="HMAC of the original bytes"),
        sa.Column("transport", sa.String(length=80), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False, comment="in the sender's terms, e.g. ORU^R01"),
        sa.Column("event", sa.String(length=80), nullable=True),
        sa.Column("pack", sa.String(length=80), nullable=False),
        sa.Column("pack_version", sa.String(length=80), nullable=False),
        sa.Column("pack_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("original", sa.LargeBinary(), nullable=True, comment="sealed under the intake key"),
        sa.Column("intake_key", sa.String(length=40), nullable=True),
        sa.Column(
            "answer", sa.LargeBinary(), nullable=True, comment="what was answered, sealed; given again to a duplicate"
        ),
        sa.Column(
            "problems", sa.JSON(), nullable=False, comment="places and kinds when quarantined, deviations and loss"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("agency", "key_token", name=op.f("uq_message_agency_key_token")),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_message_received_at"), ["received_at"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False, comment="match not certain: R33"),
        sa.Column(
            "linked_to", sa.String(length=40), nullable=True, comment="the person that a reviewer found this one to be"
        ),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_table(
        "person_record",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.Column("agency", sa.String(length=80), nullable=False, comment="whose record says this"),
        sa.Column(
            "record", sa.LargeBinary(), nullable=False, comment="names, birth date, sex, place: sealed, for matching"
        ),
        sa.Column("vault_key", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_record")),
    )
    with op.batch_alter_table("person_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_record_person"), ["person"], unique=False)

    op.create_table(
        "person_token",
        sa.Column("token", sa.String(length=64), nullable=False, comment="blind index: HMAC of (kind, system, value)"),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="identifier, name, birth-date"),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("token", "person", name=op.f("pk_person_token")),
    )
    with op.batch_alter_table("person_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_token_person"), ["person"], unique=False)

    op.create_table(
        "process",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column(
            "host", sa.String(length=200), nullable=False, comment="machine and boot, so that a pid means something"
        ),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column(
            "ticks",
            sa.BigInteger(),
            nullable=True,
            comment="start, in clock ticks since boot: tells it from a later one with its pid",
        ),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("heartbeat_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True, comment="left in order, or confirmed dead"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process")),
    )
    op.create_table(
        "referral",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("requester", sa.String(length=80), nullable=False),
        sa.Column("performer", sa.String(length=80), nullable=True),
        sa.Column("service", sa.String(length=80), nullable=True),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("state_at", Instant(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False, comment="data classes asked for"),
        sa.Column("order_token", sa.String(length=64), nullable=True, comment="HMAC of the decision number claimed"),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("deadline", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, comment="grows with each change of state"),
        sa.Column(
            "body",
            sa.LargeBinary(),
            nullable=True,
            comment="placer and filler numbers, decision number and body: sealed under the case key",
        ),
        sa.Column(
            "moved_from",
            sa.String(length=40),
            nullable=True,
            comment="the case that a link of two persons took it from; unlinking gives it back",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
    )
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_referral_case"), ["case"], unique=False)

    op.create_table(
        "referral_token",
        sa.Column(
            "token",
            sa.String(length=64),
            nullable=False,
            comment="HMAC of (agency, placer or filler number, outbound id)",
        ),
        sa.Column("referral", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("token", "referral", name=op.f("pk_referral_token")),
    )
    op.create_table(
        "refusal",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agency", sa.String(length=80), nullable=True, comment="NULL when the speaker is unknown"),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("transport", sa.String(length=80), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False, comment="[{place, kind, why}], no personal data"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
    )
    with op.batch_alter_table("refusal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refusal_at"), ["at"], unique=False)

    op.create_table(
        "related_person",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="name and identifiers, sealed under the case key"),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.Column(
            "moved_from",
            sa.String(length=40),
            nullable=True,
            comment="the case that a link of two persons took it from; unlinking gives it back",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_related_person")),
    )
    with op.batch_alter_table("related_person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_related_person_case"), ["case"], unique=False)

    op.create_table(
        "strand",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column(
            "message",
            sa.String(length=40),
            nullable=True,
            comment="NULL when the hub itself speaks (recall, result of a fact)",
        ),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("agency", sa.String(length=80), nullable=False, comment="who said it"),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("referral", sa.String(length=40), nullable=True),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column(
            "bundle", sa.LargeBinary(), nullable=False, comment="canonical labelled bundle, sealed under the case key"
        ),
        sa.Column(
            "leaves",
            sa.LargeBinary(),
            nullable=True,
            comment="that child's own source leaves, sealed under the case key",
        ),
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=False,
            comment="order of arrival in its case, whatever the clock said",
        ),
        sa.Column(
            "focus",
            sa.String(length=64),
            nullable=True,
            comment="HMAC of what it is about; a later strand of the same focus is newer",
        ),
        sa.Column(
            "moved_from",
            sa.String(length=40),
            nullable=True,
            comment="the case that a link of two persons took it from; unlinking gives it back",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strand")),
    )
    with op.batch_alter_table("strand", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_strand_case"), ["case"], unique=False)
        batch_op.create_index(batch_op.f("ix_strand_focus"), ["focus"], unique=False)
        batch_op.create_index(batch_op.f("ix_strand_message"), ["message"], unique=False)
        batch_op.create_index(batch_op.f("ix_strand_referral"), ["referral"], unique=False)

    op.create_table(
        "task",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=True),
        sa.Column(
            "kind",
            sa.String(length=60),
            nullable=False,
            comment="match-review, consent-conflict, alarm, withdrawal-review, ...",
        ),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False, comment="a role, or an agency id"),
        sa.Column("state", sa.String(length=20), nullable=False, comment="open, done"),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.Column(
            "subject", sa.JSON(), nullable=False, comment="opaque ids only: strand, person, candidates, delivery"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_case"), ["case"], unique=False)

    op.create_table(
        "used_assertion",
        sa.Column("issuer", sa.String(length=80), nullable=False),
        sa.Column("jti_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "jti_hash", name=op.f("pk_used_assertion")),
    )
    with op.batch_alter_table("used_assertion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_assertion_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "vault_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="case or intake"),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True, comment="wrapped by the root key; NULL once destroyed"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True, comment="intake keys only"),
        sa.Column("destroyed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_key")),
    )
    op.create_table(
        "withdrawal",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=40), nullable=False),
        sa.Column("consent", sa.String(length=40), nullable=False, comment="fact id"),
        sa.Column(
            "epoch", sa.Integer(), nullable=False, comment="attempts that read an earlier epoch must close first"
        ),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.Column("effective_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal")),
    )
    with op.batch_alter_table("withdrawal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_withdrawal_case"), ["case"], unique=False)


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("withdrawal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_withdrawal_case"))

    op.drop_table("withdrawal")
    op.drop_table("vault_key")
    with op.batch_alter_table("used_assertion", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_assertion_expires_at"))

    op.drop_table("used_assertion")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_case"))

    op.drop_table("task")
    with op.batch_alter_table("strand", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_strand_referral"))
        batch_op.drop_index(batch_op.f("ix_strand_message"))
        batch_op.drop_index(batch_op.f("ix_strand_focus"))
        batch_op.drop_index(batch_op.f("ix_strand_case"))

    op.drop_table("strand")
    with op.batch_alter_table("related_person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_related_person_case"))

    op.drop_table("related_person")
    with op.batch_alter_table("refusal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refusal_at"))

    op.drop_table("refusal")
    op.drop_table("referral_token")
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_referral_case"))

    op.drop_table("referral")
    op.drop_table("process")
    with op.batch_alter_table("person_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_token_person"))

    op.drop_table("person_token")
    with op.batch_alter_table("person_record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_record_person"))

    op.drop_table("person_record")
    op.drop_table("person")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_message_received_at"))

    op.drop_table("message")
    with op.batch_alter_table("ground", schema=None) as batch_op:
        batch_op.drop_index("ix_ground_fact")

    op.drop_table("ground")
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_case_current")

    op.drop_table("fact")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_strand"))
        batch_op.drop_index("ix_delivery_state_due_at")

    op.drop_table("delivery")
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_person"))

    op.drop_table("case")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_delivery"))
        batch_op.drop_index(batch_op.f("ix_audit_case"))
        batch_op.drop_index(batch_op.f("ix_audit_at"))

    op.drop_table("audit")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempt_state"))
        batch_op.drop_index(batch_op.f("ix_attempt_outbound_token"))
        batch_op.drop_index(batch_op.f("ix_attempt_delivery"))
        batch_op.drop_index(batch_op.f("ix_attempt_case"))

    op.drop_table("attempt")
    op.drop_table("agency")
    op.drop_table("administrator")
    with op.batch_alter_table("access_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_token_expires_at"))

    op.drop_table("access_token")
