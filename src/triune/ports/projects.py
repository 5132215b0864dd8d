"""What a project is made of: its pipeline, its repository, its data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from triune.domain.canonical import Json
from triune.domain.comparison import DatasetChange
from triune.domain.drift import DriftProfile
from triune.domain.expectations.outcome import ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Suite
from triune.domain.manifest import Field
from triune.domain.profile import DatasetProfile
from triune.ports.machines import Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


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

    def tracked(self, suffix: str) -> tuple[Path, ...]:
        """List the files that the repository tracks in the project, by the end of their names.

        Links and what lies in submodules are left out.
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
    ) -> "dict[str, npt.NDArray[Any]]":
        """Read columns whole, each of shape (rows,), in the order of the rows.

        A missing value is NaN among floating-point numbers, NaT among times, else None.

        Raises
        ------
        DatasetError
            A column is missing, or a file cannot be read.
        """

    def matching(
        self, files: Sequence[Path], *, format: str, where: str
    ) -> "npt.NDArray[np.bool_]":
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
    ) -> "npt.NDArray[np.uint64]":
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
