"""Asks DVC, in a process of its own: importing DVC takes a second that no other command shall pay.

Usage: ``python -m triune.adapters.pipeline.dvc_process REPORT describe|reproduce [STAGE...]``.
What came of it is written to the file REPORT as JSON; what goes on is printed, for people.
"""

import fcntl
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException, ReproductionError
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph
from dvc.stage.exceptions import MissingDataSource
from scmrepo.exceptions import SCMError

from triune.adapters.pipeline.figures import flatten

# Nothing of it leaves the machine, and nothing of it is written to the user's settings.
_SETTINGS: Final = {"core": {"analytics": False, "check_update": False}}
_NOISE: Final = ("Generating lock file", "Updating lock file", "To track the changes", "To enable")
_JOURNAL: Final = "triune-lock-files.json"
_LOCK: Final = "triune.lock"
_CAUSES: Final = 3


def main(report: Path, verb: str, stages: Sequence[str]) -> int:
    """Do what was asked and report it."""
    _print_plainly()
    try:
        with Repo(config=_SETTINGS) as repo, _alone(repo) as is_alone:
            if is_alone:
                _mend_lock_files(repo)
            if verb == "describe":
                outcome = _describe(repo)
            elif is_alone:
                outcome = _reproduce(repo, stages)
            else:
                outcome = _failure("busy", LockError("it brings stages up to date"))
    except LockError as error:
        outcome = _failure("busy", error)
    except (DvcException, SCMError) as error:
        outcome = _failure("usage", error)
    report.write_text(json.dumps(outcome))
    return 1 if "failure" in outcome else 0


def _describe(repo: Repo) -> dict[str, Any]:
    """List the stages of the project in the working folder, and those that they build on."""
    here = Path.cwd()
    graph = get_active_graph(repo.index.graph)
    wanted = [stage for stage in repo.index.stages if Path(stage.path).is_relative_to(here)]
    numbers = {stage: number for number, stage in enumerate(repo.index.stages)}
    ordered = partial(sorted, key=numbers.__getitem__)
    concerned = _with_ancestors(graph, wanted)
    return {
        "figures": _figures(repo),
        "stages": [
            {
                "name": stage.addressing,
                "outputs": [
                    Path(os.path.relpath(out.fs_path, here)).as_posix()
                    for out in stage.outs
                    if out.protocol == "local"
                ],
                "needs": [needed.addressing for needed in ordered(graph.successors(stage))],
                "has_command": stage.cmd is not None,
            }
            for stage in ordered(concerned)
        ],
    }


def _with_ancestors(graph: Any, stages: Sequence[Any]) -> set[Any]:
    found, waiting = set(), list(stages)
    while waiting:
        stage = waiting.pop()
        if stage not in found:
            found.add(stage)
            waiting.extend(graph.successors(stage))
    return found


def _reproduce(repo: Repo, stages: Sequence[str]) -> dict[str, Any]:
    _forget_dead_holders(repo)
    lock_files = {Path(stage.path).with_name("dvc.lock") for stage in repo.index.stages}
    for name in stages:
        try:
            with _journalled(repo, lock_files):
                # One at a time: what it builds on was named before it, or is up to date.
                repo.reproduce(name, single_item=True)
        except ReproductionError as error:
            cause = error.__cause__ or error
            if isinstance(cause, LockError):
                return _failure("busy", cause)
            kind = "missing" if isinstance(cause, MissingDataSource) else "stage"
            return _failure(kind, cause, stage=name)
    return {"figures": _figures(repo)}


def _figures(repo: Repo) -> dict[str, float]:
    """Flatten the metrics of all files that can be read; a later file yields to an earlier."""
    figures: dict[str, float] = {}
    for result in repo.metrics.show().get("", {}).get("data", {}).values():
        for name, value in flatten(result.get("data", {})):
            figures.setdefault(name, value)
    return figures


@contextmanager
def _alone(repo: Repo) -> Iterator[bool]:
    """Tell whether no other process like this one works here; if so, keep others out.

    DVC's own lock is open while a stage's command runs.
    """
    descriptor = os.open(Path(repo.tmp_dir, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_alone = True
    except BlockingIOError:
        is_alone = False
    try:
        yield is_alone
    finally:
        os.close(descriptor)


def _forget_dead_holders(repo: Repo) -> None:
    """Drop DVC's list of who reads and writes what, if all of those are dead.

    DVC takes any process of the same number for the holder, and fails on a list that a killed
    process left half written.
    """
    path = Path(repo.tmp_dir, "rwlock")
    hardlink = repo.config["core"].get("hardlink_lock", False)
    with make_lock(f"{path}.lock", tmp_dir=repo.tmp_dir, hardlink_lock=hardlink):
        try:
            held = json.loads(path.read_text())
            holders = [*held.get("write", {}).values(), *chain(*held.get("read", {}).values())]
        except FileNotFoundError:
            return
        except ValueError:
            holders = []
        if not any(_is_dvc(holder["pid"]) for holder in holders):
            path.unlink()


def _is_dvc(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return False
    # `dvc repro` or `python -m dvc repro`; an editor of dvc.yaml is none, and `_alone` has seen
    # that there is no process like this one.
    return any(Path(word).name == "dvc" for word in words)


@contextmanager
def _journalled(repo: Repo, lock_files: Iterable[Path]) -> Iterator[None]:
    """Note what the lock files hold before a stage, as DVC rewrites them in place."""
    journal = Path(repo.tmp_dir, _JOURNAL)
    content = {str(path): path.read_text() if path.exists() else None for path in lock_files}
    partial = journal.with_suffix(".partial")
    partial.write_text(json.dumps(content))
    partial.replace(journal)
    try:
        yield
    finally:
        # Kept only if the process is killed: then the next one looks at it.
        journal.unlink()


def _mend_lock_files(repo: Repo) -> None:
    """Put back lock files that a killed run left half written; others are for people to mend."""
    journal = Path(repo.tmp_dir, _JOURNAL)
    if not journal.exists():
        return
    for name, content in json.loads(journal.read_text()).items():
        path = Path(name)
        try:
            Lockfile(repo, name).load()
        except DvcException:
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
    journal.unlink()


def _failure(kind: str, error: BaseException, *, stage: str | None = None) -> dict[str, Any]:
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(told) < _CAUSES:
        told.append(" ".join(str(cause).split()))
        cause = cause.__cause__
    return {"failure": {"kind": kind, "stage": stage, "message": ": ".join(told)}}


def _print_plainly() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(lambda record: not _is_noise(record.getMessage().strip()))
    logger = logging.getLogger("dvc")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


def _is_noise(message: str) -> bool:
    return not message or message.startswith(_NOISE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
