"""The stage of the demo: a project, the commands that play in it, and how all of it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import FrameType
from typing import Any

import typer

from triune.cli.output import EXIT_CODES, USAGE_EXIT
from triune.domain.errors import TriuneError, UsageError
from triune.domain.verdict import Verdict

TRIUNE = [sys.executable, "-m", "triune.cli"]
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
class TrafficSeen:
    """What a scene under live traffic showed, to clients and by the gateway's log.

    Parameters
    ----------
    candidate_requests
        That the candidate was asked first.
    seconds_to_champion
        From the first request that shows what is wrong with the candidate, to the last one that
        it got; None for a good one.
    false_rollback
        Whether a good release was rolled back; None for a bad one.
    """

    client_requests: int
    client_errors: int
    wrong_answers: int
    candidate_requests: int
    seconds_to_champion: float | None = None
    false_rollback: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scene of the demo: what Triune said, and at which layer (or the gate) it said so."""

    name: str
    layer: str | None
    verdict: Verdict
    reason: str
    seconds: float
    traffic: TrafficSeen | None = None


@dataclass(slots=True)
class Outcome:
    """What a scene came to, told by the scene while it plays."""

    layer: str | None = None
    verdict: Verdict = Verdict.PASS
    reason: str = "DONE"
    traffic: TrafficSeen | None = None


@dataclass(slots=True)
class Stage:
    """Where the scenes play: a project, and whoever watches (stderr where JSON was asked for).

    ``is_kept`` tells a project that stays from one that goes at the end, with its parent;
    ``amiss`` holds what was seen under live traffic and must not be.
    """

    project: Path
    folder: Path
    is_kept: bool
    to_stderr: bool
    scenes: list[Scene] = field(default_factory=list)
    amiss: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Tell whoever watches."""
        typer.echo(line, err=self.to_stderr)

    def triune(
        self,
        *arguments: str,
        verdicts: Sequence[Verdict] = (Verdict.PASS,),
        deadline_s: float | None = None,
    ) -> dict[str, Any]:
        """Run a command as a user would; read its JSON, whose verdict must be one of these."""
        self.say(f"\n$ triune {' '.join(arguments)}")
        with self.process(*TRIUNE, *arguments, "--json") as process:
            try:
                printed = process.communicate(timeout=deadline_s)[0]
            except subprocess.TimeoutExpired as error:
                message = f"it came to no end within {deadline_s:g} s"
                raise DemoFailedError(arguments[0], message) from error
        try:
            document: dict[str, Any] = json.loads(printed)
        except json.JSONDecodeError:
            document = {}
        if process.returncode in {EXIT_CODES[verdict] for verdict in verdicts}:
            return document
        reasons = document.get("reasons") or [{"message": f"exit code {process.returncode}"}]
        message = reasons[0]["message"]
        if process.returncode == USAGE_EXIT:
            raise UsageError(message)
        raise DemoFailedError(arguments[0], message)

    def show(self, *arguments: str) -> None:
        """Run a command and show what it prints for people."""
        self.say(f"\n$ triune {' '.join(arguments)}")
        with self.process(*TRIUNE, *arguments) as process:
            shown = process.communicate()[0]
        if process.returncode:
            raise DemoFailedError(arguments[0], f"exit code {process.returncode}")
        self.say(shown.rstrip())

    def edit(self, file: str, before: str, after: str) -> None:
        """Replace a text of a file, which must be there."""
        path = self.project / file
        content = path.read_text(encoding="utf-8")
        if before not in content:
            raise DemoFailedError("init", f"{file} holds no {before!r}")
        path.write_text(content.replace(before, after), encoding="utf-8")

    def commit(self, message: str) -> None:
        """Commit all changes."""
        self._git("commit", "--quiet", "--all", "--no-verify", f"--message={message}")
        self.say(f"committed: {message}")

    def revert(self) -> None:
        """Take the last commit back by another, as one would on a branch of others."""
        self._git("revert", "--no-edit", "HEAD")
        self.say("reverted")

    def run_python(self, program: str) -> None:
        """Run a program in the project's folder."""
        with self.process(sys.executable, "-c", program) as process:
            process.communicate()
        if process.returncode:
            raise DemoFailedError("init", f"a step of the demo ended with {process.returncode}")

    def _git(self, *arguments: str) -> None:
        with self.process(*GIT, *arguments, **IDENTITY) as git:
            git.communicate()
        if git.returncode:
            message = f"`git {arguments[0]}` ended with {git.returncode} in its folder"
            raise DemoFailedError("init", message)

    @contextmanager
    def process(self, *command: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a command; it ends with the block, and ends what it started itself first."""
        with ExitStack() as at_end:
            # Otherwise one that was started just before a signal would be nobody's to end.
            with signals_held():
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
    def scene(self, name: str, title: str) -> Iterator[Outcome]:
        """Play a scene; the block says what it came to."""
        self.say(f"\n== {title}")
        started, outcome = perf_counter(), Outcome()
        yield outcome
        self.scenes.append(
            Scene(
                name=name,
                layer=outcome.layer,
                verdict=outcome.verdict,
                reason=outcome.reason,
                traffic=outcome.traffic,
                seconds=round(perf_counter() - started, 1),
            )
        )


class DemoFailedError(TriuneError):
    """A command of the demo did not do what it must."""

    code = "DEMO_FAILED"

    def __init__(self, verb: str, message: str) -> None:
        super().__init__(f"`triune {verb}` did not do what the demo shows: {message}")


@contextmanager
def find_place(folder: Path | None) -> Iterator[Path]:
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
def told_to_end() -> Iterator[None]:
    """Take a closed terminal, or an end by hand, as Ctrl-C: what was begun is cleaned up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def signals_held() -> Iterator[None]:
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


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
