"""Add the records of holdouts, of looks at them, and of what the gate decided."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; opening the ledger folds the events into them."""
    for name in ("holdouts", "looks", "gates"):
        op.create_table(
            name,
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("content", sa.Text, nullable=False),
            sa.PrimaryKeyConstraint("key", name=f"pk_{name}"),
        )
