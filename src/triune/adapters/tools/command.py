"""A check that is a command of the project's own."""

from dataclasses import dataclass

from triune.adapters.process import shell
from triune.adapters.tools.tool import Bench
from triune.domain.canonical import Json
from triune.domain.code_checks import judge_command
from triune.domain.evidence import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Passes where the command exits with 0."""

    line: str
    packages: tuple[str, ...] = ()
    extra: str | None = None
    reads_tests: bool = True
    # It may read whatever it likes.
    is_reusable: bool = False

    @property
    def settings(self) -> Json:
        """Say that it is a command, and which."""
        return {"run": self.line}

    def judge(self, bench: Bench) -> Judgement:
        """Run it by a shell, in the project's folder."""
        ended = bench.run(
            shell(self.line),
            by_hand=self.line,
            remedy=", or give it longer by timeout_s in triune.yaml",
        )
        return judge_command(
            returncode=ended.finished.returncode, how=ended.how, output=ended.finished.tail
        )
