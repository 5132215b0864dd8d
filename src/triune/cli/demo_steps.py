"""What the scenes of the demo have in common: a change goes through a run, a release into use."""

from typing import Any, Final

from triune.cli.demo_stage import DemoFailedError, Outcome, Stage
from triune.domain.release import short
from triune.domain.verdict import Verdict

GATE: Final = "gate"
FEATURES: Final = "src/features.py"


def let_pass(stage: Stage, said: Outcome, reason: str) -> str:
    """Take a change through a run, which must pass for this reason; return the release."""
    report = _run(stage, Verdict.PASS)
    tell(stage, report)
    said.layer, said.reason = GATE, report["reasons"][0]["code"]
    if said.reason != reason:
        raise DemoFailedError("run", f"{said.reason} in place of {reason}")
    release_id: str = report["release"]["id"]
    return release_id


def see_stopped(stage: Stage, said: Outcome, *, layer: str) -> None:
    """Take a bad change through a run, which must stop it at its layer, and take it back."""
    report = _run(stage, Verdict.FAIL, Verdict.INCONCLUSIVE)
    tell(stage, report)
    said.layer, said.verdict = _stopped_at(report), Verdict(report["verdict"])
    said.reason = report["reasons"][0]["code"]
    if said.layer != layer:
        raise DemoFailedError("run", f"it was stopped at {said.layer} in place of {layer}")
    if report["release"] and said.verdict is Verdict.FAIL:
        refused = stage.triune(
            "promote", short(report["release"]["id"]), "--to", "staging", verdicts=(Verdict.FAIL,)
        )
        tell(stage, refused)
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


def tell(stage: Stage, document: dict[str, Any]) -> None:
    """Say what a command came to, and why."""
    reason = document["reasons"][0]
    stage.say(f"{document['verdict']}  {reason['code']}: {reason['message']}")


def promote(stage: Stage, release: str) -> None:
    """Take a release through all environments, where nothing carries traffic yet."""
    stage.triune("promote", short(release), "--to", "staging")
    approve(stage, ask(stage, release))


def ask(stage: Stage, release: str) -> str:
    """Ask for production, which must not be had without consent."""
    asked = stage.triune(
        "promote", short(release), "--to", "production", verdicts=(Verdict.INCONCLUSIVE,)
    )
    tell(stage, asked)
    if asked["environment"]["champion"] == release:
        raise DemoFailedError("promote", "production serves the release without consent")
    rollout: str = asked["rollout"]["id"]
    return rollout


def approve(stage: Stage, rollout: str) -> None:
    """Consent to a rollout, which must end with that."""
    approved = stage.triune("approve", rollout)
    tell(stage, approved)
    if approved["rollout"]["status"] != "promoted":
        raise DemoFailedError("approve", f"the rollout is {approved['rollout']['status']}")
