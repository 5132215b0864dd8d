"""Checks that a compiled release answers its whole holdout as the model that it was compiled from.

No label is met by that, so no look is spent.
"""

import json
from dataclasses import replace
from functools import partial
from typing import Final

from triune.domain.canonical import sha256
from triune.domain.errors import TriuneError
from triune.domain.evidence import Judgement, Layer
from triune.domain.manifest import Manifest
from triune.domain.parity import judge_parity
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.operations.measuring import HOLDOUT
from triune.operations.scoring import Variant, dataset_of, score_variants
from triune.ports import Predictions, Progress

PARITY: Final = "parity"
_FORMAT: Final = 1
"""Raised whenever the same release and holdout would be judged otherwise."""


def parity_checks(
    context: Context, release_id: str, manifest: Manifest, *, progress: Progress
) -> tuple[Check, ...]:
    """Make the check of a compiled model; none where the model is not compiled.

    What it needs is scored here, each form of the model in a worker of its own.

    Raises
    ------
    DatasetError
        The release has no holdout.
    """
    if manifest.model is None or manifest.model.compiled is None:
        return ()
    holdout = dataset_of(manifest, HOLDOUT)
    variant = Variant(dataset=holdout)
    original, compiled = (
        score_variants(context, each, [variant], progress=progress)[variant.digest]
        for each in (without_compiled(manifest), manifest)
    )
    read = {"format": _FORMAT, "release": release_id, "holdout": holdout.digest}
    return (
        Check(
            layer=Layer.MODEL,
            name=PARITY,
            digest=partial(sha256, json.dumps(read, sort_keys=True).encode()),
            judge=partial(_judge, original, compiled),
        ),
    )


def without_compiled(manifest: Manifest) -> Manifest:
    """Describe the same release with nothing compiled, which predicts by the original."""
    assert manifest.model is not None
    return replace(manifest, model=replace(manifest.model, compiled=None))


def _judge(
    original: Predictions | TriuneError, compiled: Predictions | TriuneError, _: Progress
) -> Judgement:
    for found in (original, compiled):
        if isinstance(found, TriuneError):
            raise found
    assert not isinstance(original, TriuneError)
    assert not isinstance(compiled, TriuneError)
    return judge_parity(
        labels=(original.labels, compiled.labels),
        probabilities=(original.probabilities, compiled.probabilities),
    )
