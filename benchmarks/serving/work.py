"""The work that every server is given: rows of a churn pipeline, and the right answers to them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.bundles import ABundle, a_bundle

from triune.adapters.scorer.process import ProcessScorer
from triune.domain.answers import TOLERANCE
from triune.domain.canonical import sha256
from triune.domain.manifest import CompiledRef, Field, FieldType, Outputs

NUMBERS = ("tenure", "monthly", "total", "calls")
WORDS = ("plan", "region", "device")
CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(max_iter=500),
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A fitted pipeline on disk, rows to ask it for, and the chance that it gives each.

    ``compiled`` are champion and candidate once more, compiled to ONNX.
    """

    model: Path
    champion: ABundle
    candidate: ABundle
    compiled: tuple[ABundle, ABundle]
    rows: list[dict[str, Any]]
    chances: list[float]

    def bodies(self, *, batch: int = 1) -> list[bytes]:
        """Write requests: one row each, or lists of so many."""
        if batch == 1:
            return [json.dumps(row).encode() for row in self.rows]
        return [
            json.dumps(self.rows[at : at + batch]).encode()
            for at in range(0, len(self.rows) - batch + 1, batch)
        ]

    def is_right(self, index: int, chance: float) -> bool:
        """Tell whether a chance is the pipeline's for the row with that index.

        A compiled model may be off by as much as the check of its parity allows.
        """
        return abs(chance - self.chances[index]) <= TOLERANCE


def prepare(folder: Path, classifier: str, *, rows: int = 1000) -> Work:
    """Fit a pipeline, save it, and lay it out as two releases."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {name: generator.normal(size=4000).round(6) for name in NUMBERS}
        | {name: generator.choice(list("abcd"), size=4000) for name in WORDS}
    )
    target = (table["tenure"] + generator.normal(size=4000) > 0).astype(int)
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), list(NUMBERS)),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(WORDS)),
        ]
    )
    pipeline = Pipeline([("columns", columns), ("model", CLASSIFIERS[classifier]())])
    pipeline.fit(table, target)
    model = folder / "model.joblib"
    joblib.dump(pipeline, model)
    asked = table[:rows]
    return Work(
        model=model,
        champion=_release(folder / "champion", model.read_bytes(), key="one"),
        candidate=_release(folder / "candidate", model.read_bytes(), key="two"),
        compiled=_compile(folder, model.read_bytes(), table),
        rows=json.loads(asked.to_json(orient="records", double_precision=15)),
        chances=pipeline.predict_proba(asked)[:, 1].tolist(),
    )


def _compile(folder: Path, model: bytes, table: pd.DataFrame) -> tuple[ABundle, ABundle]:
    source = folder / "train.arrow"
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    with pa.OSFile(str(source), "wb") as file, pa.ipc.new_file(file, arrow.schema) as writer:
        writer.write_table(arrow)
    draft = _release(folder / "draft", model, key="draft")
    with ProcessScorer().start(draft.folder, release=draft.release) as worker:
        compiled = worker.compile(source)
    assert not compiled.python
    ref = CompiledRef(
        format="onnx", digest=sha256(compiled.content), compiled=compiled.compiled, python=()
    )
    one, two = (
        _release(folder / f"compiled {key}", model, key=key, compiled=(ref, compiled.content))
        for key in ("one", "two")
    )
    return one, two


def _release(
    folder: Path,
    model: bytes,
    *,
    key: str,
    compiled: tuple[CompiledRef | None, bytes] = (None, b""),
) -> ABundle:
    fields = [Field(name=name, type=FieldType.NUMBER, nullable=False) for name in NUMBERS]
    fields += [Field(name=name, type=FieldType.STRING, nullable=False) for name in WORDS]
    outputs = Outputs(classes=(0, 1), probabilities=True)
    ref, content = compiled
    return a_bundle(
        folder,
        model=model,
        inputs=fields,
        outputs=outputs,
        key=key,
        compiled=ref,
        compiled_content=content,
    )
