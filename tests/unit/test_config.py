"""Reading ``triune.yaml``: what it may say, and how everything wrong with it is told at once."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from triune.config import Settings, read_settings
from triune.config.model import CustomCheckSettings, ExpectationSettings
from triune.domain.errors import ConfigError, Problem

SAMPLE = Path(__file__).parent / "data" / "full_triune.yaml"
HEAD = "version: 1\nproject: churn\n"
DATA = "data: {datasets: {train: data/train.parquet, holdout: data/holdout.parquet}}\n"
SUITE = "data: {datasets: {train: a.csv},\n  suites: {train: "
MODEL = "model: {artifact: models/model.joblib, task: binary, target: churned"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, content: str | bytes) -> Settings:
    path = folder / "triune.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_settings(path)


def problems(folder: Path, content: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(folder, content)
    assert str(refused.value) == "\n".join(str(problem) for problem in refused.value.problems)
    return [str(problem) for problem in refused.value.problems]


def test_the_full_sample_is_read_as_it_is_written() -> None:
    settings = read_settings(SAMPLE)

    assert settings.pipeline == "dvc"
    assert settings.code.checks == ("lint", "types", "tests", "security")
    assert settings.data is not None
    assert settings.data.datasets["production"] == "data/production_snapshot_latest.parquet"
    assert settings.model is not None
    assert settings.model.slices[0].floors == {"roc_auc": 0.74}
    assert settings.model.behaviour[0].set == {"contract_type": "annual"}
    assert list(settings.environments) == ["staging", "production"]
    assert settings.environments["production"].steps == (5, 25, 100)
    assert settings.monitor is not None
    assert settings.monitor.window == timedelta(days=1)
    assert settings.retrain is not None
    assert settings.retrain.schedule == "0 3 * * 1"
    assert settings.retrain.cooldown == timedelta(hours=24)
    assert settings.notify[0].webhook == "${SLACK_URL}"
    assert settings.notify[0].on == ("rolled_back", "awaiting_approval", "drift")


def test_every_key_of_the_sample_is_kept() -> None:
    sample = yaml.safe_load(SAMPLE.read_text(encoding="utf-8").replace(" on:", ' "on":'))

    settings = read_settings(SAMPLE)

    assert settings.model_fields_set == sample.keys()
    dumped = settings.model_dump(mode="json", exclude_unset=True)
    assert dumped.pop("monitor")["window"] == "P1D"
    assert dumped.pop("retrain")["cooldown"] == "P1D"
    assert dumped == {key: sample[key] for key in dumped}


def test_the_shortest_file_takes_the_defaults(folder: Path) -> None:
    settings = read(folder, HEAD)

    assert settings.pipeline == "none"
    assert settings.code.include == ("src",)
    assert settings.runtime.lock == "requirements.lock"
    assert settings.integration.golden == 200
    assert settings.serve.kind == "model"


def test_settings_cannot_be_changed(folder: Path) -> None:
    settings = read(folder, HEAD)

    with pytest.raises(ValueError, match="frozen"):
        settings.project = "other"


def test_unions_are_told_apart_by_their_form(folder: Path) -> None:
    text = (
        "pipeline: {run: make train}\n"
        "code: {checks: [lint, {name: docs, run: make docs, timeout_s: 30}]}\n"
        "serve: {kind: app, app: 'app.main:app', idempotent: [POST /score, /rank]}\n"
    )

    settings = read(folder, HEAD + text)

    assert settings.pipeline != "dvc"
    assert settings.code.checks == (
        "lint",
        CustomCheckSettings(name="docs", run="make docs", timeout_s=30),
    )
    assert settings.serve.kind == "app"


def test_words_that_yaml_once_took_for_booleans_stay_text(folder: Path) -> None:
    text = (
        f"{MODEL}, behaviour: [{{name: Norway, expect: increase, "
        "set: {country: no, since: 2024-01-31, at: 12:30:45, gone: null, n: 007, f: 1e3}, "
        "against: {country: yes, since: 2023-01-31, at: off, gone: 1, n: 1, f: true}}]}\n"
    )

    settings = read(folder, HEAD + DATA + text)

    assert settings.model is not None
    assert settings.model.behaviour[0].set == {
        "country": "no",
        "since": "2024-01-31",
        "at": "12:30:45",
        "gone": None,
        "n": 7,
        "f": 1000.0,
    }
    assert settings.model.behaviour[0].against["country"] == "yes"


def test_aliases_repeat_what_their_anchor_says(folder: Path) -> None:
    text = (
        "environments:\n"
        "  a: {listen: 'h:1', step: &step {min_seconds: 60}}\n"
        "  b: {listen: '[::1]:65535', step: *step}\n"
    )

    settings = read(folder, HEAD + text)

    assert settings.environments["a"].step == settings.environments["b"].step


def test_paths_are_kept_in_their_shortest_form(folder: Path) -> None:
    settings = read(folder, HEAD + "code: {include: [./src/, a//b, ., src/*.py]}\n")

    assert settings.code.include == ("src", "a/b", ".", "src/*.py")


def test_a_byte_order_mark_is_read_over(folder: Path) -> None:
    assert read(folder, b"\xef\xbb\xbf" + HEAD.encode()).project == "churn"


def test_a_problem_names_file_line_key_and_message(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(
            folder,
            f"{HEAD}gate: {{metric: roc_auc}}\n{MODEL}}}\n{DATA}code: {{\n  inclde: [src]}}\n",
        )

    assert refused.value.problems == (
        Problem(
            file="triune.yaml",
            line=7,
            key="code.inclde",
            message="unknown key; did you mean 'include'?",
        ),
    )


def test_everything_wrong_is_told_at_once_in_the_order_of_the_lines(folder: Path) -> None:
    text = (
        "version: 1\n"
        "project: [churn]\n"
        "pipline: dvc\n"
        "project: again\n"
        "data:\n"
        "  datasets:\n"
        "    train: /a\n"
        "  suites: {trian: a.json}\n"
        "model:\n"
        "  task: 1\n"
        "  target: !column churned\n"
        "  key:\n"
        "integration: {golden: 0}\n"
    )

    assert problems(folder, text) == [
        "triune.yaml:2: project: expected text, got a list",
        "triune.yaml:3: pipline: unknown key; did you mean 'pipeline'?",
        "triune.yaml:4: project: said on line 2 already; keep one",
        "triune.yaml:6: data.datasets.holdout: missing; a model needs it",
        "triune.yaml:7: data.datasets.train: '/a' is absolute; give a path relative to triune.yaml",
        "triune.yaml:8: data.suites.trian: there is no dataset 'trian'; did you mean 'train'?",
        "triune.yaml:9: model.artifact: missing",
        "triune.yaml:10: model.task: expected 'binary', 'multiclass' or 'regression', got 1",
        "triune.yaml:11: model.target: the tag !column has no meaning here; remove it",
        "triune.yaml:12: model.key: no value; give one, or remove it",
        "triune.yaml:13: integration.golden: expected at least 1, got 0",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "triune.yaml:1: the file is empty; `triune init` writes one that works"),
        ("# nothing\n\n", "triune.yaml:1: the file is empty; `triune init` writes one that works"),
        ("- a\n", "triune.yaml:1: expected keys and values, such as `version: 1`"),
        ("hello\n", "triune.yaml:1: expected keys and values, such as `version: 1`"),
        (
            "version: 1\nproject: a: b\n",
            "triune.yaml:2: not YAML: mapping values are not allowed here (column 11)",
        ),
        ("version: 1\ncode: [a\n", "triune.yaml:3: not YAML: expected ',' or ']'"),
        ("version: 1\ncode:\n\tlock: a\n", "triune.yaml:3: a tab; indent with spaces (column 1)"),
        (b"version: 1\nproject: \xe9t\xe9\n", "triune.yaml:2: byte 0xe9 is no UTF-8"),
        (HEAD.encode("utf-16"), "triune.yaml:1: byte 0xff is no UTF-8; save the file as UTF-8"),
        ("version: 1\nproject: \x01\n", "triune.yaml:2: a control character, 0x01; remove it"),
        ("a: 1\n---\nb: 1\n", "triune.yaml:2: a second document begins; keep one to a file"),
        (
            HEAD + "retrain: {schedule: * * * * *}\n",
            'triune.yaml:3: not YAML: a plain * begins an alias; quote the value: "* * * * *"',
        ),
        (HEAD + "code: *src\n", "triune.yaml:3: not YAML: a plain * begins an alias"),
        (HEAD + "a: &a [*a]\n", "triune.yaml:3: a[0]: too large for settings"),
        (HEAD + "a: " + "[" * 400 + "]" * 400, "triune.yaml:3: a: unknown key"),
        (HEAD + "a: " + "[" * 5000, "triune.yaml:1: nested too deep to be read"),
        (HEAD + "1: x\n", "triune.yaml:3: a key that is no text; quote it"),
        (HEAD + "? [a]\n: x\n", "triune.yaml:3: a key that is no text; quote it"),
        (
            HEAD + "gate: !!python/object:os.system x\n",
            "triune.yaml:3: gate: the tag tag:yaml.org,2002:python/object:os.system has no",
        ),
        (HEAD + "code:\n", "triune.yaml:3: code: no value; give one, or remove it"),
        (
            HEAD + f"a: {'9' * 5000}\n",
            "triune.yaml:3: a: 99999999999999999999... is too large a number; write a smaller one",
        ),
        (HEAD + "a: -1e999\n", "triune.yaml:3: a: -1e999 is too large a number; write a smaller"),
        (HEAD + "a: !!int ten\n", "triune.yaml:3: a: 'ten' is no int"),
    ],
)
def test_a_file_that_is_no_mapping_of_keys_is_refused_by_its_line(
    folder: Path, content: str | bytes, expected: str
) -> None:
    assert problems(folder, content)[0].startswith(expected)


def test_aliases_cannot_make_a_small_file_endless(folder: Path) -> None:
    lines = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))

    (problem,) = problems(folder, f"{HEAD}a0: &a0 x\n{lines}")

    assert "too large for settings" in problem


@pytest.mark.parametrize(
    ("version", "shown"), [("2", "2"), ("'1'", "'1'"), ("true", "true"), ("1.0", "1.0")]
)
def test_of_another_version_nothing_but_the_version_is_judged(
    folder: Path, version: str, shown: str
) -> None:
    (problem,) = problems(folder, f"version: {version}\nfoo: 1\n")

    assert problem == (
        f"triune.yaml:1: version: {shown} is not known; this Triune reads version 1: "
        "upgrade Triune, or write `version: 1`"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Shape
        ("model: {artifact: a.pkl}\n", "3: model.task: missing"),
        ("foo: 1\n", "3: foo: unknown key; known are version, project, pipeline, code,"),
        ("<app>: 1\n", "3: <app>: unknown key; known are version"),
        ("code: src\n", "3: code: expected a mapping: {key: value}, got 'src'"),
        ("code:\n  include: src\n", "4: code.include: expected a list: [one, two], got 'src'"),
        ("code:\n  include:\n    - src\n    - 3\n", "6: code.include[1]: expected text, got 3; qu"),
        ("code: {include: []}\n", "3: code.include: empty; give at least one, or remove it"),
        ("runtime: {lock: {a: b}}\n", "3: runtime.lock: expected text, got a mapping"),
        ("data: {}\n", "3: data.datasets: missing"),
        (DATA + "model: {behaviour: [x]}\n", "4: model.behaviour[0]: expected a mapping: {key: v"),
        ("data: {datasets: {}}\n", "3: data.datasets: empty; give at least one"),
        (
            "environments: {a: {step: {min_secs: 1}}}\n",
            "3: environments.a.step.min_secs: unknown",
        ),
        ("notify: [{webook: x}]\n", "3: notify[0].webook: unknown key; did you mean 'webhook'?"),
        # Unions
        ("pipeline: dcv\n", "3: pipeline: expected 'dvc' or 'none', or a mapping with `run`, got"),
        ("pipeline: {rn: x}\n", "3: pipeline.rn: unknown key; did you mean 'run'?"),
        ("pipeline: {run: ' '}\n", "3: pipeline.run: expected a command, got ' '"),
        ("code: {checks: [lnt]}\n", "3: code.checks[0]: expected 'lint', 'types', 'tests' or 'se"),
        ("code: {checks: [{name: a, rn: b}]}\n", "3: code.checks[0].rn: unknown key; did you mea"),
        ("serve: {kind: http}\n", "3: serve: expected kind: model, or kind: app"),
        ("serve: {kind: [app]}\n", "3: serve: expected kind: model, or kind: app"),
        ("serve: {kind: app}\n", "3: serve.app: missing"),
        ("serve: {app: 'a:b'}\n", "3: serve.kind: missing"),
        ("serve: {kind: model, app: 'a:b'}\n", "3: serve.app: does not go with this `kind`"),
        ("serve: {kind: app, app: main}\n", "3: serve.app: expected an ASGI app such as app.main"),
        ("serve: {kind: app, app: 'a:b', idempotent: [x]}\n", "3: serve.idempotent[0]: expected a"),
        # Numbers
        ("code: {coverage_min: 101}\n", "3: code.coverage_min: expected at most 100, got 101"),
        ("code: {coverage_min: '80'}\n", "3: code.coverage_min: expected a number, got '80'; take"),
        ("code: {coverage_min: yes}\n", "3: code.coverage_min: expected a number, got 'yes'"),
        ("integration: {golden: 0}\n", "3: integration.golden: expected at least 1, got 0"),
        ("integration: {golden: 1.5}\n", "3: integration.golden: expected a whole number, got 1.5"),
        ("integration: {golden: true}\n", "3: integration.golden: expected a whole number, got tr"),
        ("integration: {contract: on}\n", "3: integration.contract: expected true or false, got "),
        ("monitor: {window: 1d, psi: 0}\n", "3: monitor.psi: expected more than 0, got 0"),
        (
            "monitor: {window: 1d, psi: 1e999}\n",
            "3: monitor.psi: 1e999 is too large a number",
        ),
        ("gate: {metric: ROC}\n", "3: gate.metric: expected the name of a metric such as roc_auc"),
        # Texts of a shape
        ("monitor: {window: 1y}\n", "3: monitor.window: expected a duration such as 90s, 30m, 24h"),
        ("retrain: {cooldown: 24}\n", "3: retrain.cooldown: expected a duration such as 90s, 30m,"),
        ("retrain: {schedule: 0 3 * *}\n", "3: retrain.schedule: expected the five fields of cron"),
        ("retrain: {schedule: 61 * * * *}\n", "3: retrain.schedule: '61' is no minute of cron (0 "),
        ("retrain: {schedule: 0 0 1-x * *}\n", "3: retrain.schedule: '1-x' is no day of the month"),
        ("retrain: {schedule: 0 0 * * */0}\n", "3: retrain.schedule: '*/0' is no day of the week "),
        ("retrain: {schedule: 0 5-3 * * 1}\n", "3: retrain.schedule: '5-3' is no hour of cron (0"),
        ("environments: {a: {listen: 8701}}\n", "3: environments.a.listen: expected text, got 870"),
        ("environments: {a: {listen: 'h:0'}}\n", "3: environments.a.listen: expected host:port s"),
        ("environments: {a: {listen: '::1:80'}}\n", "3: environments.a.listen: expected host:port"),
        ("environments: {a: {listen: ':80'}}\n", "3: environments.a.listen: expected host:port"),
        ("environments: {a: {}}\n", "3: environments.a.listen: missing"),
        ("environments: {'a b': {listen: 'h:1'}}\n", "3: environments.a b: expected a name of let"),
        ("environments: {a: {listen: 'h:1', steps: [5, 25]}}\n", "3: environments.a.steps: expect"),
        ("environments: {a: {listen: 'h:1', steps: [50, 5, 100]}}\n", "3: environments.a.steps: e"),
        ("environments: {a: {listen: 'h:1', steps: [0, 100]}}\n", "3: environments.a.steps: expec"),
        ("notify: [{webhook: slack, on: [drift]}]\n", "3: notify[0].webhook: expected an http(s) "),
        ("notify: [{webhook: 'http://h', on: [drfit]}]\n", "3: notify[0].on[0]: expected 'rolled_"),
        # Paths
        (
            "code: {include: [../other]}\n",
            "3: code.include[0]: '../other' leads out of the project",
        ),
        ("code: {include: [a/../../b]}\n", "3: code.include[0]: 'a/../../b' leads out of the proj"),
        ("code: {include: ['a\\b']}\n", "3: code.include[0]: expected a path with forward slashes"),
        ("code: {include: [~/src]}\n", "3: code.include[0]: '~/src' is absolute; give a path rela"),
        ("code: {include: ['C:/src']}\n", "3: code.include[0]: 'C:/src' is absolute"),
        ("runtime: {lock: ''}\n", "3: runtime.lock: expected a path with forward slashes, got ''"),
        ("data: {datasets: {train: a.xlsx}}\n", "3: data.datasets.train: 'a.xlsx' is no dataset;"),
        (DATA + "model: {artifact: /m.pkl}\n", "4: model.artifact: '/m.pkl' is absolute; give a "),
        (DATA + "model: {artifact: m.h5}\n", "4: model.artifact: .h5 is no format of a model that"),
        (DATA + "model: {artifact: m*.pkl}\n", "4: model.artifact: 'm*.pkl' is a glob; a release"),
        # Keys that bear on each other
        (MODEL + "}\n", "1: data.datasets.train: missing; a model needs it"),
        ("data:\n  suites: {a: b.json}\n", "4: data.suites.a: there is no dataset 'a'"),
        (
            "data: {datasets: {train: a.csv}, skew: {reference: trian, against: [train]}}\n",
            "3: data.skew.reference: there is no dataset 'trian'; did you mean 'train'?",
        ),
        (
            "data: {datasets: {train: a.csv}, skew: {reference: train, against: [live]}}\n",
            "3: data.skew.against[0]: there is no dataset 'live'; there are train",
        ),
        (
            "data: {datasets: {train: a.csv}, skew: {reference: train, against: [train]}}\n",
            "3: data.skew.against[0]: is the reference itself; name another dataset",
        ),
        (
            "data: {datasets: {a: a.csv, b: b.csv},\n  skew: {reference: a, against: [b, b]}}\n",
            "4: data.skew.against[1]: 'b' is there already; keep one",
        ),
        # Expectations
        (SUITE + "[]}}\n", "4: data.suites.train: empty; give at least one, or remove it"),
        (SUITE + "4}}\n", "4: data.suites.train: expected text, or a list of expectations, got 4"),
        (SUITE + "[expect_it]}}\n", "4: data.suites.train[0]: expected a mapping: {key: value}"),
        (SUITE + "[{kwargs: {}}]}}\n", "4: data.suites.train[0].type: missing"),
        (
            SUITE + "[\n  {expectation_type: expect_column_to_exist}]}}\n",
            "5: data.suites.train[0].expectation_type: unknown key",
        ),
        (
            SUITE + "[\n  {type: expect_x},\n  {type: expect_column_to_exist}]}}\n",
            "6: data.suites.train[1]: it lacks 'column'; add what expect_column_to_exist needs",
        ),
        (
            SUITE + "[{type: expect_column_max_to_be_between,\n  kwargs: {column: a, min_value: 2, "
            "max_value: 1}}]}}\n",
            "4: data.suites.train[0]: min_value 2 is greater than max_value 1; exchange them",
        ),
        (
            SUITE + "[{type: expect_column_values_to_match_regex,\n  kwargs: {column: a, "
            "regex: '('}}]}}\n",
            "4: data.suites.train[0]: 'regex' '(' is no regular expression: ",
        ),
        (
            "data: {datasets: {train: a.csv, holdout: a.csv}}\n" + MODEL + "}\n",
            "3: data.datasets.holdout: is the training data; a holdout is never trained on",
        ),
        (DATA + MODEL + ", key: churned}\n", "4: model.key: 'churned' is the model's target alre"),
        (
            DATA + MODEL + ", behaviour: [{name: a, set: {x: 1}, against: {y: 1}, "
            "expect: increase}]}\n",
            "4: model.behaviour[0].against: names other columns than `set`; name the same",
        ),
        (
            DATA
            + MODEL
            + ", behaviour: [{name: a, set: {x: 1}, against: {x: 2}, expect: same}]}\n",
            "4: model.behaviour[0].tolerance: missing; `expect: same` needs it",
        ),
        (
            DATA + MODEL + ", behaviour: [{name: a, set: {x: 1}, against: {x: 2}, "
            "expect: increase, tolerance: 1}]}\n",
            "4: model.behaviour[0].tolerance: goes with `expect: same` only",
        ),
        (
            DATA + MODEL + ", behaviour: [{name: a, set: {x: [1]}, against: {x: 2}, "
            "expect: increase}]}\n",
            "4: model.behaviour[0].set.x: expected one value of a column",
        ),
        (
            DATA + MODEL + ", slices: [{name: a, where: b}, {name: a, where: c}]}\n",
            "4: model.slices[1]: 'a' is there already; give each a name of its own",
        ),
        (
            "environments:\n  a: {listen: 'h:1'}\n  staging: {listen: 'h:2', after: stagin}\n",
            "5: environments.staging.after: there is no environment 'stagin'; did you mean 'stagi",
        ),
        (
            "environments:\n  a: {listen: 'h:1', after: a}\n",
            "4: environments.a.after: 'a' would have to come after itself; one has to be first",
        ),
        (
            "environments:\n  a: {listen: 'h:1'}\n  b: {listen: 'h:1'}\n",
            "5: environments.b.listen: h:1 is where 'a' listens already",
        ),
        ("gate: {metric: roc_auc}\n", "3: gate: there is no `model:` to be gated"),
        (
            f"gate: {{metric: roc_auk}}\n{DATA}{MODEL}}}\n",
            "3: gate.metric: there is no metric 'roc_auk' for binary models; did you mean 'roc_a",
        ),
        (
            f"gate: {{metric: roc_auc}}\n{DATA}{MODEL.replace('binary', 'regression')}}}\n",
            "3: gate.metric: there is no metric 'roc_auc' for regression models; known: mae, r2, ",
        ),
        (
            f"gate: {{metric: roc_auc}}\n{DATA}{MODEL.replace('binary', 'multiclass')}}}\n",
            "3: gate.metric: there is no metric 'roc_auc' for multiclass models; did you mean 'ro",
        ),
        (
            DATA + MODEL + ",\n  floors: {accuracy: 0.5,\n    rmse: 3}}\n",
            "6: model.floors.rmse: there is no metric 'rmse' for binary models",
        ),
        (
            DATA + MODEL + ", slices: [{name: a, where: b},\n{name: b, where: b, floors: "
            "{acuracy: 0.5}}]}\n",
            "5: model.slices[1].floors.acuracy: there is no metric 'acuracy' for binary models; di",
        ),
        (
            f"gate: {{metric: ROC}}\n{DATA}{MODEL}}}\n",
            "3: gate.metric: expected the name of a metric such as roc_auc",
        ),
        (
            "environments:\n  a:\n    listen: 'h:1'\n    strategy: instant\n    steps: [100]\n",
            "7: environments.a.steps: instant takes all traffic at once; remove them",
        ),
        (
            "environments:\n  a: {listen: 'h:1', strategy: blue_green, steps: [5, 100]}\n",
            "4: environments.a.steps: blue_green takes all traffic at once; remove them",
        ),
        (
            "environments:\n  a:\n    step: {bake_seconds: 1,\n      deadline_seconds: 300}\n",
            "6: environments.a.step.deadline_seconds: a step lasts 300 s at least (min_seconds)",
        ),
        (
            "environments:\n  a:\n    listen: 'h:1'\n    step:\n      bake_seconds: 7200\n",
            "7: environments.a.step.bake_seconds: a step lasts 7200 s at least (bake_seconds)",
        ),
        (
            "environments: {a: {listen: 'h:1', analysis: {slo: {error_rate: 0.2}}}}\n",
            "3: environments.a.analysis.slo.error_rate: 0.2 is no objective",
        ),
        (
            "environments: {a: {listen: 'h:1', analysis: {slo: {error_rate: 0}}}}\n",
            "3: environments.a.analysis.slo.error_rate: 0 is no objective",
        ),
    ],
)
def test_a_wrong_value_is_told_by_its_line_and_key(folder: Path, text: str, expected: str) -> None:
    assert any(each.startswith(f"triune.yaml:{expected}") for each in problems(folder, HEAD + text))


def test_what_an_expectation_is_given_may_be_anything(folder: Path) -> None:
    given = "[{type: expect_it, kwargs: {a: null, b: [1, [x, null]], 'a b': {c: true}}}]}}\n"

    settings = read(folder, HEAD + SUITE + given)

    assert settings.data is not None
    held = settings.data.suites["train"][0]
    assert isinstance(held, ExpectationSettings)
    assert held.kwargs == {"a": None, "b": (1, ("x", None)), "a b": {"c": True}}


def test_a_list_of_wrong_items_is_not_also_told_to_be_empty(folder: Path) -> None:
    (problem,) = problems(folder, f"{HEAD}notify: [{{webhook: 'http://h', on: [drfit]}}]\n")

    assert problem.endswith("got 'drfit'; did you mean 'drift'?")


@pytest.mark.parametrize(
    "environment",
    [
        "strategy: rolling, steps: [50, 100]",
        "step: {min_seconds: 0, bake_seconds: 0, deadline_seconds: 1}",
        "analysis: {slo: {error_rate: 0.19}}",
    ],
)
def test_what_a_rollout_can_do_is_no_problem(folder: Path, environment: str) -> None:
    text = f"{HEAD}environments: {{a: {{listen: 'h:1', {environment}}}}}\n"

    assert list(read(folder, text).environments) == ["a"]


def test_environments_that_wait_for_each_other_are_each_told(folder: Path) -> None:
    text = (
        "environments:\n"
        "  a: {listen: 'h:1', after: b}\n"
        "  b: {listen: 'h:2', after: a}\n"
        "  c: {listen: 'h:3', after: a}\n"
    )

    assert [each.split(" ", 2)[1] for each in problems(folder, HEAD + text)] == [
        "environments.a.after:",
        "environments.b.after:",
    ]


@pytest.mark.parametrize(
    "schedule", ["*/15 * * * *", "0 3 * * mon-fri", "5,35 0-6/2 1 JAN,7 7", "59 23 31 12 sun"]
)
def test_a_schedule_is_what_cron_reads(folder: Path, schedule: str) -> None:
    settings = read(folder, f'{HEAD}retrain: {{schedule: "{schedule}"}}\n')

    assert settings.retrain is not None
    assert settings.retrain.schedule == schedule


def test_a_schedule_of_thousands_of_digits_is_refused_as_any_other(folder: Path) -> None:
    for schedule in ("{} * * * *", "*/{} * * * *"):
        text = f'retrain: {{schedule: "{schedule.format("9" * 5000)}"}}\n'

        assert "is no minute of cron (0 to 59)" in problems(folder, HEAD + text)[0]


def test_a_long_value_is_shown_by_its_beginning(folder: Path) -> None:
    (problem,) = problems(folder, f"{HEAD}pipeline: {'x' * 500}\n")

    assert len(problem) < 200


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*triune\.yaml: No such file") as refused:
        read_settings(folder / "triune.yaml")

    assert refused.value.problems == ()
