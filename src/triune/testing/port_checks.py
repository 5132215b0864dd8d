"""What every adapter of a port must do: subclass the checks, and give them the adapter.

In a test module: ``class TestMyLedger(LedgerChecks)`` with a pytest fixture ``ledger``.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest

from triune.domain.canonical import Json, sha256
from triune.domain.errors import (
    BlobChangedError,
    BlobMissingError,
    ConcurrencyError,
    StoreError,
)
from triune.domain.events import EMPTY, EventDraft, EventKind, verify_chain
from triune.domain.projection import EnvironmentRecord, ReleaseRecord, RolloutRecord
from triune.ports import ArtifactStore, Ledger

NOON: Final = "2026-01-05T12:00:00.000000Z"


def a_champion_change(
    *, environment: str = "production", release: str = "a" * 64, previous: str | None = None
) -> EventDraft:
    """Draft the event that a release serves an environment from now on."""
    return EventDraft(
        aggregate=f"environment:{environment}",
        kind=EventKind.CHAMPION_CHANGED,
        actor="ada@example.org",
        time=NOON,
        data={"environment": environment, "release": release, "previous": previous},
    )


def a_release_cut(*, release: str = "a" * 64, **data: Json) -> EventDraft:
    """Draft the event that a release was cut; ``data`` states what matters of it."""
    facts = {
        "release": release,
        "project": "churn",
        "commit": "c" * 40,
        "dirty": False,
        "repository": "git@example.org:churn",
        "authors": ["ada@example.org"],
        "hardware": "x86_64, 2 cores",
        "metrics": {"roc_auc": 0.875},
    }
    return EventDraft(
        aggregate=f"release:{release}",
        kind=EventKind.RELEASE_CUT,
        actor="ada@example.org",
        time=NOON,
        data=facts | data,
    )


def a_golden_recorded(*, release: str = "a" * 64, answers: str = "b" * 64) -> EventDraft:
    """Draft the event that a release's golden answers were recorded."""
    return EventDraft(
        aggregate=f"release:{release}",
        kind=EventKind.GOLDEN_RECORDED,
        actor="ada@example.org",
        time=NOON,
        data={"release": release, "answers": answers},
    )


