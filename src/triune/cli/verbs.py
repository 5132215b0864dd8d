"""The verbs of the `triune` command."""

from typing import Annotated

import typer

from triune import __version__
from triune.cli import (
    approve,
    audit,
    check,
    data,
    demo,
    doctor,
    gate,
    init,
    promote,
    release,
    rollback,
    rollout,
    run,
    schema,
    serve,
    up,
)

# Without Rich's help pages, whose import alone would take most of the start-up time.
app = typer.Typer(
    name="triune",
    help="Continuous delivery for machine learning: code, data and model as one release.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)
app.command("check")(check.check)
app.add_typer(data.app, name="data")
app.command("run")(run.run)
app.add_typer(release.app, name="release")
app.add_typer(gate.app, name="gate")
app.command("serve")(serve.serve)
app.command("promote")(promote.promote)
app.command("approve")(approve.approve)
app.command("reject")(approve.reject)
app.add_typer(rollout.app, name="rollout")
app.command("rollback")(rollback.rollback)
app.command("up")(up.up)
app.command("down")(up.down)
app.add_typer(audit.app, name="audit")
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"triune {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that go before a verb."""
