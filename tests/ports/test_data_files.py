"""Files that SQL reads itself come out as their rows do when they are handed to it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.duckdb import DuckDbEngine
from triune.adapters.data.expectations import passes
from triune.adapters.data.expectations.engine import evaluate
from triune.adapters.data.expectations.files import FileScan, open_files
from triune.adapters.data.expectations.placed import PlacedTable
from triune.adapters.data.parquet import ParquetTable
from triune.adapters.data.session import Workspace, open_session
from triune.adapters.scratch import LockedScratch
from triune.domain.errors import DatasetError
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import read_suite

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAN = float("nan")
INF = float("inf")


def written(folder: Path, *tables: dict[str, Any]) -> ParquetTable:
    """Write a file for each, in groups of two rows."""
    paths = [folder / f"{number}.parquet" for number in range(len(tables))]
    for path, columns in zip(paths, tables, strict=True):
        pq.write_table(pa.table(columns), path, row_group_size=2)
    return ParquetTable(paths)


def read_by_sql(table: ParquetTable) -> frozenset[str]:
    """List the columns that SQL reads itself."""
    placed = PlacedTable(table)
    with open_session([path for path, _ in table.sql_files]) as session:
        files = open_files(session, placed, [rows for _, rows in table.sql_files])
        return frozenset(name for name in placed.columns if files and files.reads([name]))


def expect(type_: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_column_{type_}", "kwargs": kwargs}


def results(table: ParquetTable, *expectations: dict[str, Any]) -> list[Any]:
    suite = read_suite({"name": "a", "expectations": list(expectations)})
    outcome = evaluate(table, suite, now=NOW, result_format=ResultFormat.COMPLETE)
    return list(outcome.document["results"])


def handed_over(table: ParquetTable, *expectations: dict[str, Any]) -> list[Any]:
    """Evaluate on the same rows, handed to SQL."""
    table.sql_files = ()
    return results(table, *expectations)


NUMBERS = (
    expect("values_to_be_between", column="x", min_value=0, max_value=5),
    expect("mean_to_be_between", column="x", min_value=0, max_value=5),
    expect("sum_to_be_between", column="x", min_value=0),
    expect("stdev_to_be_between", column="x", min_value=0),
    expect("min_to_be_between", column="x", min_value=0),
    expect("max_to_be_between", column="x", max_value=5),
    expect("median_to_be_between", column="x", min_value=0),
    expect("values_to_not_be_null", column="x"),
    expect("values_to_be_null", column="x"),
    expect("values_to_be_unique", column="x"),
    expect("values_to_be_increasing", column="x"),
    expect("values_to_be_in_set", column="x", value_set=[1, 9]),
    expect("values_to_not_be_in_set", column="x", value_set=[1, 9]),
    expect("values_to_match_regex", column="x", regex="1"),
    expect("value_z_scores_to_be_less_than", column="x", threshold=1),
    expect("distinct_values_to_be_in_set", column="x", value_set=[1, 9]),
    expect("most_common_value_to_be_in_set", column="x", value_set=[1]),
    expect("unique_value_count_to_be_between", column="x", min_value=1),
    expect("values_to_be_between", column="x", min_value=2, row_condition="x > 2"),
    expect("values_to_be_between", column="x", min_value=2, row_condition="x != 2"),
    expect(
        "quantile_values_to_be_between",
        column="x",
        quantile_ranges={"quantiles": [0.0, 0.5, 1.0], "value_ranges": [[0, 9]] * 3},
    ),
)


class TestValues:
    @pytest.mark.parametrize(
        "values",
        [
            [1.0, 5.0, 2.0, 9.0],
            [1.0, None, NAN, 9.0],
            # What a file says of itself knows nothing of it.
            [1.0, 5.0, NAN, 9.0],
            [NAN, NAN, NAN],
            [None, None],
            [],
            [1.0, INF, 3.0],
            [-INF, NAN, INF, 1.0],
        ],
    )
    @pytest.mark.parametrize("type_", [pa.float64(), pa.float32()])
    def test_not_a_number_is_missing_and_infinity_is_not(
        self, values: list[Any], type_: pa.DataType, tmp_path: Path
    ) -> None:
        table = written(tmp_path, {"x": pa.array(values, type_)})

        assert read_by_sql(table) == {"x"}
        assert results(table, *NUMBERS) == handed_over(table, *NUMBERS)

    def test_rows_are_numbered_on_from_file_to_file(self, tmp_path: Path) -> None:
        table = written(tmp_path, {"x": [1, 2, 3]}, {"x": [4, -5]}, {"x": [6, -7, 8]})
        positive = expect("values_to_be_between", column="x", min_value=0)

        (result,) = results(table, positive)

        assert read_by_sql(table) == {"x"}
        assert result["result"]["unexpected_index_list"] == [4, 6]
        assert result["result"]["unexpected_list"] == [-5, -7]

    def test_one_file_given_twice_is_read_twice(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
        table = ParquetTable([tmp_path / "a.parquet"] * 2)

        (result,) = results(table, expect("values_to_be_unique", column="x"))

        assert result["result"]["unexpected_index_list"] == [0, 1, 2, 3]


class TestNames:
    def test_names_are_no_part_of_a_query(self, tmp_path: Path) -> None:
        names = [
            "x",
            "X",
            'a"b',
            "c0",
            "r",
            "data",
            "file_row_number",
            "filename",
            "1); DROP VIEW data; --",
        ]
        table = written(tmp_path, {name: [number] for number, name in enumerate(names)})

        found = results(
            table,
            *(expect("max_to_be_between", column=name, min_value=0) for name in names),
            *(expect("values_to_be_null", column=name) for name in names),
        )

        assert read_by_sql(table) == set(names)
        maxima = [each["result"]["observed_value"] for each in found[: len(names)]]
        assert maxima == list(range(len(names)))
        shown = [each["result"]["unexpected_list"] for each in found[len(names) :]]
        assert shown == [[number] for number in range(len(names))]

    @pytest.mark.parametrize("name", ["a=b", "we[i]rd", "st*r", "wh?t", "it's"])
    def test_folders_may_have_any_name(self, name: str, tmp_path: Path) -> None:
        folder = tmp_path / name
        folder.mkdir()
        table = written(folder, {"x": [1, 2]})
        scratch = LockedScratch(folder / "scratch")
        suite = read_suite(
            {"name": "a", "expectations": [expect("sum_to_be_between", column="x", min_value=3)]}
        )

        engine = DuckDbEngine(workspace=Workspace(folder=scratch.folder))
        outcome = engine.evaluate(
            [folder / "0.parquet"],
            format="parquet",
            suite=suite,
            now=NOW,
            result_format=ResultFormat.SUMMARY,
        )

        assert outcome.is_met
        assert read_by_sql(table) == {"x"}
        assert list((folder / "scratch").iterdir()) == []


class TestTypes:
    def test_what_sql_has_in_another_type_is_handed_to_it(self, tmp_path: Path) -> None:
        table = written(
            tmp_path,
            {
                "number": pa.array([1.5]),
                "text": pa.array(["a"]),
                "large": pa.array(["a"], pa.large_string()),
                "category": pa.array(["a"]).dictionary_encode(),
                "day": pa.array([1], pa.date32()),
                "moment": pa.array([1], pa.timestamp("us")),
                "nanosecond": pa.array([1], pa.timestamp("ns")),
                "zoned": pa.array([1], pa.timestamp("us", tz="Europe/Zurich")),
                "decimal": pa.array([1]).cast(pa.decimal128(21, 2)),
                "nothing": pa.nulls(1),
            },
        )

        assert read_by_sql(table) == {
            "number", "text", "large", "category", "day", "moment", "nanosecond",
        }  # fmt: skip

    def test_files_of_several_types_are_handed_over(self, tmp_path: Path) -> None:
        whole = {"x": pa.array([1], pa.int32())}
        table = written(tmp_path, whole, {"x": pa.array([2.5])})

        (result,) = results(table, expect("sum_to_be_between", column="x", min_value=0))

        assert read_by_sql(table) == frozenset()
        assert result["result"]["observed_value"] == 3.5

    def test_files_with_columns_in_another_order_are_handed_over(self, tmp_path: Path) -> None:
        table = written(tmp_path, {"x": [1], "y": [10]}, {"y": [20], "x": [2]})

        (result,) = results(table, expect("sum_to_be_between", column="x", min_value=0))

        assert read_by_sql(table) == frozenset()
        assert result["result"]["observed_value"] == 3


class TestFaults:
    def test_rows_are_handed_over_when_sql_fails_on_the_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = written(tmp_path, {"x": [1.0, 2.0], "s": ["a", "b"]})
        asked = (
            expect("sum_to_be_between", column="x", min_value=3),
            expect("values_to_match_regex", column="s", regex="(?!c)"),
            expect("values_to_be_unique", column="s"),
        )
        expected = handed_over(written(tmp_path, {"x": [1.0, 2.0], "s": ["a", "b"]}), *asked)

        def open_removed(*given: Any) -> FileScan | None:
            files = open_files(*given)
            (tmp_path / "0.parquet").rename(tmp_path / "gone")
            (tmp_path / "0.parquet").write_bytes((tmp_path / "gone").read_bytes()[:-9])
            restored.append(tmp_path / "gone")
            return files

        restored: list[Path] = []
        left = passes.Passes.leave_files

        def leave(self: passes.Passes, columns: Sequence[str]) -> bool:
            if restored:
                restored.pop().rename(tmp_path / "0.parquet")
            return left(self, columns)

        monkeypatch.setattr(passes, "open_files", open_removed)
        monkeypatch.setattr(passes.Passes, "leave_files", leave)

        assert results(table, *asked) == expected

    def test_text_that_is_no_utf8_is_refused_as_such(self, tmp_path: Path) -> None:
        _, ends, content = pa.array([b"a", b"\xff"], pa.binary()).buffers()
        assert ends is not None
        assert content is not None
        text = pa.StringArray.from_buffers(2, ends, content)
        table = written(tmp_path, {"s": text})

        with pytest.raises(DatasetError, match=r"cannot be read: .*; write the file again, with"):
            results(table, expect("values_to_match_regex", column="s", regex="^a"))


class TestWorkspace:
    def test_a_limit_is_kept_to_and_what_is_beyond_it_is_spilled_there(
        self, tmp_path: Path
    ) -> None:
        folders: list[Path] = []

        @contextmanager
        def folder() -> Iterator[Path]:
            with LockedScratch(tmp_path / "scratch").folder() as made:
                folders.append(made)
                yield made

        with open_session(workspace=Workspace(folder=folder, memory_limit="100MB")) as session:
            session.database.execute(
                "CREATE TABLE many AS SELECT hash(range) AS n FROM range(30_000_000)"
            )
            (limit,) = session.database.sql("SELECT current_setting('memory_limit')").fetchall()
            spilled = sum(each.stat().st_size for each in folders[0].rglob("*") if each.is_file())

        assert limit == ("95.3 MiB",)
        assert spilled > 50_000_000
        assert not folders[0].exists()

    def test_what_a_killed_process_leaves_is_swept_away(self, tmp_path: Path) -> None:
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from triune.adapters.data.session import Workspace, open_session\n"
            "from triune.adapters.scratch import LockedScratch\n"
            "scratch = LockedScratch(Path(sys.argv[1]))\n"
            "with open_session([Path(sys.executable)],"
            " workspace=Workspace(folder=scratch.folder)):\n"
            "    os.kill(os.getpid(), 9)\n"
        )

        subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
        left = [each for each in tmp_path.iterdir() if each.is_dir()]
        LockedScratch(tmp_path).sweep()

        assert len(left) == 1
        assert list(tmp_path.iterdir()) == []