class LedgerChecks:
    """What a ledger must do; needs a fixture ``ledger``, a new one for each check."""

    def test_a_new_ledger_is_empty(self, ledger: Ledger) -> None:
        """No event, no record, and the head that every chain begins at."""
        assert list(ledger.events()) == []
        assert ledger.head() == EMPTY
        assert ledger.version("release:a") == 0
        assert ledger.find(ReleaseRecord, "a") is None
        assert ledger.all(ReleaseRecord) == ()
        assert ledger.changed_records() == ()

    def test_appended_events_come_back_in_order_and_hold_as_a_chain(self, ledger: Ledger) -> None:
        """What `append` returns is what `events` reads, and ends at the head."""
        first = ledger.append([a_release_cut(), a_golden_recorded()], expected_version=0)
        second = ledger.append([a_champion_change()], expected_version=0)

        read = list(ledger.events())

        assert read == [*first, *second]
        assert [event.sequence for event in read] == [1, 2, 3]
        assert [event.version for event in read] == [1, 2, 1]
        assert verify_chain(read) == ledger.head()
        assert ledger.version("release:" + "a" * 64) == 2

    def test_events_begin_after_a_sequence_and_can_be_of_one_aggregate(
        self, ledger: Ledger
    ) -> None:
        """``after`` and ``aggregate`` narrow what is read, apart and together."""
        staging = a_champion_change(environment="staging")
        ledger.append([a_champion_change()], expected_version=0)
        ledger.append([staging, staging], expected_version=0)

        def sequences(*, after: int = 0, aggregate: str | None = None) -> list[int]:
            return [event.sequence for event in ledger.events(after=after, aggregate=aggregate)]

        assert sequences(after=1) == [2, 3]
        assert sequences(after=3) == []
        assert sequences(aggregate="environment:staging") == [2, 3]
        assert sequences(after=2, aggregate="environment:staging") == [3]
        assert sequences(aggregate="environment:nowhere") == []

    def test_an_append_at_another_version_is_refused_and_changes_nothing(
        self, ledger: Ledger
    ) -> None:
        """The message gives both versions; earlier and later ones are refused alike."""
        ledger.append([a_champion_change(), a_champion_change()], expected_version=0)
        head = ledger.head()

        for expected in (0, 1, 3):
            with pytest.raises(ConcurrencyError, match=f"stands at version 2, not {expected}"):
                ledger.append([a_champion_change(release="f" * 64)], expected_version=expected)

        assert ledger.head() == head
        assert len(list(ledger.events())) == 2
        assert ledger.all(EnvironmentRecord)[0].champion == "a" * 64

    def test_an_append_that_rests_on_what_moved_since_is_refused_and_changes_nothing(
        self, ledger: Ledger
    ) -> None:
        """The message names the aggregate that moved; those that did not are no bar."""
        ledger.append([a_champion_change(environment="staging")], expected_version=0)
        production = a_champion_change(environment="production")
        nowhere = {"environment:nowhere": 0}

        for seen in (0, 2):
            with pytest.raises(ConcurrencyError, match=f"staging stands at version 1, not {seen}"):
                ledger.append(
                    [production],
                    expected_version=0,
                    unmoved={**nowhere, "environment:staging": seen},
                )
        refused = ledger.head().sequence
        ledger.append(
            [production], expected_version=0, unmoved={**nowhere, "environment:staging": 1}
        )

        assert (refused, ledger.head().sequence) == (1, 2)

    def test_records_follow_the_events(self, ledger: Ledger) -> None:
        """Later events change the records of earlier ones, within an append and across two."""
        ledger.append([a_release_cut(), a_golden_recorded()], expected_version=0)
        ledger.append([a_champion_change()], expected_version=0)
        ledger.append([a_champion_change(release="f" * 64, previous="a" * 64)], expected_version=1)

        release = ledger.find(ReleaseRecord, "a" * 64)
        environment = ledger.find(EnvironmentRecord, "production")

        assert release is not None
        assert release.answers == "b" * 64
        assert release.authors == ("ada@example.org",)
        assert release.metrics == (("roc_auc", 0.875),)
        assert environment == EnvironmentRecord(
            name="production", champion="f" * 64, previous="a" * 64, since=NOON
        )
        assert ledger.all(RolloutRecord) == ()

    def test_records_are_listed_by_key(self, ledger: Ledger) -> None:
        """Whatever the order in which they came, and whatever the database's collation."""
        for name in ("staging", "Zürich", "production", "a-b", "ab"):
            ledger.append([a_champion_change(environment=name)], expected_version=0)

        names = [record.name for record in ledger.all(EnvironmentRecord)]

        assert names == ["Zürich", "a-b", "ab", "production", "staging"]

    def test_any_text_survives(self, ledger: Ledger) -> None:
        """Control characters, quotes and letters outside of the basic plane, NUL included."""
        odd = 'naïve "quote" \x00\x1f\n\\ 語 🦆'

        ledger.append([a_release_cut(repository=odd)], expected_version=0)

        record = ledger.find(ReleaseRecord, "a" * 64)
        assert record is not None
        assert record.repository == odd
        assert next(ledger.events()).data["repository"] == odd
        assert verify_chain(ledger.events()) == ledger.head()

    def test_an_append_of_nothing_records_nothing(self, ledger: Ledger) -> None:
        """No drafts, no events."""
        assert ledger.append([], expected_version=0) == ()
        assert ledger.head() == EMPTY

    def test_an_append_that_cannot_be_folded_records_none_of_its_events(
        self, ledger: Ledger
    ) -> None:
        """The last of three lacks what its kind must say."""
        good = a_champion_change()
        bad = EventDraft(
            aggregate=good.aggregate, kind=good.kind, actor="ada", time=NOON, data={"odd": 1}
        )

        with pytest.raises(LookupError):
            ledger.append([good, good, bad], expected_version=0)

        assert ledger.head() == EMPTY
        assert list(ledger.events()) == []
        assert ledger.all(EnvironmentRecord) == ()
        assert ledger.append([good], expected_version=0)[0].sequence == 1

    def test_an_append_is_of_one_aggregate(self, ledger: Ledger) -> None:
        """Versions of two aggregates cannot be expected by one number."""
        with pytest.raises(ValueError, match="in one append"):
            ledger.append([a_champion_change(), a_release_cut()], expected_version=0)

        assert ledger.head() == EMPTY

    def test_a_rebuild_folds_the_same_records(self, ledger: Ledger) -> None:
        """In a sound ledger it changes nothing."""
        ledger.append([a_release_cut(), a_golden_recorded()], expected_version=0)
        ledger.append([a_champion_change()], expected_version=0)
        before = (ledger.all(ReleaseRecord), ledger.all(EnvironmentRecord), ledger.head())

        ledger.rebuild()

        after = (ledger.all(ReleaseRecord), ledger.all(EnvironmentRecord), ledger.head())
        assert after == before
        assert ledger.changed_records() == ()

    def test_reading_goes_on_while_events_are_appended(self, ledger: Ledger) -> None:
        """A reader in the middle of the events blocks no writer, and loses none of them."""
        ledger.append([a_champion_change()] * 5, expected_version=0)
        reader = ledger.events()
        read = [next(reader)]

        ledger.append([a_champion_change()], expected_version=5)
        read.extend(reader)

        assert [event.sequence for event in read[:5]] == [1, 2, 3, 4, 5]

    def test_of_two_writers_that_expect_one_version_one_wins(self, ledger: Ledger) -> None:
        """However often they meet."""
        rounds, writers = 10, 4

        def attempt(expected: int) -> bool:
            try:
                ledger.append([a_champion_change()], expected_version=expected)
            except ConcurrencyError:
                return False
            return True

        with ThreadPoolExecutor(writers) as pool:
            for round_ in range(rounds):
                assert sum(pool.map(attempt, [round_] * writers)) == 1

        assert verify_chain(ledger.events()) == ledger.head()
        assert ledger.head().sequence == rounds

    def test_writers_of_different_aggregates_all_get_through(self, ledger: Ledger) -> None:
        """They wait for each other instead of failing."""
        writers, events_each = 4, 10

        def write(name: str) -> None:
            for version in range(events_each):
                ledger.append([a_champion_change(environment=name)], expected_version=version)

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, [f"environment-{index}" for index in range(writers)]))

        assert verify_chain(ledger.events()) == ledger.head()
        assert ledger.head().sequence == writers * events_each
        assert ledger.changed_records() == ()

    def test_records_are_checked_and_rebuilt_while_events_are_appended(
        self, ledger: Ledger
    ) -> None:
        """Nothing in between is ever seen, and no event is left out."""
        events = 60

        def write() -> None:
            for version in range(events):
                ledger.append([a_champion_change(release=f"{version}")], expected_version=version)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not writing.done():
                ledger.rebuild()
                assert ledger.changed_records() == ()
            writing.result()

        environment = ledger.find(EnvironmentRecord, "production")
        assert environment is not None
        assert environment.champion == f"{events - 1}"
        assert ledger.changed_records() == ()


