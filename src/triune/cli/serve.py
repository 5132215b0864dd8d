"""`triune serve`: one release over HTTP."""

import signal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from triune.cli.output import AsJson, print_json, report_progress

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def serve(
    name: Annotated[
        str, typer.Argument(metavar="RELEASE", help="A release id, a prefix of one, or latest.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8080,
    as_json: AsJson = False,
) -> None:
    """Serve a release until Ctrl-C: POST /predict, GET /health."""
    for number in _STOPPING:
        signal.signal(number, _leave)
    from triune.bootstrap import open_project, serve_release
    from triune.domain.release import short
    from triune.operations.releases import find_release

    with open_project(Path.cwd()) as context:
        release = find_release(context, name)

        def announce(url: str) -> None:
            if as_json:
                print_json({"release": {"id": release.id}, "url": url})
                return
            typer.echo(f"release {short(release.id)} answers on {url}/predict")

        report_progress(f"starting release {short(release.id)}")
        serve_release(context, release, host=host, port=port, on_ready=announce)


def _leave(*_: object) -> NoReturn:
    """End well, tidying up on the way: before requests are answered there is none to finish."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)
