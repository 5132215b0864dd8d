"""Models that are compiled by their own worker, and what their compiled form then answers."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tests.bundles import ABundle, a_bundle, pickled

from triune.adapters.scorer.process import ProcessScorer, ProcessWorker
from triune.domain.canonical import sha256
from triune.domain.errors import ModelError, TamperedError, WorkerError
from triune.domain.manifest import CompiledRef, Field, FieldType, Outputs
from triune.domain.parity import judge_parity
from triune.domain.verdict import Verdict
from triune.ports import Compilation, Predictions

NUMBERS, COUNTS, WORDS = ("tenure", "spend"), ("calls",), ("plan", "region")
ROWS = 3000
INPUTS = (
    Field(name="tenure", type=FieldType.NUMBER, nullable=True),
    Field(name="spend", type=FieldType.NUMBER, nullable=False),
    Field(name="calls", type=FieldType.INTEGER, nullable=True),
    Field(name="plan", type=FieldType.STRING, nullable=False),
    Field(name="region", type=FieldType.STRING, nullable=True),
)


def a_table(*, rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Draw customers; a tenth of some columns is missing."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "tenure": generator.normal(size=rows),
            "spend": generator.normal(size=rows) * 1e4,
            "calls": generator.integers(0, 20, rows).astype(float),
            "plan": generator.choice(list("abcd"), rows),
            "region": generator.choice(["north", "south"], rows),
        }
    )
    for name in ("tenure", "calls", "region"):
        table.loc[generator.random(rows) < 0.1, name] = np.nan
    return table


def labels(table: pd.DataFrame) -> Any:
    chance = np.random.default_rng(1).normal(size=len(table))
    return (table["tenure"].fillna(0) + (table["plan"] == "a") + chance > 0).astype(int)


def columns(numbers: Any = None, words: Any = None) -> ColumnTransformer:
    numbers = numbers or make_pipeline(SimpleImputer(), StandardScaler())
    words = words or OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, [*NUMBERS, *COUNTS]), ("words", words, list(WORDS))]
    )


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model with the folder of a draft, and a file of rows to compile it on."""

    draft: ABundle
    source: Path
    model: bytes
    task: str
    code: dict[str, str]

    def compiled_into(self, folder: Path, compilation: Compilation, outputs: Outputs) -> ABundle:
        return a_bundle(
            folder,
            model=self.model,
            inputs=INPUTS,
            task=self.task,
            code=self.code,
            outputs=outputs,
            compiled=CompiledRef(
                format="onnx",
                digest=sha256(compilation.content),
                compiled=compilation.compiled,
                python=compilation.python,
            ),
            compiled_content=compilation.content,
        )


def fitted(
    folder: Path, model: Any, *, target: Any = None, task: str = "binary", code: Any = None
) -> Fitted:
    table = a_table()
    model.fit(table, labels(table) if target is None else target)
    content, code = pickled(model), code or {}
    draft = a_bundle(folder / "draft", model=content, inputs=INPUTS, task=task, code=code)
    return Fitted(
        draft=draft, source=a_file(folder / "train.arrow", table), model=content, task=task,
        code=code,
    )  # fmt: skip


