"""Projects with environments and releases that a ledger knows, ready to be promoted."""

from pathlib import Path
from typing import Any, Final

from tests.projects import commit, git

from triune.bootstrap import open_project
from triune.domain.canonical import sha256
from triune.domain.events import EventKind
from triune.domain.manifest import Manifest, Runtime
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context, record


def _a_manifest(name: str) -> Manifest:
    """Return a manifest without a model, so that no other bytes are needed to serve it."""
    return Manifest(
        code=sha256(name.encode()),
        tests=None,
        datasets={},
        model=None,
        golden=None,
        signature=None,
        runtime=Runtime(python="3.11", platform="any", lock=sha256(b"")),
        serve={"kind": "model"},
    )


MANIFESTS: Final = {
    each.release_id: each for each in map(_a_manifest, ("one", "two", "three", "four"))
}
ONE, TWO, THREE, FOUR = MANIFESTS
AUTHOR: Final = "bob@example.org"

STAGED: Final = """environments:
  staging: {listen: "127.0.0.1:8701", strategy: instant}
  production: {listen: "127.0.0.1:8702", after: staging, strategy: instant}
"""
ALONE: Final = """environments:
  production: {listen: "127.0.0.1:8702", strategy: instant}
"""
APPROVED: Final = """environments:
  production:
    listen: "127.0.0.1:8702"
    strategy: instant
    approvals: {required: 1}
"""


def a_delivery(folder: Path, environments: str = ALONE, *, releases: tuple[str, ...] = ()) -> Path:
    """Lay out a project whose ledger has these releases, each of which passed its run."""
    folder.mkdir(parents=True, exist_ok=True)
    write_environments(folder, environments)
    git(folder, "init", "--quiet")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git(folder, "config", name, value)
    commit(folder, "Start")
    with open_project(folder) as context:
        for release in releases:
            add_release(context, release)
    return folder


def write_environments(folder: Path, environments: str) -> None:
    (folder / "triune.yaml").write_text(f"version: 1\nproject: visits\n{environments}")


def add_release(context: Context, release: str, *, verdict: str | None = "PASS") -> None:
    """Record that a release was cut, and what its run came to, if it came to an end."""
    if release in MANIFESTS:
        context.store.put(MANIFESTS[release].content)
    data: dict[str, Any] = {
        "release": release,
        "project": "visits",
        "commit": "c" * 40,
        "dirty": False,
        "repository": "visits",
        "authors": [AUTHOR],
        "hardware": "",
        "metrics": {},
    }
    record(context, f"release:{release}", EventKind.RELEASE_CUT, data)
    if verdict is not None:
        judged(context, release, verdict)


def judged(context: Context, release: str, verdict: str) -> None:
    """Record that a run of a release came to its end."""
    finished = {
        "release": release,
        "verdict": str(verdict),
        "reasons": [{"code": "AS_IT_WAS", "message": ""}],
        "commit": "c" * 40,
        "dirty": False,
    }
    record(context, "project:visits", EventKind.RUN_FINISHED, finished)


def prune(context: Context, release: str) -> None:
    record(context, f"release:{release}", EventKind.RELEASE_PRUNED, {"release": release})


def released(context: Context, release: str) -> ReleaseRecord:
    found = context.ledger.find(ReleaseRecord, release)
    assert found
    return found
