"""Datasets are read with their exact types, sampled, exported and compared."""

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.duckdb import DuckDbEngine
from triune.adapters.data.session import open_session
from triune.domain.comparison import DatasetChange
from triune.domain.errors import DatasetError, StoreError
from triune.domain.manifest import Field, FieldType

ENGINE = DuckDbEngine()


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def csv(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8", newline="")
    return path


def field(name: str, type: FieldType | None, **more: Any) -> Field:
    return Field(name=name, type=type, **{"nullable": False, **more})


def exported(files: list[Path], columns: list[str], *, format: str = "parquet") -> pa.Table:
    destination = files[0].with_name("exported.arrow")
    ENGINE.export(files, format=format, columns=columns, destination=destination)
    return pa.ipc.open_file(str(destination)).read_all()


class TestParquet:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (pa.array([True]), FieldType.BOOLEAN),
            (pa.array([1], pa.int8()), FieldType.INTEGER),
            (pa.array([2**64 - 1], pa.uint64()), FieldType.INTEGER),
            (pa.array([1.5], pa.float32()), FieldType.NUMBER),
            (pa.array([Decimal("1.25")]), FieldType.NUMBER),
            (pa.array(["a"]), FieldType.STRING),
            (pa.array(["a"], pa.large_string()), FieldType.STRING),
            (pa.array(["a"], pa.string_view()), FieldType.STRING),
            (pa.array([date(2024, 2, 29)]), FieldType.DATE),
            (pa.array([date(2024, 2, 29)], pa.date64()), FieldType.DATE),
            (pa.array([datetime(2024, 2, 29)], pa.timestamp("ns")), FieldType.TIMESTAMP),
            (pa.array([1, 2]).dictionary_encode().slice(0, 1), FieldType.INTEGER),
        ],
    )
    def test_types_are_named_in_our_words(
        self, tmp_path: Path, values: Any, expected: FieldType
    ) -> None:
        file = parquet(tmp_path / "a.parquet", x=values)

        assert ENGINE.fields([file], format="parquet") == (field("x", expected),)

    def test_a_moment_has_its_zone_and_a_categorical_says_whether_its_order_counts(
        self, tmp_path: Path
    ) -> None:
        moment = pa.array([datetime(2024, 2, 29, tzinfo=UTC)], pa.timestamp("us", "Asia/Tokyo"))
        size = pa.DictionaryArray.from_arrays(pa.array([1]), pa.array(["s", "m"]), ordered=True)
        file = parquet(tmp_path / "a.parquet", moment=moment, size=size)

        assert ENGINE.fields([file], format="parquet") == (
            field("moment", FieldType.TIMESTAMP, zone="Asia/Tokyo"),
            field("size", FieldType.STRING, categories=("s", "m"), ordered=True),
        )

    @pytest.mark.parametrize(
        "values",
        [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([b"a"]), pa.array([1], pa.time32("s"))],
    )
    def test_what_no_request_could_carry_is_refused_with_column_and_type(
        self, tmp_path: Path, values: Any
    ) -> None:
        file = parquet(tmp_path / "a.parquet", fine=[1], odd=values)

        with pytest.raises(DatasetError, match=r"a\.parquet: column 'odd' holds .+, which no"):
            ENGINE.fields([file], format="parquet")

    def test_a_missing_value_and_one_that_is_no_number_make_a_column_nullable(
        self, tmp_path: Path
    ) -> None:
        file = parquet(
            tmp_path / "a.parquet",
            null=[1, None],
            nan=[1.0, float("nan")],
            infinite=[1.0, float("inf")],
            none=pa.array([None, None], pa.string()),
            nothing=pa.nulls(2),
        )

        fields = ENGINE.fields([file], format="parquet")

        assert fields == (
            field("null", FieldType.INTEGER, nullable=True),
            field("nan", FieldType.NUMBER, nullable=True),
            field("infinite", FieldType.NUMBER),
            field("none", FieldType.STRING, nullable=True),
            field("nothing", None, nullable=True),
        )

    def test_categories_keep_the_order_of_the_file_even_those_unused(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"size": pd.Categorical(["l", "s"], categories=["s", "m", "l"])})
        frame.to_parquet(tmp_path / "a.parquet")

        fields = ENGINE.fields([tmp_path / "a.parquet"], format="parquet")

        assert fields == (field("size", FieldType.STRING, categories=("s", "m", "l")),)

    def test_files_are_one_table_whose_categories_join(self, tmp_path: Path) -> None:
        frames = [
            pd.DataFrame({"n": [1, 2], "size": pd.Categorical(["l", "s"])}),
            pd.DataFrame({"size": pd.Categorical(["xl"]), "n": [3]}),
        ]
        files = [tmp_path / f"{number}.parquet" for number in range(2)]
        for frame, file in zip(frames, files, strict=True):
            frame.to_parquet(file)

        table = exported(files, ["size", "n"])

        assert ENGINE.fields(files, format="parquet")[1].categories == ("l", "s", "xl")
        assert table.to_pydict() == {"size": ["l", "s", "xl"], "n": [1, 2, 3]}
        assert list(table.to_pandas()["size"].cat.categories) == ["l", "s", "xl"]

    def test_files_whose_ordered_categories_differ_are_refused_by_column(
        self, tmp_path: Path
    ) -> None:
        files = [tmp_path / f"{number}.parquet" for number in range(3)]
        for categories, file in zip((["s", "m"], ["s", "m"], ["m", "s"]), files, strict=True):
            sizes = pd.Categorical(["s", "m"], categories=categories, ordered=True)
            pd.DataFrame({"size": sizes}).to_parquet(file)

        assert ENGINE.fields(files[:2], format="parquet")[0].categories == ("s", "m")
        with pytest.raises(DatasetError, match="column 'size' has ordered categories"):
            ENGINE.fields(files, format="parquet")

    def test_row_groups_with_dictionaries_of_their_own_are_exported_as_one(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "a.parquet"
        groups = [pa.array(["a", "b", None]), pa.array(["c", "a", "c"])]
        schema = pa.schema([("x", pa.dictionary(pa.int8(), pa.string()))])
        with pq.ParquetWriter(file, schema) as writer:
            for group in groups:
                writer.write_table(pa.table({"x": group.dictionary_encode().cast(schema.types[0])}))

        table = exported([file], ["x"])

        assert table["x"].to_pylist() == ["a", "b", None, "c", "a", "c"]
        assert table.to_pandas()["x"].cat.categories.tolist() == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("first", "second", "expected"),
        [
            (pa.array([1], pa.int32()), pa.array([2**40]), FieldType.INTEGER),
            (pa.array([1]), pa.array([1.5]), FieldType.NUMBER),
            (pa.nulls(1), pa.array(["a"]), FieldType.STRING),
            (pa.array(["a"]), pa.array(["a"], pa.string_view()), FieldType.STRING),
            (pa.array(["a"]), pa.array(["a"]).dictionary_encode(), FieldType.STRING),
        ],
    )
    def test_types_that_go_together_are_joined(
        self, tmp_path: Path, first: Any, second: Any, expected: FieldType
    ) -> None:
        files = [
            parquet(tmp_path / "a.parquet", x=first),
            parquet(tmp_path / "b.parquet", x=second),
        ]

        assert [each.type for each in ENGINE.fields(files, format="parquet")] == [expected]
        assert exported(files, ["x"])["x"].to_pylist() == first.to_pylist() + second.to_pylist()

    def test_types_that_do_not_go_together_are_refused_with_both_files(
        self, tmp_path: Path
    ) -> None:
        files = [parquet(tmp_path / "a.parquet", x=[1]), parquet(tmp_path / "b.parquet", x=["1"])]

        with pytest.raises(DatasetError, match=r"'x' holds int64 in .*a\.parquet and string in"):
            ENGINE.fields(files, format="parquet")

    def test_files_with_other_columns_are_refused_with_the_file_that_lacks_one(
        self, tmp_path: Path
    ) -> None:
        full = parquet(tmp_path / "full.parquet", x=[1], y=[1])
        part = parquet(tmp_path / "part.parquet", x=[1])

        for files in ([full, part], [part, full]):
            with pytest.raises(DatasetError, match=r"part\.parquet lacks 'y', which .*full\."):
                ENGINE.fields(files, format="parquet")

    def test_names_with_dots_and_names_that_differ_in_case_only_are_columns_like_others(
        self, tmp_path: Path
    ) -> None:
        columns = {"a": [1], "a.b": [2], "A": [3], 'q"': [4]}
        file = parquet(tmp_path / "a.parquet", **columns)

        assert exported([file], list(columns)).to_pydict() == columns
        assert not ENGINE.compare([file], [file], formats=("parquet", "parquet")).rows_added

    @pytest.mark.parametrize(
        "damage", [lambda whole: whole[:-20], lambda _: b"", lambda _: b"a,b\n1,2\n" * 20]
    )
    def test_a_file_that_is_no_parquet_is_refused_by_name(
        self, tmp_path: Path, damage: Any
    ) -> None:
        file = parquet(tmp_path / "a.parquet", x=[1])
        file.write_bytes(damage(file.read_bytes()))

        with pytest.raises(DatasetError, match=r"a\.parquet cannot be read as Parquet: "):
            ENGINE.fields([file], format="parquet")

    def test_damage_inside_of_a_file_is_found_whatever_is_done_with_it(
        self, tmp_path: Path
    ) -> None:
        file = parquet(tmp_path / "a.parquet", x=np.arange(10_000))
        whole = parquet(tmp_path / "b.parquet", x=[1])
        content = bytearray(file.read_bytes())
        content[100:5_000] = b"\xff" * 4_900
        file.write_bytes(content)

        with pytest.raises(DatasetError, match=r"a\.parquet cannot be read"):
            ENGINE.fields([file], format="parquet")
        with pytest.raises(DatasetError, match=r"a\.parquet cannot be read"):
            exported([file], ["x"])
        with pytest.raises(DatasetError, match=r"a\.parquet cannot be read"):
            ENGINE.compare([whole], [file], formats=("parquet", "parquet"))
        assert not (tmp_path / "exported.arrow").exists()

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"there is no .*gone\.parquet"):
            ENGINE.fields([tmp_path / "gone.parquet"], format="parquet")


