"""The scenes of the demo: a model that gets better, and each way in which a change can be bad.

Each is a commit in the churn project, taken through `triune run`; a bad one is reverted after.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

from triune.cli.demo_canary import play_canaries
from triune.cli.demo_stage import TRIUNE, DemoFailedError, Stage
from triune.cli.demo_steps import (
    FEATURES,
    GATE,
    approve,
    ask,
    let_pass,
    promote,
    see_stopped,
    tell,
)
from triune.domain.release import short

SERVE_DEADLINE_S: Final = 60
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
        first = let_pass(stage, said, "FIRST_RELEASE")
        _predict(stage, first)
        promote(stage, first)
    with stage.scene("better", "gradient boosting instead of a logistic regression") as said:
        stage.edit(PARAMS, "model: logistic", "model: boosting")
        stage.commit("Boost the trees")
        better = let_pass(stage, said, "IMPROVED")
        stage.show("gate", "show", short(better))
        stage.show("release", "diff", short(first), short(better))
        promote(stage, better)
    _play_bad_changes(stage)
    with stage.scene("comment_only", "a comment: the model is what it was, and may ship") as said:
        stage.edit(FEATURES, "def cyclical(", "# Hours and months come round again.\ndef cyclical(")
        stage.commit("Explain cyclical features")
        explained = let_pass(stage, said, "MODEL_UNCHANGED")
        stage.triune("promote", short(explained), "--to", "staging")
    with stage.scene("approval", "production asks for a person's consent") as said:
        rollout = ask(stage, explained)
        approve(stage, rollout)
        said.reason = "APPROVED"
    with stage.scene("undo", "all of it goes back in one move: code, data, model, runtime") as said:
        undone = stage.triune("rollback", "--environment", "production")
        tell(stage, undone)
        if undone["environment"]["champion"] != better:
            raise DemoFailedError("rollback", "production does not serve the release before")
        said.reason = undone["reasons"][0]["code"]
    play_canaries(stage, first=first, better=better)


def _play_bad_changes(stage: Stage) -> None:
    with stage.scene("worse", "fewer trees: a bit worse, and the holdout can tell") as said:
        stage.edit(PARAMS, "trees: 100", "trees: 30")
        stage.commit("Train faster")
        see_stopped(stage, said, layer=GATE)
    with stage.scene("broken_preprocessing", "a feature that is silently the same for all") as said:
        stage.edit(
            FEATURES,
            "features[name] = as_categories(customers[name])",
            "features[name] = as_categories(customers[name].str.strip().map({}))",
        )
        stage.commit("Clean up categories")
        see_stopped(stage, said, layer="model")
    with stage.scene("broken_data", "a delivery of customers whose spend is in cents") as said:
        stage.run_python(DELIVER_CENTS)
        stage.edit(PARAMS, "source: generated", "source: data/delivery.csv")
        stage.commit("Take this month's customers")
        see_stopped(stage, said, layer="data")
    with stage.scene("failing_code", "an hour that no longer meets itself at midnight") as said:
        stage.edit(FEATURES, "np.mod(values, period) / period", "values / (period - 1)")
        stage.commit("Count from 0")
        see_stopped(stage, said, layer="code")
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
        see_stopped(stage, said, layer="integration")


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
