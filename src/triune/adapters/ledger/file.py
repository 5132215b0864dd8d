"""Makes the file of a new SQLite ledger, and refuses the remains of an old one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from triune.adapters.ledger.database import LOCK_TIMEOUT_S, RESTORE, Database, parse_url
from triune.adapters.ledger.revision import bring_up_to_date
from triune.adapters.whole_files import sync_folder
from triune.domain.errors import LedgerCorruptError, LedgerError


def ensure_file(path: Path) -> None:
    """Make a ledger in a new file, whole or not at all; leave one that is there alone.

    Made beside and then linked, so that whatever lies at the path has been a ledger: an empty file
    there is the remains of one, and is not taken for a new one.
    """
    with _explained(path):
        if path.exists():
            _refuse_remains(path)
            return
        log = Path(f"{path}-wal")
        if log.exists():
            raise LedgerCorruptError(
                f"the ledger {path} is gone, but {log} still holds part of it; restore both from "
                "a backup, or move that file away to begin a new ledger"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_file(path)


def _refuse_remains(path: Path) -> None:
    if path.is_file() and path.stat().st_size == 0:
        raise LedgerCorruptError(f"the ledger {path} is an empty file; {RESTORE}")


def _make_file(path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".ledger-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        database = Database.connect(parse_url(draft), lock_timeout_s=LOCK_TIMEOUT_S)
        try:
            bring_up_to_date(database)
        finally:
            database.close()
        # Where another process was faster, its ledger is the one.
        with suppress(FileExistsError):
            os.link(draft, path)
    # Without it the name of the new file may not outlive the loss of power.
    sync_folder(path.parent)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be made or read ({error}); check the folder, and that "
            "there is room on the disk"
        ) from error
