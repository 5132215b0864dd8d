"""Datasets that refute what triune.yaml says of them are refused at the cut, by name."""

from pathlib import Path

import pytest
from tests.projects import a_project, edit

from triune.bootstrap import open_project
from triune.domain.errors import DatasetError
from triune.operations.cutting import gather_release

HEADER = "visit_id,pages,device,clicked\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_project(tmp_path_factory.mktemp("refused") / "visits")


def rows(*targets: object) -> str:
    return HEADER + "".join(
        f"v{number},{number},phone,{target}\n" for number, target in enumerate(targets)
    )


def refusal(
    project: Path,
    *,
    train: str = rows(0, 1, 1),
    holdout: str = rows(1, 0),
    task: str = "binary",
    path: str = "data/train.csv",
) -> str:
    settings = (project / "triune.yaml").read_text()
    edit(project / "triune.yaml", "task: binary", f"task: {task}")
    edit(project / "triune.yaml", "train: data/train.csv", f'train: "{path}"')
    (project / "data/train.csv").write_text(train)
    (project / "data/holdout.csv").write_text(holdout)
    try:
        with open_project(project) as context, pytest.raises(DatasetError) as raised:
            gather_release(context, lock=b"")
    finally:
        (project / "triune.yaml").write_text(settings)
    return str(raised.value)


def test_a_dataset_without_rows_is_refused(project: Path) -> None:
    for_train = refusal(project, train=HEADER)
    for_holdout = refusal(project, holdout=HEADER)

    assert for_train.startswith("data/train.csv has columns and not one row (data.datasets.train")
    assert for_holdout.startswith("data/holdout.csv has columns and not one row")


def test_a_target_without_a_value_is_refused(project: Path) -> None:
    message = refusal(project, holdout=rows("", "NA"))

    assert message.startswith("data/holdout.csv: no row has a value in the target 'clicked'")


def test_a_holdout_of_one_class_is_refused(project: Path) -> None:
    for task in ("binary", "multiclass"):
        message = refusal(project, holdout=rows(1, 1), task=task)

        assert message.startswith("data/holdout.csv: every row's target 'clicked' is 1, so")


def test_a_binary_target_of_more_than_two_values_is_refused(project: Path) -> None:
    in_one = refusal(project, train=rows(0, 1, 2))
    in_both = refusal(project, holdout=rows("yes", "no"))

    assert "0 in data/train.csv, 1 in data/train.csv, 2 in data/train.csv" in in_one
    assert "write `task: multiclass`" in in_one
    assert "1 in data/train.csv, 'yes' in data/holdout.csv" in in_both


def test_a_regression_on_text_is_refused(project: Path) -> None:
    message = refusal(project, train=rows("high", "low"), task="regression")

    assert message.startswith("data/train.csv: the target 'clicked' holds string ('high', say)")


def test_a_file_of_both_training_data_and_holdout_is_refused(project: Path) -> None:
    message = refusal(project, path="data/*.csv")

    assert message.startswith("data/holdout.csv is in both the training data and the holdout")
