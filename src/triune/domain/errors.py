"""The faults that cross a layer; each message says what happened, where, and what to do next."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, Self


class TriuneError(Exception):
    """Something is broken: a store, a process, a file that was sound before."""

    code: ClassVar[str] = "FAULT"


class UsageError(TriuneError):
    """What was asked for cannot be done as it was asked."""

    code = "USAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a settings file; ``key`` is dotted, empty for the file as a whole."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}: {where}{self.message}"


class ConfigError(UsageError):
    """``triune.yaml`` or the process environment says something that cannot be used.

    ``problems`` lists everything wrong with a file; it is empty where no file is to blame.
    """

    code = "CONFIG"

    def __init__(self, message: str, *, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)

    @classmethod
    def listing(cls, problems: Iterable[Problem]) -> Self:
        """Report problems together, one a line."""
        found = tuple(problems)
        return cls("\n".join(str(problem) for problem in found), problems=found)


class NotAvailableYetError(ConfigError):
    """A key or a value that Triune knows and that is not built yet."""

    code = "NOT_AVAILABLE_YET"


class MissingExtraError(UsageError):
    """A command needs an optional dependency that is not installed."""

    code = "MISSING_EXTRA"

    def __init__(self, *, needed_for: str, extra: str) -> None:
        super().__init__(
            f"{needed_for} needs an extra that is not installed: `pip install 'triune[{extra}]'`"
        )


class LockError(UsageError):
    """The project's lock cannot be read as one."""

    code = "LOCK"


class SourceError(UsageError):
    """The project's repository cannot be read as one."""

    code = "SOURCE"


class NothingIncludedError(SourceError):
    """A path that is to travel in a release is missing, or holds no file that git has."""


class DatasetError(UsageError):
    """A dataset is missing, unreadable, or lacks what the project says of it."""

    code = "DATASET"


class ConditionError(UsageError):
    """A condition over the columns of a dataset is none, or asks for more than one may."""

    code = "CONDITION"


class ModelError(UsageError):
    """The model artifact is missing, damaged, or not what its name says."""

    code = "MODEL"


class RuntimeMismatchError(UsageError):
    """Python or an installed package differs from what the release was cut with."""

    code = "RUNTIME_MISMATCH"


class UnknownReleaseError(UsageError):
    """A release was named that the ledger does not hold, or by a prefix of several."""

    code = "UNKNOWN_RELEASE"


class UnknownEnvironmentError(UsageError):
    """An environment was named that ``triune.yaml`` does not."""

    code = "UNKNOWN_ENVIRONMENT"


class UnknownRolloutError(UsageError):
    """A rollout was named that the ledger does not hold, or by a prefix of several."""

    code = "UNKNOWN_ROLLOUT"


class BusyError(UsageError):
    """Another process holds what this one needs."""

    code = "BUSY"


class PipelineError(TriuneError):
    """A pipeline stage failed."""

    code = "PIPELINE"


class WorkerError(TriuneError):
    """The worker process of a release died, hung, or answered with an error."""

    code = "WORKER"


class WorkerKilledError(WorkerError):
    """Something else than the release ended its worker: a signal, or the time that it may take.

    That says nothing of the release; the next attempt may well come to an answer.
    """

    code = "WORKER_KILLED"


class ServiceError(TriuneError):
    """A release that was served for a while did not come up, or is gone."""

    code = "SERVICE"


class TrafficError(TriuneError):
    """The traffic process of an environment does not answer, or refuses what it was told."""

    code = "TRAFFIC"


class TamperedError(WorkerError):
    """The files of a release are not those that its manifest names; nothing of it was loaded."""

    code = "TAMPERED"


class StoreError(TriuneError):
    """The artifact store cannot be read or written."""

    code = "STORE"


class BlobMissingError(StoreError):
    """A blob that a release refers to is not in the store."""

    code = "BLOB_MISSING"


class BlobChangedError(StoreError):
    """The bytes of a blob no longer have the digest that names it."""

    code = "BLOB_CHANGED"


class LedgerError(TriuneError):
    """The ledger cannot be read or written."""

    code = "LEDGER"


class LedgerCorruptError(LedgerError):
    """The ledger file is damaged, or its chain of hashes does not hold."""

    code = "LEDGER_CORRUPT"


class LedgerTooNewError(LedgerError):
    """The ledger was written by a newer version of Triune."""

    code = "LEDGER_TOO_NEW"


class ConcurrencyError(LedgerError):
    """An aggregate moved on since it was read."""

    code = "CONCURRENCY"

    def __init__(self, *, aggregate: str, version: int, expected: int) -> None:
        self.aggregate, self.version, self.expected = aggregate, version, expected
        super().__init__(
            f"{aggregate} stands at version {version}, not {expected}: someone else moved it on; "
            "read it again, and repeat"
        )


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which of ``valid`` was probably meant: a sentence part, or nothing."""
    close = get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