class TestCsv:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (("1", "-7"), FieldType.INTEGER),
            (("007", "12"), FieldType.INTEGER),
            (("1", "2.5"), FieldType.NUMBER),
            (("1e3", ".5"), FieldType.NUMBER),
            (("inf", "-Inf"), FieldType.NUMBER),
            (("True", "FALSE"), FieldType.BOOLEAN),
            (("Yes", "No"), FieldType.STRING),
            (("t", "f"), FieldType.STRING),
            (("1_000", "2"), FieldType.STRING),
            (("0x10", "2"), FieldType.STRING),
            (("2024-02-29", "2024-03-01"), FieldType.STRING),
            (('" "', "29.85"), FieldType.STRING),
        ],
    )
    def test_types_are_those_that_pandas_finds(
        self, tmp_path: Path, values: tuple[str, str], expected: FieldType
    ) -> None:
        file = csv(tmp_path / "a.csv", "x,y\n" + "".join(f"{value},1\n" for value in values))

        fields = ENGINE.fields([file], format="csv")
        ours = exported([file], ["x"], format="csv").to_pandas()["x"]

        assert fields[0] == field("x", expected)
        assert ours.tolist() == pd.read_csv(file)["x"].tolist()

    def test_missing_values_are_those_that_pandas_takes_for_missing(self, tmp_path: Path) -> None:
        file = csv(tmp_path / "a.csv", 'x,y,z\n1,NA,\n,a,nan\n3,"",null\n')

        fields = ENGINE.fields([file], format="csv")
        sample = ENGINE.sample([file], format="csv", columns=["x", "y", "z"], count=9)

        assert fields == (
            field("x", FieldType.INTEGER, nullable=True),
            field("y", FieldType.STRING, nullable=True),
            field("z", None, nullable=True),
        )
        assert sample == [
            {"x": 1, "y": None, "z": None},
            {"x": None, "y": "a", "z": None},
            {"x": 3, "y": None, "z": None},
        ]
        assert pd.read_csv(file).isna().to_numpy().sum() == 6

    def test_a_file_may_be_gzipped_have_a_mark_windows_lines_and_quoted_ones(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "a [1]?*'.csv.gz"
        content = '\N{BYTE ORDER MARK}näme,note\r\n1,"two\nlines, ""quoted"""\r\n'
        file.write_bytes(gzip.compress(content.encode()))

        rows = ENGINE.sample([file], format="csv", columns=["note", "näme"], count=1)

        assert rows == [{"note": 'two\nlines, "quoted"', "näme": 1}]

    def test_files_are_read_in_order_though_their_columns_are_in_another(
        self, tmp_path: Path
    ) -> None:
        files = [
            csv(tmp_path / "a.csv", "x,y\n" + "".join(f"{n},a\n" for n in range(5000))),
            csv(tmp_path / "b.csv", "y,x\nb,0.5\n"),
        ]

        table = exported(files, ["x", "y"], format="csv")

        assert table["x"].to_pylist() == [*map(float, range(5000)), 0.5]
        assert table["y"].to_pylist() == ["a"] * 5000 + ["b"]

    def test_an_index_without_a_name_is_called_as_pandas_calls_it(self, tmp_path: Path) -> None:
        file = tmp_path / "a.csv"
        pd.DataFrame({"x": [1]}).to_csv(file)

        names = [each.name for each in ENGINE.fields([file], format="csv")]

        assert names == list(pd.read_csv(file).columns) == ["Unnamed: 0", "x"]

    def test_a_file_without_rows_has_columns_of_no_type(self, tmp_path: Path) -> None:
        file = csv(tmp_path / "a.csv", "x,y\n")

        assert ENGINE.fields([file], format="csv") == (field("x", None), field("y", None))
        assert ENGINE.sample([file], format="csv", columns=["x"], count=1) == []
        assert exported([file], ["y"], format="csv").to_pydict() == {"y": []}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b"x,y\n1,2\n3\n", "Line: 3; Original Line: 3; Expected Number of Columns: 2 Found: 1"),
            (b"x,y\n1,2\n3,4,5\n", "Expected Number of Columns: 2 Found: 3"),
            (b'x,y\n1,"2\n', "unterminated quote"),
            (b"x,x\n1,2\n", "has several columns 'x'"),
            (b"x\nna\xefve\n", "UTF-8"),
        ],
    )
    def test_a_broken_file_is_refused_with_name_and_place(
        self, tmp_path: Path, content: bytes, message: str
    ) -> None:
        whole, broken = csv(tmp_path / "whole.csv", "x,y\n1,2\n"), tmp_path / "broken.csv"
        broken.write_bytes(content)
        files = [broken] if b"x," not in content[:2] or b"x,x" in content else [whole, broken]

        with pytest.raises(DatasetError, match=r"broken\.csv (is|cannot|has)") as caught:
            ENGINE.fields(files, format="csv")

        assert message in str(caught.value)
        assert "whole" not in str(caught.value)

    def test_a_gzipped_file_that_is_cut_short_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "a.csv.gz"
        rows = "".join(f"{number},{number**2}\n" for number in range(50_000))
        file.write_bytes(gzip.compress(f"x,y\n{rows}".encode())[:-5_000])

        with pytest.raises(DatasetError, match=r"a\.csv\.gz cannot be read as CSV"):
            ENGINE.fields([file], format="csv")

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"there is no .*gone\.csv"):
            ENGINE.fields([tmp_path / "gone.csv"], format="csv")


