"""Has folders appear whole or not at all, and removes what is in the way of nobody."""

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from triune.adapters.whole_files import UNFINISHED


def fill_aside(folder: Path, fill: Callable[[Path], None]) -> None:
    """Have ``fill`` fill a folder beside this one, which takes its place if that succeeds.

    Two processes may do so side by side: one of them comes first, and both find it filled. What
    is there already stays.
    """
    if folder.is_dir():
        return
    draft = folder.with_name(f"{folder.name}.{os.getpid()}{UNFINISHED}")
    remove_folder(draft)
    draft.mkdir(parents=True)
    try:
        fill(draft)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        remove_folder(draft)


def keep_folders(parent: Path, names: Collection[str]) -> None:
    """Remove the folders in ``parent`` that have other names, and what was being made of them."""
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.name.partition(".")[0] not in names:
            remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it, though folders in it be read-only."""
    for path, _, _ in os.walk(folder):
        if not os.access(path, os.W_OK):
            with suppress(OSError):
                Path(path).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
