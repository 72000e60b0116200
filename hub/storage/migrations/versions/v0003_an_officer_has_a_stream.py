"""What waits for an officer alone is a stream of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"

BEFORE, AFTER = "order within (case, agency, lane)", "order within (case, agency, officer, lane)"


def upgrade() -> None:
    """Apply this step."""
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "officer",
                sa.String(length=80),
                server_default="",
                nullable=False,
                comment="who alone reads it there; empty = the desk",
            )
        )
        batch_op.alter_column(
            "seq", existing_type=sa.BigInteger(), existing_nullable=False, existing_comment=BEFORE, comment=AFTER
        )


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.alter_column(
            "seq", existing_type=sa.BigInteger(), existing_nullable=False, existing_comment=AFTER, comment=BEFORE
        )
        batch_op.drop_column("officer")
