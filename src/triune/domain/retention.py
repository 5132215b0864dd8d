"""Which releases may go: never one that serves, its predecessor, or one that waits."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from triune.domain.projection import EnvironmentRecord, ReleaseRecord, RolloutRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A release that is kept or may go; ``because`` says why it is kept, and is empty if not."""

    release: ReleaseRecord
    because: str

    @property
    def is_kept(self) -> bool:
        """Whether something holds the release."""
        return bool(self.because)


def retain(
    releases: Iterable[ReleaseRecord],
    *,
    environments: Collection[EnvironmentRecord],
    rollouts: Iterable[RolloutRecord],
    in_use: Collection[str],
    keep: int,
) -> tuple[Retention, ...]:
    """Judge every release that is still stored, newest first.

    Parameters
    ----------
    in_use
        Ids of releases that a process serves at this moment.
    keep
        How many of the newest releases stay in any case.
    """
    held: dict[str, str] = {}
    for environment in environments:
        if environment.previous:
            held.setdefault(environment.previous, f"served {environment.name} before")
    for rollout in rollouts:
        if rollout.is_open:
            held[rollout.release] = f"on its way to {rollout.environment}"
    for environment in environments:
        if environment.champion:
            held[environment.champion] = f"serves {environment.name}"
    for release_id in in_use:
        held.setdefault(release_id, "is being served by a process on this machine")
    stored = sorted(
        (release for release in releases if release.pruned_at is None),
        key=lambda release: (release.cut_at, release.id),
        reverse=True,
    )
    return tuple(
        Retention(
            release=release,
            because=held.get(release.id) or (f"among the newest {keep}" if rank < keep else ""),
        )
        for rank, release in enumerate(stored)
    )
