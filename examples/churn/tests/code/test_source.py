from dataclasses import replace
from pathlib import Path

import pytest

from src.ingest import ingest
from src.params import Params, read_params
from src.source import SourceError, resolve


@pytest.fixture
def params() -> Params:
    return read_params()


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(
        "customer_id,total_spend,monthly_spend\n007, ,12.50\n008,NA,8\n", encoding="utf-8"
    )
    return path


def test_generated_customers_are_known_by_the_generators_parameters(params: Params):
    resolved = resolve(replace(params, source="generated"))

    assert resolved == {
        "kind": "generated",
        "customers": params.generator.customers,
        "seed": params.generator.seed,
    }


def test_a_csv_is_known_by_its_content(params: Params, csv: Path):
    before = resolve(replace(params, source=str(csv)))

    csv.write_text(csv.read_text(encoding="utf-8").replace("12.50", "12.60"), encoding="utf-8")

    after = resolve(replace(params, source=str(csv)))
    assert before["path"] == after["path"]
    assert before["sha256"] != after["sha256"]


def test_a_path_without_a_file_is_named(params: Params, tmp_path: Path):
    with pytest.raises(SourceError, match=r"nowhere\.csv.*set `source`"):
        resolve(replace(params, source=str(tmp_path / "nowhere.csv")))


def test_a_csv_is_read_as_the_text_that_it_is(params: Params, csv: Path):
    customers = ingest(resolve(replace(params, source=str(csv))))

    assert customers["customer_id"].tolist() == ["007", "008"]
    assert customers["total_spend"].tolist() == [" ", "NA"]
    assert customers["monthly_spend"].tolist() == ["12.50", "8"]


def test_a_csv_that_changed_after_it_was_resolved_is_refused(params: Params, csv: Path):
    resolved = resolve(replace(params, source=str(csv)))

    csv.write_text("customer_id\n", encoding="utf-8")

    with pytest.raises(SourceError, match="run `dvc repro` again"):
        ingest(resolved)


def test_a_file_that_is_no_csv_is_refused(params: Params, csv: Path):
    csv.write_bytes(b"PAR1\xff\xfe\x00")

    with pytest.raises(SourceError, match="is no CSV"):
        ingest(resolve(replace(params, source=str(csv))))
