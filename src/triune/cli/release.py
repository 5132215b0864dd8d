"""`triune release`: list, show, compare, verify and let go of releases."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from triune.cli.output import EXIT_CODES, AsJson, print_json, print_table, report_progress

app = typer.Typer(help="Read and keep releases.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release id, a prefix of one, or latest.")
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the releases, newest first."""
    from triune.bootstrap import open_project
    from triune.domain.projection import ReleaseRecord
    from triune.domain.release import short

    with open_project(Path.cwd()) as context:
        records = context.ledger.all(ReleaseRecord)
    records = tuple(sorted(records, key=lambda each: each.cut_at, reverse=True))
    if as_json:
        print_json({"releases": [asdict(each) for each in records]})
        return
    if not records:
        typer.echo("no release yet; cut one with `triune run`")
    print_table(
        ("release", "cut at (UTC)", "commit", "verdict", ""),
        [
            (
                short(each.id),
                each.cut_at[:19],
                f"{each.commit[:12]}{'+dirty' if each.dirty else ''}",
                each.verdict or "-",
                "pruned" if each.pruned_at else "",
            )
            for each in records
        ],
    )


@app.command("show")
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what a release pins, and its history."""
    from triune.bootstrap import open_project
    from triune.operations.releases import find_release, load_manifest, load_tree

    with open_project(Path.cwd()) as context:
        release = find_release(context, name)
        manifest = load_manifest(context, release)
        trees = {part: load_tree(context.store, digest) for part, digest in manifest.trees.items()}
    if as_json:
        print_json(
            {
                "release": asdict(release),
                "manifest": manifest.document,
                "files": {
                    part: [asdict(file) for file in tree.files] for part, tree in trees.items()
                },
            }
        )
        return
    dirty = ", with uncommitted changes" if release.dirty else ""
    typer.echo(f"release {release.id}")
    typer.echo(f"cut     {release.cut_at[:19]} UTC from commit {release.commit[:12]}{dirty}")
    typer.echo(f"        {release.repository}, by {', '.join(release.authors)}")
    typer.echo(f"verdict {release.verdict or '-'} {release.reason or ''}".rstrip())
    runtime = manifest.runtime
    typer.echo(f"runtime Python {runtime.python}, {runtime.platform}; on {release.hardware}")
    if manifest.model and (compiled := manifest.model.compiled):
        python = ", ".join(compiled.python) or "nothing"
        typer.echo(f"onnx    {', '.join(compiled.compiled)}; left in Python: {python}")
    for figure, value in release.metrics:
        typer.echo(f"metric  {figure} = {value:.6g}")
    typer.echo("")
    print_table(
        ("part", "files", "bytes", "digest"),
        [
            (part, str(len(tree.files)), f"{tree.size:,}", manifest.trees[part][:12])
            for part, tree in trees.items()
        ],
    )
    if manifest.signature:
        typer.echo("")
        print_table(
            ("input", "type", "may be missing"),
            [
                (each.name, each.type or "no value seen", "yes" if each.nullable else "no")
                for each in manifest.signature.inputs
            ],
        )


@app.command("diff")
def diff(
    before: Name,
    after: Name,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Score the first one's holdout by both, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say in plain words what changed from one release to another."""
    from triune.bootstrap import open_project
    from triune.cli.release_diff import describe_changes
    from triune.operations.comparing import compare_releases
    from triune.operations.releases import find_release

    with open_project(Path.cwd()) as context:
        if predictions:
            report_progress("scoring the holdout by both releases")
        changes = compare_releases(
            context,
            find_release(context, before),
            find_release(context, after),
            by_predictions=predictions,
        )
    if as_json:
        print_json(asdict(changes))
        return
    for line in describe_changes(changes):
        typer.echo(line)


@app.command("verify")
def verify(name: Name, as_json: AsJson = False) -> None:
    """Read every byte that a release pins; fail where one is missing or changed."""
    from triune.bootstrap import open_project
    from triune.domain.release import short
    from triune.domain.verdict import Verdict
    from triune.operations.releases import find_release
    from triune.operations.verifying import verify_release

    with open_project(Path.cwd()) as context:
        release = find_release(context, name)
        report_progress(f"reading release {short(release.id)}")
        findings = verify_release(context, release)
    verdict = Verdict.FAIL if findings else Verdict.PASS
    if as_json:
        print_json(
            {
                "verdict": verdict,
                "reasons": [
                    {"code": "RELEASE_DAMAGED", "message": f"{each.part}: {each.message}"}
                    for each in findings
                ],
                "release": {"id": release.id},
            }
        )
    elif findings:
        for each in findings:
            typer.echo(f"FAIL  {each.part}: {each.message}")
    else:
        typer.echo(f"PASS  every byte of release {short(release.id)} is what was stored")
    raise typer.Exit(EXIT_CODES[verdict])


@app.command("prune")
def prune(
    keep: Annotated[
        int, typer.Option(help="Keep this many of the newest releases in any case.", min=0)
    ] = 10,
    rehearse: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and what stays and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let go of old releases that nothing holds; what serves, served before or waits stays."""
    from triune.bootstrap import open_project
    from triune.domain.release import short
    from triune.domain.wording import counted
    from triune.operations.pruning import prune_releases

    with open_project(Path.cwd()) as context:
        pruned = prune_releases(context, keep=keep, rehearse=rehearse, progress=report_progress)
    if as_json:
        print_json(
            {
                "dry_run": rehearse,
                "kept": [
                    {"id": each.release.id, "because": each.because}
                    for each in pruned.releases
                    if each.is_kept
                ],
                "pruned": [each.release.id for each in pruned.releases if not each.is_kept],
                "blobs_removed": pruned.blobs_removed,
                "bytes_freed": pruned.bytes_freed,
            }
        )
        return
    gone = "would go" if rehearse else "pruned"
    print_table(
        ("release", "", "because"),
        [
            (
                short(each.release.id),
                "kept" if each.is_kept else gone,
                each.because or "nothing holds it",
            )
            for each in pruned.releases
        ],
    )
    freed = "" if pruned.bytes_freed is None else f", {pruned.bytes_freed:,} bytes freed"
    typer.echo(f"{counted(pruned.blobs_removed, 'blob')} {gone}{freed}")
