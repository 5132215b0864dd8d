"""Brings a ledger's tables to the revision that this version of Triune works with."""

from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select

from triune.adapters.ledger.database import RESTORE, Database
from triune.domain.errors import LedgerCorruptError, LedgerError, LedgerTooNewError

REVISION: Final = "0002"
REVISION_TABLE: Final = "ledger_revision"
MIGRATIONS: Final = Path(__file__).parent / "migrations"

# Alembic keeps what it works on in its modules: one thread at a time.
_MIGRATING: Final = Lock()

_revision = Table(REVISION_TABLE, MetaData(), Column("version_num", Text, primary_key=True))


def bring_up_to_date(database: Database) -> None:
    """Make the tables of a new ledger, or migrate those of an older one; all of it or nothing.

    Raises
    ------
    LedgerTooNewError
        A newer Triune has migrated it.
    LedgerCorruptError
        The database holds tables, but no ledger.
    """
    if _read_revision(database) == REVISION:
        return
    try:
        with _MIGRATING, database.writing() as connection:
            _upgrade(connection)
    except LedgerError:
        # Another process may have made the same ledger just before.
        if _read_revision(database) != REVISION:
            raise


def _read_revision(database: Database) -> str | None:
    with database.reading() as connection:
        tables = inspect(connection).get_table_names()
        found = (
            connection.execute(select(_revision.c.version_num)).scalar_one_or_none()
            if REVISION_TABLE in tables
            else None
        )
    if tables and found is None:
        raise LedgerCorruptError(
            f"{database.location} is a database, but holds no ledger (its tables are "
            f"{', '.join(sorted(tables)[:5])}); {RESTORE}"
        )
    if found is not None and found != REVISION and found not in _known_revisions():
        raise LedgerTooNewError(
            f"the ledger {database.location} is at revision {found!r}, which Triune "
            f"{version('triune')} does not know: a newer one wrote it; upgrade Triune, or open "
            "the ledger with the version that wrote it"
        )
    return found


# Alembic is slow to import, and nearly every ledger is up to date.


def _known_revisions() -> frozenset[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    return frozenset(script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions())


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    # The option is interpolated; a path is not.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
