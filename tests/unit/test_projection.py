"""What each kind of event makes of the records, one at a time and folded together."""

from dataclasses import fields, replace

import pytest

from triune.domain.canonical import Json
from triune.domain.events import EMPTY, Event, EventDraft, EventKind, chain
from triune.domain.projection import (
    FORMAT,
    Changes,
    EnvironmentRecord,
    GateRecord,
    HoldoutRecord,
    LookRecord,
    ReleaseRecord,
    RolloutRecord,
    State,
    name_record,
    project,
)

NOON = "2026-01-05T12:00:00.000000Z"
LATER = "2026-01-06T12:00:00.000000Z"

CUT = {
    "release": "r1",
    "project": "churn",
    "commit": "c1",
    "dirty": False,
    "repository": "git@example.org:churn",
    "authors": ["ada@example.org"],
    "hardware": "x86_64",
    "metrics": {"roc_auc": 0.9, "accuracy": 0.8},
}
RELEASE = ReleaseRecord(
    id="r1",
    project="churn",
    cut_at=NOON,
    commit="c1",
    dirty=False,
    repository="git@example.org:churn",
    authors=("ada@example.org",),
    hardware="x86_64",
    metrics=(("accuracy", 0.8), ("roc_auc", 0.9)),
)


def an_event(kind: EventKind, data: Json, *, time: str = NOON) -> Event:
    draft = EventDraft(aggregate="a", kind=kind, actor="ada", time=time, data=data)
    return chain([draft], head=EMPTY, version=0)[0]


def folded(*events: Event) -> State:
    state = State()
    state.apply(events)
    return state


def test_a_cut_release_has_its_facts_and_no_history_yet() -> None:
    state = folded(an_event(EventKind.RELEASE_CUT, CUT))

    assert state.find(ReleaseRecord, "r1") == RELEASE


def test_a_release_that_is_cut_again_keeps_the_time_of_its_first_cut() -> None:
    state = folded(
        an_event(EventKind.RELEASE_CUT, CUT),
        an_event(EventKind.RELEASE_CUT, CUT | {"commit": "c2"}, time=LATER),
    )

    assert state.find(ReleaseRecord, "r1") == replace(RELEASE, commit="c2")


def test_a_pruned_release_that_is_cut_again_is_as_new_as_that() -> None:
    state = folded(
        an_event(EventKind.RELEASE_CUT, CUT),
        an_event(EventKind.RELEASE_PRUNED, {"release": "r1"}, time=LATER),
        an_event(EventKind.RELEASE_CUT, CUT | {"commit": "c2"}, time=LATER),
    )

    assert state.find(ReleaseRecord, "r1") == replace(RELEASE, commit="c2", cut_at=LATER)


@pytest.mark.parametrize(
    ("kind", "data", "after"),
    [
        (
            EventKind.GOLDEN_RECORDED,
            {"release": "r1", "answers": "a1"},
            replace(RELEASE, answers="a1"),
        ),
        (
            EventKind.RUN_FINISHED,
            {"release": "r1", "verdict": "PASS", "reasons": [{"code": "ALL_GOOD"}]},
            replace(RELEASE, verdict="PASS", reason="ALL_GOOD", run_at=LATER),
        ),
        (EventKind.RELEASE_PRUNED, {"release": "r1"}, replace(RELEASE, pruned_at=LATER)),
    ],
)
def test_a_release_changes_in_what_the_event_says(
    kind: EventKind, data: Json, after: ReleaseRecord
) -> None:
    state = folded(an_event(EventKind.RELEASE_CUT, CUT), an_event(kind, data, time=LATER))

    assert state.all(ReleaseRecord) == (after,)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (EventKind.GOLDEN_RECORDED, {"release": "r9", "answers": "a1"}),
        (EventKind.RUN_FINISHED, {"release": "r9", "verdict": "PASS", "reasons": []}),
        (EventKind.RUN_FINISHED, {"release": None, "verdict": "FAIL", "reasons": []}),
        (EventKind.RELEASE_PRUNED, {"release": "r9"}),
        (EventKind.ROLLOUT_MOVED, {"rollout": "o9", "state": {}}),
        (EventKind.ROLLOUT_CLOSED, {"rollout": "o9"}),
    ],
)
def test_an_event_about_what_was_never_recorded_changes_nothing(
    kind: EventKind, data: Json
) -> None:
    assert project(an_event(kind, data), State()) == ()


def test_an_event_of_an_unknown_kind_changes_nothing() -> None:
    event = replace(an_event(EventKind.RELEASE_CUT, CUT), kind="of_a_later_version")

    assert project(event, State()) == ()


