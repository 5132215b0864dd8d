"""A limit of memory is a size that can be worked in, wherever it comes from."""

import pytest

from triune.config import read_memory_limit
from triune.config.memory import MEMORY_VARIABLE
from triune.domain.errors import UsageError


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)


@pytest.mark.parametrize("size", ["400MB", "0.5 GB", "400mib", " 2GiB ", "1TB", "64MB"])
def test_a_size_is_taken_as_it_is_written(size: str) -> None:
    assert read_memory_limit(size) == size.strip()


def test_what_is_asked_for_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_memory_limit() is None

    monkeypatch.setenv(MEMORY_VARIABLE, "300MB")

    assert read_memory_limit() == "300MB"
    assert read_memory_limit("400MB") == "400MB"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, "")

    assert read_memory_limit() is None


@pytest.mark.parametrize("size", ["400", "-5MB", "half", "50%", "400MB; DROP", "1e9"])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(UsageError, match="write a number and its unit, such as 400MB or 2GiB"):
        read_memory_limit(size)


def test_a_limit_that_nothing_fits_in_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, "10MB")

    with pytest.raises(UsageError, match=r"TRIUNE_MEMORY_LIMIT is '10MB', too little .* 64MB"):
        read_memory_limit()
