"""Begin the ledger: events, their head, and the records of releases, environments, rollouts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

GENESIS = "0" * 64


def upgrade() -> None:
    """Make the tables, and the head of a ledger without events."""
    op.create_table(
        "events",
        sa.Column("sequence", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("aggregate", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_events"),
        sa.UniqueConstraint("aggregate", "version", name="uq_events_aggregate_version"),
    )
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("projection", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_head"),
        sa.CheckConstraint("id = 1", name="ck_head_one_row"),
    )
    for name in ("releases", "environments", "rollouts"):
        op.create_table(
            name,
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("content", sa.Text, nullable=False),
            sa.PrimaryKeyConstraint("key", name=f"pk_{name}"),
        )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": GENESIS, "projection": 1}])
