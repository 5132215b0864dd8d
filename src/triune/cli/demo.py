"""`triune demo`: the main job on a real project, by the very commands that a user would type."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import FrameType
from typing import Annotated, Any

import typer

from triune.cli.output import EXIT_CODES, USAGE_EXIT, AsJson, print_json
from triune.domain.errors import TriuneError, UsageError
from triune.domain.release import short
from triune.domain.verdict import Verdict, worst

TRIUNE = [sys.executable, "-m", "triune.cli"]
SERVE_DEADLINE_S = 60
# How long a command may take to end what it started, once it is told to.
GRACE_S = 20
# The user's own settings may ask for a passphrase, or refuse.
GIT = ("git", "-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null")
# Whoever runs the demo may have told git no name.
IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Triune demo"), ("EMAIL", "demo@triune.invalid"))
}
# What a git hook says of the repository that it runs in, which may call the demo.
ELSEWHERE = {
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
}


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
    """Where the scenes play: a project, and whoever watches (stderr where JSON was asked for).

    ``is_kept`` tells a project that stays from one that goes at the end, with its parent.
    """

    project: Path
    folder: Path
    is_kept: bool
    to_stderr: bool
    scenes: list[Scene] = field(default_factory=list)

    def say(self, line: str) -> None:
        typer.echo(line, err=self.to_stderr)

    def triune(self, *arguments: str) -> dict[str, Any]:
        """Run a command as a user would; show its text, read its JSON."""
        self.say(f"\n$ triune {' '.join(arguments)}")
        with self.process(*TRIUNE, *arguments, "--json") as process:
            printed = process.communicate()[0]
        try:
            document: dict[str, Any] = json.loads(printed)
        except json.JSONDecodeError:
            document = {}
        if process.returncode:
            reasons = document.get("reasons") or [{"message": f"exit code {process.returncode}"}]
            message = reasons[0]["message"]
            if process.returncode == USAGE_EXIT:
                raise UsageError(message)
            raise DemoFailedError(arguments[0], message)
        return document

    @contextmanager
    def process(self, *command: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a command; it ends with the block, and ends what it started itself first."""
        with ExitStack() as at_end:
            # Otherwise one that was started just before a signal would be nobody's to end.
            with _signals_held():
                process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env={**self.environment, **environ},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    text=True,
                    # Out of the terminal's reach: a Ctrl-C that met it twice would cut its
                    # clean-up short.
                    process_group=0,
                )
                at_end.enter_context(process)
                at_end.callback(_end, process)
            yield process

    @property
    def environment(self) -> dict[str, str]:
        """Keep the demo's commits out of every other repository, one around its folder too."""
        inherited = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        inherited["GIT_CEILING_DIRECTORIES"] = str(self.project.parent)
        if not self.is_kept:
            # DVC would leave an index of the project among those of all others, for good.
            inherited["DVC_SITE_CACHE_DIR"] = str(self.project.parent / "dvc")
        return inherited

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
    with _place(folder) as place, _told_to_end():
        stage = _Stage(
            project=place, folder=place.parent, is_kept=folder is not None, to_stderr=as_json
        )
        _play(stage)
    verdict = worst(scene.verdict for scene in stage.scenes)
    if as_json:
        _print_document(stage, verdict)
    else:
        _print_end(stage, verdict)
    raise typer.Exit(EXIT_CODES[verdict])


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """Make an empty folder for the project, which goes at the end unless the user named it."""
    if folder:
        place = Path(os.path.realpath(folder))
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make {place}: {error.strerror}; name a folder that is new or empty"
            ) from error
        yield place
        return
    with TemporaryDirectory(prefix="triune-demo-", ignore_cleanup_errors=True) as temporary:
        place = Path(os.path.realpath(temporary)) / "churn"
        place.mkdir()
        yield place


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Take a closed terminal, or an end by hand, as Ctrl-C: what was begun is cleaned up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _signals_held() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block for a signal that came meanwhile."""
    came: list[int] = []
    with _handled(
        lambda number, _frame: came.append(number), signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    ):
        yield
    if came:
        raise KeyboardInterrupt


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals
) -> Iterator[None]:
    # What is ignored stays so: `nohup`, or a job in the background of a script.
    heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = [signal.signal(number, handler) for number in heard]
    try:
        yield
    finally:
        for number, former in zip(heard, before, strict=True):
            signal.signal(number, former)


def _play(stage: _Stage) -> None:
    with stage.scene("first", "a project, and its first release"):
        stage.triune("init", "--example", "churn", str(stage.project))
        stage.folder = stage.project
        first = _cut(stage)
    with stage.scene("second", "the model is trained with a stronger penalty") as reason:
        _edit(stage.project / "params.yaml", "C: 1.0", "C: 0.0003")
        stage.say("in params.yaml: C: 1.0 -> C: 0.0003, committed")
        _commit(stage, "Penalise large weights more")
        second = _cut(stage)
        reason.append("RELEASE_CUT")
    with stage.scene("diff", "what is different in it") as reason:
        _show(stage, "release", "diff", short(first), short(second))
        reason.append("RELEASES_DIFFER")
    with stage.scene("serve", "one of them answers over HTTP") as reason:
        _predict(stage, second)
        reason.append("ANSWERED")


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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
    with stage.process(*TRIUNE, *arguments) as process:
        shown = process.communicate()[0]
    if process.returncode:
        raise DemoFailedError(arguments[0], f"exit code {process.returncode}")
    stage.say(shown.rstrip())


def _predict(stage: _Stage, release: str) -> None:
    from urllib.request import ProxyHandler, Request, build_opener

    arguments = ["serve", short(release), "--port", "0"]
    stage.say(f"\n$ triune {' '.join(arguments)}")
    with stage.process(*TRIUNE, *arguments, "--json") as process:
        url = _read_url(process)
        body = json.dumps(_golden_request(stage, release))
        stage.say(f"\n$ curl {url}/predict -H 'content-type: application/json' -d '{body}'")
        call = Request(  # noqa: S310 - our own server, on loopback
            f"{url}/predict",
            data=body.encode(),
            headers={"content-type": "application/json"},
        )
        # No proxy of the user's has a way to this machine's loopback.
        directly = build_opener(ProxyHandler({}))
        with directly.open(call, timeout=SERVE_DEADLINE_S) as answer:
            stage.say(answer.read().decode().strip())
            stage.say(f"X-Triune-Release: {answer.headers['X-Triune-Release']}")


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

    with open_project(stage.folder) as context:
        golden = load_manifest(context, find_release(context, release)).golden
        return load_golden(context, golden)[0] if golden else {}


def _edit(path: Path, before: str, after: str) -> None:
    content = path.read_text(encoding="utf-8")
    if before not in content:
        raise DemoFailedError("init", f"{path.name} holds no {before!r}")
    path.write_text(content.replace(before, after), encoding="utf-8")


def _commit(stage: _Stage, message: str) -> None:
    commit = ("commit", "--quiet", "--all", "--no-verify", f"--message={message}")
    with stage.process(*GIT, *commit, **IDENTITY) as git:
        git.communicate()
    if git.returncode:
        raise DemoFailedError("init", f"`git commit` ended with {git.returncode} in its folder")


def _print_document(stage: _Stage, verdict: Verdict) -> None:
    print_json(
        {
            "verdict": verdict,
            "reasons": [],
            "folder": str(stage.project) if stage.is_kept else None,
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


def _print_end(stage: _Stage, verdict: Verdict) -> None:
    seconds = sum(scene.seconds for scene in stage.scenes)
    typer.echo(f"\n{verdict}  {len(stage.scenes)} scenes in {seconds:.0f} s. What to type next:")
    if stage.is_kept:
        typer.echo(f"  cd {shlex.quote(str(stage.project))}")
    else:
        typer.echo("  triune init --example churn churn && cd churn && triune run")
    typer.echo("  triune release list")
    typer.echo("  triune release show latest")
    typer.echo("  triune audit verify")
    typer.echo("  triune serve latest")
