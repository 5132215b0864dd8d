import pytest

from triune.domain.errors import UnknownReleaseError
from triune.domain.release import resolve, short

IDS = ["abc" + "0" * 61, "abd" + "0" * 61, "f" * 64]


def test_a_prefix_names_the_one_release_that_begins_so() -> None:
    assert resolve("abc", IDS) == IDS[0]
    assert resolve("F", IDS) == IDS[2]
    assert resolve(short(IDS[1]), IDS) == IDS[1]


def test_a_prefix_of_several_is_ambiguous_and_lists_them() -> None:
    with pytest.raises(
        UnknownReleaseError, match=r"ambiguous: 2 releases begin so \(abc0+, abd0+\)"
    ):
        resolve("ab", IDS)


@pytest.mark.parametrize("name", ["abe", ""])
def test_an_unknown_release_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(UnknownReleaseError, match=r"there is no release|did you mean"):
        resolve(name, IDS)


def test_without_any_release_the_refusal_says_how_to_cut_one() -> None:
    with pytest.raises(UnknownReleaseError, match="triune run"):
        resolve("abc", [])


def test_a_model_file_is_no_release() -> None:
    with pytest.raises(UnknownReleaseError, match="outside of the store"):
        resolve("models/model.joblib", IDS)
