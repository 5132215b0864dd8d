"""The ledger's tables: events, the head, and one table for each type of record."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import CheckConstraint, Column, Integer, MetaData, Table, Text, UniqueConstraint

from triune.domain.projection import (
    EnvironmentRecord,
    GateRecord,
    HoldoutRecord,
    LookRecord,
    ReleaseRecord,
    RolloutRecord,
)

HEAD_ROW: Final = 1

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

events: Final = Table(
    "events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("aggregate", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("aggregate", "version"),
)

# Its one row is what writers lock, and what a reader of the whole ledger compares the chain with.
# ``projection`` is the `projection.FORMAT` that the records below were folded by.
head: Final = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("projection", Integer, nullable=False),
    CheckConstraint(f"id = {HEAD_ROW}", name="one_row"),
)


def _records(name: str) -> Table:
    # A record is kept as the JSON of its fields: queries go by key, and a field that comes or goes
    # costs a fold of the events, not a migration.
    return Table(
        name,
        metadata,
        Column("key", Text, primary_key=True),
        Column("content", Text, nullable=False),
    )


RECORDS: Final[Mapping[type, Table]] = {
    ReleaseRecord: _records("releases"),
    EnvironmentRecord: _records("environments"),
    RolloutRecord: _records("rollouts"),
    HoldoutRecord: _records("holdouts"),
    LookRecord: _records("looks"),
    GateRecord: _records("gates"),
}
