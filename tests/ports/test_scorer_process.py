"""Releases run in workers: what they answer, what is refused first, and how each of them ends."""

import datetime as dt
import json
import os
import py_compile
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.bundles import PYTHON, ABundle, a_bundle, a_call, pickled
from tests.processes import children, is_alive, wait_until, written_pid

from triune.adapters.scorer.process import LAST_LINES, ProcessScorer, ProcessWorker
from triune.domain.errors import (
    ModelError,
    RuntimeMismatchError,
    TamperedError,
    WorkerError,
    WorkerKilledError,
)
from triune.domain.manifest import Field, FieldType, Outputs
from triune.domain.worker_launch import worker_command

INPUTS = (Field(name="x", type=FieldType.NUMBER, nullable=False),)

MODEL_CODE = """
import os, signal, subprocess, sys, time
from pathlib import Path

import numpy as np

{at_import}

class Model:
    classes_ = np.array([0, 1])

    def predict(self, frame):
{at_predict}
        return (frame["x"] > 0).astype(int)

    def predict_proba(self, frame):
        chance = 1 / (1 + np.exp(-frame["x"].to_numpy()))
        return np.column_stack([1 - chance, chance])
"""


def a_release(folder: Path, *, at_import: str = "", at_predict: str = "pass") -> ABundle:
    """Lay out a release whose code does as it is told, beside answering with a logistic curve."""
    code = MODEL_CODE.format(at_import=at_import, at_predict=indent(at_predict, " " * 8))
    return a_bundle(
        folder, model=a_call("src.model:Model"), inputs=INPUTS, code={"src/model.py": code}
    )


def a_file(path: Path, values: list[float]) -> Path:
    """Write a dataset."""
    return an_arrow_file(path, pa.table({"x": pa.array(values, pa.float64())}))


def an_arrow_file(path: Path, table: "pa.Table") -> Path:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


@contextmanager
def worker_of(bundle: ABundle, **options: float) -> Iterator[ProcessWorker]:
    with ProcessScorer(**options).start(bundle.folder, release=bundle.release) as worker:  # type: ignore[arg-type] # only seconds
        yield worker


def failure(bundle: ABundle, **options: float) -> str:
    """Ask a release whose worker must not survive, or answer; say what went wrong."""
    return str(fault(bundle, **options))


def fault(bundle: ABundle, **options: float) -> WorkerError:
    """Ask a release whose worker must not survive, or answer."""
    with worker_of(bundle, **options) as worker, pytest.raises(WorkerError) as caught:
        worker.predict([{"x": 1.0}])
    return caught.value


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessWorker]:
    """A worker of a sound release, for tests that only ask it."""
    with worker_of(a_release(tmp_path_factory.mktemp("sound") / "bundle")) as worker:
        yield worker


# What is answered


def test_a_worker_tells_what_its_model_answers(worker: ProcessWorker) -> None:
    assert worker.describe() == Outputs(classes=(0, 1), probabilities=True)


def test_a_file_is_scored_with_labels_and_a_probability_for_each_class(
    worker: ProcessWorker, tmp_path: Path
) -> None:
    values = np.array([-2.0, 0.0, 0.5])

    predictions = worker.score(a_file(tmp_path / "data.arrow", values.tolist()))

    chance = 1 / (1 + np.exp(-values))
    assert predictions.labels.tolist() == [0, 0, 1]
    assert predictions.probabilities is not None
    assert predictions.probabilities.tolist() == np.column_stack([1 - chance, chance]).tolist()


def test_files_of_other_sizes_are_scored_one_after_the_other(
    worker: ProcessWorker, tmp_path: Path
) -> None:
    for count in (1000, 1, 0, 7):
        predictions = worker.score(a_file(tmp_path / f"{count}.arrow", [1.0] * count))

        assert predictions.labels.tolist() == [1] * count
        assert predictions.probabilities is not None
        assert predictions.probabilities.shape == (count, 2)


def test_a_file_that_is_not_like_the_training_data_is_refused_by_column(
    worker: ProcessWorker, tmp_path: Path
) -> None:
    source = an_arrow_file(tmp_path / "data.arrow", pa.table({"y": [1.0]}))

    with pytest.raises(WorkerError, match="field 'x': there is no such column"):
        worker.score(source)

    assert worker.predict([{"x": 1.0}])[0]["prediction"] == 1


