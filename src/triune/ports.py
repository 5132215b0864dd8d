"""What the operations ask of the world: small protocols, in Triune's words."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

import numpy as np
import numpy.typing as npt

from triune.domain.canonical import Json
from triune.domain.comparison import DatasetChange
from triune.domain.drift import DriftProfile
from triune.domain.events import Event, EventDraft, Head
from triune.domain.evidence import CheckResult, Judgement, Layer
from triune.domain.expectations.outcome import ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Suite
from triune.domain.manifest import Field, Outputs
from triune.domain.profile import DatasetProfile
from triune.domain.project import EnvironmentSpec
from triune.domain.projection import R
from triune.domain.rollout.routing import Applied, Breaker, Routing

if TYPE_CHECKING:
    # It stands on the mathematics of rollouts, which few commands need.
    from triune.domain.rollout.watch import Reading

Preset = Literal["lint", "types", "tests", "security"]
"""A check of the code that Triune knows."""

Progress = Callable[[str], None]
"""Takes one line about what goes on, for people to read."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Tell the time, in UTC."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """A pipeline in two parts: what makes the datasets, and the rest (training)."""

    datasets: tuple[str, ...]
    training: tuple[str, ...]


class Pipeline(Protocol):
    """Makes datasets and model from code and sources."""

    def stages(self, outputs: Sequence[str]) -> Stages:
        """Tell the stages that ``outputs`` (the datasets' paths) depend on from the rest.

        Raises
        ------
        UsageError
            The pipeline's own definition cannot be read.
        """

    def run(self, stages: Sequence[str], *, progress: Progress) -> None:
        """Bring stages up to date, in their order; those that are already are left alone.

        Raises
        ------
        PipelineError
            A stage failed; the message ends with the last lines that it printed.
        """

    def metrics(self) -> dict[str, float]:
        """Read the figures that the pipeline wrote about its training: dotted name to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Where the project's repository stands."""

    repository: str
    commit: str
    dirty: tuple[str, ...]
    authors: tuple[str, ...]


class Source(Protocol):
    """The repository that holds the project's code."""

    def checkout(self, *, outputs: Sequence[str]) -> Checkout:
        """Tell commit, authors, and the paths that differ from the commit.

        ``outputs`` are paths (or globs) that the pipeline writes; they are no dirt.

        Raises
        ------
        SourceError
            There is no repository, or it has no commit yet.
        """

    def files(self, include: Sequence[str]) -> tuple[Path, ...]:
        """List files under the included paths, relative to the project, ordered.

        Ignored files and bytecode never enter.

        Raises
        ------
        SourceError
            An included path is missing, or a symbolic link leads out of the project.
        """

    def initialise(self, *, message: str) -> None:
        """Make the project's folder a repository of its own with one commit of all it holds.

        Raises
        ------
        SourceError
            It is the top of a repository already, or git refuses.
        """

    def actor(self) -> str:
        """Tell who works here: the e-mail address that commits carry, else the user's name."""


