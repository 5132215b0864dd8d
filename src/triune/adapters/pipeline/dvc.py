"""Runs a pipeline whose stages DVC keeps: it knows their graph, and caches what they make."""

import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from triune.adapters.path_patterns import overlaps
from triune.adapters.pipeline.environment import stage_environment
from triune.adapters.process import Finished, run_command
from triune.domain.canonical import Json
from triune.domain.errors import (
    BusyError,
    MissingExtraError,
    PipelineError,
    TriuneError,
    UsageError,
)
from triune.ports import Progress, Scratch, Stages

# -P: the project's modules must not stand in for those that DVC imports.
_PROCESS: Final = (sys.executable, "-P", "-m", "triune.adapters.pipeline.dvc_process")


class DvcPipeline:
    """The DVC stages of a project, in ``dvc.yaml`` files in its folder or below.

    Without a ``scratch`` passing files go to the system's temporary folder.
    """

    def __init__(self, root: Path, scratch: Scratch | None = None) -> None:
        self._root = root
        self._scratch = scratch
        self._figures: dict[str, float] | None = None

    def stages(self, outputs: Sequence[str]) -> Stages:
        """Tell the stages that ``outputs`` (the datasets' paths) depend on from the rest.

        Raises
        ------
        UsageError
            This is no DVC repository, or its stages cannot be read or form a circle.
        MissingExtraError
            DVC is not installed.
        """
        described = self._ask("describe")
        stages = described["stages"]
        if not any(stage["has_command"] for stage in stages):
            raise UsageError(
                f"no dvc.yaml in {self._root} has a stage; write one (`dvc stage add --help`), or "
                "set `pipeline: none` in triune.yaml if nothing is to be run"
            )
        self._figures = described["figures"]
        return split_stages(stages, outputs)

    def run(self, stages: Sequence[str], *, progress: Progress) -> None:
        """Bring stages up to date, in their order; those that are already are left alone.

        Raises
        ------
        PipelineError
            A stage failed; the message ends with the last lines that it printed.
        BusyError
            Another DVC process works in this repository.
        """
        if stages:
            self._figures = self._ask("reproduce", *stages, progress=progress)["figures"]

    def metrics(self) -> dict[str, float]:
        """Read the figures that the pipeline wrote about its training: dotted name to value."""
        if self._figures is None:
            self._figures = self._ask("describe")["figures"]
        return dict(self._figures)

    def _ask(self, *request: str, progress: Progress = lambda _: None) -> Json:
        if importlib.util.find_spec("dvc") is None:
            raise MissingExtraError(needed_for="`pipeline: dvc`", extra="dvc")
        with self._passing_folder() as folder:
            report = Path(folder, "report.json")
            finished = run_command(
                [*_PROCESS, str(report), *request],
                folder=self._root,
                progress=progress,
                environment={**stage_environment(os.environ), "DVC_NO_ANALYTICS": "1"},
            )
            if not report.exists():
                raise PipelineError(
                    f"DVC ended with {finished.returncode} and gave no reason; its last lines:\n"
                    + "\n".join(finished.tail)
                )
            outcome = json.loads(report.read_text())
        if "failure" in outcome:
            raise self._fault(outcome["failure"], finished)
        return outcome

    def _passing_folder(self) -> AbstractContextManager[Path | str]:
        if self._scratch:
            return self._scratch.folder()
        return TemporaryDirectory(prefix="triune-dvc-")

    def _fault(self, failure: Mapping[str, Json], finished: Finished) -> TriuneError:
        message, stage = failure["message"], failure["stage"]
        match failure["kind"]:
            case "busy":
                return BusyError(
                    f"another DVC process works in {self._root}: {message}; wait for it to end, "
                    "or end it"
                )
            case "missing":
                return PipelineError(
                    f"stage {stage!r} lacks its data: {message}; bring it with `dvc pull`, or "
                    "make it again"
                )
            case "stage":
                last = "\n".join(_lines_of(stage, finished.tail))
                told = f"; its last lines:\n{last}" if last else ""
                return PipelineError(f"stage {stage!r} failed: {message}{told}")
            case _:
                is_outside = "not inside of a DVC repository" in message
                hint = "; `dvc init` makes it one (`--subdir` in a monorepo)" if is_outside else ""
                return UsageError(f"DVC cannot read the pipeline of {self._root}: {message}{hint}")


def split_stages(stages: Iterable[Mapping[str, Json]], outputs: Sequence[str]) -> Stages:
    """Part stages into those that ``outputs`` depend on and the rest, each in order.

    A dataset that no stage makes is a plain file. A file that DVC merely tracks is a stage to DVC;
    it belongs to the rest only where a stage there needs it.
    """
    by_name = {stage["name"]: stage for stage in stages}
    ordered = _in_order(by_name, by_name)
    makers = [
        name
        for name in ordered
        if any(overlaps(path, made) for path in outputs for made in by_name[name]["outputs"])
    ]
    datasets = _in_order(by_name, makers)
    commands = [name for name in ordered if by_name[name]["has_command"]]
    return Stages(
        datasets=datasets,
        training=tuple(name for name in _in_order(by_name, commands) if name not in datasets),
    )


def _in_order(stages: Mapping[str, Mapping[str, Json]], wanted: Iterable[str]) -> tuple[str, ...]:
    """Order stages, and all that they need, such that none comes before what it needs."""
    placed: dict[str, None] = {}
    waiting = list(reversed(list(wanted)))
    while waiting:
        name = waiting[-1]
        missing = [needed for needed in stages[name]["needs"] if needed not in placed]
        if missing:
            waiting.extend(reversed(missing))
        else:
            placed.setdefault(waiting.pop())
    return tuple(placed)


def _lines_of(stage: str, tail: Sequence[str]) -> Sequence[str]:
    start = f"Running stage '{stage}':"
    return tail[tail.index(start) + 1 :] if start in tail else tail