def test_a_request_that_breaks_the_signature_is_a_fault_that_names_row_and_field(
    worker: ProcessWorker,
) -> None:
    with pytest.raises(WorkerError, match="row 1, field 'x': is missing; give a number"):
        worker.predict([{"x": 1.0}, {}])


def test_no_requests_get_no_answers(worker: ProcessWorker) -> None:
    assert worker.predict([]) == []


EVERY_TYPE = (
    Field(name="integer", type=FieldType.INTEGER, nullable=False),
    Field(name="maybe_integer", type=FieldType.INTEGER, nullable=True),
    Field(name="number", type=FieldType.NUMBER, nullable=True),
    Field(name="text", type=FieldType.STRING, nullable=True),
    Field(name="region", type=FieldType.STRING, nullable=True, categories=("south", "north")),
    Field(name="flag", type=FieldType.BOOLEAN, nullable=False),
    Field(name="maybe_flag", type=FieldType.BOOLEAN, nullable=True),
    Field(name="day", type=FieldType.DATE, nullable=False),
    Field(name="moment", type=FieldType.TIMESTAMP, nullable=True),
)
# Answers with what depends on every value, and on the type that each column has.
SENSITIVE_CODE = """
import hashlib

import numpy as np


class Model:
    classes_ = np.array(["no", "perhaps", "yes"])

    def predict_proba(self, frame):
        kinds = str(frame.dtypes.to_dict())
        chances = []
        for row in frame.itertuples(index=False):
            seed = hashlib.sha256((kinds + repr(row)).encode()).digest()
            weights = np.frombuffer(seed, np.uint8)[:3].astype(float) + 1
            chances.append(weights / weights.sum())
        return np.array(chances)

    def predict(self, frame):
        return self.classes_[self.predict_proba(frame).argmax(axis=1)]
"""


