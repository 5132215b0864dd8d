"""The ports in one process's memory: complete, and forgotten when the process ends."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import BinaryIO

from triune.domain.canonical import require_digest, sha256
from triune.domain.errors import BlobChangedError, BlobMissingError, ConcurrencyError, StoreError
from triune.domain.events import EMPTY, Event, EventDraft, Head, chain
from triune.domain.projection import Changes, R, State, name_record
from triune.ports import Blob


class MemoryLedger:
    """The ledger in memory; threads may share it."""

    def __init__(self) -> None:
        self._events: tuple[Event, ...] = ()
        self._state = State()
        self._writing = Lock()

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
        with self._writing:
            for each, expected in {**unmoved, aggregate: expected_version}.items():
                version = self.version(each)
                if version != expected:
                    raise ConcurrencyError(aggregate=each, version=version, expected=expected)
            recorded = chain(drafts, head=self.head(), version=expected_version)
            changes = Changes(self._state)
            changes.apply(recorded)
            self._events += recorded
            self._state.keep(changes)
        return recorded

    def events(self, *, after: int = 0, aggregate: str | None = None) -> Iterator[Event]:
        """Read events in order, those of sequence > ``after``, of one aggregate if named."""
        for event in self._events[max(after, 0) :]:
            if aggregate in {None, event.aggregate}:
                yield event

    def version(self, aggregate: str) -> int:
        """Tell at which version an aggregate stands: 0 before its first event."""
        return sum(event.aggregate == aggregate for event in self._events)

    def head(self) -> Head:
        """Tell where the ledger stands, as last recorded."""
        if not self._events:
            return EMPTY
        last = self._events[-1]
        return Head(sequence=last.sequence, hash=last.hash)

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key."""
        return self._state.find(kind, key)

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """List the records of one kind, by key."""
        return self._state.all(kind)

    def rebuild(self) -> None:
        """Throw the records away and fold them anew from the events."""
        with self._writing:
            self._state = self._fold()

    def changed_records(self) -> tuple[str, ...]:
        """Name the records that are not what the events fold to; none in a sound ledger."""
        due, stored = set(self._fold().records()), set(self._state.records())
        names = {name_record(type(record), record.key) for record in due ^ stored}
        return tuple(sorted(names))

    def close(self) -> None:
        """Keep everything: it goes with the object."""

    def _fold(self) -> State:
        state = State()
        state.apply(self._events)
        return state


class MemoryArtifactStore:
    """Blobs in a dictionary.

    Parameters
    ----------
    blobs
        What the store holds, shared with whoever gives it: tests damage a blob through it.
    """

    def __init__(self, blobs: dict[str, bytes] | None = None) -> None:
        self._blobs = {} if blobs is None else blobs

    def put(self, content: bytes | BinaryIO) -> Blob:
        """Store bytes, or a stream read to its end; storing them again changes nothing."""
        try:
            held = content if isinstance(content, bytes) else content.read()
        except OSError as error:
            raise StoreError(f"a blob could not be read to its end: {error}") from error
        digest = sha256(held)
        self._blobs[digest] = held
        return Blob(digest=digest, size=len(held))

    def read(self, digest: str) -> bytes:
        """Read a blob whole."""
        held = self._blobs.get(require_digest(digest))
        if held is None:
            raise BlobMissingError(f"blob {digest} is not in the store; store it again")
        if sha256(held) != digest:
            raise BlobChangedError(f"blob {digest} is changed or damaged; store it again")
        return held

    def copy(self, digest: str, destination: Path) -> None:
        """Write a blob to a new file, which is left out if the blob turns out changed."""
        held = self.read(digest)
        try:
            destination.write_bytes(held)
        except OSError as error:
            raise StoreError(
                f"blob {digest} could not be written to {destination}: {error}"
            ) from error

    def verify(self, digest: str) -> None:
        """Read a blob, and throw the bytes away."""
        self.read(digest)

    def has(self, digest: str) -> bool:
        """Tell whether a blob is there, without reading it."""
        return require_digest(digest) in self._blobs

    def digests(self) -> Iterator[str]:
        """List what is stored, in no order."""
        yield from tuple(self._blobs)

    def remove(self, digest: str) -> int:
        """Remove a blob and return how many bytes that freed; 0 where there was none."""
        return len(self._blobs.pop(require_digest(digest), b""))

    def sweep(self) -> int:
        """Find nothing to remove: a write here is never interrupted."""
        return 0
