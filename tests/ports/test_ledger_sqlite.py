"""A ledger in a SQLite file: settings, damage, newer versions, locks, full and read-only disks."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from triune.adapters.ledger import revision
from triune.adapters.ledger.database import Database, parse_url
from triune.adapters.ledger.sql import SqlLedger
from triune.domain import projection
from triune.domain.errors import (
    LedgerCorruptError,
    LedgerError,
    LedgerTooNewError,
    MissingExtraError,
)
from triune.domain.events import verify_chain
from triune.domain.projection import EnvironmentRecord
from triune.testing.port_checks import a_champion_change, a_golden_recorded, a_release_cut


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound ledger of a few events, closed."""
    path = tmp_path / "ledger.db"
    with SqlLedger.open(path) as ledger:
        ledger.append([a_release_cut(), a_golden_recorded()], expected_version=0)
        ledger.append([a_champion_change()], expected_version=0)
    return path


def tamper(path: Path, statement: str) -> None:
    """Change a ledger's file as no ledger would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount != 0


def test_a_file_in_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "ledger.db"

    with SqlLedger.open(f"sqlite:///{path}") as ledger:
        ledger.append([a_champion_change()], expected_version=0)

    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "ü.db", "{x}.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with SqlLedger.open(tmp_path / name) as ledger:
        ledger.append([a_champion_change()], expected_version=0)

    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_ledger_is_the_same_when_it_is_opened_again(path: Path) -> None:
    with SqlLedger.open(path) as ledger:
        before = (ledger.head(), list(ledger.events()), ledger.all(EnvironmentRecord))

    with SqlLedger.open(path) as ledger:
        after = (ledger.head(), list(ledger.events()), ledger.all(EnvironmentRecord))

    assert after == before


def test_opening_a_current_ledger_does_without_the_migrations(path: Path) -> None:
    script = (
        "import sys; from triune.adapters.ledger.sql import SqlLedger\n"
        "SqlLedger.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{path}"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "False\n"


def test_a_commit_outlives_the_loss_of_power_and_readers_go_on_beside_it(path: Path) -> None:
    SqlLedger.open(path).close()
    database = Database.connect(parse_url(path), lock_timeout_s=7)

    with database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    database.close()
    full = 2
    assert settings == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 7000,
    }


def test_a_reading_transaction_sees_one_moment(path: Path) -> None:
    database = Database.connect(parse_url(path), lock_timeout_s=1)
    count = text("SELECT count(*) FROM events")

    with database.reading() as connection, SqlLedger.open(path) as other:
        before = connection.execute(count).scalar()
        other.append([a_champion_change()], expected_version=1)
        after = connection.execute(count).scalar()

    database.close()
    assert (before, after) == (3, 3)


def test_tables_made_in_a_transaction_that_fails_are_not_there(path: Path) -> None:
    database = Database.connect(parse_url(path), lock_timeout_s=1)

    def make_half_of_it() -> None:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE half (done INTEGER)"))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make_half_of_it()

    with database.reading() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master")).scalars().all()
    database.close()
    assert "half" not in tables


# Damage


def garbage(path: Path) -> None:
    path.write_bytes(b"this was a ledger once\n" * 1000)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def overwritten_start(path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])


def overwritten_pages(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def bytes_in_the_schema(path: Path) -> None:
    content = path.read_bytes()
    damaged = content.replace(b"CREATE TABLE events", b"CREATE TABL\xff events")
    assert damaged != content
    path.write_bytes(damaged)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        cut,
        overwritten_start,
        overwritten_pages,
        bytes_in_the_schema,
        emptied,
        of_another_program,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_file_is_refused_and_left_as_it_is(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    before = path.read_bytes()

    with pytest.raises(LedgerCorruptError, match="restore it from a backup") as raised:
        SqlLedger.open(path).close()

    assert str(path) in str(raised.value)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]


def test_a_ledger_that_is_gone_but_for_its_log_is_not_begun_anew(path: Path) -> None:
    log = path.with_name("ledger.db-wal")
    ledger = SqlLedger.open(path)
    ledger.append([a_champion_change()], expected_version=1)
    kept = log.read_bytes()
    ledger.close()
    path.unlink()
    log.write_bytes(kept)

    with pytest.raises(LedgerCorruptError, match=r"is gone, but .*ledger\.db-wal still holds"):
        SqlLedger.open(path)

    assert log.read_bytes() == kept
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET aggregate = 'release:other' WHERE sequence = 3",
        "UPDATE events SET version = 2 WHERE sequence = 3",
        "UPDATE events SET kind = 'rollout_opened' WHERE sequence = 2",
        "UPDATE events SET actor = 'eve@example.org' WHERE sequence = 2",
        "UPDATE events SET time = '2026-01-06T12:00:00.000000Z' WHERE sequence = 2",
        "UPDATE events SET content = replace(content, 'aaa', 'eee') WHERE sequence = 2",
        "UPDATE events SET content = CAST(content AS BLOB) WHERE sequence = 2",
        "UPDATE events SET content = CAST(x'ff' AS TEXT) WHERE sequence = 2",
        "UPDATE events SET previous = hash WHERE sequence = 2",
        "UPDATE events SET hash = previous WHERE sequence = 2",
        "UPDATE events SET sequence = 9 WHERE sequence = 3",
        "DELETE FROM events WHERE sequence = 2",
        "DELETE FROM events WHERE sequence = 1",
    ],
)
def test_any_change_to_an_event_is_found(path: Path, change: str) -> None:
    tamper(path, change)

    with (
        SqlLedger.open(path) as ledger,
        pytest.raises(LedgerCorruptError),
    ):
        verify_chain(ledger.events())


def test_a_removed_end_is_found_by_the_head(path: Path) -> None:
    tamper(path, "DELETE FROM events WHERE sequence = 3")

    with SqlLedger.open(path) as ledger:
        assert verify_chain(ledger.events()) != ledger.head()


def test_an_event_whose_content_is_no_json_cannot_be_folded(path: Path) -> None:
    tamper(path, "UPDATE events SET content = '{' WHERE sequence = 2")

    with (
        SqlLedger.open(path) as ledger,
        pytest.raises(LedgerCorruptError, match=r"event 2 \(golden_recorded of release:a+\)"),
    ):
        ledger.changed_records()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            "UPDATE environments SET content = replace(content, 'aaa', 'eee')",
            ("environment production",),
        ),
        ("DELETE FROM environments", ("environment production",)),
        ("INSERT INTO environments VALUES ('staging', '{}')", ("environment staging",)),
        ("UPDATE releases SET content = '{'", (f"release {'a' * 64}",)),
    ],
)
def test_a_changed_record_is_named_and_a_rebuild_repairs_it(
    path: Path, change: str, named: tuple[str, ...]
) -> None:
    tamper(path, change)

    with SqlLedger.open(path) as ledger:
        assert ledger.changed_records() == named
        ledger.rebuild()
        assert ledger.changed_records() == ()


def test_a_record_that_cannot_be_read_is_named(path: Path) -> None:
    tamper(path, "UPDATE environments SET content = '{\"name\": 1}'")

    with (
        SqlLedger.open(path) as ledger,
        pytest.raises(LedgerCorruptError, match=r"environment production .*triune audit verify"),
    ):
        ledger.find(EnvironmentRecord, "production")


def test_a_lost_head_is_refused(path: Path) -> None:
    tamper(path, "DELETE FROM head")

    with pytest.raises(LedgerCorruptError, match="lost its head"):
        SqlLedger.open(path)


def test_nothing_is_recorded_where_the_head_is_not_at_the_end(path: Path) -> None:
    tamper(path, "UPDATE head SET sequence = 1")

    with SqlLedger.open(path) as ledger:
        before = list(ledger.events())
        with pytest.raises(LedgerCorruptError, match="contradicts itself"):
            ledger.append([a_champion_change()], expected_version=1)

        assert list(ledger.events()) == before


def test_a_lost_table_is_damage(path: Path) -> None:
    tamper(path, "DROP TABLE environments")

    with (
        SqlLedger.open(path) as ledger,
        pytest.raises(LedgerCorruptError, match="no such table"),
    ):
        ledger.all(EnvironmentRecord)


# Versions


def test_the_newest_migration_is_the_one_that_is_opened_with() -> None:
    assert max(revision._known_revisions()) == revision.REVISION


def test_a_ledger_of_an_unknown_revision_is_refused(path: Path) -> None:
    tamper(path, f"UPDATE {revision.REVISION_TABLE} SET version_num = '0999'")
    before = path.read_bytes()

    with pytest.raises(LedgerTooNewError, match=r"revision '0999', .*upgrade Triune"):
        SqlLedger.open(path)

    assert path.read_bytes() == before


def test_records_of_a_newer_format_are_refused(path: Path) -> None:
    tamper(path, f"UPDATE head SET projection = {projection.FORMAT + 1}")

    with pytest.raises(LedgerTooNewError, match=f"format {projection.FORMAT + 1}"):
        SqlLedger.open(path)


def test_a_writer_is_refused_once_a_newer_version_has_folded_the_records(path: Path) -> None:
    with SqlLedger.open(path) as ledger:
        tamper(path, f"UPDATE head SET projection = {projection.FORMAT + 1}")

        with pytest.raises(LedgerTooNewError, match="upgrade Triune"):
            ledger.append([a_champion_change()], expected_version=1)


def test_records_of_an_older_format_are_folded_anew(path: Path) -> None:
    tamper(path, f"UPDATE head SET projection = {projection.FORMAT - 1}")
    tamper(path, "DELETE FROM environments")

    with SqlLedger.open(path) as ledger:
        assert ledger.find(EnvironmentRecord, "production") is not None
        assert ledger.changed_records() == ()


# Locks and disks


def test_a_lock_that_is_held_too_long_is_a_fault_and_nothing_is_recorded(path: Path) -> None:
    with (
        SqlLedger.open(path, lock_timeout_s=0.01) as ledger,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LedgerError, match=r"locked by another process for 0\.01 s"):
            ledger.append([a_champion_change()], expected_version=1)

        assert ledger.head().sequence == 3
        other.execute("ROLLBACK")
        assert ledger.append([a_champion_change()], expected_version=1)[0].sequence == 4


def test_a_full_disk_loses_nothing_that_was_recorded(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    path = small_disk / "ledger.db"
    ledger = SqlLedger.open(path)

    with pytest.raises(LedgerError, match=r"disk that holds the ledger .* is full"):
        fill(ledger)

    recorded = ledger.version("environment:production")
    assert recorded > 0
    assert verify_chain(ledger.events()) == ledger.head()
    assert ledger.changed_records() == ()
    ballast.unlink()
    ledger.append([a_champion_change()], expected_version=recorded)
    ledger.close()
    with SqlLedger.open(path) as reopened:
        assert reopened.version("environment:production") == recorded + 1


def fill(ledger: SqlLedger) -> None:
    for version in range(0, 100_000, 20):
        ledger.append([a_champion_change()] * 20, expected_version=version)


def test_a_ledger_that_a_full_disk_has_no_room_for_is_not_there(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 20_000))

    with pytest.raises(LedgerError, match=r"full|room"):
        SqlLedger.open(small_disk / "ledger.db")

    assert [file.name for file in small_disk.iterdir()] == ["ballast"]
    ballast.unlink()
    SqlLedger.open(small_disk / "ledger.db").close()


def test_a_read_only_disk_is_a_fault_that_says_so(small_disk: Path) -> None:
    path = small_disk / "ledger.db"
    SqlLedger.open(path).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with (
        pytest.raises(LedgerError, match="read-only"),
        SqlLedger.open(path) as ledger,
    ):
        ledger.append([a_champion_change()], expected_version=0)

    with pytest.raises(LedgerError, match="cannot be made"):
        SqlLedger.open(small_disk / "other.db")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://user:secret@host/db", "ledger.db", ""]
)
def test_a_url_that_is_no_ledgers_is_refused_and_keeps_its_password(url: str) -> None:
    with pytest.raises(LedgerError, match=r"give sqlite:///PATH") as raised:
        SqlLedger.open(url)

    assert "secret" not in str(raised.value)


def test_a_server_whose_driver_is_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'triune\[postgres\]'"):
        SqlLedger.open("postgresql://triune@localhost/ledger")
