"""`triune approve` and `triune reject`: a person's consent to a rollout, or refusal of it."""

from pathlib import Path

from triune.cli.arguments import Because, RolloutName
from triune.cli.ended import end_with
from triune.cli.output import AsJson


def approve(name: RolloutName, because: Because = "", as_json: AsJson = False) -> None:
    """Consent to a rollout; with enough people its release goes on. Exits 3 while others lack."""
    from triune.bootstrap import open_project
    from triune.operations import approvals

    with open_project(Path.cwd()) as context:
        record = approvals.find_rollout(context, name)
        outcome = approvals.approve(context, record, because=because)
        end_with(context, outcome, as_json=as_json)


def reject(name: RolloutName, because: Because = "", as_json: AsJson = False) -> None:
    """Refuse consent to a rollout, which ends it."""
    from triune.bootstrap import open_project
    from triune.operations import approvals

    with open_project(Path.cwd()) as context:
        record = approvals.find_rollout(context, name)
        outcome = approvals.reject(context, record, because=because)
        end_with(context, outcome, as_json=as_json)
