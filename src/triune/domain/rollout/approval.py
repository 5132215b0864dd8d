"""Consent of people to one release: who gave it, how they were identified, who may not."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Identified(StrEnum):
    """How somebody was identified."""

    UNAUTHENTICATED = "unauthenticated"
    """A local ledger takes the name as it was given."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who commands; ``subject`` is an e-mail address."""

    subject: str
    identified: Identified

    def __str__(self) -> str:
        note = " (unauthenticated)" if self.identified is Identified.UNAUTHENTICATED else ""
        return f"{self.subject}{note}"

    def is_among(self, subjects: Iterable[str]) -> bool:
        """Tell whether the person is one of these; case and blanks around make no difference."""
        return _same(self.subject) in {_same(subject) for subject in subjects}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's consent, which dies with the rollout that it was given to."""

    by: Person
    release: str
    at_s: float


def _same(subject: str) -> str:
    return subject.strip().casefold()
