"""What `triune release diff` says: nothing that differs in the manifest is silent."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.duckdb import DuckDbEngine
from triune.adapters.memory import MemoryArtifactStore
from triune.adapters.scratch import LockedScratch
from triune.cli.release_diff import describe_changes
from triune.domain.comparison import differing_parts
from triune.domain.manifest import (
    CompiledRef,
    DatasetRef,
    Field,
    FieldType,
    FileRef,
    Manifest,
    ModelRef,
    Outputs,
    Runtime,
    Signature,
    Tree,
)
from triune.domain.projection import ReleaseRecord
from triune.operations.comparing import ReleaseChanges, compare_releases
from triune.operations.context import Context

ROWS = b"pages,device\n1,phone\n2,desktop\n"
GOLDEN = b'{"pages":1}\n{"pages":2}\n'
LOCK = b"numpy==2.0.0\nscipy==1.13.0\n"

Edit = Callable[["Bench", Manifest], Manifest]


@dataclass(frozen=True)
class Bench:
    """A store to cut manifests into, and a context to compare them in."""

    context: Context

    def blob(self, content: bytes) -> str:
        return self.context.store.put(content).digest

    def tree(self, **files: bytes) -> str:
        refs = [
            FileRef(path=path, digest=self.blob(content), size=len(content))
            for path, content in files.items()
        ]
        return self.blob(Tree(files=tuple(refs)).content)

    def manifest(self) -> Manifest:
        return Manifest(
            code=self.tree(a=b"1", b=b"2"),
            tests=self.tree(test=b"1"),
            datasets={"train": DatasetRef(format="csv", digest=self.tree(rows=ROWS))},
            model=ModelRef(
                format="joblib",
                path="models/model.joblib",
                digest=self.tree(model=b"1"),
                task="binary",
                target="clicked",
                key="visit",
                time=None,
            ),
            golden=self.blob(GOLDEN),
            signature=Signature(
                inputs=(
                    Field(name="pages", type=FieldType.INTEGER, nullable=False),
                    Field(name="device", type=FieldType.STRING, nullable=False, categories=("a",)),
                ),
                outputs=Outputs(classes=(0, 1), probabilities=True),
            ),
            runtime=Runtime(python="3.11", platform="linux", lock=self.blob(LOCK)),
            serve={"batch": 8},
            drift=self.blob(b"{}"),
        )

    def compare(
        self, before: Manifest, after: Manifest, *, answers: tuple[str, str] | None = None
    ) -> ReleaseChanges:
        old, new = (
            ReleaseRecord(
                id=self.blob(manifest.content),
                project="visits",
                cut_at="2026-01-01T00:00:00+00:00",
                commit="0" * 40,
                dirty=False,
                repository="",
                authors=(),
                hardware="",
                answers=self.blob(said.encode()) if said else None,
            )
            for manifest, said in zip((before, after), answers or ("", ""), strict=True)
        )
        return compare_releases(self.context, old, new)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    there: dict[str, Any] = {field.name: None for field in fields(Context)}
    there |= {
        "store": MemoryArtifactStore(),
        "data": DuckDbEngine(),
        "scratch": LockedScratch(tmp_path / "scratch"),
    }
    return Bench(context=Context(**there))


def model(**values: Any) -> Edit:
    return lambda _, old: replace(old, model=old.model and replace(old.model, **values))


def runtime(**values: Any) -> Edit:
    return lambda _, old: replace(old, runtime=replace(old.runtime, **values))


def device(**values: Any) -> Edit:
    def edit(_: Bench, old: Manifest) -> Manifest:
        assert old.signature
        pages, field = old.signature.inputs
        inputs = (pages, replace(field, **values))
        return replace(old, signature=replace(old.signature, inputs=inputs))

    return edit


def outputs(**values: Any) -> Edit:
    return lambda _, old: replace(
        old,
        signature=old.signature
        and replace(old.signature, outputs=replace(old.signature.outputs, **values)),
    )


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"pages": [1, 2], "device": ["phone", "desktop"]}), sink)
    return sink.getvalue().to_pybytes()


def train(rows: bytes, format: str = "csv") -> Edit:
    return lambda bench, old: replace(
        old, datasets={"train": DatasetRef(format=format, digest=bench.tree(rows=rows))}
    )


def turn_inputs(_: Bench, old: Manifest) -> Manifest:
    assert old.signature
    return replace(old, signature=replace(old.signature, inputs=old.signature.inputs[::-1]))


EDITS: dict[str, tuple[Edit, str]] = {
    "code": (
        lambda bench, old: replace(old, code=bench.tree(a=b"1", b=b"3")),
        "code: b changed",
    ),
    "code, listed otherwise": (
        lambda bench, old: replace(old, code=bench.tree(b=b"2", a=b"1")),
        "code: written otherwise in the manifest, to the same effect",
    ),
    "tests": (lambda _, old: replace(old, tests=None), "tests: test removed"),
    "datasets": (lambda _, old: replace(old, datasets={}), "data: train removed (was csv)"),
    "datasets.format": (
        train(parquet(), "parquet"),
        "data: train csv -> parquet",
    ),
    "datasets.digest": (
        train(ROWS + b"3,phone\n"),
        "data: train: 1 rows added, 0 removed (2 -> 3)",
    ),
    "datasets, order of rows": (
        train(b"pages,device\n2,desktop\n1,phone\n"),
        "data: train: 0 rows added, 0 removed (2 -> 2), so the rows are the same",
    ),
    "datasets, order of columns": (
        train(b"device,pages\nphone,1\ndesktop,2\n"),
        "data: train: rows changed",
    ),
    "model": (
        lambda _, old: replace(old, model=None),
        "model: format removed (was joblib)",
    ),
    "model.format": (model(format="pickle"), "model: format joblib -> pickle"),
    "model.path": (model(path="m.joblib"), "model: path models/model.joblib -> m.joblib"),
    "model.digest": (
        lambda bench, old: model(digest=bench.tree(model=b"2"))(bench, old),
        "model: model changed",
    ),
    "model.task": (model(task="multiclass"), "model: task binary -> multiclass"),
    "model.target": (model(target="left"), "model: target clicked -> left"),
    "model.key": (model(key=None), "model: key removed (was visit)"),
    "model.time": (model(time="at"), "model: time added: at"),
    "model.compiled": (
        lambda bench, old: model(
            compiled=CompiledRef(
                format="onnx", digest=bench.blob(b"graph"), compiled=("scale", "model")
            )
        )(bench, old),
        "model: compiled added: onnx of scale, model (",
    ),
    "golden": (lambda _, old: replace(old, golden=None), "golden requests: 0 added, 2 removed"),
    "golden, a line": (
        lambda bench, old: replace(old, golden=bench.blob(GOLDEN + b'{"pages":3}\n')),
        "golden requests: 1 added, 0 removed (2 -> 3)",
    ),
    "golden, order": (
        lambda bench, old: replace(old, golden=bench.blob(b'{"pages":2}\n{"pages":1}\n')),
        "golden requests: the same ones, in another order",
    ),
    "signature": (
        lambda _, old: replace(old, signature=None),
        "model: classes removed (was 0, 1)",
    ),
    "signature.inputs": (turn_inputs, "model: order of inputs pages, device -> device, pages"),
    "inputs.name": (device(name="phone"), "model: input phone added: string of ['a']"),
    "inputs.type": (device(type=None), "model: input device string of ['a'] -> no value of"),
    "inputs.nullable": (device(nullable=True), "model: input device string of ['a'] -> string? of"),
    "inputs.categories": (device(categories=("b",)), "model: input device string of ['a'] -> "),
    "inputs.ordered": (device(ordered=True), "-> string in order of ['a']"),
    "inputs.zone": (device(zone="UTC"), "-> string of ['a'] in UTC"),
    "signature.outputs": (outputs(classes=(0, 2)), "model: classes 0, 1 -> 0, 2"),
    "outputs.classes": (outputs(classes=(False, True)), "model: classes 0, 1 -> False, True"),
    "outputs.probabilities": (
        outputs(probabilities=False),
        "model: gives probabilities True -> False",
    ),
    "runtime": (runtime(python="3.12", platform="mac"), "runtime: platform linux -> mac"),
    "runtime.python": (runtime(python="3.12"), "runtime: python 3.11 -> 3.12"),
    "runtime.platform": (runtime(platform="mac"), "runtime: platform linux -> mac"),
    "runtime.lock": (
        lambda bench, old: runtime(lock=bench.blob(LOCK.replace(b"1.13", b"1.14")))(bench, old),
        "runtime: scipy 1.13.0 -> 1.14.0",
    ),
    "runtime.lock, a comment": (
        lambda bench, old: runtime(lock=bench.blob(LOCK + b"# why\n"))(bench, old),
        "runtime: lines of the lock: 1 added, 0 removed (2 -> 3)",
    ),
    "runtime.lock, order": (
        lambda bench, old: runtime(lock=bench.blob(b"scipy==1.13.0\nnumpy==2.0.0\n"))(bench, old),
        "runtime: lines of the lock: the same ones, in another order",
    ),
    "drift": (
        lambda bench, old: replace(old, drift=bench.blob(b"[]")),
        "drift profile: the training data is distributed otherwise",
    ),
    "serve": (lambda _, old: replace(old, serve={"batch": 9}), "serve: batch 8 -> 9"),
    "serve, a kind": (
        lambda _, old: replace(old, serve={"batch": 8, "warm": None}),
        "serve: warm added: None",
    ),
}


@pytest.mark.parametrize("edited", EDITS)
def test_two_manifests_with_different_ids_never_give_an_empty_diff(
    bench: Bench, edited: str
) -> None:
    edit, said = EDITS[edited]
    before = bench.manifest()
    after = edit(bench, before)
    assert before.release_id != after.release_id

    there, back = bench.compare(before, after), bench.compare(after, before)

    assert there.parts == back.parts != ()
    lines = describe_changes(there)[1:]
    assert any(said in line for line in lines), lines
    assert describe_changes(back)[1:]
    assert json.dumps(asdict(there)) != json.dumps(asdict(bench.compare(before, before)))


def test_each_field_of_the_manifest_is_changed_here(bench: Bench) -> None:
    manifest = bench.manifest()
    assert manifest.model
    assert manifest.signature
    names = {field.name for field in fields(manifest)}
    for owner, value in (
        ("model", manifest.model),
        ("signature", manifest.signature),
        ("runtime", manifest.runtime),
        ("inputs", manifest.signature.inputs[0]),
        ("outputs", manifest.signature.outputs),
        ("datasets", manifest.datasets["train"]),
    ):
        assert is_dataclass(value)
        names |= {f"{owner}.{field.name}" for field in fields(value)}

    assert names <= EDITS.keys()


def test_a_part_that_nothing_else_describes_is_named_all_the_same(bench: Bench) -> None:
    same = bench.compare(bench.manifest(), bench.manifest())

    lines = describe_changes(replace(same, parts=("serve", "something new")))

    assert lines[1:] == [
        "serve: written otherwise in the manifest, to the same effect",
        "something new: written otherwise in the manifest, to the same effect",
    ]


def test_a_manifest_does_not_differ_from_itself(bench: Bench) -> None:
    manifest = bench.manifest()

    assert differing_parts(manifest, manifest) == ()
    assert describe_changes(bench.compare(manifest, manifest))[1:] == []


def test_golden_answers_of_a_regression_are_told_by_their_gap(bench: Bench) -> None:
    manifest = outputs(classes=(), probabilities=False)(
        bench, model(task="regression")(bench, bench.manifest())
    )
    answers = (
        '{"prediction":10.0}\n{"prediction":2.0}\n',
        '{"prediction":13.5}\n{"prediction":2}\n',
    )

    changes = bench.compare(manifest, manifest, answers=answers)

    assert "model: 1 of 2 golden answers differ, by at most 3.5" in describe_changes(changes)


def test_golden_answers_of_many_classes_are_told_by_label_and_gap(bench: Bench) -> None:
    manifest = outputs(classes=("a", "b", "c"))(bench, bench.manifest())
    answers = (
        '{"prediction":"a","probabilities":{"a":0.5,"b":0.25,"c":0.25}}\n',
        '{"prediction":"b","probabilities":{"a":0.25,"b":0.75,"c":0.0}}\n',
    )

    lines = describe_changes(bench.compare(manifest, manifest, answers=answers))

    assert lines[1:] == [
        "model: 1 of 1 golden answers differ, by at most 0.5",
        "model: 1 of 1 golden answers have another label",
    ]
