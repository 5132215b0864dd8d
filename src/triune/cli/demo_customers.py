"""The demo's customers: those of the holdout, some of them in a region that no dataset has.

What each release answers to each of them is known beforehand: its own worker was asked.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from triune.cli.demo_load import Load
from triune.domain.answers import TOLERANCE
from triune.domain.canonical import Json
from triune.domain.errors import WorkerError
from triune.operations.context import Context
from triune.operations.releases import find_release, load_manifest, running
from triune.operations.scoring import dataset_of, lay_out_dataset

KEYS: Final = 60_000
PER_SECOND: Final = 550.0
CONNECTIONS: Final = 64
REQUESTS: Final = 1_000
NEW_REGION: Final = "mid-west"
"""Where one customer in four is: opened after the data was taken."""

_ONE_IN: Final = 4

Answers = Mapping[str, Sequence[Json | None]]
"""By the release's id, in the order of the requests; None where the release raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Whoever asks, and what each release answers them."""

    requests: Sequence[dict[str, Json]]
    answers: Answers

    @classmethod
    def asking(cls, folder: Path, *, releases: Sequence[str]) -> Self:
        """Take the customers from the holdout of the first release, and score them by each."""
        from triune.bootstrap import open_project

        with open_project(folder) as context:
            requests = _requests(context, releases[0])
            answers = {release: _answers(context, release, requests) for release in releases}
        return cls(requests=requests, answers=answers)

    def load(self, url: str) -> Load:
        """Have them ask; the block of the load lasts as long as they do."""
        bodies = [json.dumps(request).encode() for request in self.requests]
        return Load(
            url,
            bodies=bodies,
            keys=KEYS,
            per_second=PER_SECOND,
            connections=CONNECTIONS,
            is_right=self._is_right,
        )

    def _is_right(self, release: str, which: int, answer: Any) -> bool:
        known = self.answers.get(release)
        expected = None if known is None else known[which]
        return expected is not None and all(
            abs(answer[name] - expected[name]) <= TOLERANCE
            for name in ("prediction", "probability")
        )


def _requests(context: Context, release: str) -> list[dict[str, Json]]:
    manifest = load_manifest(context, find_release(context, release))
    assert manifest.signature is not None
    holdout = dataset_of(manifest, "holdout")
    with context.scratch.folder() as folder:
        requests = context.data.sample(
            lay_out_dataset(context, holdout, folder / "holdout"),
            format=holdout.format,
            columns=[field.name for field in manifest.signature.inputs],
            count=REQUESTS,
        )
    for request in requests[::_ONE_IN]:
        request["region"] = NEW_REGION
    return requests


def _answers(
    context: Context, release: str, requests: Sequence[dict[str, Json]]
) -> list[Json | None]:
    manifest = load_manifest(context, find_release(context, release))
    answers: list[Json | None] = [None] * len(requests)
    is_new = [each["region"] == NEW_REGION for each in requests]
    with running(context, manifest) as worker:
        for news in (False, True):
            places = [place for place, each in enumerate(is_new) if each is news]
            with suppress(WorkerError):
                for place, answer in zip(
                    places, worker.predict([requests[at] for at in places]), strict=True
                ):
                    answers[place] = answer
    return answers