def a_file(path: Path, table: pd.DataFrame) -> Path:
    """Write rows as Arrow, missing ones as nulls."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, arrow.schema) as writer:
        writer.write_table(arrow)
    return path


@contextmanager
def worker_of(bundle: ABundle) -> Iterator[ProcessWorker]:
    with ProcessScorer().start(bundle.folder, release=bundle.release) as worker:
        yield worker


def compiled(folder: Path, subject: Fitted, holdout: Path) -> tuple[Compilation, Any, Any]:
    """Compile; tell what both forms answer on a holdout."""
    with worker_of(subject.draft) as worker:
        compilation = worker.compile(subject.source)
        outputs, expected = worker.describe(), worker.score(holdout)
    with worker_of(subject.compiled_into(folder / "compiled", compilation, outputs)) as worker:
        return compilation, expected, worker.score(holdout)


def parity(expected: Predictions, found: Predictions) -> Any:
    return judge_parity(
        labels=(expected.labels, found.labels),
        probabilities=(expected.probabilities, found.probabilities),
    )


CLASSIFIERS = {
    "linear": LogisticRegression(max_iter=500),
    "histogram boosting": HistGradientBoostingClassifier(random_state=0),
    "forest": RandomForestClassifier(20, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=30, random_state=0),
    "tree": DecisionTreeClassifier(random_state=0),
    "no probabilities": RidgeClassifier(),
    "bayes": GaussianNB(),
}


OFTEN = ("linear", "histogram boosting", "forest")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in OFTEN else [pytest.mark.slow]) for name in CLASSIFIERS],
)
def test_a_pipeline_that_is_compiled_as_a_whole_answers_each_row_as_the_original_does(
    tmp_path: Path, name: str
) -> None:
    subject = fitted(tmp_path, Pipeline([("columns", columns()), ("model", CLASSIFIERS[name])]))
    holdout = a_table(rows=5000, seed=2)
    holdout.loc[::50, "plan"] = "never seen"

    compilation, expected, found = compiled(
        tmp_path, subject, a_file(tmp_path / "holdout.arrow", holdout)
    )

    assert (compilation.compiled, compilation.python) == (("columns", "model"), ())
    assert parity(expected, found).verdict is Verdict.PASS


def test_a_forest_that_is_undecided_stays_undecided(tmp_path: Path) -> None:
    # Of 20 trees often 10 say yes: where sums are rounded otherwise, half of those rows turn.
    model = Pipeline([("columns", columns()), ("model", RandomForestClassifier(20))])

    _, expected, found = compiled(
        tmp_path, fitted(tmp_path, model), a_file(tmp_path / "h.arrow", a_table(seed=3))
    )

    assert (expected.probabilities[:, 1] == 0.5).any()
    assert (found.labels == expected.labels).all()


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(loss="poisson", random_state=0),
        ExtraTreesRegressor(10, random_state=0),
        LinearRegression(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_regression_is_compiled(tmp_path: Path, model: Any) -> None:
    table = a_table()
    target = table["spend"].abs() * 3 + 1
    subject = fitted(
        tmp_path,
        Pipeline([("columns", columns()), ("model", model)]),
        target=target,
        task="regression",
    )

    compilation, expected, found = compiled(
        tmp_path, subject, a_file(tmp_path / "h.arrow", a_table(seed=4))
    )

    assert not compilation.python
    assert parity(expected, found).verdict is Verdict.PASS


def test_missing_numbers_take_the_branch_that_the_trees_learned_for_them(tmp_path: Path) -> None:
    model = Pipeline(
        [
            ("columns", columns(numbers="passthrough")),
            ("model", HistGradientBoostingClassifier(random_state=0)),
        ]
    )

    compilation, expected, found = compiled(
        tmp_path, fitted(tmp_path, model), a_file(tmp_path / "h.arrow", a_table(seed=5))
    )

    assert not compilation.python
    assert parity(expected, found).verdict is Verdict.PASS


STEP = '''
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

class Logarithms(TransformerMixin, BaseEstimator):
    """Of a class that only the release knows."""

    def fit(self, frame, y=None):
        return self

    def transform(self, frame):
        return frame.assign(spend=np.log1p(frame["spend"].abs()))
'''


def test_a_first_step_of_the_release_stays_in_python_and_the_rest_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_steps.py").write_text(STEP)
    monkeypatch.syspath_prepend(tmp_path)
    from own_steps import Logarithms  # type: ignore[import-not-found]

    model = Pipeline(
        [("logs", Logarithms()), ("columns", columns()), ("model", LogisticRegression())]
    )
    subject = fitted(tmp_path, model, code={"own_steps.py": STEP})

    compilation, expected, found = compiled(
        tmp_path, subject, a_file(tmp_path / "h.arrow", a_table(seed=6))
    )

    assert (compilation.python, compilation.compiled) == (("logs",), ("columns", "model"))
    assert parity(expected, found).verdict is Verdict.PASS


def test_a_step_whose_converter_answers_otherwise_is_left_in_python(tmp_path: Path) -> None:
    # It converts to an encoder that takes an unseen word for a known one instead of raising.
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-7)
    model = Pipeline([("columns", columns(words=words)), ("model", DecisionTreeClassifier())])

    compilation, expected, found = compiled(
        tmp_path, fitted(tmp_path, model), a_file(tmp_path / "h.arrow", a_table(seed=7))
    )

    assert compilation.compiled[-1] == "model"
    assert parity(expected, found).verdict is Verdict.PASS


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = Pipeline([("columns", columns()), ("model", HistGradientBoostingClassifier())])
    subject = fitted(tmp_path, model)

    seen = set()
    for _ in range(2):
        with worker_of(subject.draft) as worker:
            seen.add(worker.compile(subject.source).content)

    assert len(seen) == 1


def test_a_last_step_that_cannot_be_compiled_is_named(tmp_path: Path) -> None:
    code = {"own_models.py": OWN_MODEL}
    (tmp_path / "own_models.py").write_text(OWN_MODEL)
    draft = a_bundle(
        tmp_path / "draft",
        model=b"cown_models\nModel\n(tR.",
        inputs=INPUTS,
        code=code,
    )
    source = a_file(tmp_path / "train.arrow", a_table())

    with worker_of(draft) as worker, pytest.raises(ModelError) as refused:
        worker.compile(source)

    assert "step 'Model' (Model), the last one of the model, cannot be compiled" in str(
        refused.value
    )
    assert "remove `compile` from `model`" in str(refused.value)


OWN_MODEL = """
import numpy as np

