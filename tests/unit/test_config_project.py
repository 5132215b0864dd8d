"""Finding a project, refusing what is not built yet, and the schema for editors."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from triune.config import (
    STATE_FOLDER,
    json_schema,
    load_project,
    read_settings,
    require_available,
    require_local,
)
from triune.config.availability import PENDING
from triune.config.document import read_document
from triune.config.schema import known_keys
from triune.domain.errors import ConfigError, NotAvailableYetError
from triune.domain.expectations.suite import Expectation, Suite
from triune.domain.project import (
    BehaviourSpec,
    CodeCheckSpec,
    DatasetSpec,
    EnvironmentSpec,
    ModelSpec,
    PipelineSpec,
    ProjectSpec,
    SkewSpec,
    SliceSpec,
)
from triune.domain.rollout.plan import Approvals, OnDeadline, Pace, Plan, Strategy
from triune.domain.rules import AnalysisRules, GateMode, GateRules

SAMPLE = Path(__file__).parent / "data" / "full_triune.yaml"
AVAILABLE = """\
version: 1
project: churn
pipeline: dvc
code: {include: [src, params.yaml]}
runtime: {lock: locks/linux.lock, on_mismatch: refuse}
data:
  datasets: {train: data/train.parquet, holdout: "data/holdout/*.csv"}
model:
  artifact: models/model.skops
  task: binary
  target: churned
  key: customer_id
  time: observed_at
integration: {golden: 50}
serve: {kind: model, timeout_s: 2}
"""
WITH_CHECKS = """\
version: 1
project: churn
pipeline: none
code:
  checks: [lint, tests, {name: licences, run: make licences, timeout_s: 60}]
  coverage_min: 80
data:
  datasets: {train: data/train.parquet, holdout: data/holdout.parquet}
  suites:
    train: expectations/churn.json
    holdout:
      - {type: expect_column_values_to_be_in_set, kwargs: {column: plan, value_set: [a, [b]]}}
  skew: {reference: train, against: [holdout], psi_max: 0.3}
model:
  artifact: models/model.joblib
  task: binary
  target: churned
  compile: onnx
  floors: {roc_auc: 0.8}
  slices:
    - {name: large, where: seats > 9, min_rows: 40, required: true, floors: {roc_auc: 0.7}}
  behaviour:
    - {name: east is west, set: {region: east}, against: {region: west}, expect: same,
       tolerance: 0.02, at_least: 0.9}
gate: {metric: roc_auc, min_delta: 0.005, mode: non_inferior, strict_delta: true, alpha: 0.01,
       on_retrain: non_inferior, margin: 0.02, max_slice_harm: 0.03, looks: 8, reuse: count}
integration: {tests: tests/integration}
environments:
  staging: {listen: "127.0.0.1:8701", strategy: instant}
  production:
    listen: "127.0.0.1:8702"
    after: staging
    approvals: {required: 2, not_author: true}
    strategy: canary
    steps: [10, 100]
    step: {min_seconds: 60, min_requests: 100, deadline_seconds: 900, on_deadline: roll_back,
           bake_seconds: 30}
    analysis: {alpha: 0.02, slo: {error_rate: 0.01, p99_ms: 200}}
