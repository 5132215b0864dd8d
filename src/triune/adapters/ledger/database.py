"""Connects to the ledger's database; all that depends on which database it is stands here."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from triune.domain.errors import LedgerCorruptError, LedgerError, MissingExtraError, TriuneError

LOCK_TIMEOUT_S: Final = 30.0
RESTORE: Final = (
    "it was left as it is; restore it from a backup, or move it away to begin a new ledger"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A ledger's database: an engine, where it is, and how long to wait for another's lock."""

    engine: Engine
    location: str
    lock_timeout_s: float

    @classmethod
    def connect(cls, url: URL, *, lock_timeout_s: float) -> Self:
        """Make an engine on which a transaction is one; nothing is opened yet."""
        if url.get_backend_name() == "sqlite":
            engine = create_engine(url)
            _prepare_sqlite(engine, lock_timeout_s=lock_timeout_s)
        else:
            engine = _create_server_engine(url)
            _prepare_postgresql(engine, lock_timeout_s=lock_timeout_s)
        return cls(engine=engine, location=locate(url), lock_timeout_s=lock_timeout_s)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def let_readers_go_on(self) -> None:
        """Turn on SQLite's write-ahead log, which the file remembers; servers need nothing."""
        if self.engine.name == "sqlite":
            with self._translated(), closing(self.engine.raw_connection()) as raw:
                _execute(raw, ("PRAGMA journal_mode = WAL",))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or rolled back by any exception."""
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees the ledger as it stands at one moment, throughout."""
        with self._translated(), self.engine.connect() as raw:
            connection = raw.execution_options(**_SNAPSHOT[self.engine.name])
            with connection.begin():
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._explain(error) from error
        except UnicodeDecodeError as error:
            # SQLite's message about a damaged schema quotes the damage.
            raise LedgerCorruptError(
                f"the ledger {self.location} is damaged ({error}); {RESTORE}"
            ) from error

    def _explain(self, error: SQLAlchemyError) -> TriuneError:
        where = f"the ledger {self.location}"
        if isinstance(error, IntegrityError):
            return LedgerCorruptError(
                f"{where} contradicts itself ({error.orig}): its head is not where its events end; "
                f"{RESTORE}"
            )
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.Error):
            return self._explain_sqlite(cause)
        return LedgerError(
            f"{where} cannot be used ({cause}), and nothing was recorded; "
            "check the database and try again"
        )

    def _explain_sqlite(self, cause: sqlite3.Error) -> LedgerError:
        where = f"the ledger {self.location}"
        # Only the lowest byte names the kind of a failure; the rest says more of its place. What
        # sqlite3 itself refuses (bytes that are no UTF-8, say) carries no code.
        match getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF:
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
                return LedgerCorruptError(f"{where} is damaged ({cause}); {RESTORE}")
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return LedgerError(
                    f"{where} stayed locked by another process for {self.lock_timeout_s:g} s, and "
                    "nothing was recorded; wait until that process is done, and try again"
                )
            case sqlite3.SQLITE_FULL:
                return LedgerError(
                    f"the disk that holds the ledger {self.location} is full, and nothing was "
                    "recorded; make room, and try again"
                )
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                return LedgerError(
                    f"{where} cannot be written ({cause}), and nothing was recorded; check who "
                    "owns the file and its folder, and that the disk is not read-only"
                )
            case _:
                return LedgerError(
                    f"{where} cannot be used ({cause}), and nothing was recorded; check the disk, "
                    "and try again"
                )


def parse_url(ledger: str | Path) -> URL:
    """Read a database URL, or take the path of a SQLite file.

    Raises
    ------
    LedgerError
        It is no URL of SQLite (with a file) or PostgreSQL.
    """
    if isinstance(ledger, Path):
        return URL.create("sqlite", database=str(ledger))
    try:
        url = make_url(ledger)
    except ArgumentError as error:
        raise _not_a_ledger(ledger) from error
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    is_file = url.drivername == "sqlite" and url.database not in {None, "", ":memory:"}
    if not is_file and url.drivername != "postgresql+psycopg":
        raise _not_a_ledger(locate(url))
    return url


def _not_a_ledger(url: str) -> LedgerError:
    return LedgerError(
        f"{url!r} does not say where the ledger is; give sqlite:///PATH, or "
        "postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def locate(url: URL) -> str:
    """Say where a database is, without its password: a file by its path."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def file_of(url: URL) -> Path | None:
    """Name the file that holds the database; None where a server holds it."""
    is_file = url.get_backend_name() == "sqlite"
    return Path(url.database) if is_file and url.database else None


def _create_server_engine(url: URL) -> Engine:
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise MissingExtraError(needed_for="a ledger on PostgreSQL", extra="postgres") from error


# A SQLite transaction sees one moment by itself.
_SNAPSHOT: Final[Mapping[str, Mapping[str, str]]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ"},
}


def _prepare_sqlite(engine: Engine, *, lock_timeout_s: float) -> None:
    settings = (
        f"PRAGMA busy_timeout = {round(lock_timeout_s * 1000)}",
        "PRAGMA foreign_keys = ON",
        # A commit that was reported survives the loss of power, with a write-ahead log too.
        "PRAGMA synchronous = FULL",
    )

    def connected(raw: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin a transaction only before the first write, and none before DDL;
        # `begun` does it for every transaction instead.
        raw.isolation_level = None
        _execute(raw, settings)

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def _prepare_postgresql(engine: Engine, *, lock_timeout_s: float) -> None:
    settings = (f"SET lock_timeout = {round(lock_timeout_s * 1000)}",)

    def connected(raw: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        _execute(raw, settings)
        # A setting made in a transaction that is rolled back is gone.
        raw.commit()

    event.listen(engine, "connect", connected)


def _execute(raw: DBAPIConnection | PoolProxiedConnection, statements: Iterable[str]) -> None:
    with closing(raw.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
