"""What a gateway remembers beyond its own end: what shall run, and its last order."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from triune.domain.canonical import Json
from triune.domain.errors import UsageError
from triune.domain.rollout.routing import Breaker, Routing
from triune.gateway.fleet import Served
from triune.gateway.folder import UNFINISHED
from triune.gateway.orders import (
    read_order,
    read_releases,
    read_tripped,
    write_order,
    write_releases,
    write_tripped,
)

VERSION: Final = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What shall run, the last order (None before the first), and what the breaker did since."""

    served: tuple[Served, ...] = ()
    order: Routing | None = None
    tripped: Breaker | None = None


def read_state(path: Path) -> State:
    """Read what was written last; where nothing was, nothing shall run.

    Raises
    ------
    UsageError
        The file cannot be read as one; nothing is guessed in its place.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; give access to it") from error
    try:
        return _state(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no state of a gateway ({error}); remove it to start with no release"
        ) from error


def write_whole(path: Path, document: Json) -> None:
    """Write a document so that the file holds either what it held or all of this.

    Raises
    ------
    OSError
        There is no room, or no access.
    """
    # Beside it, and not named after it: only one gateway works in a folder.
    draft = path.with_name(f".{uuid4().hex}{UNFINISHED}")
    try:
        with draft.open("wb") as file:
            file.write(json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


class Memory:
    """Writes down how a gateway stands, as ``snapshot`` tells it; nothing where there is no path.

    What is written is how it stands then, so whoever waits for a save finds in the file what was
    so before it asked, or something newer.
    """

    def __init__(
        self, path: Path | None, *, snapshot: Callable[[], State], saved: State | None = None
    ) -> None:
        self._path = path
        self._snapshot = snapshot
        self._saved = saved
        self._lock = asyncio.Lock()
        self._noting: set[asyncio.Task[None]] = set()

    async def save(self) -> None:
        """Write, if something changed.

        Raises
        ------
        OSError
            There is no room, or no access.
        """
        if self._path is None:
            return
        async with self._lock:
            state = self._snapshot()
            if state == self._saved:
                return
            await asyncio.to_thread(write_whole, self._path, _document(state))
            self._saved = state

    def note(self) -> None:
        """Write soon; nobody waits for it."""
        task = asyncio.create_task(self._note())
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note(self) -> None:
        try:
            await self.save()
        except OSError as error:
            _log.warning("how the gateway stands cannot be written: %s", error)


def _state(document: Json) -> State:
    if document["version"] != VERSION:
        raise ValueError(f"it is of version {document['version']!r}, not {VERSION}")
    order, tripped = document["order"], document["breaker"]
    return State(
        served=read_releases({"releases": document["releases"]}),
        order=None if order is None else read_order(order),
        tripped=None if tripped is None else read_tripped(tripped),
    )


def _document(state: State) -> Json:
    return {
        "version": VERSION,
        **write_releases(state.served),
        "order": None if state.order is None else write_order(state.order),
        "breaker": None if state.tripped is None else write_tripped(state.tripped),
    }
