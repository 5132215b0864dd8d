"""Every ledger passes the same checks: in memory, in a SQLite file, on a PostgreSQL server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from triune.adapters.ledger.database import Database, parse_url
from triune.adapters.ledger.revision import REVISION_TABLE
from triune.adapters.ledger.schema import metadata
from triune.adapters.ledger.sql import SqlLedger
from triune.adapters.memory import MemoryLedger
from triune.domain.errors import LedgerError
from triune.testing.port_checks import LedgerChecks, a_champion_change


class TestMemoryLedger(LedgerChecks):
    @pytest.fixture
    def ledger(self) -> MemoryLedger:
        return MemoryLedger()


class TestSqliteLedger(LedgerChecks):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[SqlLedger]:
        with SqlLedger.open(tmp_path / "ledger.db") as ledger:
            yield ledger


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    name = f"ledger_{uuid4().hex}"
    server = sa.create_engine(
        f"postgresql+psycopg://triune@/postgres?host={postgresql}", isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.dispose()
    return f"postgresql://triune@/{name}?host={postgresql}"


@pytest.mark.slow
class TestPostgresqlLedger(LedgerChecks):
    @pytest.fixture
    def ledger(self, postgresql_url: str) -> Iterator[SqlLedger]:
        with SqlLedger.open(postgresql_url) as ledger:
            yield ledger

    def test_many_that_open_a_new_ledger_at_once_share_it(self, postgresql_url: str) -> None:
        def open_and_append(name: str) -> None:
            with SqlLedger.open(postgresql_url) as ledger:
                ledger.append([a_champion_change(environment=name)], expected_version=0)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(open_and_append, ["one", "two", "three", "four"]))

        with SqlLedger.open(postgresql_url) as ledger:
            assert ledger.head().sequence == 4

    def test_a_reading_transaction_sees_one_moment(
        self, ledger: SqlLedger, postgresql_url: str
    ) -> None:
        database = Database.connect(parse_url(postgresql_url), lock_timeout_s=1)
        count = sa.text("SELECT count(*) FROM events")

        with database.reading() as connection:
            before = connection.execute(count).scalar()
            ledger.append([a_champion_change()], expected_version=0)
            after = connection.execute(count).scalar()

        database.close()
        assert (before, after) == (0, 0)

    def test_a_lock_that_is_held_too_long_is_a_fault_and_nothing_is_recorded(
        self, ledger: SqlLedger, postgresql_url: str
    ) -> None:
        other = Database.connect(parse_url(postgresql_url), lock_timeout_s=1)

        with (
            SqlLedger.open(postgresql_url, lock_timeout_s=0.01) as hasty,
            other.writing() as connection,
        ):
            connection.execute(sa.text("UPDATE head SET sequence = sequence"))
            with pytest.raises(LedgerError, match="lock timeout"):
                hasty.append([a_champion_change()], expected_version=0)

        other.close()
        assert ledger.append([a_champion_change()], expected_version=0)[0].sequence == 1

    def test_the_migrated_tables_are_those_of_the_schema(
        self, ledger: SqlLedger, postgresql_url: str
    ) -> None:
        assert differences(postgresql_url) == []

    def test_a_server_that_is_not_there_is_a_fault_that_names_it(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerError, match=r"triune:\*\*\*@/ledger"):
            SqlLedger.open(f"postgresql://triune:secret@/ledger?host={tmp_path}")


def differences(ledger: str | Path) -> list[object]:
    """List what the migrations make otherwise than the schema says."""
    database = Database.connect(parse_url(ledger), lock_timeout_s=1)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE})
        found = compare_metadata(context, metadata)
    database.close()
    return list(found)


def test_the_migrated_tables_of_a_file_are_those_of_the_schema(tmp_path: Path) -> None:
    SqlLedger.open(tmp_path / "ledger.db").close()

    assert differences(tmp_path / "ledger.db") == []
