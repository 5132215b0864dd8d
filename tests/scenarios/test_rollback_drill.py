"""The rollback drill: champion, candidate and champion again, on real processes."""

from pathlib import Path

import pytest
from tests.deliveries import released
from tests.live import a_live_project

from triune.bootstrap import open_project
from triune.domain.evidence import Judgement
from triune.domain.verdict import Verdict
from triune.operations.context import Context
from triune.operations.promotion import promote
from triune.operations.releases import load_manifest
from triune.operations.rollback_drill import drill_check

GOLDEN = b'{"x": 1}\n{"x": 2}\n'


def drilled(context: Context, release: str) -> Judgement:
    record = released(context, release)
    check = drill_check(context, record, load_manifest(context, record))
    assert check is not None
    return check.judge(lambda _: None)


def test_requests_go_to_the_candidate_and_back_to_the_champion(tmp_path: Path) -> None:
    with (
        a_live_project(tmp_path, {"one": "good", "two": "good"}, golden=GOLDEN) as live,
        open_project(live.folder) as context,
    ):
        one, two = live.releases["one"], live.releases["two"]
        promote(context, released(context, one), to="production")

        judgement = drilled(context, two)

        assert judgement.verdict is Verdict.PASS, judgement.reason.message
        assert judgement.reason.code == "ROLLED_BACK"
        assert set(judgement.figures) == {"forward_seconds", "back_seconds"}
        assert not list((live.folder / ".triune" / "scratch").glob("*"))


def test_a_candidate_that_does_not_run_beside_the_champion_fails_it(tmp_path: Path) -> None:
    with (
        a_live_project(tmp_path, {"one": "good", "two": "ends"}, golden=GOLDEN) as live,
        open_project(live.folder) as context,
    ):
        promote(context, released(context, live.releases["one"]), to="production")

        judgement = drilled(context, live.releases["two"])

        assert judgement.verdict is Verdict.FAIL
        assert "cannot be run beside another" in judgement.reason.message


@pytest.mark.parametrize("promoted", [None, "one"])
def test_where_there_is_nothing_to_go_back_to_it_does_not_apply(
    tmp_path: Path, promoted: str | None
) -> None:
    with (
        a_live_project(tmp_path, {"one": "good"}, golden=GOLDEN) as live,
        open_project(live.folder) as context,
    ):
        if promoted:
            promote(context, released(context, live.releases[promoted]), to="production")

        judgement = drilled(context, live.releases["one"])

        assert judgement.verdict is Verdict.PASS
        assert judgement.reason.code == "NOT_APPLICABLE"
