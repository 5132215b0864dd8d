"""Golden answers come from the worker that told what the model answers, or from one asked anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.projects import a_project

from triune.bootstrap import open_project
from triune.domain.errors import WorkerError
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context
from triune.operations.cutting import (
    Cut,
    Gathered,
    cut_release,
    gather_release,
    load_golden,
    record_golden_answers,
)
from triune.operations.locking import require_runtime

RAISING = '''
def pages(frame):
    """Fail for whatever is asked."""
    raise ValueError("no pages today")
'''


def cut(context: Context) -> tuple[Gathered, Cut]:
    lock = require_runtime(context, context.installation)
    checkout = context.source.checkout(outputs=context.spec.outputs)
    gathered = gather_release(context, lock=lock)
    return gathered, cut_release(context, gathered.manifest, checkout)


def test_answers_need_no_worker_of_their_own(tmp_path: Path) -> None:
    with open_project(a_project(tmp_path / "visits")) as context:
        gathered, release = cut(context)
        without_workers = replace(context, scorer=cast("Any", None))

        count = record_golden_answers(without_workers, release, gathered.answers)

        record = context.ledger.find(ReleaseRecord, release.id)
        assert record is not None
        assert record.answers is not None
        assert gathered.answers is not None
        assert load_golden(context, record.answers) == list(gathered.answers)
        assert count == len(gathered.answers) == 5
        # They stand from now on, and nobody is asked again.
        again, _ = cut(context)
        assert again.answers is None
        assert record_golden_answers(without_workers, release) == count


def test_a_model_that_answers_nothing_is_cut_and_then_told_of(tmp_path: Path) -> None:
    root = a_project(tmp_path / "visits")
    (root / "src/features.py").write_text(RAISING)

    with open_project(root) as context:
        gathered, release = cut(context)

        assert gathered.answers is None
        assert context.ledger.find(ReleaseRecord, release.id) is not None
        with pytest.raises(WorkerError, match="no pages today"):
            record_golden_answers(context, release, gathered.answers)
