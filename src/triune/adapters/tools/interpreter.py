"""The Python that tools run with: what it is, and what is installed for it."""

import json
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Final

from triune.adapters.process import run_command
from triune.adapters.tools.environment import tool_environment
from triune.domain.canonical import Json
from triune.domain.errors import TriuneError
from triune.domain.lock import normalise_name

# Asked in a process like that of a tool: what this one could import, a tool need not find.
_QUESTION: Final = """
import json, platform, sysconfig
from importlib import metadata
found = [each.metadata for each in metadata.distributions()]
found = [[each.get("Name"), each.get("Version")] for each in found]
print(json.dumps({
    "python": f"{platform.python_implementation()} {platform.python_version()}",
    "platform": sysconfig.get_platform(),
    "packages": [each for each in found if all(each)],  # an interrupted installation has neither
}))
"""


class Interpreter:
    """A Python, by its path; what is installed for it is looked up once."""

    def __init__(self, path: str = sys.executable) -> None:
        self.path = path

    def version(self, package: str) -> str | None:
        """Tell in which version a package is installed, None where it is not."""
        version: str | None = self.description["packages"].get(package)
        return version

    @cached_property
    def description(self) -> Json:
        """The Python's version and platform, and what is installed: package to version.

        Raises
        ------
        TriuneError
            It does not run.
        """
        lines: list[str] = []
        # -P: a package's metadata that lies in the working directory is not installed.
        finished = run_command(
            [self.path, "-P", "-c", _QUESTION],
            folder=Path(self.path).parent,
            progress=lines.append,
            environment=tool_environment(os.environ, python=self.path),
        )
        if finished.returncode or not lines:
            told = "\n".join(finished.tail)
            raise TriuneError(f"{self.path}, which is to run the checks, does not run:\n{told}")
        answer = json.loads(lines[-1])
        packages: dict[str, str] = {}
        for name, version in answer["packages"]:
            # The first on the path is the one that Python imports.
            packages.setdefault(normalise_name(name), version)
        return {**answer, "packages": packages}
