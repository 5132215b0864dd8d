"""The data layer by the command: suites, skew, profiles, and reports for other programs."""

import json
import re
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.projects import a_project, commit, edit, triune, triune_json

from triune.bootstrap import open_project, profile_dataset
from triune.cli.check import check
from triune.domain.errors import UsageError
from triune.domain.evidence import Layer
from triune.operations.data_layer import DataSelection, data_checks

DATASETS = "holdout: data/holdout.csv}\n"
WITH_PRODUCTION = "holdout: data/holdout.csv, production: data/production.csv}\n"
SUITES = """  suites:
    train:
      - {type: expect_column_values_to_not_be_null, kwargs: {column: device}}
      - {type: expect_column_values_to_be_between, kwargs: {column: pages, max_value: 5}}
"""
SKEW = "  skew: {reference: train, against: [production]}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "visits")


def say(project: Path, *more: str) -> None:
    """Say more of the data in the project's settings."""
    edit(project / "triune.yaml", DATASETS, DATASETS + "".join(more))


def write_visits(path: Path, rows: int, *, seed: int, pages: int = 6) -> None:
    random = Random(seed)
    lines = [
        f"{path.stem}{n},{random.randint(0, pages)},{random.choice(['phone', 'desktop'])},{n % 2}\n"
        for n in range(rows)
    ]
    path.write_text("visit_id,pages,device,clicked\n" + "".join(lines))


def lines_of(project: Path) -> list[str]:
    return (project / "data" / "holdout.csv").read_text().splitlines()


def with_production(project: Path, *, rows: int, pages: int = 6) -> None:
    edit(project / "triune.yaml", DATASETS, WITH_PRODUCTION + SKEW)
    write_visits(project / "data" / "train.csv", 2000, seed=1)
    write_visits(project / "data" / "production.csv", rows, seed=2, pages=pages)


def refusal(project: Path, *arguments: str) -> str:
    finished = triune(project, *arguments)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    return finished.stderr


