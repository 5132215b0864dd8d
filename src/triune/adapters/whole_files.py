"""Has files appear whole or not at all, and names in folders outlive the loss of power."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

UNFINISHED: Final = ".part"


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` if the block succeeds.

    It ends in `UNFINISHED`: what a writer that was killed left behind is known by that.
    """
    # Not named after the file: that name may be as long as names can be.
    draft = path.with_name(f".{uuid4().hex}{UNFINISHED}")
    try:
        yield draft
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlive the loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
