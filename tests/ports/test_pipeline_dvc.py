"""DVC's stages are told apart by its own graph, run in order, and survive being killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import DEADLINE_S, is_alive, wait_until

from triune.adapters.pipeline.dvc import DvcPipeline, split_stages
from triune.adapters.scratch import LockedScratch
from triune.domain.errors import BusyError, MissingExtraError, PipelineError, UsageError
from triune.ports import Stages

CHURN = """
stages:
  train:
    cmd: |-
      cat data/train.csv > model.txt
      echo '{"roc_auc": 0.8, "rows": {"train": 2}}' > metrics.json
    deps: [data/train.csv]
    outs: [model.txt]
    metrics: [{metrics.json: {cache: false}}]
  prepare:
    cmd: mkdir -p data && cp raw.csv data/train.csv && cp raw.csv data/holdout.csv
    deps: [raw.csv]
    outs: [data/train.csv, data/holdout.csv]
  ingest:
    cmd: python -c "print('x'); print(1)" > raw.csv
    outs: [raw.csv]
"""
# Says that it began, then waits to be let go on.
SLOW = """
stages:
  ingest:
    cmd: echo 1 > raw.csv
    outs: [raw.csv]
  prepare:
    cmd: echo half > train.csv; echo $$ > pid; touch began; while [ ! -e go ]; do sleep 0.01; done;
      cat raw.csv raw.csv > train.csv
    deps: [raw.csv]
    outs: [train.csv]