class TestSample:
    def test_rows_are_evenly_spaced_over_files_and_batches(self, tmp_path: Path) -> None:
        files = [
            parquet(tmp_path / "a.parquet", x=np.arange(150_000)),
            parquet(tmp_path / "b.parquet", x=np.arange(150_000, 200_000)),
        ]

        rows = ENGINE.sample(files, format="parquet", columns=["x"], count=8)

        assert [row["x"] for row in rows] == list(range(0, 200_000, 25_000))

    def test_no_more_rows_are_taken_than_there_are(self, tmp_path: Path) -> None:
        file = parquet(tmp_path / "a.parquet", x=[1, 2])

        assert len(ENGINE.sample([file], format="parquet", columns=["x"], count=5)) == 2
        assert ENGINE.sample([file], format="parquet", columns=["x"], count=0) == []

    def test_values_are_as_a_client_would_send_them(self, tmp_path: Path) -> None:
        moment = datetime(2024, 2, 29, 12, 30, 0, 5, tzinfo=UTC)
        file = parquet(
            tmp_path / "a.parquet",
            flag=[True],
            whole=pa.array([2**63], pa.uint64()),
            nan=[float("nan")],
            infinite=[float("-inf")],
            money=[Decimal("1.25")],
            category=pa.array(["a"]).dictionary_encode(),
            day=[date(2024, 2, 29)],
            there=[moment],
            here=pa.array([moment.replace(tzinfo=None)], pa.timestamp("ns")),
            nothing=pa.nulls(1),
        )
        columns = [each.name for each in ENGINE.fields([file], format="parquet")]

        (row,) = ENGINE.sample([file], format="parquet", columns=columns, count=1)

        assert row == {
            "flag": True,
            "whole": 2**63,
            "nan": None,
            "infinite": None,
            "money": 1.25,
            "category": "a",
            "day": "2024-02-29",
            "there": "2024-02-29T12:30:00.000005+00:00",
            "here": "2024-02-29T12:30:00.000005",
            "nothing": None,
        }

    def test_a_column_that_is_not_there_is_refused_with_the_nearest(self, tmp_path: Path) -> None:
        file = parquet(tmp_path / "a.parquet", tenure=[1], region=["east"])

        with pytest.raises(DatasetError, match=r"no column 'tenur'; did you mean 'tenure'\?"):
            ENGINE.sample([file], format="parquet", columns=["tenur"], count=1)
        with pytest.raises(DatasetError, match=r"'xyz'; its columns are tenure, region"):
            exported([file], ["xyz"])


