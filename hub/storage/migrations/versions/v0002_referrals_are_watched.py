"""Referrals are watched; a case may be merged or erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage.types import Instant

revision: str = "0002"
down_revision: str | None = "0001"


BEFORE, AFTER = "provisional, open, closed", "provisional, open, closed, merged, erased"


def upgrade() -> None:
    """Apply this step."""
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.alter_column(
            "state", existing_type=sa.String(length=20), existing_nullable=False, existing_comment=BEFORE, comment=AFTER
        )
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("answer_by", Instant(), nullable=True, comment="until when its performer has time to answer")
        )
        batch_op.add_column(
            sa.Column(
                "late",
                sa.String(length=80),
                nullable=True,
                comment="what a person was called for: unanswered, unfinished",
            )
        )


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.alter_column(
            "state", existing_type=sa.String(length=20), existing_nullable=False, existing_comment=AFTER, comment=BEFORE
        )
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.drop_column("late")
        batch_op.drop_column("answer_by")
