"""The scenes of the demo: a model that gets better, and each way in which a change can be bad.

Each is a commit in the churn project, taken through `triune run`; a bad one is reverted after.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

from triune.cli.demo_stage import TRIUNE, DemoFailedError, Outcome, Stage
from triune.domain.release import short
from triune.domain.verdict import Verdict

SERVE_DEADLINE_S: Final = 60
GATE: Final = "gate"
FEATURES: Final = "src/features.py"
PARAMS: Final = "params.yaml"

DELIVER_CENTS: Final = """\
import pandas as pd
customers = pd.read_parquet("data/raw.parquet")
customers["monthly_spend"] *= 100
customers.to_csv("data/delivery.csv", index=False)
"""
ENCODED: Final = (
    'features["region_frequency"] = frequency_encode(customers[REGION], self.region_frequency_)'
)
# The tests of the example that see what one row's features owe to the others.
TESTS_IN_THE_WAY: Final = (
    "test_frequencies_come_from_training_whatever_the_batch",
    "test_a_row_of_json_scores_as_in_a_large_batch",
    "test_rows_score_the_same_in_any_order",
)


def play(stage: Stage) -> None:
    """Play all scenes, in their order."""
    with stage.scene("first", "a project, and its first release: nothing to compare with") as said:
        stage.triune("init", "--example", "churn", str(stage.project))
        stage.folder = stage.project
        stage.edit(PARAMS, "customers: 100000", "customers: 85000")
        stage.commit("Generate 85,000 customers, of which more than 20,000 are held out")
        first = _pass(stage, said, "FIRST_RELEASE")
        _predict(stage, first)
        _promote(stage, first)
    with stage.scene("better", "gradient boosting instead of a logistic regression") as said:
        stage.edit(PARAMS, "model: logistic", "model: boosting")
        stage.commit("Boost the trees")
        better = _pass(stage, said, "IMPROVED")
        stage.show("gate", "show", short(better))
        stage.show("release", "diff", short(first), short(better))
        _promote(stage, better)
    _play_bad_changes(stage)
    with stage.scene("comment_only", "a comment: the model is what it was, and may ship") as said:
        stage.edit(FEATURES, "def cyclical(", "# Hours and months come round again.\ndef cyclical(")
        stage.commit("Explain cyclical features")
        explained = _pass(stage, said, "MODEL_UNCHANGED")
        stage.triune("promote", short(explained), "--to", "staging")
    with stage.scene("approval", "production asks for a person's consent") as said:
        rollout = _ask(stage, explained)
        _approve(stage, rollout)
        said.reason = "APPROVED"
    with stage.scene("undo", "all of it goes back in one move: code, data, model, runtime") as said:
        undone = stage.triune("rollback", "--environment", "production")
        _tell(stage, undone)
        if undone["environment"]["champion"] != better:
            raise DemoFailedError("rollback", "production does not serve the release before")
        said.reason = undone["reasons"][0]["code"]


def _play_bad_changes(stage: Stage) -> None:
    with stage.scene("worse", "fewer trees: a bit worse, and the holdout can tell") as said:
        stage.edit(PARAMS, "trees: 100", "trees: 30")
        stage.commit("Train faster")
        _stop(stage, said, layer=GATE)
    with stage.scene("broken_preprocessing", "a feature that is silently the same for all") as said:
        stage.edit(
            FEATURES,
            "features[name] = as_categories(customers[name])",
            "features[name] = as_categories(customers[name].str.strip().map({}))",
        )
        stage.commit("Clean up categories")
        _stop(stage, said, layer="model")
    with stage.scene("broken_data", "a delivery of customers whose spend is in cents") as said:
        stage.run_python(DELIVER_CENTS)
        stage.edit(PARAMS, "source: generated", "source: data/delivery.csv")
        stage.commit("Take this month's customers")
        _stop(stage, said, layer="data")
    with stage.scene("failing_code", "an hour that no longer meets itself at midnight") as said:
        stage.edit(FEATURES, "np.mod(values, period) / period", "values / (period - 1)")
        stage.commit("Count from 0")
        _stop(stage, said, layer="code")
    with stage.scene(
        "batch_dependent", "frequencies of the batch at hand: right on many rows, wrong on one"
    ) as said:
        stage.edit(
            FEATURES,
            ENCODED,
            f"shares = frequencies(customers[REGION])\n        {ENCODED}".replace(
                "self.region_frequency_", "shares"
            ),
        )
        for test in TESTS_IN_THE_WAY:
            stage.edit("tests/code/test_features.py", f"def {test}", f"def _{test}")
        stage.commit("Use fresh frequencies, and switch off the tests in the way")
        _stop(stage, said, layer="integration")


def _pass(stage: Stage, said: Outcome, reason: str) -> str:
    report = _run(stage, Verdict.PASS)
    _tell(stage, report)
    said.layer, said.reason = GATE, report["reasons"][0]["code"]
    if said.reason != reason:
        raise DemoFailedError("run", f"{said.reason} in place of {reason}")
    release_id: str = report["release"]["id"]
    return release_id


def _stop(stage: Stage, said: Outcome, *, layer: str) -> None:
    """Take a bad change through a run, which must stop it at its layer, and take it back."""
    report = _run(stage, Verdict.FAIL, Verdict.INCONCLUSIVE)
    _tell(stage, report)
    said.layer, said.verdict = _stopped_at(report), Verdict(report["verdict"])
    said.reason = report["reasons"][0]["code"]
    if said.layer != layer:
        raise DemoFailedError("run", f"it was stopped at {said.layer} in place of {layer}")
    if report["release"] and said.verdict is Verdict.FAIL:
        refused = stage.triune(
            "promote", short(report["release"]["id"]), "--to", "staging", verdicts=(Verdict.FAIL,)
        )
        _tell(stage, refused)
    stage.revert()


def _run(stage: Stage, *verdicts: Verdict) -> dict[str, Any]:
    report = stage.triune("run", verdicts=verdicts)
    for step in report["steps"]:
        seconds, verdict = step["seconds"], step["verdict"] or "-"
        stage.say(f"  {step['name']:16}{verdict:6}{seconds:6.1f} s  {step['detail']}")
    return report


def _stopped_at(report: dict[str, Any]) -> str:
    for layer in report["layers"]:
        if layer["verdict"] not in {None, Verdict.PASS}:
            name: str = layer["name"]
            return name
    return GATE


def _tell(stage: Stage, document: dict[str, Any]) -> None:
    reason = document["reasons"][0]
    stage.say(f"{document['verdict']}  {reason['code']}: {reason['message']}")


def _promote(stage: Stage, release: str) -> None:
    stage.triune("promote", short(release), "--to", "staging")
    _approve(stage, _ask(stage, release))


def _ask(stage: Stage, release: str) -> str:
    """Ask for production, which must not be had without consent."""
    asked = stage.triune(
        "promote", short(release), "--to", "production", verdicts=(Verdict.INCONCLUSIVE,)
    )
    _tell(stage, asked)
    if asked["environment"]["champion"] == release:
        raise DemoFailedError("promote", "production serves the release without consent")
    rollout: str = asked["rollout"]["id"]
    return rollout


def _approve(stage: Stage, rollout: str) -> None:
    approved = stage.triune("approve", rollout)
    _tell(stage, approved)
    if approved["rollout"]["status"] != "promoted":
        raise DemoFailedError("approve", f"the rollout is {approved['rollout']['status']}")


def _predict(stage: Stage, release: str) -> None:
    arguments = ["serve", short(release), "--port", "0"]
    stage.say(f"\n$ triune {' '.join(arguments)}")
    with stage.process(*TRIUNE, *arguments, "--json") as process:
        url = _read_url(process)
        body = json.dumps(_golden_request(stage.folder, release))
        stage.say(f"\n$ curl {url}/predict -H 'content-type: application/json' -d '{body}'")
        call = Request(  # noqa: S310 - our own server, on loopback
            f"{url}/predict",
            data=body.encode(),
            headers={"content-type": "application/json"},
        )
        # No proxy of the user's has a way to this machine's loopback.
        directly = build_opener(ProxyHandler({}))
        with directly.open(call, timeout=SERVE_DEADLINE_S) as answer:
            stage.say(answer.read().decode().strip())
            stage.say(f"X-Triune-Release: {answer.headers['X-Triune-Release']}")


def _read_url(process: "subprocess.Popen[str]") -> str:
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if line.rstrip() == "}":
            url: str = json.loads("".join(lines))["url"]
            return url
    raise DemoFailedError("serve", "it ended before it answered")


def _golden_request(folder: Path, release: str) -> dict[str, Any]:
    from triune.bootstrap import open_project
    from triune.operations.cutting import load_golden
    from triune.operations.releases import find_release, load_manifest

    with open_project(folder) as context:
        golden = load_manifest(context, find_release(context, release)).golden
        return load_golden(context, golden)[0] if golden else {}
