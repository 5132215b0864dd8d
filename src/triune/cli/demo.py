"""`triune demo`: the main job on a real project, by the very commands that a user would type."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import Annotated, Any

import typer

from triune.cli.output import EXIT_CODES, AsJson, print_json
from triune.domain.errors import TriuneError
from triune.domain.release import short
from triune.domain.verdict import Verdict, worst

TRIUNE = [sys.executable, "-m", "triune.cli"]
SERVE_DEADLINE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scene of the demo, and what it came to."""

    name: str
    layer: str | None
    verdict: Verdict
    reason: str
    seconds: float


@dataclass(slots=True)
class _Stage:
    """Where the scenes play: a project, and whoever watches (stderr where JSON was asked for)."""

    folder: Path
    to_stderr: bool
    scenes: list[Scene] = field(default_factory=list)

    def say(self, line: str) -> None:
        typer.echo(line, err=self.to_stderr)

    def triune(self, *arguments: str) -> dict[str, Any]:
        """Run a command as a user would; show its text, read its JSON."""
        self.say(f"\n$ triune {' '.join(arguments)}")
        finished = subprocess.run(
            [*TRIUNE, *arguments, "--json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            check=False,
        )
        try:
            document: dict[str, Any] = json.loads(finished.stdout)
        except json.JSONDecodeError:
            document = {}
        if finished.returncode:
            reasons = document.get("reasons") or [{"message": f"exit code {finished.returncode}"}]
            raise DemoFailedError(arguments[0], reasons[0]["message"])
        return document

    @contextmanager
    def scene(self, name: str, title: str) -> Iterator[list[str]]:
        """Play a scene; the block leaves its reason in the list."""
        self.say(f"\n== {title}")
        started, reason = perf_counter(), ["DONE"]
        yield reason
        self.scenes.append(
            Scene(
                name=name,
                layer=None,
                verdict=Verdict.PASS,
                reason=reason[-1],
                seconds=round(perf_counter() - started, 1),
            )
        )


class DemoFailedError(TriuneError):
    """A command of the demo did not do what it must."""

    code = "DEMO_FAILED"

    def __init__(self, verb: str, message: str) -> None:
        super().__init__(f"`triune {verb}` did not do what the demo shows: {message}")


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the project goes (default: a temporary folder)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Cut two releases of a churn model, tell them apart, and serve one."""
    place = folder.absolute() if folder else Path(mkdtemp(prefix="triune-demo-")) / "churn"
    place.parent.mkdir(parents=True, exist_ok=True)
    stage = _Stage(folder=place.parent, to_stderr=as_json)
    with stage.scene("first", "a project, and its first release"):
        stage.triune("init", "--example", "churn", str(place))
        stage.folder = place
        first = _cut(stage)
    with stage.scene("second", "the model is trained with a stronger penalty") as reason:
        _edit(place / "params.yaml", "C: 1.0", "C: 0.0003")
        stage.say("in params.yaml: C: 1.0 -> C: 0.0003, committed")
        _commit(place, "Penalise large weights more")
        second = _cut(stage)
        reason.append("RELEASE_CUT")
    with stage.scene("diff", "what is different in it") as reason:
        _show(stage, "release", "diff", short(first), short(second))
        reason.append("RELEASES_DIFFER")
    with stage.scene("serve", "one of them answers over HTTP") as reason:
        _predict(stage, second)
        reason.append("ANSWERED")
    verdict = worst(scene.verdict for scene in stage.scenes)
    _close(stage, verdict, as_json=as_json)
    raise typer.Exit(EXIT_CODES[verdict])


def _cut(stage: _Stage) -> str:
    report = stage.triune("run")
    for step in report["steps"]:
        stage.say(
            f"  {step['name']:16}{step['verdict']:6}{step['seconds']:6.1f} s  {step['detail']}"
        )
    reason = report["reasons"][0]
    stage.say(f"{report['verdict']}  {reason['code']}: {reason['message']}")
    release_id: str = report["release"]["id"]
    return release_id


def _show(stage: _Stage, *arguments: str) -> None:
    stage.say(f"\n$ triune {' '.join(arguments)}")
    shown = subprocess.run(
        [*TRIUNE, *arguments], cwd=stage.folder, capture_output=True, text=True, check=False
    )
    if shown.returncode:
        raise DemoFailedError(arguments[0], shown.stderr.strip())
    stage.say(shown.stdout.rstrip())


def _predict(stage: _Stage, release: str) -> None:
    from urllib.request import Request, urlopen

    arguments = ["serve", short(release), "--port", "0"]
    stage.say(f"\n$ triune {' '.join(arguments)}")
    process = subprocess.Popen(
        [*TRIUNE, *arguments, "--json"], cwd=stage.folder, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            url = _read_url(process)
            request = _golden_request(stage, release)
            body = json.dumps(request)
            stage.say(f"\n$ curl {url}/predict -H 'content-type: application/json' -d '{body}'")
            call = Request(  # noqa: S310 - our own server, on loopback
                f"{url}/predict",
                data=body.encode(),
                headers={"content-type": "application/json"},
            )
            with urlopen(call, timeout=SERVE_DEADLINE_S) as answer:  # noqa: S310
                stage.say(answer.read().decode().strip())
                stage.say(f"X-Triune-Release: {answer.headers['X-Triune-Release']}")
        finally:
            process.terminate()


def _read_url(process: subprocess.Popen[str]) -> str:
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if line.rstrip() == "}":
            url: str = json.loads("".join(lines))["url"]
            return url
    raise DemoFailedError("serve", "it ended before it answered")


def _golden_request(stage: _Stage, release: str) -> dict[str, Any]:
    from triune.bootstrap import open_project
    from triune.operations.cutting import load_golden
    from triune.operations.releases import find_release, load_manifest

    context = open_project(stage.folder)
    golden = load_manifest(context, find_release(context, release)).golden
    return load_golden(context, golden)[0] if golden else {}


def _edit(path: Path, before: str, after: str) -> None:
    content = path.read_text(encoding="utf-8")
    if before not in content:
        raise DemoFailedError("init", f"{path.name} holds no {before!r}")
    path.write_text(content.replace(before, after), encoding="utf-8")


def _commit(folder: Path, message: str) -> None:
    # Whoever runs the demo may have told git no name.
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Triune demo"), ("EMAIL", "demo@triune.invalid"))
    }
    subprocess.run(
        ["git", "commit", "--quiet", "--all", "--message", message],  # noqa: S607 - the user's git
        cwd=folder,
        check=True,
        env={**os.environ, **identity},
    )


def _close(stage: _Stage, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "verdict": verdict,
                "reasons": [],
                "folder": str(stage.folder),
                "scenes": [
                    {
                        "name": scene.name,
                        "layer": scene.layer,
                        "verdict": scene.verdict,
                        "reason": scene.reason,
                        "seconds": scene.seconds,
                    }
                    for scene in stage.scenes
                ],
            }
        )
        return
    seconds = sum(scene.seconds for scene in stage.scenes)
    typer.echo(f"\n{verdict}  {len(stage.scenes)} scenes in {seconds:.0f} s. What to type next:")
    typer.echo(f"  cd {stage.folder}")
    typer.echo("  triune release list")
    typer.echo("  triune release show latest")
    typer.echo("  triune audit verify")
    typer.echo("  triune serve latest")