def test_an_environment_knows_its_champion_and_the_one_before() -> None:
    first = {"environment": "production", "release": "r1", "previous": None}
    second = {"environment": "production", "release": "r2", "previous": "r1"}

    state = folded(
        an_event(EventKind.CHAMPION_CHANGED, first),
        an_event(EventKind.CHAMPION_CHANGED, second, time=LATER),
    )

    assert state.find(EnvironmentRecord, "production") == EnvironmentRecord(
        name="production", champion="r2", previous="r1", since=LATER
    )


OPENED = {
    "rollout": "o1",
    "release": "r1",
    "environment": "production",
    "override": "emergency by ada: login is down",
    "state": {"status": "running", "reason": {"code": "OPENED", "message": ""}},
}
ROLLOUT = RolloutRecord(
    id="o1",
    release="r1",
    environment="production",
    is_open=True,
    since=NOON,
    status="running",
    reason="OPENED",
    override="emergency by ada: login is down",
    state='{"reason":{"code":"OPENED","message":""},"status":"running"}',
)


def test_a_rollout_is_open_until_it_is_closed() -> None:
    opened = an_event(EventKind.ROLLOUT_OPENED, OPENED)
    closed = an_event(EventKind.ROLLOUT_CLOSED, {"rollout": "o1"}, time=LATER)

    assert folded(opened).all(RolloutRecord) == (ROLLOUT,)
    assert folded(opened, closed).all(RolloutRecord) == (replace(ROLLOUT, is_open=False),)


def test_a_rollout_is_what_its_last_move_made_of_it_and_keeps_its_override() -> None:
    opened = an_event(EventKind.ROLLOUT_OPENED, OPENED)
    state = {"status": "promoted", "reason": {"code": "NOTHING_COMPARED", "message": ""}}
    moved = an_event(EventKind.ROLLOUT_MOVED, {"rollout": "o1", "state": state}, time=LATER)

    assert folded(opened, moved).all(RolloutRecord) == (
        replace(
            ROLLOUT,
            status="promoted",
            reason="NOTHING_COMPARED",
            state='{"reason":{"code":"NOTHING_COMPARED","message":""},"status":"promoted"}',
        ),
    )


def test_records_of_different_kinds_may_share_a_key() -> None:
    state = State()
    environment = EnvironmentRecord(name="r1", champion=None, previous=None, since=NOON)

    state.keep([RELEASE, environment])

    assert state.find(ReleaseRecord, "r1") == RELEASE
    assert state.find(EnvironmentRecord, "r1") == environment
    assert set(state.records()) == {RELEASE, environment}


def test_changes_are_seen_over_what_stood_before_and_leave_it_alone() -> None:
    before = folded(an_event(EventKind.RELEASE_CUT, CUT))
    changes = Changes(before)

    changes.apply(
        [
            an_event(EventKind.GOLDEN_RECORDED, {"release": "r1", "answers": "a1"}),
            an_event(EventKind.RELEASE_PRUNED, {"release": "r1"}, time=LATER),
        ]
    )

    assert list(changes) == [replace(RELEASE, answers="a1", pruned_at=LATER)]
    assert before.find(ReleaseRecord, "r1") == RELEASE


def test_what_the_gate_decides_is_the_releases_verdict_at_once() -> None:
    passed = folded(
        an_event(EventKind.RELEASE_CUT, CUT),
        an_event(
            EventKind.RUN_FINISHED,
            {"release": "r1", "verdict": "PASS", "reasons": [{"code": "IMPROVED"}]},
        ),
    )
    decided: Json = {
        "release": "r1",
        "champion": None,
        "environment": None,
        "evidence": "e1",
        "verdict": "FAIL",
        "reasons": [{"code": "FLOOR_MISSED"}],
    }

    passed.apply([an_event(EventKind.GATE_DECIDED, decided)])

    release = passed.find(ReleaseRecord, "r1")
    assert release is not None
    assert (release.verdict, release.reason) == ("FAIL", "FLOOR_MISSED")


def test_a_record_is_named_by_its_kind_and_key() -> None:
    assert name_record(ReleaseRecord, "r1") == "release r1"
    assert name_record(RolloutRecord, "o1") == "rollout o1"


def test_records_that_change_their_fields_change_the_format() -> None:
    # When this fails, a ledger holds records without the new fields: raise FORMAT, and put the
    # new fields here.
    release = "id project cut_at commit dirty repository authors hardware answers metrics verdict"
    recorded = {
        ReleaseRecord: f"{release} reason run_at pruned_at",
        EnvironmentRecord: "name champion previous since",
        RolloutRecord: "id release environment is_open since status reason override state",
        HoldoutRecord: "id rows count older since",
        LookRecord: "holdout predictions release at",
        GateRecord: "release champion environment evidence verdict reason at",
    }

    assert FORMAT == 4
    for kind, names in recorded.items():
        assert " ".join(field.name for field in fields(kind)) == names
