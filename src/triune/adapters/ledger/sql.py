"""The ledger in a SQL database: SQLite in a file by default, PostgreSQL by its address."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import msgspec
from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, select, update

from triune.adapters.ledger.database import LOCK_TIMEOUT_S, RESTORE, Database, file_of, parse_url
from triune.adapters.ledger.file import ensure_file
from triune.adapters.ledger.revision import bring_up_to_date
from triune.adapters.ledger.schema import RECORDS, events, head
from triune.domain.canonical import canonical_json
from triune.domain.errors import (
    ConcurrencyError,
    LedgerCorruptError,
    LedgerTooNewError,
)
from triune.domain.events import Event, EventDraft, Head, chain
from triune.domain.projection import FORMAT, Changes, R, Record, State, name_record

PAGE: Final = 2_000

_EVENT_COLUMNS: Final = tuple(column.name for column in events.columns)


class SqlLedger:
    """The ledger in a SQL database; open it with `open`, and close it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, ledger: str | Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> Self:
        """Open a ledger, made or migrated first where that is due.

        Parameters
        ----------
        ledger
            ``sqlite:///PATH``, ``postgresql://...``, or the path of a SQLite file.
        lock_timeout_s
            How long to wait for other writers.

        Raises
        ------
        LedgerCorruptError
            What is there is damaged, or no ledger; it is left as it is.
        LedgerTooNewError
            It was written by a newer version of Triune.
        LedgerError
            It cannot be reached, read or written.
        """
        url = parse_url(ledger)
        file = file_of(url)
        if file is not None:
            ensure_file(file)
        opened = cls(Database.connect(url, lock_timeout_s=lock_timeout_s))
        try:
            opened._prepare()
        except BaseException:
            opened.close()
            raise
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection to the database."""
        self._database.close()

    def append(
        self,
        drafts: Sequence[EventDraft],
        *,
        expected_version: int,
        unmoved: Mapping[str, int] = MappingProxyType({}),
    ) -> tuple[Event, ...]:
        """Record events of one aggregate that stands at ``expected_version``, all or none."""
        if not drafts:
            return ()
        aggregate = drafts[0].aggregate
        with self._database.writing() as connection:
            last = self._lock(connection)
            for each, expected in {**unmoved, aggregate: expected_version}.items():
                version = _version(connection, each)
                if version != expected:
                    raise ConcurrencyError(aggregate=each, version=version, expected=expected)
            recorded = chain(drafts, head=last, version=expected_version)
            connection.execute(insert(events), [_row(event) for event in recorded])
            _move_head(connection, recorded[-1])
            changes = Changes(_Stored(connection))
            changes.apply(recorded)
            _keep(connection, changes)
        return recorded

    def events(self, *, after: int = 0, aggregate: str | None = None) -> Iterator[Event]:
        """Read events in order; no transaction stays open between one event and the next."""
        while True:
            with self._database.reading() as connection:
                page = _read_page(connection, after=after, aggregate=aggregate)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].sequence

    def version(self, aggregate: str) -> int:
        """Tell at which version an aggregate stands: 0 before its first event."""
        with self._database.reading() as connection:
            return _version(connection, aggregate)

    def head(self) -> Head:
        """Tell where the ledger stands, as last recorded."""
        with self._database.reading() as connection:
            row = self._read_head(connection)
        return Head(sequence=row.sequence, hash=row.hash)

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key."""
        with self._database.reading() as connection:
            return _Stored(connection).find(kind, key)

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """List the records of one kind, by key."""
        with self._database.reading() as connection:
            table = RECORDS[kind]
            rows = connection.execute(select(table.c.key, table.c.content)).all()
        # Sorted here: databases differ in how they order text.
        return tuple(
            _decode(kind, row.key, row.content) for row in sorted(rows, key=lambda row: row.key)
        )

    def rebuild(self) -> None:
        """Throw the records away and fold them anew from the events, in one transaction."""
        with self._database.writing() as connection:
            self._lock(connection)
            self._refold(connection)

    def changed_records(self) -> tuple[str, ...]:
        """Name the records that are not what the events fold to; none in a sound ledger."""
        with self._database.reading() as connection:
            due = {
                (type(record), record.key): _encode(record)
                for record in self._fold(connection).records()
            }
            stored = {
                (kind, row.key): row.content
                for kind, table in RECORDS.items()
                for row in connection.execute(select(table))
            }
        differing = (at for at in due.keys() | stored.keys() if due.get(at) != stored.get(at))
        return tuple(sorted(name_record(kind, key) for kind, key in differing))

    def _prepare(self) -> None:
        bring_up_to_date(self._database)
        self._database.let_readers_go_on()
        with self._database.reading() as connection:
            projection = self._read_head(connection).projection
        if projection != FORMAT:
            self.rebuild()

    def _lock(self, connection: Connection) -> Head:
        # The first statement of every writer is an UPDATE of one and the same row: it takes
        # SQLite's write lock, and elsewhere the row's, so that writers go one after the other.
        connection.execute(update(head).values(sequence=head.c.sequence))
        row = self._read_head(connection)
        return Head(sequence=row.sequence, hash=row.hash)

    def _read_head(self, connection: Connection) -> Row[tuple[int, int, str, int]]:
        row = connection.execute(select(head)).one_or_none()
        if row is None:
            raise LedgerCorruptError(
                f"the ledger {self._database.location} has lost its head; {RESTORE}"
            )
        if row.projection > FORMAT:
            raise LedgerTooNewError(
                f"the records of the ledger {self._database.location} are of format "
                f"{row.projection}, and this version of Triune knows up to {FORMAT}: a newer one "
                "wrote them; upgrade Triune"
            )
        return row

    def _refold(self, connection: Connection) -> None:
        for table in RECORDS.values():
            connection.execute(delete(table))
        _keep(connection, self._fold(connection).records())
        connection.execute(update(head).values(projection=FORMAT))

    def _fold(self, connection: Connection) -> State:
        state = State()
        for event in _read_pages(connection):
            try:
                state.apply((event,))
            except (LookupError, TypeError, ValueError) as error:
                raise LedgerCorruptError(
                    f"event {event.sequence} ({event.kind} of {event.aggregate}) of the ledger "
                    f"{self._database.location} cannot be read ({error!r}); {RESTORE}"
                ) from error
        return state


