"""Runs a pipeline that is one command, or none."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from triune.adapters.pipeline.environment import stage_environment
from triune.adapters.pipeline.figures import flatten
from triune.adapters.process import run_command, shell
from triune.domain.errors import PipelineError
from triune.ports import Progress, Stages

METRICS_FILE: Final = "metrics.json"
_STAGE: Final = "run"


class NoPipeline:
    """Datasets and model are there already, or come about elsewhere."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def stages(self, outputs: Sequence[str]) -> Stages:  # noqa: ARG002 - the port's signature
        """Tell that there are none."""
        return Stages(datasets=(), training=())

    def run(self, stages: Sequence[str], *, progress: Progress) -> None:
        """Do nothing."""

    def metrics(self) -> dict[str, float]:
        """Read the figures in the project's ``metrics.json``: dotted name to value; or none."""
        return _read_figures(self._root / METRICS_FILE)


class CommandPipeline:
    """One command line that makes both the datasets and the model."""

    def __init__(self, root: Path, command: str) -> None:
        self._root = root
        self._command = command

    def stages(self, outputs: Sequence[str]) -> Stages:  # noqa: ARG002 - the port's signature
        """Count the command among what makes the datasets, as nothing can come before them."""
        return Stages(datasets=(_STAGE,), training=())

    def run(self, stages: Sequence[str], *, progress: Progress) -> None:
        """Run the command, unless no stage is named; what to leave alone it knows itself.

        Raises
        ------
        PipelineError
            It failed; the message ends with the last lines that it printed.
        """
        if not stages:
            return
        progress(f"> {self._command}")
        finished = run_command(
            shell(self._command),
            folder=self._root,
            progress=progress,
            environment=stage_environment(os.environ),
        )
        if finished.returncode:
            last = "\n".join(finished.tail)
            raise PipelineError(
                f"`{self._command}` (pipeline.run in triune.yaml) ended with "
                f"{finished.returncode}; its last lines:\n{last}"
            )

    def metrics(self) -> dict[str, float]:
        """Read the figures in the project's ``metrics.json``: dotted name to value; or none."""
        return _read_figures(self._root / METRICS_FILE)


def _read_figures(path: Path) -> dict[str, float]:
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        return dict(flatten(json.loads(content)))
    except ValueError as error:
        raise PipelineError(f"{path} is no JSON: {error}; the pipeline wrote it") from error
