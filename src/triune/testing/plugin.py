"""The pytest plugin: tests of a project of Triune's get its fixtures, all others get nothing.

It is loaded into every run of pytest where Triune is installed, and so imports next to nothing;
what there is to it lies in `triune.testing.fixtures`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

# As `triune.domain.project` has it, which other projects would wait for.
_SETTINGS = "triune.yaml"


def pytest_configure(config: pytest.Config) -> None:
    """Bring the fixtures in where the tests lie in a project."""
    root = _find_project(config)
    if root is None:
        return
    from triune.testing import fixtures, summary

    config.stash[fixtures.ROOT] = root
    config.addinivalue_line(
        "markers", "for_each_slice(*names): run a test for slices of triune.yaml, all by default"
    )
    config.pluginmanager.register(fixtures, "triune-fixtures")
    config.pluginmanager.register(summary, "triune-summary")


def _find_project(config: pytest.Config) -> Path | None:
    for start in _starts(config):
        for folder in (start, *start.parents):
            if (folder / _SETTINGS).is_file():
                return folder
    return None


def _starts(config: pytest.Config) -> Iterator[Path]:
    """Tell where tests may lie: in what pytest was asked for, else where it was called."""
    called = config.invocation_params.dir
    for asked in config.args:
        yield (called / asked.partition("::")[0]).resolve()
    yield called.resolve()
