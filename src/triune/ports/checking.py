"""Tools that check code, and the memory of what checks came to."""

from collections.abc import Mapping
from typing import Literal, Protocol

from triune.domain.evidence import CheckResult, Judgement, Layer
from triune.ports.machines import Progress

Preset = Literal["lint", "types", "tests", "security"]
"""A check of the code that Triune knows."""


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
