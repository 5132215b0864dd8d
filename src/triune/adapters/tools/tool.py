"""Runs one check of the code and makes a result of it, whatever becomes of its program."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from triune.adapters.process import Finished, run_command
from triune.adapters.tools.code import Code
from triune.adapters.tools.environment import tool_environment
from triune.adapters.tools.interpreter import Interpreter
from triune.domain.canonical import Json, canonical_json, sha256
from triune.domain.code_checks import CodeReason, judge_fault
from triune.domain.errors import TriuneError
from triune.domain.evidence import Judgement
from triune.domain.worker_launch import describe_exit
from triune.ports import Progress, Scratch


class NoVerdictError(Exception):
    """A tool came to no verdict; ``output`` is what it printed last."""

    def __init__(self, reason: CodeReason, message: str, *, output: Iterable[str] = ()) -> None:
        self.reason, self.output = reason, tuple(output)
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and the command by which a user would run it."""

    finished: Finished
    by_hand: str

    @property
    def how(self) -> str:
        """Say how it ended."""
        return describe_exit(self.finished.returncode)

    def crash(self, why: str, *, output: Iterable[str] | None = None) -> NoVerdictError:
        """Say that the program came to no verdict; ``output`` is its tail where it is None."""
        return NoVerdictError(
            CodeReason.TOOL_CRASHED,
            f"`{self.by_hand}` {why}; mend what it names, and run it by hand to see more",
            output=self.finished.tail if output is None else output,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where one run of one check works.

    ``folder`` is empty and goes with the run, ``caches`` may be there from the run before.
    """

    code: Code
    interpreter: Interpreter
    folder: Path
    caches: Path
    progress: Progress
    timeout_s: float

    def run_module(  # noqa: PLR0913 - all but the module and its arguments are named
        self,
        module: str,
        arguments: Sequence[str],
        *,
        shown: Sequence[str],
        verdicts: frozenset[int],
        environment: Mapping[str, str] | None = None,
        is_import_root: bool = False,
        progress: Progress | None = None,
    ) -> Ended:
        """Run a tool that is a Python module, in the project's folder.

        Parameters
        ----------
        shown
            The arguments that matter to a user; the others say where reports and caches go.
        verdicts
            The exit codes by which the tool says that it came to a verdict.
        is_import_root
            Whether the tool imports the project's modules from its folder.

        Raises
        ------
        NoVerdictError
            It was stopped, or ended with any other exit code.
        """
        # -P: without it a module of the project's would be taken for one of the tool's.
        flags = [] if is_import_root else ["-P"]
        ended = self.run(
            [self.interpreter.path, *flags, "-m", module, *arguments],
            by_hand=shlex.join(["python", "-m", module, *shown]),
            environment=environment,
            progress=progress,
        )
        if ended.finished.returncode not in verdicts:
            raise ended.crash(f"{ended.how}, which is no verdict")
        return ended

    def run(
        self,
        command: Sequence[str],
        *,
        by_hand: str,
        environment: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        remedy: str = "",
    ) -> Ended:
        """Run a command in the project's folder, to an end of its own.

        Raises
        ------
        NoVerdictError
            It ran for too long, or a signal ended it; ``remedy`` says what to do against the
            former beside looking for what hangs.
        """
        self.progress(f"> {by_hand}")
        try:
            finished = run_command(
                command,
                folder=self.code.root,
                progress=progress or self.progress,
                environment={
                    # Checks run side by side: native threads of each would wait for each other.
                    "OMP_NUM_THREADS": "1",
                    **tool_environment(os.environ, python=self.interpreter.path),
                    "HYPOTHESIS_STORAGE_DIRECTORY": str(self.caches / "hypothesis"),
                    **(environment or {}),
                },
                timeout_s=self.timeout_s,
            )
        except TriuneError as error:
            raise NoVerdictError(CodeReason.TOOL_CRASHED, f"`{by_hand}`: {error}") from error
        ended = Ended(finished=finished, by_hand=by_hand)
        if finished.timed_out:
            raise NoVerdictError(
                CodeReason.TOOL_TIMED_OUT,
                f"`{by_hand}` did not end within {self.timeout_s:g} s and was stopped, with all "
                f"that it started; find what hangs{remedy}",
                output=finished.tail,
            )
        if finished.returncode < 0:
            raise ended.crash(ended.how)
        return ended


class Kind(Protocol):
    """What is particular to one kind of check."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Name the packages that must be installed for it."""

    @property
    def extra(self) -> str | None:
        """Name the extra of Triune's that brings them, if one does."""

    @property
    def reads_tests(self) -> bool:
        """Tell whether the project's tests bear on it."""

    @property
    def is_reusable(self) -> bool:
        """Tell whether its digest covers all that it reads."""

    @property
    def settings(self) -> Json:
        """Say what it is, and what of ``triune.yaml`` bears on what it comes to."""

    def judge(self, bench: Bench) -> Judgement:
        """Run its program and judge what that saw.

        Raises
        ------
        NoVerdictError
            The program came to no verdict.
        """


class CodeTool:
    """One check of the code, by a program of its own.

    Parameters
    ----------
    caches
        A folder for what tools keep from run to run; where it is None they keep nothing.
    timeout_s
        How long the program may take.
    """

    def __init__(  # noqa: PLR0913 - all are named
        self,
        *,
        name: str,
        kind: Kind,
        code: Code,
        interpreter: Interpreter,
        scratch: Scratch,
        caches: Path | None,
        timeout_s: float,
    ) -> None:
        self._name = name
        self._kind = kind
        self._code = code
        self._interpreter = interpreter
        self._scratch = scratch
        self._caches = caches
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """Tell what the report calls the check."""
        return self._name

    @property
    def is_reusable(self) -> bool:
        """Tell whether a result stands as long as its digest does."""
        return self._kind.is_reusable

    def digest(self) -> str:
        """Digest what the check is about now.

        That is the included code (and its tests, where they are run), settings of tools, the
        Python and all that is installed for it.
        """
        document = {
            "format": 1,
            "check": self._name,
            "settings": self._kind.settings,
            "include": list(self._code.include),
            "interpreter": self._interpreter.description,
            "files": self._code.contents(with_tests=self._kind.reads_tests),
        }
        return sha256(canonical_json(document))

    def surroundings(self) -> str | None:
        """Digest what else it may read: a file that a test opens, settings that settings name.

        That is all of the project but what git ignores; None where it cannot be listed.
        """
        files = self._code.surroundings()
        return None if files is None else sha256(canonical_json(files))

    def judge(self, progress: Progress) -> Judgement:
        """Run the check to a verdict; what keeps its program from one is an ERROR."""
        try:
            return self._judge(progress)
        except NoVerdictError as fault:
            return judge_fault(fault.reason, str(fault), output=fault.output)

    def _judge(self, progress: Progress) -> Judgement:
        self._require_packages()
        with self._scratch.folder() as folder:
            bench = Bench(
                code=self._code,
                interpreter=self._interpreter,
                folder=folder,
                caches=self._caches or folder / "caches",
                progress=progress,
                timeout_s=self._timeout_s,
            )
            return self._kind.judge(bench)

    def _require_packages(self) -> None:
        packages = self._kind.packages
        missing = [name for name in packages if self._interpreter.version(name) is None]
        if missing:
            wanted = f"'triune[{self._kind.extra}]'" if self._kind.extra else " ".join(missing)
            raise NoVerdictError(
                CodeReason.TOOL_MISSING,
                f"`{self._name}` needs {' and '.join(missing)}, not installed for "
                f"{self._interpreter.path}; install it there: `pip install {wanted}`",
            )
