"""The check of a compiled release: its answers beside those of the same release not compiled."""

from dataclasses import fields
from typing import Any

import numpy as np
from tests.unit.test_manifest import a_compiled_manifest, a_manifest

from triune.domain.evidence import Layer
from triune.domain.verdict import Verdict
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.operations.parity import parity_checks, without_compiled
from triune.ports import Predictions

COMPILED = a_compiled_manifest()


class Remembered:
    """Knows what two releases predicted, and runs none."""

    def __init__(self, original: Predictions, compiled: Predictions) -> None:
        self._known = {
            without_compiled(COMPILED).release_id: original,
            COMPILED.release_id: compiled,
        }

    def recall(self, *, release: str, dataset: str) -> Predictions:
        assert dataset == COMPILED.datasets["holdout"].digest
        return self._known[release]


def answers(*chances: float) -> Predictions:
    second = np.array(chances)
    return Predictions(
        labels=(second > 0.5).astype(int), probabilities=np.column_stack([1 - second, second])
    )


def check(original: Predictions, compiled: Predictions) -> Check:
    there: dict[str, Any] = {field.name: None for field in fields(Context)}
    context = Context(**{**there, "scorer": Remembered(original, compiled)})
    (made,) = parity_checks(context, COMPILED.release_id, COMPILED, progress=lambda _: None)
    return made


def test_a_compiled_release_that_answers_as_its_original_passes() -> None:
    made = check(answers(0.2, 0.7), answers(0.2, 0.7))

    assert (made.layer, made.name) == (Layer.MODEL, "parity")
    assert made.judge(lambda _: None).verdict is Verdict.PASS


def test_a_compiled_release_that_answers_otherwise_fails_by_its_row() -> None:
    judged = check(answers(0.2, 0.7), answers(0.2, 0.4)).judge(lambda _: None)

    assert judged.verdict is Verdict.FAIL
    assert [finding.row for finding in judged.findings] == [1]


def test_the_same_release_without_its_compiled_form_is_the_one_that_was_never_compiled() -> None:
    assert without_compiled(COMPILED) == a_manifest()


def test_a_release_that_is_not_compiled_has_no_such_check() -> None:
    there: dict[str, Any] = {field.name: None for field in fields(Context)}
    manifest = a_manifest()

    made = parity_checks(Context(**there), manifest.release_id, manifest, progress=lambda _: None)

    assert made == ()
