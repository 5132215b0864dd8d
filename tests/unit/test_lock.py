import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.domain.errors import LockError
from triune.domain.lock import Lock, Mismatch, mismatches, normalise_name, parse_lock, render_lock

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?", fullmatch=True).map(normalise_name)
VERSIONS = st.builds(
    "{}{}{}".format,
    st.from_regex(r"(?:[0-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True),
    st.sampled_from(["", "a1", "rc2", ".post3", ".dev4"]),
    st.sampled_from(["", "+cpu", "+cu121.git0"]),
)


@given(st.dictionaries(NAMES, VERSIONS))
def test_a_lock_that_is_written_and_read_is_the_same_lock(packages: dict[str, str]) -> None:
    lock = Lock(packages=packages)

    assert parse_lock(render_lock(lock)) == lock


@given(st.dictionaries(NAMES, VERSIONS))
def test_what_is_installed_as_locked_has_no_mismatch(packages: dict[str, str]) -> None:
    assert mismatches(Lock(packages=packages), packages) == ()


def test_a_lock_is_written_in_the_order_of_its_names() -> None:
    lock = Lock(packages={"scipy": "1.17", "numpy": "2.4"})

    assert render_lock(lock) == "numpy==2.4\nscipy==1.17\n"


def test_comments_blank_lines_extras_hashes_and_continuations_are_read_over() -> None:
    text = (
        "# written by a tool\n"
        "\n"
        "NumPy == 2.4.6  # for features\r\n"
        "ruamel_yaml[jinja2, oldlibyaml]==0.18 \\\n"
        "    --hash=sha256:aa \\\n"
        "    # via dvc\n"
        "scipy==1.17.1 --hash=sha256:bb --hash=sha256:cc\n"
        "six==1.17.0 \\\n"
        "    --hash=sha256:dd \\\n"
    )

    lock = parse_lock(text)

    assert lock.packages == {
        "numpy": "2.4.6",
        "ruamel-yaml": "0.18",
        "scipy": "1.17.1",
        "six": "1.17.0",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("numpy>=2", "line 2 of the lock, 'numpy>=2', is no exact version: name==version"),
        ("numpy", "is no exact version"),
        ("numpy==2.*", "is no exact version"),
        ("numpy===2.0", "is no exact version"),
        ("numpy==2.0,!=2.1", "is no exact version"),
        ("numpy==latest", "line 2 of the lock: 'latest' is no version (PEP 440) of numpy"),
        ("numpy==2.0 ; python_version < '3.12'", "has a marker; a lock is for one platform"),
        ("numpy @ file:///wheels/numpy.whl", "is an address"),
        ("https://example.org/numpy.whl", "is an address"),
        ("-r more.txt", "is an option"),
        ("--index-url https://example.org", "is an option"),
        ("numpy==2.0 --no-binary", "is no exact version"),
    ],
)
def test_a_line_that_is_no_exact_version_is_refused_by_its_number(line: str, message: str) -> None:
    with pytest.raises(LockError) as refused:
        parse_lock(f"scipy==1.0\n{line}\n")

    assert "line 2 " in str(refused.value)
    assert message in str(refused.value)


def test_a_continued_line_is_named_by_the_number_of_its_beginning() -> None:
    with pytest.raises(LockError, match="line 3 of the lock"):
        parse_lock("a==1\n\nb>=2 \\\n  --hash=sha256:aa\nc==3\n")


def test_a_package_locked_in_two_versions_is_refused_with_both_lines() -> None:
    with pytest.raises(LockError, match=r"line 3 .* numpy==2\.1, line 1 says numpy==2\.0"):
        parse_lock("numpy==2.0\nscipy==1.0\nNumPy==2.1\n")


def test_a_package_locked_twice_in_one_version_is_locked_once() -> None:
    assert parse_lock("uvicorn==0.34\nuvicorn[standard]==0.34.0\n").packages == {"uvicorn": "0.34"}


@pytest.mark.parametrize(
    ("locked", "installed"),
    [("1.0", "1.0.0"), ("1.0.0", "1.0"), ("2.8.0+cpu", "2.8+CPU"), ("1.0rc1", "1.0-rc.1")],
)
def test_spellings_of_one_version_are_equal(locked: str, installed: str) -> None:
    assert mismatches(Lock(packages={"torch": locked}), {"Torch": installed}) == ()


@pytest.mark.parametrize(
    ("locked", "installed"),
    [("2.8.0", "2.8.0+cpu"), ("2.8.0+cpu", "2.8.0"), ("2.8.0+cpu", "2.8.0+cu121"), ("1", "old!")],
)
def test_another_version_is_a_mismatch(locked: str, installed: str) -> None:
    found = mismatches(Lock(packages={"torch": locked}), {"torch": installed})

    assert found == (Mismatch(name="torch", locked=locked, installed=installed),)
    assert str(found[0]) == f"torch is {installed} instead of {locked}"


def test_a_missing_package_is_a_mismatch_and_a_further_one_is_none() -> None:
    lock = Lock(packages={"numpy": "2.4.6", "scipy": "1.17.1"})

    found = mismatches(lock, {"scipy": "1.17.1", "pandas": "3.1"})

    assert [str(each) for each in found] == ["numpy 2.4.6 is not installed"]