class DataEngine(Protocol):
    """Reads datasets; a dataset is a list of files of one format, in order."""

    def fields(self, files: Sequence[Path], *, format: str) -> tuple[Field, ...]:
        """Tell the columns: type, whether any value is missing, categories.

        Raises
        ------
        DatasetError
            A file cannot be read as what it is said to be, or the files' columns differ.
        """

    def require_inputs(self, files: Sequence[Path], *, format: str, columns: Sequence[str]) -> None:
        """See that every value of some columns can travel in a request, as it is.

        Raises
        ------
        DatasetError
            One cannot; the message names file, column and value.
        """

    def sample(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str], count: int
    ) -> list[dict[str, Json]]:
        """Take at most ``count`` rows, evenly spaced, as a client would send them in JSON.

        Missing values are null, dates and times are ISO 8601.
        """

    def values(
        self, files: Sequence[Path], *, format: str, column: str, limit: int
    ) -> tuple[Json, ...]:
        """List at most ``limit`` different values of a column, as they come, without missing ones.

        Raises
        ------
        DatasetError
            The column is missing, or a file cannot be read.
        """

    def arrays(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str]
    ) -> dict[str, npt.NDArray[Any]]:
        """Read columns whole, each of shape (rows,), in the order of the rows.

        A missing value is NaN among floating-point numbers, NaT among times, else None.

        Raises
        ------
        DatasetError
            A column is missing, or a file cannot be read.
        """

    def matching(self, files: Sequence[Path], *, format: str, where: str) -> npt.NDArray[np.bool_]:
        """Tell of each row whether a condition of SQL holds for it: shape (rows,).

        The condition compares the columns of one row, and can look at nothing else. Where it is
        unknown, as a comparison with a missing value is, it does not hold.

        Raises
        ------
        ConditionError
            It is no condition, asks for more than one may, or does not go with the columns.
        DatasetError
            A file cannot be read.
        """

    def export(
        self,
        files: Sequence[Path],
        *,
        format: str,
        columns: Sequence[str],
        destination: Path,
        replace: Mapping[str, Json] = ...,
    ) -> None:
        """Write columns as one Arrow IPC file, in the order of the rows.

        Parameters
        ----------
        replace
            Values by column that every row is given there, as the column's own type has them.

        Raises
        ------
        DatasetError
            A column is missing, or cannot hold the value that is to replace its own.
        """

    def compare(
        self, before: Sequence[Path], after: Sequence[Path], *, formats: tuple[str, str]
    ) -> DatasetChange:
        """Compare two datasets row by row and column by column."""

    def row_digests(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str]
    ) -> npt.NDArray[np.uint64]:
        """Digest each row by its values in ``columns``, of any order: shape (rows,).

        Values count as they are written, so that a dataset has the same digests in either format.

        Raises
        ------
        DatasetError
            A column is missing, or a file cannot be read.
        """

    def evaluate(  # noqa: PLR0913 - each says another thing
        self,
        files: Sequence[Path],
        *,
        format: str,
        suite: Suite,
        now: datetime,
        result_format: ResultFormat,
        key: str | None = None,
    ) -> SuiteOutcome:
        """Evaluate a suite of expectations; ``now`` is what its parameter ``now()`` stands for.

        What cannot be evaluated, a column that is missing among it, is an outcome that says why.

        Parameters
        ----------
        key
            The column that tells whose a row is, for the rows that are shown; it may be missing.

        Raises
        ------
        DatasetError
            A file cannot be read as what it is said to be, or the files' columns differ.
        """

    def summarise(self, files: Sequence[Path], *, format: str) -> DatasetProfile:
        """Tell what every column holds, and how it is distributed, in one pass.

        Raises
        ------
        DatasetError
            A file cannot be read as what it is said to be, or the files' columns differ.
        """

    def drift_profile(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str]
    ) -> DriftProfile:
        """Freeze bins for columns, and count their values into them, in one pass.

        Raises
        ------
        DatasetError
            A column is missing, or a file cannot be read.
        """

    def count_into(
        self, files: Sequence[Path], *, format: str, reference: DriftProfile
    ) -> DriftProfile:
        """Count values into the bins of a profile, in one scan.

        Raises
        ------
        DatasetError
            A column of the profile is missing or of another kind, or a file cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A model's answers for n rows, in their order.

    ``labels`` has shape (n,); ``probabilities`` has shape (n, classes), columns in the order of
    ``Outputs.classes``, or is None where the model gives none.
    """

    labels: npt.NDArray[np.generic]
    probabilities: npt.NDArray[np.float64] | None

    @property
    def digest(self) -> str:
        """What they are, to the last bit: 64 hexadecimal digits."""
        hashed = hashlib.sha256(json.dumps(self.labels.tolist(), default=str).encode())
        if self.probabilities is not None:
            hashed.update(np.ascontiguousarray(self.probabilities).tobytes())
        return hashed.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A compiled model: its bytes, the steps that it is made of, and those before them."""

    content: bytes
    compiled: tuple[str, ...]
    python: tuple[str, ...]


class Worker(Protocol):
    """A process of its own that runs one release, with that release's code, model and files."""

    def describe(self) -> Outputs:
        """Tell what the model answers."""

    def score(self, source: Path, *, dataset: str | None = None) -> Predictions:
        """Score an Arrow IPC file of the signature's inputs.

        Given the digest of the ``dataset`` that the file was exported from, predictions that
        this release made for it before are returned again.

        Raises
        ------
        WorkerError
            The model raised, answered with something invalid, or the process died.
        """

    def compile(self, source: Path) -> "Compilation":
        """Compile the model to ONNX, tried on the rows of an Arrow IPC file of its inputs.

        Raises
        ------
        ModelError
            It cannot be compiled, not even its last step, or what that takes is not installed.
        WorkerError
            The process died.
        """

    def predict(self, requests: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """Answer requests as one batch, as a client would be answered over HTTP.

        Raises
        ------
        WorkerError
            As for `score`; a request that breaks the signature too.
        """


class Scorer(Protocol):
    """Runs releases, each only ever in a worker."""

    def recall(self, *, release: str, dataset: str) -> Predictions | None:
        """Find what a release (its id) predicted for a dataset (its digest), if it is known."""

    def keep_only(self, releases: Collection[str]) -> int:
        """Forget what other releases than these (their ids) predicted.

        Returns how many bytes that freed.
        """

    def start(self, bundle: Path, *, release: str) -> AbstractContextManager[Worker]:
        """Start a worker on a bundle, a folder that `operations.releases` laid out.

        Before it loads anything the worker checks the runtime, and that every file is what
        ``release`` (its id) says.

        Raises
        ------
        RuntimeMismatchError
            Python or a locked package differs from what the release was cut with.
        ModelError
            The model cannot be loaded.
        WorkerError
            The bundle was tampered with, or the process died.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back over HTTP; ``document`` is None where the body was no JSON."""

    status: int
    document: Json


class Service(Protocol):
    """A release that answers over HTTP, in a process of its own."""

    def base_url(self) -> str:
        """Tell where it answers, having waited until it does.

        Raises
        ------
        ServiceError
            It did not come up, or is gone; the message ends with what it printed last.
        """

    def get(self, path: str) -> HttpAnswer:
        """Ask for a path.

        Raises
        ------
        ServiceError
            It did not come up, or is gone.
        """

    def post(self, path: str, document: Json) -> HttpAnswer:
        """Send a document; while the service says that it is busy (503), do so again.

        Raises
        ------
        ServiceError
            It did not come up, or is gone.
        """


class ReleaseServer(Protocol):
    """Serves releases, for a while."""

    def serving(self, release: str) -> AbstractContextManager[Service]:
        """Have a stored release (its id) served for as long as the block lasts.

        The service is started here, and waited for where it is asked. Whatever was started has
        ended after the block, and ends too where this process is killed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this process runs on: Python's minor version, the platform tag, the hardware."""

    python: str
    platform: str
    hardware: str


class Installation(Protocol):
    """The Python that Triune runs in, and what is installed there."""

    def machine(self) -> Machine:
        """Tell Python, platform and hardware."""

    def versions(self) -> dict[str, str]:
        """List installed packages: normalised name to version."""

    def needed(self, sources: Sequence[Path], *, also: Sequence[str] = ()) -> dict[str, str]:
        """List what Python files import, with all that it needs: normalised name to version.

        So are packages that are needed ``also``, where they are installed.

        Triune is left out, and what only Triune needs, unless the files import that too.

        Raises
        ------
        UsageError
            A file is no Python.
        """

    def missing(self, sources: Sequence[Path]) -> tuple[str, ...]:
        """List what Python files import that is neither theirs, Python's, nor installed.

        An import that the files do without (``try`` with ``except ImportError``) is not missing.

        Raises
        ------
        UsageError
            A file is no Python.
        """


class Scratch(Protocol):
    """Folders that live no longer than the process that made them."""

    def folder(self, *, label: str = "") -> AbstractContextManager[Path]:
        """Make an empty folder, removed at the end; ``label`` says what it is in use for."""

    def in_use(self) -> frozenset[str]:
        """List the labels of the folders of live processes."""

    def sweep(self) -> None:
        """Remove the folders of processes that are gone."""


class Tool(Protocol):
    """One check of the project's code, by a program of its own: a linter, say, or its tests."""

    @property
    def name(self) -> str:
        """Tell what the report calls the check."""

    @property
    def is_reusable(self) -> bool:
        """Tell whether a result stands as long as its digest does.

        A command of the project's own may read more than that covers. An ERROR never stands.
        """

    def digest(self) -> str:
        """Digest what the check is about now: code, settings, the tool, what is installed.

        Raises
        ------
        SourceError
            The code cannot be listed, or read.
        """

    def surroundings(self) -> str | None:
        """Digest what else it may read in the project now; None where nobody can tell."""

    def judge(self, progress: Progress) -> Judgement:
        """Run the check to a verdict; a tool that is missing, breaks or hangs is an ERROR.

        Whatever it started has ended when this does, however it does.

        Raises
        ------
        SourceError
            The code cannot be listed, or read.
        """


class Toolbox(Protocol):
    """Makes the checks of the code that a project asks for."""

    def preset(
        self, name: Preset, *, coverage_min: float | None = None, timeout_s: float = 1800.0
    ) -> Tool:
        """Make a check that Triune knows; ``coverage_min`` (percent) bears on ``tests`` alone."""

    def command(self, line: str, *, name: str, timeout_s: float) -> Tool:
        """Make a check of a command that passes by exiting with 0."""

    def integration_tests(
        self, path: str, *, environment: Mapping[str, str], timeout_s: float = 1800.0
    ) -> Tool:
        """Make a check of the tests at ``path``, in the project; it measures no coverage.

        Parameters
        ----------
        environment
            Variables that the tests are given; the check's digest leaves them out.
        """

    def layer_tests(
        self, path: str, *, environment: Mapping[str, str], timeout_s: float = 1800.0
    ) -> Tool:
        """Make a check of the tests in the folder of a layer, as `integration_tests` does."""


class ResultMemory(Protocol):
    """Keeps results of checks by what they read, so that nothing is checked twice."""

    def find(self, *, layer: Layer, name: str, digest: str) -> CheckResult | None:
        """Find what a check came to when all that it read had this digest."""

    def keep(self, result: CheckResult) -> None:
        """Keep a result; where it cannot be kept, it is found again by checking."""


class RunLock(Protocol):
    """Lets one run at a time work in a project."""

    def hold(self, *, progress: Progress, wait: bool) -> AbstractContextManager[None]:
        """Hold the lock, having waited for whoever holds it now.

        Raises
        ------
        BusyError
            ``wait`` is false and another process holds it; the message says which.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRelease:
    """A release as the traffic process runs it.

    ``reason`` says why it failed, where it did.
    """

    release: str
    state: Literal["starting", "ready", "failed", "stopping"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the traffic process of an environment says of itself.

    Parameters
    ----------
    life
        Which of its lives it is: another after each start.
    routing
        The order in force.
    applied
        What it does, which the breaker may have changed.
    cursor
        Where the log of outcomes ends.
    """

    life: str
    url: str
    routing: Routing
    applied: Applied
    breaker: Breaker | None
    releases: tuple[RunningRelease, ...]
    cursor: int

    def find(self, release: str) -> RunningRelease | None:
        """Find a release among those that run, or are to."""
        return next((each for each in self.releases if each.release == release), None)


class TrafficRouter(Protocol):
    """Carries the traffic of one environment, in a process that outlives ours."""

    @property
    def bundles(self) -> Path:
        """The folder that releases are laid out in, each in one of its id."""

    def is_running(self) -> bool:
        """Tell whether the process is there, whether or not it answers."""

    def start(self) -> None:
        """Start the process, unless it is there.

        Raises
        ------
        TrafficError
            It cannot be started, or ended at once; the message says why.
        """

    def stop(self) -> None:
        """Have it answer what it was asked, and end; nothing happens where it is not there."""

    def look(self) -> Traffic | None:
        """Ask what it does; None where it does not answer."""

    def run(self, releases: Mapping[str, Path]) -> None:
        """Have releases run, by the bundles that they are laid out in, and no others.

        Raises
        ------
        TrafficError
            It does not answer, or refuses: a release that the order in force names cannot go.
        """

    def apply(self, routing: Routing) -> None:
        """Order where requests go; to order the same twice is to order it once.

        Raises
        ------
        TrafficError
            It does not answer, or refuses: it followed a newer order, or a release is not ready.
        """

    def read(self, *, after: int) -> "Reading | None":
        """Read the log of outcomes beyond a cursor; None where the process does not answer."""


class DataPlanes(Protocol):
    """The traffic processes of a project's environments."""

    def of(self, environment: EnvironmentSpec) -> TrafficRouter:
        """Reach the one of an environment."""


class WatchMemory(Protocol):
    """Keeps what a controller knows of an environment's traffic."""

    def find(self, environment: str) -> Json | None:
        """Find what was kept last; None where there is nothing, or it is damaged."""

    def keep(self, environment: str, watch: Json) -> None:
        """Keep it, whole or not at all.

        Raises
        ------
        StoreError
            It could not be written.
        """


class ControllerProcess(Protocol):
    """The process that moves a project's rollouts, in the background."""

    def is_running(self) -> bool:
        """Tell whether one works in the project."""

    def start(self) -> None:
        """Start one, and wait until it works.

        Raises
        ------
        TriuneError
            It ended at once, or does not come to work; the message says why.
        """

    def stop(self) -> None:
        """Have the one that works here end; nothing happens where none does.

        Raises
        ------
        TriuneError
            It goes on all the same.
        """