"""
RUN = (
    "from pathlib import Path\n"
    "from triune.adapters.pipeline.dvc import DvcPipeline\n"
    "from triune.adapters.scratch import LockedScratch\n"
    "pipeline = DvcPipeline(Path.cwd(), LockedScratch(Path('../scratch')))\n"
    "pipeline.run(pipeline.stages(['train.csv']).datasets, progress=print)\n"
)


def shell(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def dvc(folder: Path, *arguments: str) -> None:
    shell(folder, sys.executable, "-m", "dvc", *arguments)


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty DVC repository, once, to copy."""
    blank = tmp_path_factory.mktemp("blank")
    shell(blank, "git", "init", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_NO_ANALYTICS", "1")
        dvc(blank, "init", "--quiet")
    return blank


@pytest.fixture
def root(blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # What DVC keeps for all projects of a user stays within the test.
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    root = tmp_path / "project"
    shell(tmp_path, "cp", "-a", str(blank), str(root))
    return root


def define(root: Path, content: str) -> DvcPipeline:
    (root / "dvc.yaml").write_text(content)
    return DvcPipeline(root)


def run(pipeline: DvcPipeline, *stages: str) -> list[str]:
    lines: list[str] = []
    pipeline.run(stages, progress=lines.append)
    return lines


class TestSplitting:
    def stage(
        self, name: str, *, makes: tuple[str, ...] = (), needs: tuple[str, ...] = (), **more: Any
    ) -> dict[str, Any]:
        return {"name": name, "outputs": makes, "needs": needs, "has_command": True, **more}

    def test_what_a_dataset_depends_on_comes_before_it_and_the_rest_after(self) -> None:
        stages = [
            self.stage("train", makes=("model",), needs=("prepare",)),
            self.stage("report", makes=("report.md",), needs=("train", "audit")),
            self.stage("prepare", makes=("data/a.csv",), needs=("ingest", "clean")),
            self.stage("clean", makes=("clean.csv",), needs=("ingest",)),
            self.stage("ingest", makes=("raw.csv",)),
            self.stage("audit", makes=("audit.md",), needs=("clean",)),
        ]

        split = split_stages(stages, ["data/a.csv"])

        assert split == Stages(
            datasets=("ingest", "clean", "prepare"), training=("train", "audit", "report")
        )

    @pytest.mark.parametrize(
        ("output", "made"),
        [
            ("data/a.csv", "data/a.csv"),
            ("data/a.csv", "data"),
            ("data/*.csv", "data/a.csv"),
            ("data/*/part.csv", "data/2024"),
            ("data/**/*.csv", "data/2024"),
            ("parts", "parts/a.csv"),
        ],
    )
    def test_a_dataset_may_be_a_pattern_or_lie_in_a_folder_that_is_made(
        self, output: str, made: str
    ) -> None:
        assert split_stages([self.stage("a", makes=(made,))], [output]).datasets == ("a",)

    @pytest.mark.parametrize(
        ("output", "made"),
        [("data/a.csv", "data/b.csv"), ("data/*.csv", "data/a.txt"), ("data", "data2")],
    )
    def test_what_lies_beside_a_dataset_is_not_what_makes_it(self, output: str, made: str) -> None:
        assert split_stages([self.stage("a", makes=(made,))], [output]).datasets == ()

    def test_a_dataset_that_no_stage_makes_is_a_plain_file(self) -> None:
        split = split_stages([self.stage("train", makes=("model",))], ["data/a.csv"])

        assert split == Stages(datasets=(), training=("train",))

    def test_a_tracked_file_counts_only_where_something_needs_it(self) -> None:
        stages = [
            self.stage("raw.csv.dvc", makes=("raw.csv",), has_command=False),
            self.stage("extra.csv.dvc", makes=("extra.csv",), has_command=False),
            self.stage("unused.csv.dvc", makes=("unused.csv",), has_command=False),
            self.stage("prepare", makes=("a.csv",), needs=("raw.csv.dvc",)),
            self.stage("train", makes=("model",), needs=("prepare", "extra.csv.dvc")),
        ]

        split = split_stages(stages, ["a.csv"])

        assert split.datasets == ("raw.csv.dvc", "prepare")
        assert split.training == ("extra.csv.dvc", "train")


class TestStages:
    def test_the_graph_is_dvcs_own(self, root: Path) -> None:
        (root / "params.yaml").write_text("parts: [a, b]\n")
        (root / "sub").mkdir()
        pipeline = define(
            root,
            """
vars: [{where: data}]
stages:
  ingest:
    cmd: echo > raw.csv
    outs: [raw.csv]
  part:
    foreach: ${parts}
    do:
      cmd: echo
      deps: [raw.csv]
      outs: ["${where}/${item}"]
  merge:
    wdir: sub
    cmd: echo
    deps: [../data/a, ../data/b]
    outs: [merged]
  train:
    matrix: {size: [s, l]}
    cmd: echo
    deps: [sub/merged]
    outs: ["model-${item.size}"]
""",
        )

        assert pipeline.stages(["data/a/train.csv"]) == Stages(
            datasets=("ingest", "part@a"), training=("part@b", "merge", "train@s", "train@l")
        )
        assert pipeline.stages(["sub/merged"]).datasets == ("ingest", "part@a", "part@b", "merge")

    def test_a_project_in_a_subfolder_has_its_own_stages_and_what_they_build_on(
        self, root: Path
    ) -> None:
        (root / "one").mkdir()
        (root / "two").mkdir()
        define(root, "stages:\n  shared: {cmd: echo 1 > shared.csv, outs: [shared.csv]}\n")
        define(root / "two", "stages:\n  other: {cmd: echo 1 > o.csv, outs: [o.csv]}\n")
        pipeline = define(
            root / "one",
            "stages:\n  prepare: {cmd: cp ../shared.csv a.csv, deps: [../shared.csv], "
            "outs: [a.csv]}\n  train: {cmd: cp a.csv m, deps: [a.csv], outs: [m]}\n",
        )

        stages = pipeline.stages(["a.csv"])
        run(pipeline, *stages.datasets, *stages.training)

        assert stages == Stages(datasets=("../dvc.yaml:shared", "prepare"), training=("train",))
        assert (root / "one" / "m").read_text() == "1\n"
        assert not (root / "two" / "o.csv").exists()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("stages: [", "'dvc.yaml', YAML file structure is corrupted.*line 1"),
            ("stages:\n  a: {cmd: x, depps: [y]}\n", "extra keys not allowed.*depps"),
            ("stages:\n  a: {cmd: '${gone}'}\n", "Could not find 'gone'"),
            (
                "stages: {a: {cmd: x, deps: [b], outs: [a]}, b: {cmd: x, deps: [a], outs: [b]}}",
                "both a dependency and an output in stages: (a, b|b, a)",
            ),
            ("stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o]}\n", "output 'o'"),
        ],
    )
    def test_a_definition_that_cannot_be_read_is_refused_in_dvcs_words(
        self, root: Path, content: str, message: str
    ) -> None:
        with pytest.raises(UsageError, match=f"DVC cannot read the pipeline of .*{message}"):
            define(root, content).stages([])

    def test_a_project_without_stages_is_refused(self, root: Path) -> None:
        with pytest.raises(UsageError, match=r"no dvc\.yaml in .* has a stage"):
            DvcPipeline(root).stages([])

    def test_a_folder_that_is_no_dvc_repository_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"not inside of a DVC repository.*`dvc init`"):
            DvcPipeline(tmp_path).stages([])

    def test_without_dvc_the_extra_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

        with pytest.raises(MissingExtraError, match=r"pip install 'triune\[dvc\]'"):
            DvcPipeline(tmp_path).stages([])

    def test_modules_of_the_project_do_not_stand_in_for_dvcs(self, root: Path) -> None:
        for name in ("dvc", "yaml", "logging", "triune"):
            (root / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")

        assert define(root, CHURN).stages([]).training == ("ingest", "prepare", "train")


class TestRunning:
    def test_stages_run_in_order_and_are_left_alone_when_up_to_date(self, root: Path) -> None:
        pipeline = define(root, CHURN)
        stages = pipeline.stages(["data/train.csv", "data/holdout.csv"])

        first = run(pipeline, *stages.datasets)
        assert not (root / "model.txt").exists()
        second = run(pipeline, *stages.datasets, *stages.training)

        assert stages == Stages(datasets=("ingest", "prepare"), training=("train",))
        assert [line for line in first if line.startswith("Running")] == [
            "Running stage 'ingest':",
            "Running stage 'prepare':",
        ]
        assert [line for line in second if line.startswith(("Running", "Stage"))] == [
            "Stage 'ingest' didn't change, skipping",
            "Stage 'prepare' didn't change, skipping",
            "Running stage 'train':",
        ]
        assert (root / "model.txt").read_text() == "x\n1\n"
        assert not any("To track the changes" in line for line in first)

    def test_what_was_made_before_comes_from_the_cache(self, root: Path) -> None:
        pipeline = define(root, CHURN)
        run(pipeline, "ingest", "prepare")
        (root / "data" / "train.csv").unlink()

        lines = run(pipeline, "prepare")

        assert lines == ["Stage 'prepare' is cached - skipping run, checking out outputs"]
        assert (root / "data" / "train.csv").read_text() == "x\n1\n"

    def test_a_stage_that_always_runs_does_so_once_in_a_run(self, root: Path) -> None:
        pipeline = define(
            root,
            "stages:\n  source: {cmd: echo >> count; echo 1 > s, always_changed: true, outs: [s]}\n"
            "  train: {cmd: cp s m, deps: [s], outs: [m]}\n",
        )
        stages = pipeline.stages(["s"])

        run(pipeline, *stages.datasets)
        run(pipeline, *stages.training)

        assert (root / "count").read_text() == "\n"

    def test_figures_are_those_of_the_metrics_files(self, root: Path) -> None:
        pipeline = define(root, CHURN)
        assert pipeline.metrics() == {}

        run(pipeline, "ingest", "prepare", "train")

        assert pipeline.metrics() == {"roc_auc": 0.8, "rows.train": 2.0}
        assert DvcPipeline(root).metrics() == pipeline.metrics()

    def test_no_stages_are_nothing_to_do(self, tmp_path: Path) -> None:
        DvcPipeline(tmp_path).run((), progress=pytest.fail)

    def test_python_in_a_stage_is_this_one_and_writes_no_bytecode(self, root: Path) -> None:
        (root / "features.py").touch()
        command = "python -c 'import features, sys; print(sys.executable)' > which"
        pipeline = define(root, f'stages:\n  a: {{cmd: "{command}", outs: [which]}}\n')

        run(pipeline, "a")

        assert Path((root / "which").read_text().strip()).samefile(sys.executable)
        assert not (root / "__pycache__").exists()

    def test_a_failing_stage_is_named_with_its_own_last_lines(self, root: Path) -> None:
        pipeline = define(
            root,
            "stages:\n  fine: {cmd: echo fine > f; echo mine, outs: [f]}\n"
            "  broken: {cmd: echo worst >&2; exit 4, deps: [f], outs: [b]}\n",
        )

        with pytest.raises(PipelineError) as caught:
            run(pipeline, "fine", "broken")

        message = str(caught.value)
        assert message.startswith("stage 'broken' failed: failed to run: echo worst")
        assert "exited with 4" in message
        assert message.endswith("\nworst")
        assert "mine" not in message

    def test_a_tracked_file_that_is_missing_is_asked_for(self, root: Path) -> None:
        (root / "raw.csv").write_text("1\n")
        dvc(root, "add", "--quiet", "raw.csv")
        (root / "raw.csv").unlink()
        pipeline = define(root, "stages:\n  a: {cmd: cp raw.csv a, deps: [raw.csv], outs: [a]}\n")
        stages = pipeline.stages(["a"])

        with pytest.raises(PipelineError, match=r"'raw\.csv\.dvc' lacks its data.*`dvc pull`"):
            run(pipeline, *stages.datasets)

    def test_nothing_leaves_the_machine_and_no_setting_is_written(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DVC_NO_ANALYTICS")
        settings = (root / ".dvc" / "config").read_bytes()

        lines = run(define(root, CHURN), "ingest")

        assert lines
        assert (root / ".dvc" / "config").read_bytes() == settings
        # DVC's updater would leave this file, its analytics the other.
        assert not (root / ".dvc" / "tmp" / "updater").exists()
        assert not list(root.parent.glob("config/**/user_id"))


@contextmanager
def run_in_a_process(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run and let it get into its slow stage."""
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=root) as process:
        wait_until((root / "began").exists)
        try:
            yield process
        finally:
            process.kill()


def kill_in_the_middle(root: Path) -> None:
    define(root, SLOW)
    with run_in_a_process(root) as process:
        process.kill()
    stage = int((root / "pid").read_text())
    wait_until(lambda: not is_alive(stage))
    (root / "go").touch()


class TestKilled:
    def test_the_next_run_completes_with_the_right_outputs(self, root: Path) -> None:
        kill_in_the_middle(root)
        assert (root / "train.csv").read_text() == "half\n"
        pipeline = DvcPipeline(root)

        lines = run(pipeline, *pipeline.stages(["train.csv"]).datasets)

        assert (root / "train.csv").read_text() == "1\n1\n"
        assert "Stage 'ingest' didn't change, skipping" in lines
        assert "Stage 'prepare' didn't change, skipping" in run(pipeline, "prepare")

    def test_a_sweep_removes_what_was_left(self, root: Path) -> None:
        kill_in_the_middle(root)
        scratch = root.parent / "scratch"
        assert any(scratch.iterdir())

        LockedScratch(scratch).sweep()

        assert not any(scratch.iterdir())

    @pytest.mark.parametrize("left", ["", "schema: '2.0'\nstages:\n  ingest:\n    cmd: [", "x"])
    def test_a_lock_file_left_half_written_is_mended(self, root: Path, left: str) -> None:
        kill_in_the_middle(root)
        (root / "dvc.lock").write_text(left)
        pipeline = DvcPipeline(root)

        run(pipeline, *pipeline.stages(["train.csv"]).datasets)

        assert (root / "train.csv").read_text() == "1\n1\n"
        assert "Stage 'prepare' didn't change, skipping" in run(pipeline, "prepare")

    def test_a_list_of_holders_left_half_written_is_dropped(self, root: Path) -> None:
        kill_in_the_middle(root)
        (root / ".dvc" / "tmp" / "rwlock").write_text('{"write": {"')

        run(DvcPipeline(root), "ingest", "prepare")

        assert (root / "train.csv").read_text() == "1\n1\n"

    def test_a_holder_whose_number_another_process_has_now_holds_nothing(self, root: Path) -> None:
        kill_in_the_middle(root)
        held = {"pid": os.getppid(), "cmd": "dvc repro"}
        (root / ".dvc" / "tmp" / "rwlock").write_text(
            json.dumps({"write": {str(root / "train.csv"): held}})
        )

        run(DvcPipeline(root), "ingest", "prepare")

        assert (root / "train.csv").read_text() == "1\n1\n"

    def test_a_lock_file_that_people_broke_is_left_to_them(self, root: Path) -> None:
        pipeline = define(root, CHURN)
        run(pipeline, "ingest")
        (root / "dvc.lock").write_text("<<<<<<< HEAD\n")

        with pytest.raises(UsageError, match=r"dvc\.lock"):
            run(pipeline, "ingest")

        assert (root / "dvc.lock").read_text() == "<<<<<<< HEAD\n"

    def test_a_live_run_keeps_others_out_but_lets_them_look(self, root: Path) -> None:
        pipeline = define(root, SLOW)
        with run_in_a_process(root) as process:
            assert pipeline.stages(["train.csv"]).datasets == ("ingest", "prepare")
            with pytest.raises(BusyError, match="another DVC process works in"):
                run(pipeline, "ingest", "prepare")

            (root / "go").touch()
            assert process.wait(DEADLINE_S) == 0

        assert (root / "train.csv").read_text() == "1\n1\n"

    def test_dvc_itself_at_work_keeps_a_run_out(self, root: Path) -> None:
        pipeline = define(root, SLOW)
        command = [sys.executable, "-m", "dvc", "repro"]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) as process:
            wait_until((root / "began").exists)

            with pytest.raises(BusyError, match="another DVC process works in"):
                run(pipeline, "ingest", "prepare")

            (root / "go").touch()
            assert process.wait(DEADLINE_S) == 0

    def test_ctrl_c_ends_the_stage(self, root: Path) -> None:
        define(root, SLOW)
        with run_in_a_process(root) as process:
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) != 0

        stage = int((root / "pid").read_text())
        wait_until(lambda: not is_alive(stage))
