"""A pipeline may be one command, or none."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import DEADLINE_S, is_alive, wait_until, written_pid

from triune.adapters.pipeline.command import CommandPipeline, NoPipeline
from triune.domain.errors import PipelineError
from triune.ports import Stages


def test_the_command_counts_among_what_makes_the_datasets(tmp_path: Path) -> None:
    stages = CommandPipeline(tmp_path, "make train").stages(["data/train.csv"])

    assert stages == Stages(datasets=("run",), training=())


def test_the_command_runs_in_the_project_with_this_python(tmp_path: Path) -> None:
    lines: list[str] = []
    command = "python -c 'import sys; print(sys.executable)' && pwd && touch model"

    CommandPipeline(tmp_path, command).run(("run",), progress=lines.append)

    assert lines[0] == f"> {command}"
    assert Path(lines[1]).samefile(sys.executable)
    assert lines[2] == str(tmp_path)
    assert (tmp_path / "model").exists()


def test_lines_of_python_are_shown_as_they_are_printed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import pathlib, time\n"
        "print('ready')\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    )

    def answer(line: str) -> None:
        if line == "ready":
            (tmp_path / "go").touch()

    CommandPipeline(tmp_path, f"timeout {DEADLINE_S} python train.py").run(
        ("run",), progress=answer
    )


def test_no_bytecode_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "features.py").touch()

    CommandPipeline(tmp_path, "python -c 'import features'").run(("run",), progress=print)

    assert [path.name for path in tmp_path.iterdir()] == ["features.py"]


def test_nothing_runs_where_no_stage_is_named(tmp_path: Path) -> None:
    CommandPipeline(tmp_path, "exit 1").run((), progress=pytest.fail)


def test_a_failure_tells_the_command_how_it_ended_and_its_last_lines(tmp_path: Path) -> None:
    pipeline = CommandPipeline(tmp_path, "echo first; echo worst >&2; exit 3")

    with pytest.raises(PipelineError) as caught:
        pipeline.run(("run",), progress=lambda _: None)

    message = str(caught.value)
    assert "(pipeline.run in triune.yaml) ended with 3; its last lines:" in message
    assert message.endswith("\nfirst\nworst")


def test_the_command_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from triune.adapters.pipeline.command import CommandPipeline\n"
        "line = 'sleep 1000 & echo $! > pid; wait'\n"
        "CommandPipeline(Path.cwd(), line).run(('run',), progress=print)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path) as run:
        stage = written_pid(tmp_path / "pid")

        run.kill()

    wait_until(lambda: not is_alive(stage))


def test_figures_are_flattened_to_dotted_names(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(
        '{"roc_auc": 0.8, "train": {"rows": 100, "loss": NaN}, "note": "fine", "ok": true, "x": []}'
    )

    for pipeline in (NoPipeline(tmp_path), CommandPipeline(tmp_path, "true")):
        assert pipeline.metrics() == {"roc_auc": 0.8, "train.rows": 100.0}


def test_without_a_file_there_are_no_figures(tmp_path: Path) -> None:
    assert NoPipeline(tmp_path).metrics() == {}


def test_figures_that_cannot_be_read_are_a_fault_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("roc_auc = 0.8")

    with pytest.raises(PipelineError, match=r"metrics\.json is no JSON"):
        NoPipeline(tmp_path).metrics()


def test_no_pipeline_has_no_stages_and_runs_nothing(tmp_path: Path) -> None:
    pipeline = NoPipeline(tmp_path)

    pipeline.run(("run",), progress=pytest.fail)

    assert pipeline.stages(["data/train.csv"]) == Stages(datasets=(), training=())
