"""What a traffic process does, and what it is told next to do what is wanted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from triune.domain.rollout.routing import Applied, Breaker, Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRelease:
    """A release as the traffic process runs it.

    ``reason`` says why it failed, where it did.
    """

    release: str
    state: Literal["starting", "ready", "failed", "stopping"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the traffic process of an environment says of itself.

    Parameters
    ----------
    life
        Which of its lives it is: another after each start.
    routing
        The order in force.
    applied
        What it does, which the breaker may have changed.
    cursor
        Where the log of outcomes ends.
    control
        The worker that times the release with most of the traffic; None where there is none.
    """

    life: str
    url: str
    routing: Routing
    applied: Applied
    breaker: Breaker | None
    releases: tuple[RunningRelease, ...]
    cursor: int
    control: RunningRelease | None = None

    def find(self, release: str) -> RunningRelease | None:
        """Find a release among those that run, or are to."""
        return next((each for each in self.releases if each.release == release), None)

    @property
    def running(self) -> frozenset[str]:
        """Which releases run, or are to."""
        return frozenset(each.release for each in self.releases if each.state != "stopping")

    def are_ready(self, releases: Collection[str]) -> bool:
        """Tell whether requests can go to all of these."""
        found = map(self.find, releases)
        return all(each is not None and each.state == "ready" for each in found)

    def broken(self, releases: Collection[str]) -> dict[str, str]:
        """Tell which of these do not run, each with the reason."""
        return {
            each.release: each.reason or "its worker does not start"
            for each in self.releases
            if each.release in releases and each.state == "failed"
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a traffic process is told next.

    Parameters
    ----------
    is_followed
        Whether it does what is wanted, and runs nothing else; then there is nothing to tell.
    run
        The releases to run, and no others; None where those that run are as they are to be.
    apply
        Where requests are to go; None where that cannot be said yet, or was said.
    failed
        Why a release that is wanted does not run, by its id; it may run at another attempt.
    """

    is_followed: bool
    run: frozenset[str] | None
    apply: Routing | None
    failed: Mapping[str, str]


def next_orders(wanted: Routing, traffic: Traffic) -> Orders:
    """Go one step towards what is wanted.

    What runs goes on until the new order is in force, and only then what nobody needs is ended. A
    newer order than the one wanted is never taken back.
    """
    is_ordered = traffic.routing == wanted
    needed = wanted.releases if is_ordered else wanted.releases | traffic.routing.releases
    is_short = traffic.running != needed or bool(traffic.broken(needed))
    can_apply = wanted.token > traffic.routing.token and traffic.are_ready(wanted.releases)
    return Orders(
        is_followed=is_ordered and not is_short,
        run=needed if is_short else None,
        apply=wanted if not is_ordered and can_apply else None,
        failed=traffic.broken(wanted.releases),
    )