def checks(project: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    finished = triune(project, "check", "data", *arguments, "--json")
    (layer,) = json.loads(finished.stdout)["layers"]
    return finished.returncode, {each["name"]: each for each in layer["checks"]}


class TestLabels:
    @pytest.mark.parametrize("has_key", [True, False])
    def test_a_row_of_the_holdout_without_a_label_ends_the_run_before_training(
        self, project: Path, has_key: bool
    ) -> None:
        write_visits(project / "data" / "holdout.csv", 20, seed=3)
        edit(project / "data" / "holdout.csv", lines_of(project)[8], "holdout7,2,phone,")
        edit(project / "data" / "holdout.csv", lines_of(project)[13], "holdout12,2,phone,")
        if not has_key:
            edit(project / "triune.yaml", "  key: visit_id\n", "")

        code, found = checks(project)
        report = json.loads(triune(project, "run", "--json").stdout)

        labelled = found["holdout labelled"]
        assert (code, labelled["reason"]["code"]) == (1, "LABELS_MISSING")
        whose = ", visit_id = 'holdout7'" if has_key else ""
        assert (
            f"2 of the holdout's 20 rows (the first is row 7{whose}) have no value in the "
            in (labelled["reason"]["message"])
        )
        assert [each["row"] for each in labelled["findings"]] == [7, 12]
        assert report["release"] is None
        assert report["reasons"][0]["code"] == "LABELS_MISSING"

    def test_a_label_that_is_added_is_seen(self, project: Path) -> None:
        write_visits(project / "data" / "holdout.csv", 20, seed=3)
        whole = lines_of(project)[8]
        edit(project / "data" / "holdout.csv", whole, "holdout7,2,phone,")
        _, before = checks(project)

        edit(project / "data" / "holdout.csv", "holdout7,2,phone,", whole)
        _, after = checks(project)

        assert before["holdout labelled"]["verdict"] == "FAIL"
        assert after["holdout labelled"]["reason"] == {
            "code": "HOLDOUT_LABELLED",
            "message": "each of the holdout's 20 rows has a value in 'clicked'",
        }


class TestSuites:
    def test_expectations_in_the_settings_are_held_against_the_data(self, project: Path) -> None:
        say(project, SUITES)

        code, found = checks(project)

        assert code == 1
        document = found["train"]["details"]["expectations"]
        assert document["statistics"]["successful_expectations"] == 1
        (_, broken) = document["results"]
        assert broken["result"]["partial_unexpected_index_list"][:2] == [6, 13]
        assert broken["result"]["partial_unexpected_list"][:2] == [6, 6]
        assert broken["meta"]["partial_unexpected_keys"][:2] == ["v6", "v13"]

    def test_the_terminal_shows_expectations_and_whose_the_first_offending_rows_are(
        self, project: Path
    ) -> None:
        say(project, SUITES)

        finished = triune(project, "check", "data")

        lines = [line.split() for line in finished.stdout.splitlines()]
        assert ["PASS", "expect_column_values_to_not_be_null", "device"] in [
            line[:3] for line in lines
        ]
        assert ["row", "visit_id", "value"] in lines
        assert ["6", "v6", "6"] in lines

    def test_what_the_settings_say_wrongly_is_told_by_its_line(self, project: Path) -> None:
        say(project, SUITES.replace("max_value: 5", "max_value: 5, min_value: 6"))

        said = refusal(project, "check", "data")

        assert "triune.yaml:12: data.suites.train[1]: min_value 6 is greater than" in said

    def test_an_expectation_that_is_not_known_is_an_error_that_names_extra_and_line(
        self, project: Path
    ) -> None:
        say(project, SUITES.replace("expect_column_values_to_be_between", "expect_few_pages"))

        code, found = checks(project)

        (finding,) = found["train"]["findings"]
        assert (code, found["train"]["verdict"]) == (4, "ERROR")
        assert (finding["file"], finding["line"]) == ("triune.yaml", 12)
        assert "expect_few_pages" in found["train"]["reason"]["message"]
        assert "triune[gx]" in finding["message"] or "Great Expectations" in finding["message"]

    def test_one_dataset_can_be_checked_alone(self, project: Path) -> None:
        say(project, SUITES)

        _, found = checks(project, "--dataset", "train")

        assert list(found) == ["train"]

    def test_another_suite_can_be_held_against_a_dataset(
        self, project: Path, tmp_path: Path
    ) -> None:
        suite = tmp_path / "other.json"
        not_null = {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "visit_id"},
        }
        suite.write_text(json.dumps({"name": "other", "expectations": [not_null]}))
        say(project, SUITES)

        code, found = checks(project, "--dataset", "holdout", "--suite", str(suite))

        assert (code, list(found)) == (0, ["holdout"])
        assert found["holdout"]["details"]["expectations"]["suite_name"] == "other"

    def test_a_limit_of_memory_is_kept_to_and_has_to_be_one(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        say(project, SUITES)

        limited = triune(project, "check", "data", "--memory-limit", "100MB", "--force")
        refused = refusal(project, "check", "data", "--memory-limit", "much")
        monkeypatch.setenv("TRIUNE_MEMORY_LIMIT", "1MB")

        assert (
            limited.returncode
            == triune(project, "check", "data", "--memory-limit", "1GB").returncode
        )
        assert "--memory-limit is 'much'; write a number and its unit" in refused
        assert "TRIUNE_MEMORY_LIMIT is '1MB', too little" in refusal(
            project, "data", "profile", "train"
        )
        assert not list((project / ".triune" / "scratch").glob("*"))

    @pytest.mark.parametrize("layers", [[], ["code"], ["data", "code"]])
    def test_a_selection_is_for_the_data_layer_alone(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, layers: list[str]
    ) -> None:
        monkeypatch.chdir(project)

        with pytest.raises(UsageError, match="--dataset selects from the data layer"):
            check([Layer(layer) for layer in layers], dataset="train")

    @pytest.mark.parametrize(
        ("dataset", "suite", "said"),
        [
            ("trian", None, "did you mean 'train'?"),
            ("holdout", None, "nothing is said of what holdout must look like"),
            (None, "a.json", "a suite is for one dataset: name it, `--dataset NAME`"),
            ("train", "a.json", "a.json cannot be read: No such file"),
            ("train", "triune.yaml", "triune.yaml is no JSON"),
        ],
    )
    def test_what_is_not_there_cannot_be_selected(
        self, project: Path, dataset: str | None, suite: str | None, said: str
    ) -> None:
        with open_project(project) as context, pytest.raises(UsageError, match=re.escape(said)):
            data_checks(
                context,
                DataSelection(dataset=dataset, suite=project / suite if suite else None),
            )

    def test_a_report_that_cannot_be_written_is_said(self, project: Path) -> None:
        said = refusal(project, "check", "data", "--junit", "no/where.xml")

        assert "the report cannot be written to no/where.xml" in said


class TestReports:
    def test_junit_has_a_case_for_each_check_and_each_expectation(
        self, project: Path, tmp_path: Path
    ) -> None:
        say(project, SUITES)
        report = tmp_path / "report.xml"

        finished = triune(project, "check", "data", "--junit", str(report))

        assert finished.returncode == 1
        (suite,) = ET.parse(report).getroot()
        assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("data", "5", "2")
        cases = {case.get("name"): case for case in suite}
        broken = 'expect_column_values_to_be_between(column="pages", max_value=5)'
        assert {"train", "holdout apart", broken} < cases.keys()
        assert cases[broken].get("classname") == "triune.data.train"
        assert cases[broken].find("failure") is not None
        assert cases["holdout apart"].find("failure") is None

    def test_other_layers_are_reported_too(self, project: Path, tmp_path: Path) -> None:
        edit(project / "triune.yaml", "include: [src]", "include: [src]\n  checks: [lint]")
        report = tmp_path / "report.xml"

        triune(project, "check", "code", "data", "--junit", str(report))

        assert [suite.get("name") for suite in ET.parse(report).getroot()] == ["code", "data"]


class TestProfiles:
    def test_the_suite_that_is_proposed_is_met(self, project: Path) -> None:
        profiled = triune(project, "data", "profile", "train", "--write", "train.json")

        assert profiled.returncode == 0, profiled.stderr
        assert "pages" in profiled.stdout
        code, found = checks(project, "--dataset", "train", "--suite", "train.json")
        assert (code, found["train"]["verdict"]) == (0, "PASS")

    def test_a_suite_that_is_there_is_not_written_over_unless_forced(self, project: Path) -> None:
        (project / "train.json").write_text("mine")

        said = refusal(project, "data", "profile", "train", "--write", "train.json")

        assert "train.json is there already" in said
        assert (project / "train.json").read_text() == "mine"
        triune_json(project, "data", "profile", "train", "--write", "train.json", "--force")
        assert json.loads((project / "train.json").read_text())["name"] == "train"

    def test_a_glob_outside_of_any_project_is_profiled(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            write_visits(tmp_path / f"{name}.csv", 20, seed=1)

        found = triune_json(tmp_path, "data", "profile", "*.csv")

        assert found["rows"] == 40
        assert found["drift_profile"]["rows"] == 40
        assert found["suite"]["expectations"]
        assert not (tmp_path / ".triune").exists()

    @pytest.mark.parametrize(
        ("dataset", "said"),
        [
            ("trian", "did you mean 'train'?"),
            ("data", "data is a folder; name its files"),
            ("data/*.parquet", "no file is named like data/*.parquet"),
            ("triune.yaml", "is no dataset that is read; give .parquet or .csv"),
        ],
    )
    def test_what_is_no_dataset_is_refused(self, project: Path, dataset: str, said: str) -> None:
        with pytest.raises(UsageError, match=re.escape(said)):
            profile_dataset(project, dataset)

    def test_a_suite_that_cannot_be_written_is_said(self, project: Path) -> None:
        assert "no/such.json" in refusal(
            project, "data", "profile", "train", "--write", "no/such.json"
        )


class TestSkew:
    def test_data_that_is_alike_passes(self, project: Path) -> None:
        with_production(project, rows=1000)

        code, found = checks(project)

        assert (code, found["skew of production"]["reason"]["code"]) == (0, "NO_SKEW")
        skew = found["skew of production"]["details"]["skew"]
        assert [feature["name"] for feature in skew["features"]] == ["pages", "device"]

    def test_data_that_moved_fails_and_names_the_feature(self, project: Path) -> None:
        with_production(project, rows=1000, pages=30)

        code, found = checks(project, "--dataset", "production")

        assert (code, list(found)) == (1, ["skew of production"])
        assert "pages by a PSI of" in found["skew of production"]["reason"]["message"]

    def test_too_few_rows_are_inconclusive_and_end_a_run_before_anything_is_trained(
        self, project: Path
    ) -> None:
        with_production(project, rows=20)
        commit(project, "Watch production")

        finished = triune(project, "run", "--json")

        document = json.loads(finished.stdout)
        assert (finished.returncode, document["verdict"]) == (3, "INCONCLUSIVE")
        (reason,) = document["reasons"]
        assert reason["code"] == "SKEW_EVIDENCE_THIN"
        assert "rows are needed" in reason["message"]
        assert document["release"] is None

    def test_the_terminal_shows_each_feature(self, project: Path) -> None:
        with_production(project, rows=20)

        finished = triune(project, "check", "data", "--dataset", "production")

        assert finished.returncode == 3
        rows = [line.split() for line in finished.stdout.splitlines()]
        assert ["INCONCLUSIVE", "pages"] in [row[:2] for row in rows]

    def test_what_is_remembered_is_found_again_until_a_side_or_the_limit_changes(
        self, project: Path
    ) -> None:
        with_production(project, rows=1000)

        def digest() -> str:
            return str(checks(project)[1]["skew of production"]["digest"])

        first = digest()
        assert digest() == first
        edit(project / "triune.yaml", "[production]}", "[production], psi_max: 0.3}")
        second = digest()
        write_visits(project / "data" / "train.csv", 2001, seed=1)
        assert len({first, second, digest()}) == 3


def test_the_drift_profile_of_the_training_data_travels_in_the_release(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]

    shown = triune_json(project, "release", "show", release)

    digest = shown["manifest"]["drift"]
    profile = json.loads((project / ".triune" / "blobs" / digest[:2] / digest).read_bytes())
    assert [column["name"] for column in profile["columns"]] == ["pages", "device"]
    assert profile["rows"] == 40