class ArtifactStoreChecks:
    """What a store must do; needs fixtures ``store``, a new one, and ``damage``.

    ``damage(digest, content)`` writes other bytes in a blob's place, behind the store's back.
    """

    @pytest.mark.parametrize("content", [b"", b"x", b"\x00\xff" * 700_001])
    def test_bytes_come_back_as_they_were_stored(
        self, store: ArtifactStore, content: bytes
    ) -> None:
        """From bytes and from a stream, of any length."""
        from_bytes = store.put(content)
        from_stream = store.put(BytesIO(content))

        assert from_bytes == from_stream
        assert from_bytes.digest == sha256(content)
        assert from_bytes.size == len(content)
        assert store.read(from_bytes.digest) == content
        assert store.has(from_bytes.digest)
        store.verify(from_bytes.digest)

    def test_a_stream_is_stored_from_where_it_stands(self, store: ArtifactStore) -> None:
        """What was read of it before does not enter."""
        stream = BytesIO(b"head and tail")
        stream.seek(9)

        blob = store.put(stream)

        assert store.read(blob.digest) == b"tail"

    def test_a_stream_that_cannot_be_rewound_is_stored_too(self, store: ArtifactStore) -> None:
        """A pipe, say; storing it again changes nothing."""
        first = store.put(_Pipe(b"from a pipe"))
        second = store.put(_Pipe(b"from a pipe"))

        assert first == second
        assert store.read(first.digest) == b"from a pipe"
        assert list(store.digests()) == [first.digest]

    def test_a_stream_that_breaks_leaves_nothing(self, store: ArtifactStore) -> None:
        """Neither a blob nor what a sweep would find."""
        with pytest.raises(StoreError, match="the pipe broke"):
            store.put(_Pipe(b"half of it", breaks=True))

        assert list(store.digests()) == []
        assert store.sweep() == 0

    def test_everything_stored_is_listed_once(self, store: ArtifactStore) -> None:
        """Whatever was stored twice, too."""
        blobs = [store.put(content) for content in (b"one", b"two", b"three", b"one")]

        assert sorted(store.digests()) == sorted({blob.digest for blob in blobs})

    def test_a_missing_blob_is_named(self, store: ArtifactStore, tmp_path: Path) -> None:
        """By every way of reading it; nothing is left where it would have been copied."""
        missing = sha256(b"never stored")

        with pytest.raises(BlobMissingError, match=missing):
            store.read(missing)
        with pytest.raises(BlobMissingError, match=missing):
            store.verify(missing)
        with pytest.raises(BlobMissingError, match=missing):
            store.copy(missing, tmp_path / "copy")

        assert not store.has(missing)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [b"stared", b"store", b"", b"stored and more"])
    def test_a_changed_blob_is_refused_and_never_copied(
        self,
        store: ArtifactStore,
        damage: Callable[[str, bytes], None],
        tmp_path: Path,
        content: bytes,
    ) -> None:
        """One byte flipped, cut off, emptied, or longer."""
        blob = store.put(b"stored")
        damage(blob.digest, content)

        with pytest.raises(BlobChangedError, match=blob.digest):
            store.read(blob.digest)
        with pytest.raises(BlobChangedError, match=blob.digest):
            store.verify(blob.digest)
        with pytest.raises(BlobChangedError, match=blob.digest):
            store.copy(blob.digest, tmp_path / "copy")

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [b"stared", b"", b"stored and more"])
    def test_storing_again_repairs_a_changed_blob(
        self, store: ArtifactStore, damage: Callable[[str, bytes], None], content: bytes
    ) -> None:
        """After a put the store holds the right bytes, whatever it held before."""
        blob = store.put(b"stored")
        damage(blob.digest, content)

        store.put(b"stored")

        assert store.read(blob.digest) == b"stored"
        assert list(store.digests()) == [blob.digest]

    def test_a_copy_has_the_bytes_and_nothing_beside_it(
        self, store: ArtifactStore, tmp_path: Path
    ) -> None:
        """One file, which its owner may write."""
        blob = store.put(b"stored" * 500_000)

        store.copy(blob.digest, tmp_path / "copy")

        assert (tmp_path / "copy").read_bytes() == b"stored" * 500_000
        assert (tmp_path / "copy").stat().st_mode & 0o200
        assert [path.name for path in tmp_path.iterdir()] == ["copy"]

    def test_a_copy_to_where_there_is_no_folder_is_refused(
        self, store: ArtifactStore, tmp_path: Path
    ) -> None:
        """The message names the place."""
        blob = store.put(b"stored")

        with pytest.raises(StoreError, match="nowhere"):
            store.copy(blob.digest, tmp_path / "nowhere" / "copy")

    def test_a_removed_blob_is_gone(self, store: ArtifactStore) -> None:
        """And says how much that freed, once."""
        kept, removed = store.put(b"kept"), store.put(b"removed")

        assert store.remove(removed.digest) == 7
        assert store.remove(removed.digest) == 0

        assert not store.has(removed.digest)
        assert list(store.digests()) == [kept.digest]

    @pytest.mark.parametrize(
        "digest", ["", "abc", "../" * 22 + "etc", "A" * 64, "a" * 63, "a" * 64 + "\n"]
    )
    def test_what_is_no_digest_is_refused(
        self, store: ArtifactStore, tmp_path: Path, digest: str
    ) -> None:
        """No path can be made of it."""
        for use in (
            store.read,
            store.verify,
            store.has,
            store.remove,
            lambda digest: store.copy(digest, tmp_path / "copy"),
        ):
            with pytest.raises(ValueError, match="no sha256"):
                use(digest)

    def test_many_writers_of_the_same_bytes_agree(self, store: ArtifactStore) -> None:
        """While a sweep runs among them, too."""
        contents = [b"%d" % (index % 5) * 100_000 for index in range(40)]

        def write(content: bytes) -> str:
            store.sweep()
            return store.put(_Pipe(content)).digest

        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(write, contents))

        assert digests == [sha256(content) for content in contents]
        assert sorted(store.digests()) == sorted(set(digests))
        for digest in set(digests):
            store.verify(digest)


class _Pipe(BytesIO):
    """A stream that can be read once, to its end or until it breaks."""

    def __init__(self, content: bytes, *, breaks: bool = False) -> None:
        super().__init__(content)
        self._breaks = breaks

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        at_end = not content or size in {None, -1}
        if self._breaks and at_end:
            raise OSError("the pipe broke")
        return content