class TestExport:
    def test_values_keep_their_types_but_decimals_become_numbers(self, tmp_path: Path) -> None:
        file = parquet(
            tmp_path / "a.parquet",
            small=pa.array([1], pa.int8()),
            time=pa.array([1], pa.timestamp("ns", "UTC")),
            money=[Decimal("1.25")],
        )

        table = exported([file], ["time", "small", "money"])

        assert table.schema.names == ["time", "small", "money"]
        assert table.schema.types == [pa.timestamp("ns", "UTC"), pa.int8(), pa.float64()]

    def test_an_older_export_is_replaced_whole(self, tmp_path: Path) -> None:
        file = parquet(tmp_path / "a.parquet", x=[1, 2])
        (tmp_path / "exported.arrow").write_bytes(b"older")

        assert exported([file], ["x"]).num_rows == 2
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "exported.arrow"]

    def test_a_full_disk_leaves_nothing_behind(self, tmp_path: Path, small_disk: Path) -> None:
        file = parquet(tmp_path / "a.parquet", x=np.arange(1_000_000))

        with pytest.raises(StoreError, match="cannot write"):
            ENGINE.export(
                [file], format="parquet", columns=["x"], destination=small_disk / "x.arrow"
            )

        assert list(small_disk.iterdir()) == []


