"""Arguments that several verbs take."""

from typing import Annotated

import typer

RolloutName = Annotated[
    str, typer.Argument(metavar="ROLLOUT", help="A rollout's id, or a prefix of it.")
]
Because = Annotated[str, typer.Option(help="Why, for the record.")]
