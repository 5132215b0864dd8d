"""Profiles of columns, and what a comparison of two says."""

from dataclasses import replace
from math import inf, nan, nextafter

import numpy as np
import pytest

from triune.domain.data_checks import judge_skew
from triune.domain.drift import (
    ColumnKind,
    ColumnProfile,
    DriftProfile,
    freeze_edges,
)
from triune.domain.drift_report import DriftVerdict, compare_profiles
from triune.domain.verdict import Verdict

EDGES = tuple(float(edge) for edge in range(9))


def a_profile(*counts: int, missing: int = 0, name: str = "tenure") -> DriftProfile:
    column = ColumnProfile(
        name=name,
        kind=ColumnKind.NUMBER,
        counts=counts,
        missing=missing,
        edges=EDGES[: len(counts) - 1],
    )
    return DriftProfile(rows=sum(counts) + missing, columns=(column,))


def test_a_profile_is_read_as_it_was_written() -> None:
    categories = ColumnProfile(
        name="plan", kind=ColumnKind.CATEGORY, counts=(2, 0), missing=1, categories=("ä",)
    )
    profile = a_profile(1, 2, missing=3)
    profile = replace(profile, columns=(*profile.columns, categories))

    assert DriftProfile.parse(profile.content) == profile
    assert profile.digest == DriftProfile.parse(profile.content).digest


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"format": 9}'])
def test_what_is_no_profile_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a drift profile"):
        DriftProfile.parse(content)


def test_edges_are_the_deciles_each_once() -> None:
    assert freeze_edges((1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)


def test_a_value_that_is_common_has_a_bin_of_its_own() -> None:
    assert freeze_edges((1.0, 7.0, 7.0, 7.0)) == (1.0, nextafter(7.0, -inf), 7.0)


def test_no_edge_is_infinite() -> None:
    assert freeze_edges((-inf, -inf, 1.0, inf)) == (1.0,)
    assert freeze_edges((nan,)) == ()


def test_the_same_distribution_has_not_drifted() -> None:
    report = compare_profiles(a_profile(*[1000] * 10), a_profile(*[500] * 10), threshold=0.2)

    (feature,) = report.features
    assert feature.verdict is DriftVerdict.NO_DRIFT
    assert feature.psi == pytest.approx(0, abs=1e-4)
    assert report.of(DriftVerdict.NO_DRIFT) == (feature,)


def test_what_moved_far_has_drifted() -> None:
    moved = a_profile(*[100] * 5, *[900] * 5)

    report = compare_profiles(a_profile(*[1000] * 10), moved, threshold=0.2)

    assert [feature.verdict for feature in report.features] == [DriftVerdict.DRIFT]


def test_missing_values_that_become_common_are_drift() -> None:
    before, after = a_profile(*[100] * 10), a_profile(*[100] * 10, missing=500)

    (feature,) = compare_profiles(before, after, threshold=0.2).features

    assert feature.verdict is DriftVerdict.DRIFT


def test_too_few_rows_are_inconclusive_and_say_how_many_are_needed() -> None:
    before = a_profile(*[1000] * 10)

    (few,) = compare_profiles(before, a_profile(*[10] * 10), threshold=0.2).features
    (enough,) = compare_profiles(before, a_profile(*[12] * 10), threshold=0.2).features

    assert few.verdict is DriftVerdict.INCONCLUSIVE
    assert few.rows_needed == 110
    assert enough.verdict is DriftVerdict.NO_DRIFT


def test_more_features_take_more_rows() -> None:
    def many(counts: list[int]) -> DriftProfile:
        columns = tuple(a_profile(*counts, name=f"x{n}").columns[0] for n in range(20))
        return DriftProfile(rows=sum(counts), columns=columns)

    report = compare_profiles(many([100_000] * 10), many([12] * 10), threshold=0.2)

    assert {feature.verdict for feature in report.features} == {DriftVerdict.INCONCLUSIVE}
    assert {feature.rows_needed for feature in report.features} == {149}


def test_a_small_reference_says_what_both_sides_need() -> None:
    (feature,) = compare_profiles(
        a_profile(*[10] * 10), a_profile(*[9] * 10), threshold=0.2
    ).features

    assert feature.verdict is DriftVerdict.INCONCLUSIVE
    assert (feature.rows_needed, feature.reference_needed) == (None, 217)


def test_a_hundred_rows_that_did_not_drift_are_seldom_said_to() -> None:
    random = np.random.default_rng(3)
    verdicts = [
        compare_profiles(
            a_profile(*random.multinomial(100, [0.1] * 10).tolist()),
            a_profile(*random.multinomial(100, [0.1] * 10).tolist()),
            threshold=0.2,
        ).features[0]
        for _ in range(1000)
    ]

    by_the_threshold_alone = sum(feature.psi >= 0.2 for feature in verdicts)
    assert by_the_threshold_alone > 200
    assert sum(feature.verdict is DriftVerdict.DRIFT for feature in verdicts) < 30


def test_other_bins_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="'tenure' was not counted into the same bins"):
        compare_profiles(a_profile(1, 2), a_profile(1, 2, 3), threshold=0.2)


@pytest.mark.parametrize(
    ("current", "verdict", "reason", "said"),
    [
        (a_profile(*[500] * 10), Verdict.PASS, "NO_SKEW", "none of 1 features differs"),
        (a_profile(5000, *[0] * 9), Verdict.FAIL, "SKEW", "tenure by a PSI of"),
        (a_profile(*[5] * 10), Verdict.INCONCLUSIVE, "SKEW_EVIDENCE_THIN", "110 rows are needed"),
        (a_profile(*[0] * 10), Verdict.FAIL, "NO_ROWS", "production holds no row"),
    ],
)
def test_skew_is_judged_by_the_worst_of_the_features(
    current: DriftProfile, verdict: Verdict, reason: str, said: str
) -> None:
    report = compare_profiles(a_profile(*[1000] * 10), current, threshold=0.2)

    judged = judge_skew(report, dataset="production", reference="train")

    assert (judged.verdict, judged.reason.code) == (verdict, reason)
    assert said in judged.reason.message


def test_skew_of_no_feature_is_an_error_and_never_a_pass() -> None:
    nothing = DriftProfile(rows=5, columns=())

    judged = judge_skew(
        compare_profiles(nothing, nothing, threshold=0.2), dataset="production", reference="train"
    )

    assert (judged.verdict, judged.reason.code) == (Verdict.ERROR, "NO_COMMON_COLUMNS")


def test_a_small_reference_is_said_to_need_rows_too() -> None:
    report = compare_profiles(a_profile(*[10] * 10), a_profile(*[9] * 10), threshold=0.2)

    judged = judge_skew(report, dataset="production", reference="train")

    assert "either side needs 217 rows, the reference too" in judged.reason.message
    assert [finding.message.split(":")[0] for finding in judged.findings] == ["tenure"]