class TestCompare:
    def compared(self, before: Path, after: Path) -> DatasetChange:
        formats = (before.suffix[1:], after.suffix[1:])
        return ENGINE.compare([before], [after], formats=formats)

    def test_rows_are_a_multiset_in_which_missing_equals_missing(self, tmp_path: Path) -> None:
        before = parquet(
            tmp_path / "a.parquet",
            x=[1.0, 1.0, None, float("nan"), 5.0],
            y=pa.array(["a", "a", None, "n", "gone"]).dictionary_encode(),
        )
        after = parquet(
            tmp_path / "b.parquet",
            x=[float("nan"), None, 1.0, 6.0, 7.0],
            y=["n", None, "a", "new", "new"],
        )

        change = self.compared(before, after)

        assert change == DatasetChange(rows_before=5, rows_after=5, rows_added=2, rows_removed=2)

    def test_the_order_of_rows_and_columns_is_no_change(self, tmp_path: Path) -> None:
        before = parquet(tmp_path / "a.parquet", x=[1, 2, 3], y=["a", "b", "c"])
        after = parquet(tmp_path / "b.parquet", y=["c", "a", "b"], x=[3, 1, 2])

        change = self.compared(before, after)

        assert (change.rows_added, change.rows_removed) == (0, 0)
        assert not change.columns_added

    def test_columns_that_came_went_or_hold_something_else_are_named(self, tmp_path: Path) -> None:
        before = parquet(tmp_path / "a.parquet", x=[1, 2], gone=[1, 1], n=pa.nulls(2), i=[1, 2])
        after = parquet(
            tmp_path / "b.parquet", x=["1", "3"], new=[1, 1], n=pa.nulls(2, pa.string()), i=[1.0, 2]
        )

        change = self.compared(before, after)

        assert change == DatasetChange(
            rows_before=2,
            rows_after=2,
            rows_added=1,
            rows_removed=1,
            columns_added=("new",),
            columns_removed=("gone",),
            columns_retyped=(
                ("x", "integer", "string"),
                ("n", "empty", "string"),
                ("i", "integer", "number"),
            ),
        )

    def test_without_a_common_column_every_row_is_another(self, tmp_path: Path) -> None:
        before = parquet(tmp_path / "a.parquet", x=[1, 2])
        after = parquet(tmp_path / "b.parquet", y=[1, 2, 3])

        change = self.compared(before, after)

        assert (change.rows_removed, change.rows_added) == (2, 3)

    def test_a_moment_is_the_same_in_any_zone_and_unit(self, tmp_path: Path) -> None:
        noon = [datetime(2024, 2, 29, 12, tzinfo=UTC)]
        before = parquet(tmp_path / "a.parquet", t=pa.array(noon, pa.timestamp("us", "UTC")))
        after = parquet(tmp_path / "b.parquet", t=pa.array(noon, pa.timestamp("ns", "+05:00")))

        change = self.compared(before, after)

        assert (change.rows_added, change.rows_removed, change.columns_retyped) == (0, 0, ())

    def test_a_csv_file_equals_the_parquet_file_with_its_values(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"x": np.linspace(0, 1, 1000), "y": ["a", None] * 500})
        frame.to_parquet(tmp_path / "a.parquet")
        frame.to_csv(tmp_path / "b.csv", index=False)

        change = self.compared(tmp_path / "a.parquet", tmp_path / "b.csv")

        assert (change.rows_added, change.rows_removed) == (0, 0)

    def test_a_hundred_thousand_rows_are_counted_exactly(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(7)
        frame = pd.DataFrame({f"x{number}": rng.normal(size=100_000) for number in range(10)})
        frame["side"] = np.arange(100_000) % 7
        frame.to_parquet(tmp_path / "a.parquet")
        later = pd.concat([frame.iloc[1_000:], frame.iloc[5_000:5_010]])
        later.sample(frac=1, random_state=7).to_parquet(tmp_path / "b.parquet", index=False)

        change = self.compared(tmp_path / "a.parquet", tmp_path / "b.parquet")

        assert (change.rows_added, change.rows_removed) == (10, 1_000)


class TestLockdown:
    def test_a_session_reads_its_files_and_no_other(self, tmp_path: Path) -> None:
        mine, other = csv(tmp_path / "a.csv", "x\n1\n"), csv(tmp_path / "b.csv", "x\n2\n")

        with open_session([mine]) as session:
            (name,) = session.names
            rows = session.database.execute(f"FROM read_csv('{name}')").fetchall()
            for statement in (
                f"FROM read_csv('{other}')",
                f"COPY (SELECT 1) TO '{tmp_path / 'c.csv'}'",
                "SET enable_external_access = true",
                "INSTALL httpfs",
            ):
                with pytest.raises(duckdb.Error):
                    session.database.execute(statement)

        assert rows == [(1,)]
        assert not (tmp_path / "c.csv").exists()

    def test_what_does_not_fit_in_memory_is_not_spilled_into_the_working_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        with open_session() as session:
            setting = "SELECT current_setting('temp_directory')"
            (folder,) = session.database.execute(setting).fetchone() or ("",)

        assert "triune-duckdb-" in folder
        assert not Path(folder).exists()
        assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no format 'xlsx'; use parquet or csv"):
        ENGINE.fields([tmp_path / "a.xlsx"], format="xlsx")
