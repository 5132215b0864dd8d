"""Where an environment stands: its champion, and the rollouts that led there."""

from dataclasses import dataclass, replace
from typing import Self

from triune.domain.rollout.progress import Seen, advance
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.state import Move, Rollout, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An environment at one moment.

    Parameters
    ----------
    rollouts
        All that there ever were, in the order of their terms.
    """

    name: str
    champion: str | None
    rollouts: tuple[Rollout, ...]

    @property
    def latest(self) -> FencingToken | None:
        """The last token that was given out; None where none was."""
        return self.leading.token if self.leading else None

    @property
    def leading(self) -> Rollout | None:
        """The rollout that has the say over the traffic: that of the last token."""
        return max(self.rollouts, key=lambda each: each.token, default=None)

    @property
    def promoted(self) -> tuple[Rollout, ...]:
        """The rollouts that stand one on the other: the last one put the champion there."""
        return tuple(each for each in self.rollouts if each.status is Status.PROMOTED)

    @property
    def previous(self) -> str | None:
        """The release that a rollback goes to."""
        return self.promoted[-1].champion if self.promoted else None

    @property
    def open_rollout(self) -> Rollout | None:
        """The rollout that may still move; None where there is none."""
        return next((each for each in self.rollouts if each.is_open), None)

    def rollout(self, rollout_id: str) -> Rollout:
        """Find a rollout by its id.

        Raises
        ------
        KeyError
            There is none.
        """
        return {each.id: each for each in self.rollouts}[rollout_id]

    def opening(self, rollout: Rollout) -> Self:
        """Return how things stand with one more rollout."""
        return replace(self, rollouts=(*self.rollouts, rollout))

    def after(self, move: Move) -> Self:
        """Return how things stand after a move."""
        moved = move.rollout
        return replace(
            self,
            champion=moved.serving if move.changes_champion else self.champion,
            rollouts=tuple(moved if each.id == moved.id else each for each in self.rollouts),
        )

    def go_on(self, rollout: Rollout, now_s: float) -> tuple[Move, ...]:
        """Move a rollout as far as it goes without evidence; the last move changes nothing.

        For where no traffic process runs: nothing has to be told to anybody, so a split is in
        force as soon as it is wanted.
        """
        moves = []
        while True:
            seen = Seen(
                rollout=rollout.id,
                version=rollout.version,
                analysis=None,
                applied=rollout.awaited,
                breaker=None,
                latest=max(self.latest or rollout.token, rollout.token),
            )
            move = advance(rollout, seen, now_s)
            moves.append(move)
            if not move.has_changed:
                return tuple(moves)
            rollout = move.rollout