def test_requests_are_answered_as_the_same_rows_of_a_file_are_scored(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "integer": n,
            "maybe_integer": None if n % 3 == 0 else 2**53 + n,
            "number": None if n % 4 == 0 else n / 7,
            "text": None if n % 5 == 0 else f"naïve {n}",
            "region": (None, "south", "north", "nowhere")[n % 4],
            "flag": n % 2 == 0,
            "maybe_flag": (None, True, False)[n % 3],
            "day": dt.date(2026, 1, 1 + n),
            "moment": None if n % 6 == 0 else dt.datetime(2026, 1, 1, 12, n, 30, 123456),
        }
        for n in range(24)
    ]
    as_json = [
        {
            name: value.isoformat() if isinstance(value, dt.date) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    source = an_arrow_file(tmp_path / "data.arrow", pa.Table.from_pylist(rows))
    bundle = a_bundle(
        tmp_path / "bundle",
        model=a_call("src.model:Model"),
        inputs=EVERY_TYPE,
        code={"src/model.py": SENSITIVE_CODE},
        task="multiclass",
    )

    with worker_of(bundle) as worker:
        scored = worker.score(source)
        as_a_batch = worker.predict(as_json)
        one_by_one = [worker.predict([row])[0] for row in as_json]

    assert scored.probabilities is not None
    assert one_by_one == as_a_batch
    assert as_a_batch == [
        {
            "prediction": label,
            "probabilities": dict(zip(("no", "perhaps", "yes"), row, strict=True)),
        }
        for label, row in zip(scored.labels.tolist(), scored.probabilities.tolist(), strict=True)
    ]
    assert len({answer["prediction"] for answer in as_a_batch}) == 3


def test_a_regression_is_scored_without_probabilities(tmp_path: Path) -> None:
    code = "class Model:\n    def predict(self, frame):\n        return frame['x'] / 3\n"
    bundle = a_bundle(
        tmp_path / "bundle",
        model=a_call("src.model:Model"),
        inputs=INPUTS,
        code={"src/model.py": code},
        task="regression",
    )

    with worker_of(bundle) as worker:
        predictions = worker.score(a_file(tmp_path / "data.arrow", [1.0, 2.0]))

    assert predictions.labels.tolist() == [1 / 3, 2 / 3]
    assert predictions.probabilities is None


# What is refused before anything of it is executed


class MakesAFolder:
    """A pickle of this makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What is there as soon as anything of a release was executed."""
    return tmp_path / "executed"


@pytest.fixture
def trap(tmp_path: Path, marker: Path) -> ABundle:
    """A release whose model leaves the marker when it is loaded; the zeros after it do nothing."""
    return a_bundle(
        tmp_path / "bundle",
        model=pickled(MakesAFolder(marker)) + b"\0" * 100,
        inputs=INPUTS,
        code={"src/model.py": "A = 1\n"},
    )


def truncate_the_model(folder: Path) -> None:
    path = folder / "model" / "model.joblib"
    path.write_bytes(path.read_bytes()[:-50])


def change_a_byte_of_the_model(folder: Path) -> None:
    path = folder / "model" / "model.joblib"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")


def add_a_module(folder: Path) -> None:
    (folder / "code" / "src" / "numpy.py").write_text("A = 1\n")


def add_bytecode_of_a_module(folder: Path) -> None:
    # Python would run it in place of the source, which it does not even compare.
    py_compile.compile(
        str(folder / "code" / "src" / "model.py"),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def add_bytecode_without_a_source(folder: Path) -> None:
    source = folder / "more.py"
    source.write_text("A = 1\n")
    py_compile.compile(str(source), cfile=str(folder / "code" / "src" / "more.pyc"))


def change_the_code(folder: Path) -> None:
    (folder / "code" / "src" / "model.py").write_text("A = 2\n")


def test_a_release_that_is_whole_is_executed(trap: ABundle, marker: Path) -> None:
    with pytest.raises(ModelError, match="NoneType"), worker_of(trap):
        pass

    assert marker.is_dir()


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (truncate_the_model, r"model\.joblib holds other bytes"),
        (change_a_byte_of_the_model, r"model\.joblib holds other bytes"),
        (change_the_code, r"model\.py holds other bytes"),
        (add_a_module, r"code/src/numpy\.py is not part of the release"),
        (add_bytecode_of_a_module, r"code/src/__pycache__/model\..*\.pyc is not part"),
        (add_bytecode_without_a_source, r"code/src/more\.pyc is not part"),
    ],
)
def test_a_release_that_was_tampered_with_is_refused_before_anything_is_unpickled(
    trap: ABundle, marker: Path, tamper: Callable[[Path], None], named: str
) -> None:
    tamper(trap.folder)

    with pytest.raises(TamperedError, match=named), worker_of(trap):
        pass

    assert not marker.exists()


def test_code_that_is_changed_once_the_worker_is_ready_is_not_what_runs(tmp_path: Path) -> None:
    code = {
        "src/late.py": "SIGN = 1\n",
        "src/model.py": MODEL_CODE.format(
            at_import="",
            at_predict="        from src import late\n        import late as again\n"
            "        assert late.SIGN == again.SIGN == 1\n"
            "        try:\n            import planted\n"
            "        except ModuleNotFoundError:\n            pass\n"
            "        else:\n            raise RuntimeError('what was planted was imported')",
        ),
    }
    bundle = a_bundle(
        tmp_path / "bundle", model=a_call("src.model:Model"), inputs=INPUTS, code=code
    )

    with worker_of(bundle) as worker:
        (bundle.folder / "code" / "src" / "late.py").write_text("SIGN = 2\n")
        (bundle.folder / "code" / "src" / "planted.py").write_text("SIGN = 3\n")
        (answer,) = worker.predict([{"x": 1.0}])

    assert answer["prediction"] == 1


def test_a_model_of_the_script_that_trained_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    # A name that the worker's own script happens to have is no stand-in for it.
    bundle = a_bundle(tmp_path / "bundle", model=a_call("__main__:main"), inputs=INPUTS)

    with pytest.raises(ModelError) as caught, worker_of(bundle):
        pass

    assert str(caught.value) == (
        "model.joblib: the model needs main from the script that trained it (`__main__`); "
        "define it in a module under src/ and import it there"
    )


def test_another_python_is_refused_by_both_versions(tmp_path: Path, marker: Path) -> None:
    model = pickled(MakesAFolder(marker))
    bundle = a_bundle(tmp_path / "bundle", model=model, inputs=INPUTS, python="3.9")

    with pytest.raises(RuntimeMismatchError) as caught, worker_of(bundle):
        pass

    assert "runs on Python 3.9 " in str(caught.value)
    assert f"this is Python {PYTHON} " in str(caught.value)
    assert not marker.exists()


def test_another_package_is_refused_by_both_versions(tmp_path: Path, marker: Path) -> None:
    model = pickled(MakesAFolder(marker))
    bundle = a_bundle(tmp_path / "bundle", model=model, inputs=INPUTS, lock="numpy==0.0.1\n")

    with pytest.raises(RuntimeMismatchError) as caught, worker_of(bundle):
        pass

    assert "numpy" in str(caught.value)
    assert "0.0.1" in str(caught.value)
    assert version("numpy") in str(caught.value)
    assert not marker.exists()


# What goes wrong while it runs


def test_code_that_raises_is_quoted_and_its_worker_lives_on(tmp_path: Path) -> None:
    at_predict = "if frame['x'].iloc[0] < 0:\n    raise ValueError('below zero')"

    with worker_of(a_release(tmp_path / "bundle", at_predict=at_predict)) as worker:
        with pytest.raises(WorkerError) as caught:
            worker.predict([{"x": -1.0}])
        answers = worker.predict([{"x": 1.0}])

    lines = str(caught.value).splitlines()
    assert lines[0] == "the model raised ValueError: below zero"
    assert lines[-1] == "  | ValueError: below zero"
    assert answers[0]["prediction"] == 1


def test_code_that_prints_very_much_is_not_held_up_and_only_its_last_lines_are_quoted(
    tmp_path: Path,
) -> None:
    at_predict = """
for n in range(20_000):
    print("out", n)
    print("err", n, file=sys.stderr)
if frame["x"].iloc[0] > 0:
    os._exit(7)
"""
    with worker_of(a_release(tmp_path / "bundle", at_predict=at_predict)) as worker:
        answers = worker.predict([{"x": -1.0}])
        with pytest.raises(WorkerError) as caught:
            worker.predict([{"x": 1.0}])

    assert answers[0]["prediction"] == 0
    lines = str(caught.value).splitlines()
    assert lines[0] == "the release's worker ended with exit code 7"
    assert lines[-2:] == ["  | out 19999", "  | err 19999"]
    assert len(lines) == 1 + LAST_LINES


@pytest.mark.parametrize(
    ("at_predict", "how", "last"),
    [
        ("os._exit(0)", "ended with exit code 0", "about to"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL", "about to"),
        ("import faulthandler; faulthandler._sigsegv()", "was ended by signal 11", "model.py"),
        ("raise KeyboardInterrupt", "was ended by signal 2", "KeyboardInterrupt"),
    ],
)
def test_code_that_ends_its_worker_is_a_fault_with_the_last_that_it_printed(
    tmp_path: Path, at_predict: str, how: str, last: str
) -> None:
    bundle = a_release(tmp_path / "bundle", at_predict=f"print('about to')\n{at_predict}")

    message = failure(bundle)

    assert message.startswith(f"the release's worker {how}")
    assert last in message


@pytest.mark.parametrize(
    ("at_predict", "is_sent"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", True),
        ("os.kill(os.getpid(), signal.SIGTERM)", True),
        ("time.sleep(1000)", True),
        ("raise KeyboardInterrupt", False),
        ("import faulthandler; faulthandler._sigsegv()", False),
        ("os._exit(3)", False),
        ("raise MemoryError", False),
    ],
)
def test_what_the_code_did_itself_is_told_from_what_was_done_to_its_worker(
    tmp_path: Path, at_predict: str, is_sent: bool
) -> None:
    bundle = a_release(tmp_path / "bundle", at_predict=at_predict)

    raised = fault(bundle, timeout_s=1.5 if "sleep" in at_predict else 60.0)

    assert isinstance(raised, WorkerKilledError) == is_sent
    assert ("run it again" in str(raised)) == is_sent


def test_code_that_hangs_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    at_predict = "print('asleep', flush=True)\ntime.sleep(1000)"
    bundle = a_release(tmp_path / "bundle", at_predict=at_predict)
    before = children(os.getpid())

    message = failure(bundle, timeout_s=1.5)

    assert "did not answer in 1.5 s and was killed" in message
    assert message.endswith("  | asleep")
    assert children(os.getpid()) == before


def test_a_worker_that_is_gone_answers_no_more(tmp_path: Path) -> None:
    bundle = a_release(tmp_path / "bundle", at_predict="os._exit(3)")

    with worker_of(bundle) as worker:
        for _ in range(3):
            with pytest.raises(WorkerError, match="ended with exit code 3"):
                worker.predict([{"x": 1.0}])


def test_a_worker_killed_from_outside_amid_a_score_is_a_fault(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    at_predict = f"print(os.getpid(), file=open({str(pid)!r}, 'w'), flush=True)\ntime.sleep(1000)"
    bundle = a_release(tmp_path / "bundle", at_predict=at_predict)
    source = a_file(tmp_path / "data.arrow", [1.0])
    killing = f"while [ ! -s {pid} ]; do sleep 0.01; done; kill -KILL $(cat {pid})"

    with (
        subprocess.Popen(["/bin/sh", "-c", killing]),
        worker_of(bundle) as worker,
        pytest.raises(WorkerKilledError, match=r"was killed \(SIGKILL.*run it again"),
    ):
        worker.score(source)


@pytest.mark.parametrize(
    ("at_import", "error", "message"),
    [
        ("os._exit(7)", WorkerError, "ended with exit code 7"),
        (
            "raise ValueError('no luck')",
            ModelError,
            "src/model.py, line 7, of the release's code raised ValueError: no luck",
        ),
        ("def (", ModelError, "src/model.py, line 7, of the release's code raised SyntaxError"),
        ("np.no_such_name", ModelError, "line 7, of the release's code raised AttributeError"),
        ("import no_such_module", ModelError, "needs the module 'no_such_module'"),
        ("sys.exit(0)", ModelError, "SystemExit"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_a_fault_that_says_why(
    tmp_path: Path, at_import: str, error: type[Exception], message: str
) -> None:
    bundle = a_release(tmp_path / "bundle", at_import=at_import)
    before = children(os.getpid())

    with pytest.raises(error) as caught, worker_of(bundle):
        pass

    assert message in str(caught.value)
    assert children(os.getpid()) == before


def test_a_model_that_takes_too_long_to_load_is_given_up(tmp_path: Path) -> None:
    bundle = a_release(tmp_path / "bundle", at_import="time.sleep(1000)")
    before = children(os.getpid())

    with (
        pytest.raises(WorkerError, match=r"did not answer in 0\.5 s and was killed"),
        worker_of(bundle, start_timeout_s=0.5),
    ):
        pass

    assert children(os.getpid()) == before


# What is left afterwards


HOLD = """
import sys, time
from pathlib import Path
from triune.adapters.scorer.process import ProcessScorer
with ProcessScorer().start(Path(sys.argv[1]), release=sys.argv[2]) as worker:
    worker.predict([{"x": 1.0}])
    time.sleep(1000)
"""


def writes_pid(path: Path, pid: str = "os.getpid()") -> str:
    return f"print({pid}, file=open({str(path)!r}, 'w'), flush=True)"


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("pass", id="idle"),
        pytest.param("time.sleep(1000)", id="busy"),
        # Not a byte of Python runs until this is done, which it never is.
        pytest.param("import re; re.match('(a+)+$', 'a' * 60 + 'b')", id="in native code"),
    ],
)
def test_a_worker_and_what_it_started_end_with_a_process_that_is_killed(
    tmp_path: Path, then: str
) -> None:
    pids = [tmp_path / name for name in ("worker", "child")]
    lines = [
        "child = subprocess.Popen(['sleep', '1000'])",
        writes_pid(pids[0]),
        writes_pid(pids[1], "child.pid"),
        then,
    ]
    bundle = a_release(tmp_path / "bundle", at_predict="\n".join(lines))
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    command = [sys.executable, "-c", HOLD, str(bundle.folder), bundle.release]
    with subprocess.Popen(command, env=environment) as holder:
        started = [written_pid(path) for path in pids]
        assert all(is_alive(pid) for pid in started)

        holder.kill()

    wait_until(lambda: not any(is_alive(pid) for pid in started))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_worker_whose_launcher_is_gone_already_executes_nothing(
    trap: ABundle, marker: Path
) -> None:
    ours, theirs = socket.socketpair()
    held, lifeline = socket.socketpair()
    command = worker_command(
        python=sys.executable,
        bundle=str(trap.folder),
        manifest=trap.release,
        connection=theirs.fileno(),
        lifeline=lifeline.fileno(),
    )
    ours.close()
    held.close()

    with theirs, lifeline:
        finished = subprocess.run(
            command,
            pass_fds=(theirs.fileno(), lifeline.fileno()),
            start_new_session=True,
            check=False,
        )

    assert finished.returncode == -signal.SIGKILL
    assert not marker.exists()


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("child = subprocess.Popen(['sleep', '1000']).pid", id="another program"),
        # It holds the worker's end of the line open.
        pytest.param("child = os.fork() or time.sleep(1000)", id="a fork"),
    ],
)
@pytest.mark.parametrize("end", ["pass", "os._exit(7)"])
def test_what_a_release_started_ends_with_its_worker(tmp_path: Path, start: str, end: str) -> None:
    at_predict = f"{start}\n{writes_pid(tmp_path / 'pid', 'child')}\n{end}"
    bundle = a_release(tmp_path / "bundle", at_predict=at_predict)

    with worker_of(bundle) as worker:
        if end == "pass":
            worker.predict([{"x": 1.0}])
        else:
            with pytest.raises(WorkerError, match="ended with exit code 7"):
                worker.predict([{"x": 1.0}])
        child = written_pid(tmp_path / "pid")
        assert is_alive(child)

    wait_until(lambda: not is_alive(child))


def test_nothing_is_left_of_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    sound = a_release(tmp_path / "sound")
    raising = a_release(tmp_path / "raising", at_import="raise ValueError")
    source = a_file(tmp_path / "data.arrow", [1.0])
    before = open_descriptors(), files_in(tmp_path), children(os.getpid())

    with worker_of(sound) as worker:
        worker.score(source)
    with pytest.raises(ModelError), worker_of(raising):
        pass
    with pytest.raises(ZeroDivisionError), worker_of(sound):
        raise ZeroDivisionError

    assert (open_descriptors(), files_in(tmp_path), children(os.getpid())) == before
    assert list(temporary.iterdir()) == []


def test_ctrl_c_goes_to_whoever_asked_and_ends_the_worker(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    at_predict = f"{writes_pid(pid)}\ntime.sleep(1000)"
    bundle = a_release(tmp_path / "bundle", at_predict=at_predict)
    interrupting = f"while [ ! -s {pid} ]; do sleep 0.01; done; kill -INT {os.getpid()}"

    with (
        subprocess.Popen(["/bin/sh", "-c", interrupting]),
        pytest.raises(KeyboardInterrupt),
        worker_of(bundle) as worker,
    ):
        worker.predict([{"x": 1.0}])

    assert not is_alive(written_pid(pid))


# What is kept


def counted(folder: Path) -> ABundle:
    """Lay out a release that adds a line to a file for each file that it scores."""
    count = folder.with_suffix(".count")
    return a_release(folder, at_predict=f"print(len(frame), file=open({str(count)!r}, 'a'))")


def counts(bundle: ABundle) -> list[str]:
    return bundle.folder.with_suffix(".count").read_text().split()


def test_a_dataset_is_scored_once_by_each_release(tmp_path: Path) -> None:
    scorer = ProcessScorer(tmp_path / "cache")
    bundle = counted(tmp_path / "bundle")
    source = a_file(tmp_path / "data.arrow", [0.5, -0.5])

    with scorer.start(bundle.folder, release=bundle.release) as worker:
        first = worker.score(source, dataset="d1")
        again = worker.score(source, dataset="d1")
        worker.score(source, dataset="d2")

    assert counts(bundle) == ["2", "2"]
    assert again.labels.tolist() == first.labels.tolist() == [1, 0]
    assert again.probabilities is not None
    assert first.probabilities is not None
    assert again.probabilities.tolist() == first.probabilities.tolist()


def test_what_was_scored_is_recalled_without_starting_anything(tmp_path: Path) -> None:
    bundle = counted(tmp_path / "bundle")
    source = a_file(tmp_path / "data.arrow", [0.5, -0.5])
    with ProcessScorer(tmp_path / "cache").start(bundle.folder, release=bundle.release) as worker:
        worker.score(source, dataset="d1")
    shutil.rmtree(bundle.folder)
    scorer = ProcessScorer(tmp_path / "cache")

    recalled = scorer.recall(release=bundle.release, dataset="d1")

    assert recalled is not None
    assert recalled.labels.tolist() == [1, 0]
    assert scorer.recall(release=bundle.release, dataset="d2") is None
    assert scorer.recall(release="0" * 64, dataset="d1") is None


def test_a_damaged_file_of_the_cache_is_scored_again(tmp_path: Path) -> None:
    scorer = ProcessScorer(tmp_path / "cache")
    bundle = counted(tmp_path / "bundle")
    source = a_file(tmp_path / "data.arrow", [0.5, -0.5])

    with scorer.start(bundle.folder, release=bundle.release) as worker:
        worker.score(source, dataset="d1")
        (kept,) = files_in(tmp_path / "cache")
        content = kept.read_bytes()
        kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        predictions = worker.score(source, dataset="d1")

    assert counts(bundle) == ["2", "2"]
    assert predictions.labels.tolist() == [1, 0]
    assert kept.read_bytes() == content


def test_what_failed_is_not_kept(tmp_path: Path) -> None:
    scorer = ProcessScorer(tmp_path / "cache")
    bundle = a_release(tmp_path / "bundle", at_predict="raise ValueError")

    with scorer.start(bundle.folder, release=bundle.release) as worker, pytest.raises(WorkerError):
        worker.score(a_file(tmp_path / "data.arrow", [0.5]), dataset="d1")

    assert scorer.recall(release=bundle.release, dataset="d1") is None


# Where it runs


def test_a_worker_finds_its_own_modules_first_and_nothing_of_its_caller_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("working-folder", "python-path"):
        (tmp_path / place).mkdir()
        for name in ("features.py", "json.py", "numpy.py", "sitecustomize.py"):
            (tmp_path / place / name).write_text(f"raise RuntimeError({place!r})\n")
    report = tmp_path / "report"
    code = {
        "src/features.py": "HERE = __file__\n",
        "params.yaml": "slope: 2\n",
        "src/model.py": "import json, os, sys\nimport features\nimport numpy as np\n"
        f"facts = [features.__file__, os.getcwd(), sys.path[:2], open('params.yaml').read()]\n"
        f"json.dump(facts, open({str(report)!r}, 'w'))\n"
        "class Model:\n    classes_ = np.array([0, 1])\n"
        "    def predict(self, frame):\n        return np.zeros(len(frame), int)\n",
    }
    bundle = a_bundle(
        tmp_path / "bundle", model=a_call("src.model:Model"), inputs=INPUTS, code=code
    )
    monkeypatch.chdir(tmp_path / "working-folder")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python-path"))

    with worker_of(bundle):
        facts = json.loads(report.read_text())

    root = bundle.folder / "code"
    assert facts == [
        str(root / "src" / "features.py"),
        str(root),
        [str(root), str(root / "src")],
        "slope: 2\n",
    ]


@pytest.mark.parametrize("place", ["working folder", "PYTHONPATH"])
def test_a_module_that_only_the_caller_has_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "caller").mkdir()
    (tmp_path / "caller" / "elsewhere.py").write_text("Model = dict\n")
    bundle = a_bundle(tmp_path / "bundle", model=a_call("elsewhere:Model"), inputs=INPUTS)
    if place == "PYTHONPATH":
        monkeypatch.setenv(place, str(tmp_path / "caller"))
    else:
        monkeypatch.chdir(tmp_path / "caller")

    with pytest.raises(ModelError, match="needs the module 'elsewhere'"), worker_of(bundle):
        pass


def test_a_release_does_not_see_triune_s_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIUNE_TOKEN", "secret")
    monkeypatch.setenv("MODEL_THREADS", "2")
    report = tmp_path / "report"
    at_import = f"open({str(report)!r}, 'w').write(repr(sorted(os.environ)))"

    with worker_of(a_release(tmp_path / "bundle", at_import=at_import)):
        names = report.read_text()

    assert "'MODEL_THREADS'" in names
    assert "TRIUNE_TOKEN" not in names
