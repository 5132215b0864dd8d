"""`triune serve`: a release over HTTP, and a candidate beside it."""

from pathlib import Path
from typing import Annotated

import typer

from triune.cli.output import AsJson, print_json, report_progress


def serve(  # noqa: PLR0913, PLR0917 - one for each option
    name: Annotated[
        str, typer.Argument(metavar="RELEASE", help="A release id, a prefix of one, or latest.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8080,
    candidate: Annotated[
        str | None,
        typer.Option(metavar="RELEASE", help="A release that is to get a share of the requests."),
    ] = None,
    weight: Annotated[
        float, typer.Option(help="The candidate's share, in percent.", min=0, max=100)
    ] = 5.0,
    replicas: Annotated[int, typer.Option(help="Workers for each release.", min=1)] = 1,
    memory: Annotated[
        int | None, typer.Option(help="MiB that each worker may allocate.", min=64)
    ] = None,
    admin: Annotated[
        Path | None,
        typer.Option(help="A Unix socket to make, for orders about traffic, outcomes, metrics."),
    ] = None,
    pin_token: Annotated[
        Path | None,
        typer.Option(help="A file with the token that lets a request choose its release."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve a release until Ctrl-C: POST /predict, GET /health, /openapi.json, /metrics."""
    # Before anything heavy is imported: Ctrl-C is heard from here on, and cuts nothing short.
    from triune.gateway.stopping import told_by_signals

    with told_by_signals() as stopping:
        from triune.bootstrap import ServeOptions, open_project, serve_release
        from triune.domain.release import short
        from triune.gateway.pin_token import read_pin_token
        from triune.operations.releases import find_release

        options = ServeOptions(
            host=host,
            port=port,
            weight_pct=weight,
            replicas=replicas,
            memory_bytes=None if memory is None else memory * 2**20,
            admin=admin,
            pin_token=None if pin_token is None else read_pin_token(pin_token),
        )
        with open_project(Path.cwd()) as context:
            release = find_release(context, name)
            tried = None if candidate is None else find_release(context, candidate)
            if tried is not None and tried.id == release.id:
                raise _same(short(release.id))

            def announce(url: str) -> None:
                if as_json:
                    print_json(
                        {
                            "release": {"id": release.id},
                            "candidate": tried and {"id": tried.id, "weight_pct": weight},
                            "url": url,
                        }
                    )
                    return
                typer.echo(f"release {short(release.id)} answers on {url}/predict")
                if tried is not None:
                    typer.echo(f"candidate {short(tried.id)} gets {weight:g} % of the requests")

            report_progress(f"starting release {short(release.id)}")
            serve_release(
                context,
                release,
                candidate=tried,
                options=options,
                on_ready=announce,
                stopping=stopping,
            )


def _same(release: str) -> Exception:
    from triune.domain.errors import UsageError

    return UsageError(
        f"release {release} is both champion and candidate; give two that differ, "
        "or leave --candidate out"
    )