class _Stored:
    """The records as a transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key."""
        table = RECORDS[kind]
        content = self._connection.execute(
            select(table.c.content).where(table.c.key == key)
        ).scalar_one_or_none()
        return None if content is None else _decode(kind, key, content)


def _version(connection: Connection, aggregate: str) -> int:
    last = select(func.max(events.c.version)).where(events.c.aggregate == aggregate)
    return connection.execute(last).scalar_one() or 0


def _row(event: Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in _EVENT_COLUMNS}


def _move_head(connection: Connection, event: Event) -> None:
    connection.execute(update(head).values(sequence=event.sequence, hash=event.hash))


def _read_pages(connection: Connection) -> Iterator[Event]:
    after = 0
    while page := _read_page(connection, after=after):
        yield from page
        after = page[-1].sequence


def _read_page(connection: Connection, *, after: int, aggregate: str | None = None) -> list[Event]:
    rows = select(events).where(events.c.sequence > after).order_by(events.c.sequence).limit(PAGE)
    if aggregate is not None:
        rows = rows.where(events.c.aggregate == aggregate)
    return [
        Event(
            sequence=sequence,
            aggregate=aggregate_,
            version=version,
            kind=kind,
            actor=actor,
            time=time,
            content=content,
            previous=previous,
            hash=digest,
        )
        for (
            sequence,
            aggregate_,
            version,
            kind,
            actor,
            time,
            content,
            previous,
            digest,
        ) in connection.execute(rows)
    ]


def _keep(connection: Connection, records: Iterable[Record]) -> None:
    rows: dict[Table, list[dict[str, str]]] = {}
    for record in records:
        row = {"key": record.key, "content": _encode(record)}
        rows.setdefault(RECORDS[type(record)], []).append(row)
    for table, contents in rows.items():
        # Every database has its own upsert; a DELETE and an INSERT they have in common.
        of_same_key = table.c.key == bindparam("same_key")
        keys = [{"same_key": row["key"]} for row in contents]
        connection.execute(delete(table).where(of_same_key), keys)
        connection.execute(insert(table), contents)


def _encode(record: Record) -> str:
    return canonical_json(asdict(record)).decode()


def _decode(kind: type[R], key: str, content: str) -> R:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, TypeError) as error:
        raise LedgerCorruptError(
            f"the ledger's record of {name_record(kind, key)} was changed or damaged ({error}); "
            "`triune audit verify` lists all such records"
        ) from error