"""


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIUNE_SERVER", raising=False)
    monkeypatch.delenv("TRIUNE_TOKEN", raising=False)


def a_project(folder: Path, content: str = AVAILABLE) -> Path:
    (folder / "triune.yaml").write_text(content, encoding="utf-8")
    return folder


def test_a_project_is_told_in_the_words_of_the_operations(tmp_path: Path) -> None:
    root, spec = load_project(a_project(tmp_path))

    assert root == tmp_path
    assert spec == ProjectSpec(
        name="churn",
        pipeline=PipelineSpec(kind="dvc"),
        include=("src", "params.yaml"),
        lock="locks/linux.lock",
        datasets=(
            DatasetSpec(name="train", path="data/train.parquet", format="parquet"),
            DatasetSpec(name="holdout", path="data/holdout/*.csv", format="csv"),
        ),
        model=ModelSpec(
            artifact="models/model.skops",
            format="skops",
            task="binary",
            target="churned",
            key="customer_id",
            time="observed_at",
        ),
        golden=50,
        serve={"kind": "model", "timeout_s": 2},
    )


def test_what_is_to_be_checked_is_told_too(tmp_path: Path) -> None:
    _, spec = load_project(a_project(tmp_path, WITH_CHECKS))

    assert spec.checks == (
        CodeCheckSpec(name="lint"),
        CodeCheckSpec(name="tests"),
        CodeCheckSpec(name="licences", command="make licences", timeout_s=60),
    )
    assert spec.coverage_min == 80
    assert spec.dataset("train").suite == "expectations/churn.json"
    assert spec.dataset("holdout").suite == Suite(
        name="holdout",
        expectations=(
            Expectation(
                type="expect_column_values_to_be_in_set",
                kwargs={"column": "plan", "value_set": ["a", ["b"]]},
            ),
        ),
    )
    assert spec.problem("data.suites.holdout[0]", "").line == 12
    assert spec.skew == SkewSpec(reference="train", against=("holdout",), psi_max=0.3)
    assert spec.model is not None
    assert spec.model.compile == "onnx"
    assert spec.model.floors == {"roc_auc": 0.8}
    assert spec.model.slices == (
        SliceSpec(
            name="large", where="seats > 9", min_rows=40, required=True, floors={"roc_auc": 0.7}
        ),
    )
    assert spec.model.behaviour == (
        BehaviourSpec(
            name="east is west",
            set={"region": "east"},
            against={"region": "west"},
            expect="same",
            tolerance=0.02,
            at_least=0.9,
        ),
    )
    assert spec.integration_tests == "tests/integration"


def test_what_the_gate_asks_is_told(tmp_path: Path) -> None:
    _, spec = load_project(a_project(tmp_path, WITH_CHECKS))

    assert spec.gate == GateRules(
        metric="roc_auc",
        mode=GateMode.NON_INFERIOR,
        min_delta=0.005,
        strict_delta=True,
        margin=0.02,
        max_slice_harm=0.03,
        looks=8,
        alpha=0.01,
    )


def test_environments_are_told_in_their_order_with_what_rolls_a_release_out(
    tmp_path: Path,
) -> None:
    _, spec = load_project(a_project(tmp_path, WITH_CHECKS))

    staging, production = spec.environments
    assert staging == EnvironmentSpec(
        name="staging", listen="127.0.0.1:8701", plan=Plan.of(Strategy.INSTANT)
    )
    assert (production.name, production.after) == ("production", "staging")
    assert production.plan == Plan.of(
        Strategy.CANARY,
        steps_pct=(10, 100),
        approvals=Approvals(required=2, not_author=True),
        pace=Pace(
            min_seconds=60,
            min_requests=100,
            deadline_seconds=900,
            on_deadline=OnDeadline.ROLL_BACK,
            bake_seconds=30,
        ),
    )
    assert production.analysis == AnalysisRules(alpha=0.02, error_budget=0.01, p99_s=0.2)


@pytest.mark.parametrize(
    ("said", "steps"),
    [
        ("replicas: 4", [25, 50, 75, 100]),
        ("replicas: 1", [20, 40, 60, 80, 100]),
        ("replicas: 4, steps: [10, 100]", [10, 100]),
    ],
)
def test_rolling_goes_up_by_the_traffic_of_one_replica(
    tmp_path: Path, said: str, steps: list[float]
) -> None:
    environments = f"environments: {{live: {{listen: '127.0.0.1:1', strategy: rolling, {said}}}}}"

    _, spec = load_project(a_project(tmp_path, f"{AVAILABLE}{environments}\n"))

    assert [step.candidate_pct for step in spec.environments[0].plan.steps] == steps
    assert spec.environments[0].replicas == int(said[10])


def test_a_project_of_code_alone_has_neither_data_nor_model(tmp_path: Path) -> None:
    _, spec = load_project(a_project(tmp_path, "version: 1\nproject: x\npipeline: {run: make}\n"))

    assert spec.pipeline == PipelineSpec(kind="run", command="make")
    assert (spec.datasets, spec.model) == ((), None)


@pytest.mark.parametrize("suffix", ["joblib", "pkl"])
def test_a_pickle_by_either_name_is_read_by_joblib(tmp_path: Path, suffix: str) -> None:
    content = AVAILABLE.replace("model.skops", f"model.{suffix}")

    _, spec = load_project(a_project(tmp_path, content))

    assert spec.model is not None
    assert spec.model.format == "joblib"


def test_a_project_is_found_from_a_folder_inside_of_it(tmp_path: Path) -> None:
    inside = a_project(tmp_path) / "src" / "deep"
    inside.mkdir(parents=True)
    (tmp_path / "src" / "triune.yaml").mkdir()

    root, spec = load_project(inside)

    assert (root, spec.name) == (tmp_path, "churn")


def test_where_there_is_no_project_the_error_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_project(tmp_path)

    assert str(tmp_path) in str(refused.value)
    assert "triune init DIR" in str(refused.value)


def test_the_state_lies_beside_the_settings() -> None:
    assert STATE_FOLDER == ".triune"


@pytest.mark.parametrize("name", ["TRIUNE_SERVER", "TRIUNE_TOKEN"])
def test_a_shared_server_is_refused_and_not_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "https://triune.example")

    with pytest.raises(NotAvailableYetError, match=f"{name} is set, .* not available yet"):
        load_project(a_project(tmp_path))


def test_an_empty_variable_counts_as_unset() -> None:
    require_local({"TRIUNE_SERVER": "", "HOME": "/"})


def test_what_is_not_built_yet_is_refused_by_line_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableYetError) as refused:
        require_available(read_settings(SAMPLE))

    said = str(refused.value).splitlines()
    assert said[0] == (
        "full_triune.yaml:30: integration.contract: not available yet; remove it for now"
    )
    assert len(said) == len(refused.value.problems)


@pytest.mark.parametrize(
    ("replaced", "by", "expected"),
    [
        ("refuse", "build", "5: runtime.on_mismatch: building the runtime is not available yet"),
        ("model.skops", "model.onnx", "9: model.artifact: an ONNX model is not available yet"),
        ("model.skops", "model", "9: model.artifact: an MLflow model folder is not available yet"),
        ("kind: model", "kind: app, app: 'a:b'", "15: serve.kind: serving an app is not available"),
        ("golden: 50", "contract: false", "14: integration.contract: not available yet"),
        ("serve: {kind: model, timeout_s: 2}", "notify: []", "15: notify: not available yet"),
    ],
)
def test_a_value_that_is_not_built_yet_is_refused(
    tmp_path: Path, replaced: str, by: str, expected: str
) -> None:
    with pytest.raises(NotAvailableYetError, match=rf"^triune\.yaml:{re.escape(expected)}"):
        load_project(a_project(tmp_path, AVAILABLE.replace(replaced, by)))


def test_every_key_is_either_available_or_pending(tmp_path: Path) -> None:
    used = {
        key
        for content in (AVAILABLE, WITH_CHECKS)
        for place in read_document(a_project(tmp_path, content) / "triune.yaml").lines
        if (key := ".".join(map(str, place[:2])))
    }
    pending = {entry.key for entry in PENDING}
    of_an_app = {"serve.app", "serve.idempotent"}

    known = set(known_keys(()))
    known |= {f"{top}.{name}" for top in known for name in known_keys((top,))}
    undecided = {key for key in known - used - of_an_app if not pending & {key, key.split(".")[0]}}

    assert undecided == {"pipeline.run"}


def test_every_pending_key_is_a_key() -> None:
    places = [entry.key.split(".") for entry in PENDING]

    assert [place for place in places if place[-1] not in known_keys(tuple(place[:-1]))] == []


def test_the_schema_names_its_dialect_and_refuses_unknown_keys_everywhere() -> None:
    schema = json_schema()

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "triune.yaml"
    assert schema["required"] == ["version", "project"]
    objects = [each for each in _subschemas(schema) if each.get("type") == "object"]
    assert len(objects) > 20
    assert all(each["additionalProperties"] is False for each in objects)


def test_the_schema_describes_every_section_and_key() -> None:
    schema = json_schema()

    for section in (schema, *schema["$defs"].values()):
        assert section["description"].endswith(".")
        for name, key in section["properties"].items():
            assert "$ref" in key or key.get("description", "").endswith("."), name


def test_the_schema_allows_no_null_for_a_key() -> None:
    text = str(json_schema()["$defs"]["ModelSettings"])

    assert "'null'" not in text
    assert "None" not in text


def test_the_full_sample_is_valid_by_the_schema() -> None:
    schema = json_schema()

    assert list(_violations(schema, read_document(SAMPLE).value, schema)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("foo", 1),
        ("project", "a b"),
        ("pipeline", {"rn": "x"}),
        ("serve", {"kind": "http"}),
        ("environments", {"a": {"listen": 1}}),
        ("environments", {"a b": {"listen": "h:1"}}),
        ("monitor", {"window": "1y"}),
        ("code", {"coverage_min": 101}),
        ("code", {"checks": ["lnt"]}),
    ],
)
def test_what_is_refused_is_invalid_by_the_schema(key: str, value: object) -> None:
    schema = json_schema()
    changed = {**read_document(SAMPLE).value, key: value}

    assert list(_violations(schema, changed, schema)) != []


def _subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from _subschemas(each)


TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": tuple,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def _violations(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> Iterator[str]:
    """Judge a value by the part of JSON Schema that ours uses."""
    if "$ref" in schema:
        yield from _violations(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root)
        return
    if "oneOf" in schema:
        valid = [each for each in schema["oneOf"] if not list(_violations(each, value, root))]
        if len(valid) != 1:
            yield f"{value!r} is {len(valid)} of the alternatives"
        return
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[name]) for name in types):
        yield f"{value!r} is none of {types}"
        return
    yield from _violations_of_scalar(schema, value)
    if isinstance(value, tuple):
        for item in value:
            yield from _violations(schema["items"], item, root)
    if isinstance(value, dict):
        yield from _violations_of_object(schema, value, root)


def _violations_of_scalar(schema: dict[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{value!r} does not match"
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{value!r} is not in the list"
    if isinstance(value, int | float) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        yield f"{value!r} is out of range"


def _violations_of_object(
    schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any]
) -> Iterator[str]:
    yield from (f"{name} is missing" for name in schema.get("required", []) if name not in value)
    for name, inner in value.items():
        patterns = schema.get("patternProperties", {})
        described = [
            *([schema["properties"][name]] if name in schema.get("properties", {}) else []),
            *(each for pattern, each in patterns.items() if re.search(pattern, name)),
        ]
        if not described:
            yield f"{name} is unknown"
        for each in described:
            yield from _violations(each, inner, root)
