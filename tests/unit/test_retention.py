from triune.domain.projection import EnvironmentRecord, ReleaseRecord, RolloutRecord
from triune.domain.retention import retain


def a_release(name: str, *, day: int, pruned_at: str | None = None) -> ReleaseRecord:
    return ReleaseRecord(
        id=name,
        project="churn",
        cut_at=f"2026-01-{day:02}T00:00:00.000000+00:00",
        commit="c" * 40,
        dirty=False,
        repository="churn",
        authors=("ada@example.org",),
        hardware="",
        pruned_at=pruned_at,
    )


def a_rollout_of(release: str, *, is_open: bool) -> RolloutRecord:
    return RolloutRecord(
        id=f"rollout-of-{release}",
        release=release,
        environment="production",
        is_open=is_open,
        since="",
        status="",
        reason="",
        override=None,
        state="",
    )


def test_what_serves_its_predecessor_and_what_waits_stay() -> None:
    releases = [a_release(name, day=day) for day, name in enumerate("abcdef", start=1)]
    environments = [EnvironmentRecord(name="production", champion="b", previous="a", since="")]
    rollouts = [
        a_rollout_of("c", is_open=True),
        a_rollout_of("d", is_open=False),
    ]

    judged = retain(releases, environments=environments, rollouts=rollouts, in_use={"e"}, keep=1)

    assert {each.release.id: each.because for each in judged} == {
        "a": "served production before",
        "b": "serves production",
        "c": "on its way to production",
        "d": "",
        "e": "is being served by a process on this machine",
        "f": "among the newest 1",
    }


def test_what_was_pruned_before_is_not_judged_again() -> None:
    releases = [a_release("a", day=1, pruned_at="2026-01-02"), a_release("b", day=2)]

    judged = retain(releases, environments=[], rollouts=[], in_use=(), keep=0)

    assert [(each.release.id, each.is_kept) for each in judged] == [("b", False)]
