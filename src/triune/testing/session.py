"""What the tests of one session share: the project, its releases and what is started for them.

Tests of data and of a service that runs elsewhere need little of it, and do not wait for the rest.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from triune.config import load_project
from triune.domain.evidence import NO_CHAMPION
from triune.domain.integration_checks import BASE_URL
from triune.domain.project import ProjectSpec
from triune.domain.release import CANDIDATE, LATEST

if TYPE_CHECKING:
    from triune.domain.manifest import Manifest
    from triune.domain.projection import ReleaseRecord
    from triune.operations.context import Context
    from triune.operations.gates import Opponent
    from triune.testing.expect import Expect
    from triune.testing.holdout import Holdout
    from triune.testing.model import Model

_PRODUCTION = "production"


class Session:
    """The project at ``root``; nothing is opened, started or read before it is asked for.

    As a context manager it ends all that it started.
    """

    def __init__(self, root: Path, *, environ: Mapping[str, str]) -> None:
        self.root = root
        self._environ = environ
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @cached_property
    def spec(self) -> ProjectSpec:
        """What ``triune.yaml`` says."""
        return load_project(self.root)[1]

    @cached_property
    def context(self) -> "Context":
        """The project and its ports."""
        from triune.bootstrap import open_project

        return self._stack.enter_context(open_project(self.root))

    @cached_property
    def candidate(self) -> "Model":
        """The release that is tried."""
        return self._model(*self._candidate)

    @cached_property
    def champion(self) -> "Model | None":
        """The release that serves the last environment, if one does."""
        from triune.operations.releases import load_manifest

        found = self._opponent.release
        return self._model(found, load_manifest(self.context, found)) if found else None

    @property
    def why_no_champion(self) -> str:
        """Say why there is no champion."""
        name = self._opponent.environment
        if name is None:
            return f"{NO_CHAMPION}: triune.yaml names no environment that could have one"
        return f"{NO_CHAMPION} yet: no release was promoted to {name}"

    @cached_property
    def holdout(self) -> "Holdout":
        """The candidate's holdout."""
        from triune.testing.holdout import Holdout

        record, manifest = self._candidate
        return self._stack.enter_context(
            Holdout.open(self.context, record, manifest, champion=self._opponent)
        )

    @cached_property
    def production_sample(self) -> Any:
        """The dataset ``production`` as a DataFrame of pandas; None where there is none."""
        found = {each.name: each for each in self.spec.datasets}.get(_PRODUCTION)
        if found is None:
            return None
        from triune.adapters.data.arrow import read_pandas
        from triune.operations.locating import dataset_files

        return read_pandas(dataset_files(self, found), format=found.format)

    @cached_property
    def expect(self) -> "Expect":
        """What tables are expected to be."""
        from triune.testing.expect import Expect

        return Expect(self)

    @cached_property
    def base_url(self) -> str:
        """Where the candidate answers over HTTP."""
        given = self._environ.get(BASE_URL)
        if given:
            return given.rstrip("/")
        record, _ = self._candidate
        service = self._stack.enter_context(self.context.server.serving(record.id))
        return service.base_url()

    @cached_property
    def _opponent(self) -> "Opponent":
        from triune.operations.gates import find_champion

        return find_champion(self.context)

    @cached_property
    def _candidate(self) -> "tuple[ReleaseRecord, Manifest]":
        from triune.operations.releases import find_release, load_manifest

        record = find_release(self.context, self._environ.get(CANDIDATE) or LATEST)
        return record, load_manifest(self.context, record)

    def _model(self, record: "ReleaseRecord", manifest: "Manifest") -> "Model":
        from triune.testing.model import Model

        model = Model(self.context, record, manifest, holdout=lambda: self.holdout)
        self._stack.callback(model.close)
        return model
