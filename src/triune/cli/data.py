"""`triune data`: what a dataset holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from triune.cli.data_tables import shorten
from triune.cli.output import AsJson, print_json, print_table
from triune.domain.errors import UsageError

if TYPE_CHECKING:
    from triune.domain.profile import ColumnSummary, DatasetProfile

_MAGIC: Final = frozenset("*?[")

MemoryLimit: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="What looking at data may hold in memory, such as 400MB; else TRIUNE_MEMORY_LIMIT.",
    ),
]

app = typer.Typer(help="Look at datasets.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Look at datasets."""


@app.command("profile")
def profile(
    dataset: Annotated[
        str, typer.Argument(help="A name of triune.yaml, a path, or a glob (quoted).")
    ],
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the suite to a file.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    memory_limit: MemoryLimit = None,
    as_json: AsJson = False,
) -> None:
    """Propose a suite of expectations that a dataset meets, for you to edit."""
    from triune.bootstrap import profile_dataset
    from triune.domain.profile import propose_suite

    # Before a long look at the data, that could not be kept.
    if write is not None and write.exists() and not force:
        raise UsageError(
            f"{write} is there already, and may have been edited; name another file, or write "
            "over it: `--force`"
        )
    profiled = profile_dataset(Path.cwd(), dataset, memory_limit=memory_limit)
    # A pattern is no name: `data/*.csv` are `data`.
    named = next(
        (
            part
            for part in (Path(dataset).stem, Path(dataset).parent.name)
            if part and not _MAGIC & set(part)
        ),
        "dataset",
    )
    suite = propose_suite(profiled, name=named)
    if write is not None:
        _write(write, suite)
    if as_json:
        print_json(
            {
                "dataset": dataset,
                "rows": profiled.rows,
                "suite": suite,
                "drift_profile": profiled.drift.document,
                "written": None if write is None else str(write),
            }
        )
    elif write is not None:
        _print_columns(profiled)
        typer.echo(
            f"\n{len(suite['expectations'])} expectations proposed in {write}: keep what must hold "
            f"for other data too; then name the file in triune.yaml, under data.suites"
        )
    else:
        typer.echo(_as_text(suite))


def _write(path: Path, suite: dict[str, Any]) -> None:
    try:
        path.write_text(f"{_as_text(suite)}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the suite cannot be written to {path}: {error.strerror}; name a file in a folder "
            "that is there"
        ) from error


def _as_text(suite: dict[str, Any]) -> str:
    return json.dumps(suite, indent=2, ensure_ascii=False)


def _print_columns(profiled: "DatasetProfile") -> None:
    typer.echo(f"{profiled.rows:,} rows")
    print_table(
        ("column", "type", "missing", "different", "lowest", "highest", "mean"),
        [_describe(column, profiled.rows) for column in profiled.columns],
    )


def _describe(column: "ColumnSummary", rows: int) -> tuple[str, ...]:
    missing = rows - column.present
    return (
        column.name,
        column.type or "-",
        f"{missing / rows:.1%}" if missing else "0",
        f"{column.distinct:,}",
        "-" if column.low is None else shorten(column.low),
        "-" if column.high is None else shorten(column.high),
        "" if column.mean is None else f"{column.mean:.4g}",
    )
