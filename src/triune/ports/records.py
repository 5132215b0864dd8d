"""What is written down: the ledger's events, and bytes by their digest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from triune.domain.events import Event, EventDraft, Head
from triune.domain.projection import R


class Ledger(Protocol):
    """The append-only record of what happened, and what it adds up to."""

    def append(
        self,
        drafts: Sequence[EventDraft],
        *,
        expected_version: int,
        unmoved: Mapping[str, int] = ...,
    ) -> tuple[Event, ...]:
        """Record events of one aggregate that stands at ``expected_version``, all or none.

        Parameters
        ----------
        unmoved
            Other aggregates that the events rest on, at the versions that they must stand at.

        Raises
        ------
        ConcurrencyError
            One of them stands at another version.
        LedgerError
            The events could not be recorded; none of them was.
        """

    def events(self, *, after: int = 0, aggregate: str | None = None) -> Iterator[Event]:
        """Read events in order, those of sequence > ``after``, of one aggregate if named."""

    def version(self, aggregate: str) -> int:
        """Tell at which version an aggregate stands: 0 before its first event."""

    def head(self) -> Head:
        """Tell where the ledger stands, as last recorded."""

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key."""

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """List the records of one kind, by key."""

    def rebuild(self) -> None:
        """Throw the records away and fold them anew from the events, in one transaction."""

    def changed_records(self) -> tuple[str, ...]:
        """Name the records that are not what the events fold to; none in a sound ledger."""

    def close(self) -> None:
        """Let go of the database; nothing can be read or written after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes in the store: their sha256 (64 hexadecimal digits) and how many there are."""

    digest: str
    size: int


class ArtifactStore(Protocol):
    """Bytes by their digest; written once, whole or not at all, checked at every read."""

    def put(self, content: bytes | BinaryIO) -> Blob:
        """Store bytes, or a stream read to its end; storing them again changes nothing.

        Raises
        ------
        StoreError
            They could not be written (the disk is full, say); nothing of them is left.
        """

    def read(self, digest: str) -> bytes:
        """Read a blob whole.

        Raises
        ------
        BlobMissingError, BlobChangedError
            It is not there, or its bytes are no longer what was stored.
        """

    def copy(self, digest: str, destination: Path) -> None:
        """Write a blob to a new file, which is left out if the blob turns out changed.

        Raises
        ------
        BlobMissingError, BlobChangedError
            It is not there, or its bytes are no longer what was stored.
        """

    def verify(self, digest: str) -> None:
        """Read a blob to its end, holding little of it in memory, and throw the bytes away.

        Raises
        ------
        BlobMissingError, BlobChangedError
            It is not there, or its bytes are no longer what was stored.
        """

    def has(self, digest: str) -> bool:
        """Tell whether a blob is there, without reading it."""

    def digests(self) -> Iterator[str]:
        """List what is stored, in no order."""

    def remove(self, digest: str) -> int:
        """Remove a blob and return how many bytes that freed; 0 where there was none."""

    def sweep(self) -> int:
        """Remove what interrupted writes left behind and return how many bytes that freed."""
