"""`triune promote`: a release on its way into an environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triune.cli import forecast
from triune.cli.ended import end_with
from triune.cli.output import AsJson

if TYPE_CHECKING:
    from triune.domain.rollout.override import Override
    from triune.operations.context import Context


def promote(
    name: Annotated[
        str, typer.Argument(metavar="RELEASE", help="A release id, a prefix of one, or latest.")
    ],
    to: Annotated[str, typer.Option(metavar="ENV", help="The environment that it is to serve.")],
    accept_inconclusive: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Promote though its last run was INCONCLUSIVE, and say why."
        ),
    ] = None,
    emergency: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Promote whatever checks, gate and order of environments say, and say why.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Promote a release to an environment; exits 3 while it awaits approval."""
    from triune.bootstrap import open_project
    from triune.operations import promotion
    from triune.operations.releases import find_release

    with open_project(Path.cwd()) as context:
        override = _override(context, accept_inconclusive, emergency)
        release = find_release(context, name)
        outcome = promotion.promote(context, release, to=to, override=override)
        if outcome.rollout and outcome.rollout.is_open and not as_json:
            forecast.print_at_rate_seen(context, outcome.rollout)
        end_with(context, outcome, as_json=as_json)


def _override(
    context: "Context", accept_inconclusive: str | None, emergency: str | None
) -> "Override | None":
    from triune.domain.errors import UsageError
    from triune.domain.rollout.override import Override, OverrideKind
    from triune.operations.environments import actor

    given = {
        OverrideKind.ACCEPT_INCONCLUSIVE: accept_inconclusive,
        OverrideKind.EMERGENCY: emergency,
    }
    said = {kind: because.strip() for kind, because in given.items() if because is not None}
    if len(said) > 1:
        raise UsageError("--emergency includes what --accept-inconclusive does; give one of them")
    for kind, because in said.items():
        if not because:
            raise UsageError(
                f"--{kind.replace('_', '-')} needs a reason, which is kept; "
                f"as in --{kind.replace('_', '-')} 'login is down'"
            )
        return Override(kind=kind, because=because, by=actor(context))
    return None
