r"""How many labelled rows a condition on a new model needs, by the formulas of ease.ml/ci.

A condition speaks of variables within [0, 1]: ``n``, the accuracy of the new model, ``o``, that of
the old one, and ``d``, the fraction of predictions that changed. Its clauses compare a sum of them
with a threshold, to a tolerance: ``n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01``.

References
----------
C. Renggli et al. (2019), Continuous Integration of Machine Learning Models with ease.ml/ci:
Towards a Rigorous Yet Practical Treatment, Proceedings of MLSys 2019.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log, log1p, sqrt
from typing import Literal, NoReturn, cast

from triune.stats.errors import ConditionError, StatsError

Variable = Literal["n", "o", "d"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<variable>[nod]\b)|(?P<sign>\+/-|/\\|[-+*<>]))"
)


class Adaptivity(StrEnum):
    """What a developer learns of a holdout from one step to the next."""

    NONE = "none"
    """Nothing: results stay hidden until the holdout is retired."""
    FIRST_CHANGE = "first_change"
    """That a step passed, after which the holdout is retired."""
    FULL = "full"
    """Whether each step passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A variable and what it is multiplied by."""

    coefficient: float
    variable: Variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A sum of terms, above or below a threshold, told to within a tolerance."""

    terms: tuple[Term, ...]
    above: bool
    threshold: float
    tolerance: float

    @property
    def needs_labels(self) -> bool:
        """Whether an accuracy occurs; the fraction that changed is seen without labels."""
        return any(term.variable != "d" for term in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Clauses that must all hold."""

    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsNeeded:
    """How many rows a holdout needs: with labels, and without."""

    labelled: int
    unlabelled: int


def parse_condition(text: str) -> Condition:
    r"""Read a condition, as ``n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01``.

    Variables may be multiplied by a number on either side, as in ``n - 1.1 * o``.

    Raises
    ------
    ConditionError
        Where it is none; the message says where, and what was expected.
    """
    return Condition(clauses=_Reader(text).read())


def rows_needed(
    condition: Condition,
    *,
    reliability: float,
    steps: int,
    adaptivity: Adaptivity = Adaptivity.NONE,
) -> RowsNeeded:
    r"""Compute how many rows tell ``steps`` models in a row whether the condition holds.

    Parameters
    ----------
    condition
        Of the form ``d < A +/- B /\ n - o > C +/- D`` it is told by Bennett's inequality, since
        the accuracies then differ on few rows; any other by Hoeffding's.
    reliability
        The chance that every clause, at every step, is told to within its tolerance.

    Raises
    ------
    StatsError
        Unless ``0 < reliability < 1`` and ``steps >= 1``.
    """
    if not 0 < reliability < 1:
        raise StatsError(f"reliability is {reliability}; give a number between 0 and 1, as .99")
    if steps < 1:
        raise StatsError(f"steps is {steps}; plan for at least one")
    # In logarithms: 2 ** -steps vanishes in a double where there are many.
    log_of_steps = steps * log(2) if adaptivity is Adaptivity.FULL else log(steps)
    log_inverse_delta = log_of_steps - log(1 - reliability) + log(len(condition.clauses))
    labelled = [_rows(c, log_inverse_delta) for c in condition.clauses if c.needs_labels]
    unlabelled = [_rows(c, log_inverse_delta) for c in condition.clauses if not c.needs_labels]
    change = _few_changes(condition)
    if change is not None:
        few, gain = change
        labelled = [bennett_rows(few.threshold, gain.tolerance, log_inverse_delta + log(2))]
    return RowsNeeded(labelled=max(labelled, default=0), unlabelled=max(unlabelled, default=0))


def hoeffding_rows(
    coefficients: tuple[float, ...], tolerance: float, log_inverse_delta: float
) -> int:
    """Compute how many rows tell a sum of means of numbers within [0, 1].

    With two terms the tolerance is split so that both need equally many rows, and each may fail
    with half the chance; with more, the terms after the first share as one sum the half that is
    left to them.

    Parameters
    ----------
    coefficients
        What each mean is multiplied by, in order.
    tolerance
        How far off the sum may be told.
    log_inverse_delta
        Minus the logarithm of the chance that it is told worse, on the side that matters.

    References
    ----------
    W. Hoeffding (1963), JASA 58(301): 13-30.
    """
    last = len(coefficients) - 1
    halvings = [min(place + 1, last) for place in range(len(coefficients))]
    reach = sum(
        abs(coefficient) * sqrt(log_inverse_delta + halved * log(2))
        for coefficient, halved in zip(coefficients, halvings, strict=True)
    )
    return ceil((reach / tolerance) ** 2 / 2)


def bennett_rows(variance: float, tolerance: float, log_inverse_delta: float) -> int:
    """Compute how many rows tell a mean of numbers within [-1, 1] that vary little.

    Parameters
    ----------
    variance
        What the variance does not exceed; of a difference of outcomes, how often they differ.
    tolerance
        How far off the mean may be told.
    log_inverse_delta
        Minus the logarithm of the chance that it is told worse.

    References
    ----------
    G. Bennett (1962), JASA 57(297): 33-45.
    """
    ratio = tolerance / variance
    exponent = (1 + ratio) * log1p(ratio) - ratio
    return ceil(log_inverse_delta / (variance * exponent))


def _rows(clause: Clause, log_inverse_delta: float) -> int:
    coefficients = tuple(term.coefficient for term in clause.terms)
    return hoeffding_rows(coefficients, clause.tolerance, log_inverse_delta)


def _few_changes(condition: Condition) -> tuple[Clause, Clause] | None:
    """Find the clauses of a condition on the gain of a model that changes few predictions."""
    few = [c for c in condition.clauses if not c.above and _weights(c) == {"d": 1}]
    gain = [c for c in condition.clauses if c.above and _weights(c) == {"n": 1, "o": -1}]
    if len(condition.clauses) != 2 or not few or not gain or few[0].threshold <= 0:
        return None
    return few[0], gain[0]


def _weights(clause: Clause) -> dict[Variable, float]:
    return {term.variable: term.coefficient for term in clause.terms}


class _Reader:
    """Reads a condition from its text, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def read(self) -> tuple[Clause, ...]:
        clauses = [self.clause()]
        while self.take("sign", "/\\"):
            clauses.append(self.clause())
        if self.text[self.at :].strip():
            self.refuse("/\\ and another clause, or the end")
        return tuple(clauses)

    def clause(self) -> Clause:
        start = self.at
        weights: dict[Variable, float] = {}
        sign = -1.0 if self.take("sign", "-") else 1.0
        while True:
            term = self.term()
            weights[term.variable] = weights.get(term.variable, 0.0) + sign * term.coefficient
            operator = self.take("sign", "+", "-")
            if not operator:
                break
            sign = 1.0 if operator == "+" else -1.0
        comparison = self.take("sign", "<", ">") or self.refuse("< or >")
        threshold = self.signed_number()
        if not self.take("sign", "+/-"):
            self.refuse("+/- and a tolerance")
        tolerance = self.number()
        terms = tuple(Term(coefficient=c, variable=v) for v, c in weights.items() if c != 0)
        if not terms or tolerance <= 0:
            raise ConditionError(
                f"{self.text[start : self.at].strip()!r} compares nothing, or to no tolerance; "
                "give a sum of n, o and d, and a tolerance above 0"
            )
        return Clause(
            terms=terms, above=comparison == ">", threshold=threshold, tolerance=tolerance
        )

    def term(self) -> Term:
        coefficient = self.take("number")
        if coefficient and not self.take("sign", "*"):
            self.refuse("* and a variable")
        variable = self.take("variable") or self.refuse("n, o or d")
        factor = float(coefficient or 1)
        if self.take("sign", "*"):
            factor *= self.number()
        return Term(coefficient=factor, variable=cast("Variable", variable))

    def signed_number(self) -> float:
        return -self.number() if self.take("sign", "-") else self.number()

    def number(self) -> float:
        return float(self.take("number") or self.refuse("a number"))

    def take(self, kind: str, *wanted: str) -> str:
        """Move past the next token where it is wanted; return it, or nothing."""
        match = _TOKEN.match(self.text, self.at)
        found = match.group(kind) if match else None
        if match is None or found is None or (wanted and found not in wanted):
            return ""
        self.at = match.end()
        return found

    def refuse(self, expected: str) -> NoReturn:
        rest = self.text[self.at :].strip()
        raise ConditionError(
            f"condition {self.text!r}: expected {expected} "
            f"{f'at {rest!r}' if rest else 'at the end'}; "
            r"write it as n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01"
        )
