"""Makes the checks that a project asks for: the presets by their names, and its own commands."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from triune.adapters.tools.bandit import Security
from triune.adapters.tools.code import Code
from triune.adapters.tools.command import Command
from triune.adapters.tools.interpreter import Interpreter
from triune.adapters.tools.mypy import Types
from triune.adapters.tools.pytest import CodeTests, IntegrationTests
from triune.adapters.tools.ruff import Lint
from triune.adapters.tools.tool import CodeTool, Kind
from triune.ports import Preset, Scratch, Source

PRESET_TIMEOUT_S: Final = 1800.0
"""How long a preset may take: beyond it something hangs."""

_WITHOUT_SETTINGS: Final[Mapping[Preset, Callable[[], Kind]]] = {
    "lint": Lint,
    "types": Types,
    "security": Security,
}


class Toolbox:
    """The checks of one project's code.

    Parameters
    ----------
    include
        What ``code.include`` names.
    datasets
        Paths (or globs) of the project's data, which its tests may open.
    caches
        A folder for what tools keep from run to run; where it is None they keep nothing.
    python
        The Python that runs them, and that they are installed for.
    """

    def __init__(  # noqa: PLR0913 - all are named
        self,
        *,
        root: Path,
        include: tuple[str, ...],
        source: Source,
        scratch: Scratch,
        datasets: tuple[str, ...] = (),
        caches: Path | None = None,
        python: str | None = None,
    ) -> None:
        self._code = Code(root=root.resolve(), include=include, source=source, datasets=datasets)
        self._scratch = scratch
        self._caches = caches
        self._interpreter = Interpreter(python) if python else Interpreter()

    def preset(
        self,
        name: Preset,
        *,
        coverage_min: float | None = None,
        timeout_s: float = PRESET_TIMEOUT_S,
    ) -> CodeTool:
        """Make a check that Triune knows; ``coverage_min`` (percent) bears on ``tests`` alone."""
        kind = (
            CodeTests(coverage_min=coverage_min) if name == "tests" else _WITHOUT_SETTINGS[name]()
        )
        return self._tool(name, kind, timeout_s)

    def command(self, line: str, *, name: str, timeout_s: float) -> CodeTool:
        """Make a check of a command that passes by exiting with 0."""
        return self._tool(name, Command(line=line), timeout_s)

    def integration_tests(
        self,
        path: str,
        *,
        environment: Mapping[str, str],
        timeout_s: float = PRESET_TIMEOUT_S,
    ) -> CodeTool:
        """Make a check of the tests at ``path``, which are given some variables."""
        return self._tool("tests", IntegrationTests(path=path, environment=environment), timeout_s)

    def layer_tests(
        self,
        path: str,
        *,
        environment: Mapping[str, str],
        timeout_s: float = PRESET_TIMEOUT_S,
    ) -> CodeTool:
        """Make a check of the tests in a layer's own folder, which are there or are not."""
        by = "its test files away (those that git ignores are none)"
        kind = IntegrationTests(path=path, environment=environment, by=by)
        return self._tool("tests", kind, timeout_s)

    def _tool(self, name: str, kind: Kind, timeout_s: float) -> CodeTool:
        return CodeTool(
            name=name,
            kind=kind,
            code=self._code,
            interpreter=self._interpreter,
            scratch=self._scratch,
            caches=self._caches,
            timeout_s=timeout_s,
        )
