"""The fixtures of a project's tests; each is made when the first test asks for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from triune.testing.expect import Expect
    from triune.testing.holdout import Holdout
    from triune.testing.model import Model
    from triune.testing.session import Session

ROOT = pytest.StashKey[Path]()
"""The folder of the project's ``triune.yaml``."""

_SLICE = "slice_name"


@pytest.fixture(scope="session")
def _triune(pytestconfig: pytest.Config) -> "Iterator[Session]":
    from triune.testing.session import Session

    with Session(pytestconfig.stash[ROOT], environ=os.environ) as session:
        yield session


@pytest.fixture(scope="session")
def candidate(_triune: "Session") -> "Model":
    """The release that is tried: that of ``TRIUNE_CANDIDATE`` (its id), else the latest."""
    with _explained():
        return _triune.candidate


@pytest.fixture(scope="session")
def champion(_triune: "Session") -> "Model":
    """The release that serves the last environment; a test is skipped while none does."""
    with _explained():
        found = _triune.champion
    if found is None:
        pytest.skip(_triune.why_no_champion)
    return found


@pytest.fixture(scope="session")
def holdout(_triune: "Session") -> "Holdout":
    """The candidate's holdout; who reads its labels looks at it, which is counted."""
    with _explained():
        return _triune.holdout


@pytest.fixture
def production_sample(_triune: "Session") -> Any:
    """The dataset ``production`` of ``triune.yaml``, as a DataFrame that is the test's own."""
    with _explained():
        found = _triune.production_sample
    if found is None:
        pytest.skip(
            "triune.yaml names no dataset `production` under data.datasets; name the file of a "
            "sample of what production sends"
        )
    return found.copy()


@pytest.fixture(scope="session")
def expect(_triune: "Session") -> "Expect":
    """What a table is expected to be: ``expect(table).to_be_unique("customer_id")``."""
    with _explained():
        return _triune.expect


@pytest.fixture(scope="session")
def base_url(_triune: "Session") -> str:
    """Where the candidate answers over HTTP: as ``TRIUNE_BASE_URL`` says, else served here."""
    with _explained():
        return _triune.base_url


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what `for_each_slice` marks once for each slice."""
    marker = metafunc.definition.get_closest_marker("for_each_slice")
    if marker is None:
        return
    from triune.domain.errors import TriuneError
    from triune.testing.slices import find_slices

    try:
        names = find_slices(metafunc.config.stash[ROOT], marker.args)
    except TriuneError as error:
        raise pytest.UsageError(str(error)) from error
    reason = "triune.yaml names no slices under model.slices"
    metafunc.parametrize(
        _SLICE, names or [pytest.param("", marks=pytest.mark.skip(reason=reason), id="none")]
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Fail with what happened, where the way there would tell a reader of tests nothing."""
    from triune.domain.errors import TriuneError

    try:
        yield
    except TriuneError as error:
        pytest.fail(f"{error.code}: {error}", pytrace=False)