class Model:
    classes_ = np.array([0, 1])

    def predict(self, frame):
        return np.zeros(len(frame), dtype=int)
"""


def a_compiled_bundle(folder: Path, model: Any = None) -> ABundle:
    whole = model or Pipeline([("columns", columns()), ("model", LogisticRegression())])
    subject = fitted(folder, whole)
    with worker_of(subject.draft) as worker:
        compilation, outputs = worker.compile(subject.source), worker.describe()
    return subject.compiled_into(folder / "compiled", compilation, outputs)


def test_a_request_to_a_compiled_release_is_answered_as_its_rows_are_scored(
    tmp_path: Path,
) -> None:
    bundle = a_compiled_bundle(tmp_path)
    row = {"tenure": None, "spend": 1.5, "calls": None, "plan": "never seen", "region": None}
    source = a_file(
        tmp_path / "row.arrow",
        pd.DataFrame([row]).astype({"tenure": "float64", "calls": "float64", "region": "str"}),
    )

    with worker_of(bundle) as worker:
        (answer,) = worker.predict([row])
        scored = worker.score(source)

    assert scored.probabilities is not None
    assert answer["probability"] == pytest.approx(scored.probabilities[0, 1], abs=1e-15)


def test_a_compiled_release_still_refuses_what_breaks_the_signature(tmp_path: Path) -> None:
    row = {"tenure": "long", "spend": 1.5, "calls": 2, "plan": "a", "region": None}

    with worker_of(a_compiled_bundle(tmp_path)) as worker, pytest.raises(WorkerError) as refused:
        worker.predict([row])

    assert "tenure" in str(refused.value)


def test_a_release_that_is_wholly_compiled_does_not_unpickle_its_original(tmp_path: Path) -> None:
    subject = fitted(tmp_path, Pipeline([("columns", columns()), ("model", LogisticRegression())]))
    with worker_of(subject.draft) as worker:
        compilation, outputs = worker.compile(subject.source), worker.describe()
    bundle = Fitted(
        draft=subject.draft, source=subject.source, model=pickle.dumps(None), task="binary", code={}
    ).compiled_into(tmp_path / "compiled", compilation, outputs)

    with worker_of(bundle) as worker:
        assert worker.score(subject.source).labels.shape == (ROWS,)


def test_a_compiled_model_that_was_changed_is_refused(tmp_path: Path) -> None:
    bundle = a_compiled_bundle(tmp_path)
    path = bundle.folder / "compiled.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    with pytest.raises(TamperedError, match=r"compiled\.onnx"), worker_of(bundle):
        pass
