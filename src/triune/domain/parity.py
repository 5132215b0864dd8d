"""Decides whether a compiled model answers as the original does, row by row.

The tolerance is that of all answers that have to be equal (`answers.TOLERANCE`, 1e-6). Where all
is computed with doubles, gaps are below 1e-12; operators that ONNX has in single precision alone
(those of trees and of support vectors) answer with 24 bits, so that a probability is off by some
1e-7. What is off by more took another branch or another category, and moves a row far further.
"""

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from triune.domain.answers import TOLERANCE, Numbers, gaps_beyond
from triune.domain.evidence import Finding, Judgement
from triune.domain.verdict import Reason, Verdict
from triune.domain.wording import counted

MOST_FINDINGS: Final = 10

_Labels = npt.NDArray[np.generic]


class ParityReason(StrEnum):
    """Why the check of a compiled model came out as it did."""

    PARITY_HELD = "PARITY_HELD"
    PARITY_BROKEN = "PARITY_BROKEN"


def judge_parity(
    *, labels: tuple[_Labels, _Labels], probabilities: tuple[Numbers | None, Numbers | None]
) -> Judgement:
    """Pass where the compiled model answers each row as the original does.

    Parameters
    ----------
    labels
        Of shape (n,) each: the original's, and the compiled model's.
    probabilities
        Of shape (n, classes) each, or None.
    """
    rows = len(labels[0])
    beyond = gaps_beyond(labels=labels, probabilities=probabilities)
    gaps = _gaps(labels, probabilities)
    different = int(beyond.sum())
    figures = {
        "rows": float(rows),
        "different": float(different),
        "largest_gap": float(gaps.max(initial=0.0)),
        "tolerance": TOLERANCE,
    }
    if not different:
        message = (
            f"the compiled model answers each of {counted(rows, 'row')} as the original does "
            f"(largest gap {figures['largest_gap']:.1e}, tolerance {TOLERANCE:g})"
        )
        return _judge(Verdict.PASS, ParityReason.PARITY_HELD, message, figures=figures)
    message = (
        f"the compiled model answers {different} of {counted(rows, 'row')} otherwise than the "
        f"original (largest gap {figures['largest_gap']:.1e}, tolerance {TOLERANCE:g}); remove "
        "`compile` from `model` in triune.yaml, or put a step that compiles in place of the one "
        "that does not"
    )
    worst = np.flatnonzero(beyond)
    worst = worst[np.argsort(-gaps[worst], kind="stable")][:MOST_FINDINGS]
    findings = tuple(
        Finding(message=_describe(row, labels, probabilities), row=row) for row in worst.tolist()
    )
    return _judge(Verdict.FAIL, ParityReason.PARITY_BROKEN, message, figures, findings)


def _gaps(
    labels: tuple[_Labels, _Labels], probabilities: tuple[Numbers | None, Numbers | None]
) -> Numbers:
    first, second = probabilities
    if first is not None and second is not None:
        return np.asarray(np.abs(first - second).max(axis=1, initial=0.0), dtype=np.float64)
    one, other = labels
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return np.abs(one.astype(np.float64) - other.astype(np.float64))
    return np.zeros(len(one))


def _describe(
    row: int,
    labels: tuple[_Labels, _Labels],
    probabilities: tuple[Numbers | None, Numbers | None],
) -> str:
    def answer(label: _Labels, chances: Numbers | None) -> str:
        said = str(label[row])
        if chances is None:
            return said
        return f"{said} ({', '.join(f'{each:.6g}' for each in chances[row].tolist())})"

    one, other = map(answer, labels, probabilities)
    return f"the original answers {one}, the compiled model {other}"


def _judge(
    verdict: Verdict,
    reason: ParityReason,
    message: str,
    figures: dict[str, float],
    findings: tuple[Finding, ...] = (),
) -> Judgement:
    return Judgement(
        verdict=verdict,
        reason=Reason(code=reason, message=message),
        figures=figures,
        findings=findings,
    )
