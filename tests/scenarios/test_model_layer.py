"""A release's model is checked by running the release: floors, slices, behaviours, every row."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.projects import FEATURES_CODE, a_project

from triune.bootstrap import open_project
from triune.domain.canonical import Json, sha256
from triune.domain.errors import TriuneError
from triune.domain.evidence import CheckResult
from triune.domain.manifest import DatasetRef, FileRef, Manifest, Tree
from triune.domain.project import BehaviourSpec, SliceSpec
from triune.domain.verdict import Reason, Verdict
from triune.operations.checks import run_checks
from triune.operations.context import Context
from triune.operations.cutting import gather_release
from triune.operations.measuring import load_holdout
from triune.operations.model_layer import model_checks
from triune.operations.releases import load_tree
from triune.operations.scoring import Variant
from triune.ports import Predictions

ROWS = 300
HEADER = "visit_id,pages,device,clicked"


def visits(count: int = ROWS) -> list[str]:
    """Make rows of a holdout: who sees more pages clicks more often."""
    rng = np.random.default_rng(5)
    pages = rng.integers(0, 7, count)
    clicked = (rng.random(count) < 1 / (1 + np.exp(-1.2 * (pages - 3)))).astype(int)
    return [
        f"h{n},{pages[n]},{'desktop' if n % 15 == 0 else 'phone'},{clicked[n]}"
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Context, Manifest]]:
    root = a_project(tmp_path_factory.mktemp("model-layer") / "visits")
    (root / "data/holdout.csv").write_text("\n".join([HEADER, *visits()]) + "\n")
    with open_project(root) as context:
        lock = (root / "requirements.lock").read_bytes()
        yield context, gather_release(context, lock=lock).manifest


@pytest.fixture
def context(project: tuple[Context, Manifest]) -> Context:
    return project[0]


@pytest.fixture
def manifest(project: tuple[Context, Manifest]) -> Manifest:
    return project[1]


def asking(context: Context, **given: Any) -> Context:
    """Have the project ask something of its models."""
    assert context.spec.model is not None
    return replace(context, spec=replace(context.spec, model=replace(context.spec.model, **given)))


def with_dataset(
    context: Context, manifest: Manifest, rows: list[str], *, name: str = "holdout"
) -> Manifest:
    """Have a release come with another dataset."""
    content = "".join(f"{row}\n" for row in rows).encode()
    file = FileRef(path=f"data/{name}.csv", digest=sha256(content), size=len(content))
    context.store.put(content)
    tree = context.store.put(Tree.of([file]).content).digest
    held = {**manifest.datasets, name: DatasetRef(format="csv", digest=tree)}
    return replace(manifest, datasets=held)


def with_features(context: Context, manifest: Manifest, code: str) -> Manifest:
    """Have a release come with other features."""
    assert code != FEATURES_CODE
    content = code.encode()
    files = [
        replace(file, digest=context.store.put(content).digest, size=len(content))
        if file.path == "src/features.py"
        else file
        for file in load_tree(context.store, manifest.code).files
    ]
    return replace(manifest, code=context.store.put(Tree.of(files).content).digest)


class Looks:
    """Counts the predictions that are to meet the labels, and refuses them if told so."""

    def __init__(self, refusal: Reason | TriuneError | None = None) -> None:
        self.seen: list[Predictions] = []
        self._refusal = refusal

    def __call__(self, predictions: Predictions) -> Reason | None:
        self.seen.append(predictions)
        if isinstance(self._refusal, TriuneError):
            raise self._refusal
        return self._refusal


def check(
    context: Context, manifest: Manifest, looks: Looks | None = None
) -> Mapping[str, CheckResult]:
    checks = model_checks(context, manifest.release_id, manifest, may_look=looks or Looks())
    results = run_checks(context, checks, progress=lambda _: None)
    return {result.name: result for result in results}


def outcomes(results: Mapping[str, CheckResult]) -> dict[str, tuple[Verdict, str]]:
    return {name: (each.verdict, str(each.reason.code)) for name, each in results.items()}


def test_a_sound_release_passes_what_is_asked_of_it(context: Context, manifest: Manifest) -> None:
    looks = Looks()
    asked = asking(
        context,
        floors={"roc_auc": 0.8, "log_loss": 0.6},
        slices=(
            SliceSpec(name="phones", where="device = 'phone'", floors={"roc_auc": 0.75}),
            SliceSpec(name="desktops", where="device = 'desktop'", floors={"roc_auc": 0.75}),
        ),
        behaviour=(
            BehaviourSpec(name="pages", set={"pages": 5}, against={"pages": 2}, expect="increase"),
            BehaviourSpec(
                name="device", set={"device": "phone"}, against={"device": "desktop"}, expect="same"
            ),
        ),
    )

    results = check(asked, manifest, looks)

    assert outcomes(results) == {
        "holdout": (Verdict.PASS, "HOLDOUT_SOUND"),
        "predictions": (Verdict.PASS, "PREDICTIONS_VALID"),
        "floor: roc_auc >= 0.8": (Verdict.PASS, "FLOOR_HELD"),
        "floor: log_loss <= 0.6": (Verdict.PASS, "FLOOR_HELD"),
        "slice: phones": (Verdict.PASS, "FLOOR_HELD"),
        "slice: desktops": (Verdict.PASS, "UNDERPOWERED"),
        "behaviour: pages": (Verdict.PASS, "BEHAVIOUR_HELD"),
        "behaviour: device": (Verdict.PASS, "BEHAVIOUR_HELD"),
    }
    assert results["slice: desktops"].figures["rows"] == ROWS / 15
    assert [len(each.labels) for each in looks.seen] == [ROWS]


def test_what_is_measured_is_the_release_with_its_own_code(
    context: Context, manifest: Manifest
) -> None:
    inverted = with_features(context, manifest, FEATURES_CODE.replace("- 3.0", "* -1.0"))

    results = check(asking(context, floors={"roc_auc": 0.8}), inverted)

    floor = results["floor: roc_auc >= 0.8"]
    assert floor.verdict is Verdict.FAIL
    assert floor.figures["upper"] < 0.2


def test_labels_are_met_by_nothing_where_no_look_is_left(
    context: Context, manifest: Manifest
) -> None:
    asked = asking(
        context,
        floors={"accuracy": 0.6},
        slices=(
            SliceSpec(name="phones", where="device = 'phone'", floors={"accuracy": 0.6}),
            SliceSpec(name="desktops", where="device = 'desktop'", floors={"accuracy": 0.6}),
            SliceSpec(name="many pages", where="pages > 3"),
        ),
    )
    spent = Looks(Reason(code="HOLDOUT_SPENT", message="all looks are spent"))

    refused, allowed = check(asked, manifest, spent), check(asked, manifest)

    assert outcomes(refused) == {
        "holdout": (Verdict.PASS, "HOLDOUT_SOUND"),
        "predictions": (Verdict.PASS, "PREDICTIONS_VALID"),
        "floor: accuracy >= 0.6": (Verdict.INCONCLUSIVE, "HOLDOUT_SPENT"),
        "slice: phones": (Verdict.INCONCLUSIVE, "HOLDOUT_SPENT"),
        "slice: desktops": (Verdict.PASS, "UNDERPOWERED"),
        "slice: many pages": (Verdict.PASS, "NO_FLOOR"),
    }
    assert refused["floor: accuracy >= 0.6"].figures == {}
    assert len(spent.seen) == 1
    assert allowed["floor: accuracy >= 0.6"].verdict is Verdict.PASS


def test_without_a_floor_no_prediction_is_to_meet_a_label(
    context: Context, manifest: Manifest
) -> None:
    looks = Looks()

    check(asking(context, slices=(SliceSpec(name="few", where="pages > 3"),)), manifest, looks)

    assert looks.seen == []


def test_the_same_question_of_the_same_release_is_answered_once(
    context: Context, manifest: Manifest
) -> None:
    first = check(asking(context, floors={"f1": 0.6}), manifest)["floor: f1 >= 0.6"]
    again = check(asking(context, floors={"f1": 0.6}), manifest)["floor: f1 >= 0.6"]
    other = check(asking(context, floors={"f1": 0.61}), manifest)["floor: f1 >= 0.61"]

    assert again.document == first.document
    assert other.digest != first.digest


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            ["visit_id,pages,device,clickd", *visits()],
            "no column 'clicked'; did you mean 'clickd'?",
        ),
        ([HEADER, *visits(), "h,3,phone,2", "i,3,phone,2"], "target 'clicked' is 2, which is none"),
        ([HEADER, *visits(), "h,3,phone,"], "1 row (row 300) of the holdout without a value"),
    ],
)
def test_labels_that_cannot_be_met_are_told_and_spend_no_look(
    context: Context, manifest: Manifest, rows: list[str], says: str
) -> None:
    looks = Looks()
    asked = asking(context, floors={"roc_auc": 0.8})

    results = check(asked, with_dataset(context, manifest, rows), looks)

    for name in ("holdout", "floor: roc_auc >= 0.8"):
        assert results[name].verdict is Verdict.ERROR
        assert says in results[name].reason.message
    assert results["predictions"].verdict is Verdict.PASS
    assert looks.seen == []


def test_a_holdout_of_one_class_is_inconclusive_whatever_it_scores(
    context: Context, manifest: Manifest
) -> None:
    never = [f"{row[:-1]}0" for row in visits()]

    results = check(
        asking(context, floors={"roc_auc": 0.8}), with_dataset(context, manifest, [HEADER, *never])
    )

    assert outcomes(results) == {
        "holdout": (Verdict.INCONCLUSIVE, "ONE_LABEL"),
        "predictions": (Verdict.PASS, "PREDICTIONS_VALID"),
        "floor: roc_auc >= 0.8": (Verdict.INCONCLUSIVE, "TOO_FEW_ROWS"),
    }


@pytest.mark.parametrize("has_key", [True, False])
def test_rows_that_repeat_tell_no_more_than_once(
    context: Context, manifest: Manifest, has_key: bool
) -> None:
    assert manifest.model is not None
    plain = with_dataset(context, manifest, [HEADER, *visits()])
    tripled = with_dataset(context, manifest, [HEADER, *visits() * 3])
    if not has_key:
        tripled = replace(tripled, model=replace(manifest.model, key=None))
    asked = asking(context, floors={"roc_auc": 0.8})

    once, thrice = check(asked, plain), check(asked, tripled)

    code = "HOLDOUT_SOUND" if has_key else "ROWS_REPEAT"
    assert outcomes(thrice)["holdout"] == (Verdict.PASS, code)
    assert thrice["holdout"].figures == {"rows": 3 * ROWS, "subjects": ROWS}
    lower = "floor: roc_auc >= 0.8"
    assert thrice[lower].figures["lower"] == pytest.approx(once[lower].figures["lower"], abs=0.005)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "def pages(frame):\n    return 0 * frame['pages'].to_numpy()\n",
            "same for every row: 0.5",
        ),
        ("def pages(frame):\n    return frame['pages'].to_numpy() / 0\n", "not finite"),
        ("def pages(frame):\n    raise ValueError('no pages')\n", "no pages"),
        ("import os\ndef pages(frame):\n    os._exit(3)\n", "worker ended"),
    ],
)
def test_predictions_that_tell_nothing_fail_by_themselves(
    context: Context, manifest: Manifest, code: str, says: str
) -> None:
    looks = Looks()

    results = check(
        asking(context, floors={"accuracy": 0.3}), with_features(context, manifest, code), looks
    )

    assert results["predictions"].verdict is Verdict.FAIL
    assert says in results["predictions"].reason.message
    is_constant = "same" in says
    assert outcomes(results)["floor: accuracy >= 0.3"][1] == (
        "FLOOR_HELD" if is_constant else "NOT_SCORED"
    )
    assert len(looks.seen) == is_constant


def test_a_worker_that_is_killed_says_nothing_of_the_model_and_the_next_attempt_counts(
    context: Context, manifest: Manifest, tmp_path: Path
) -> None:
    deadly = tmp_path / "deadly"
    deadly.touch()
    code = (
        "import os, signal\n"
        "def pages(frame):\n"
        f"    if os.path.exists({str(deadly)!r}):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return frame['pages'].to_numpy(float) - 3.0\n"
    )
    release = with_features(context, manifest, code)
    asked = asking(
        context,
        floors={"roc_auc": 0.7},
        slices=(SliceSpec(name="phones", where="device = 'phone'", floors={"roc_auc": 0.6}),),
        behaviour=(
            BehaviourSpec(name="pages", set={"pages": 6}, against={"pages": 2}, expect="increase"),
        ),
    )

    killed = outcomes(check(asked, release))
    deadly.unlink()
    again = outcomes(check(asked, release))

    assert killed["predictions"] == (Verdict.ERROR, "WORKER_KILLED")
    assert killed["behaviour: pages"] == (Verdict.ERROR, "WORKER_KILLED")
    assert killed["floor: roc_auc >= 0.7"] == (Verdict.INCONCLUSIVE, "NOT_SCORED")
    assert {verdict for verdict, _ in again.values()} == {Verdict.PASS}
    assert again["floor: roc_auc >= 0.7"] == (Verdict.PASS, "FLOOR_HELD")


def test_what_keeps_the_predictions_from_the_labels_is_told_once(
    context: Context, manifest: Manifest
) -> None:
    asked = asking(
        context,
        floors={"roc_auc": 0.71, "accuracy": 0.51},
        slices=(SliceSpec(name="phones", where="device = 'phone'", floors={"roc_auc": 0.61}),),
    )
    check(context, manifest)

    results = check(asked, manifest, Looks(TriuneError("the champion cannot be scored")))

    assert outcomes(results) == {
        "holdout": (Verdict.ERROR, "FAULT"),
        "predictions": (Verdict.PASS, "PREDICTIONS_VALID"),
        "floor: roc_auc >= 0.71": (Verdict.INCONCLUSIVE, "NOT_MET"),
        "floor: accuracy >= 0.51": (Verdict.INCONCLUSIVE, "NOT_MET"),
        "slice: phones": (Verdict.INCONCLUSIVE, "NOT_MET"),
    }
    assert results["holdout"].reason.message == "the champion cannot be scored"


def test_a_holdout_without_a_column_of_the_candidates_is_told_with_the_nearest(
    context: Context, manifest: Manifest
) -> None:
    renamed = with_dataset(context, manifest, [HEADER.replace("pages", "page"), *visits()])

    results = check(asking(context, floors={"roc_auc": 0.8}), renamed)

    assert outcomes(results)["predictions"] == (Verdict.ERROR, "DATASET")
    assert "no column 'pages'; did you mean 'page'?" in results["predictions"].reason.message
    assert outcomes(results)["floor: roc_auc >= 0.8"] == (Verdict.INCONCLUSIVE, "NOT_SCORED")


def test_every_row_of_an_unlabelled_dataset_is_predicted_too(
    context: Context, manifest: Manifest
) -> None:
    lately = with_dataset(
        context, manifest, ["pages,device", "3,phone", "5,desktop", "1,phone"], name="production"
    )

    results = check(context, lately)

    assert outcomes(results)["predictions: production"] == (Verdict.PASS, "PREDICTIONS_VALID")
    assert results["predictions: production"].figures["rows"] == 3


def test_a_column_without_a_value_is_not_judged_and_never_passed(
    context: Context, manifest: Manifest
) -> None:
    without = [row.replace("phone", "").replace("desktop", "") for row in visits()]
    empty = with_dataset(context, manifest, [HEADER, *without])
    assert empty.signature is not None
    inputs = tuple(replace(each, nullable=True) for each in empty.signature.inputs)
    empty = replace(empty, signature=replace(empty.signature, inputs=inputs))
    asked = asking(
        context,
        slices=(
            SliceSpec(name="phones", where="device = 'phone'", floors={"accuracy": 0.6}),
            SliceSpec(
                name="desktops", where="device = 'desktop'", required=True, floors={"accuracy": 0.6}
            ),
        ),
        behaviour=(
            BehaviourSpec(
                name="device", set={"device": "phone"}, against={"device": "desktop"}, expect="same"
            ),
        ),
    )

    results = outcomes(check(asked, empty))

    assert results["slice: phones"] == (Verdict.PASS, "UNDERPOWERED")
    assert results["slice: desktops"] == (Verdict.INCONCLUSIVE, "UNDERPOWERED")
    assert results["behaviour: device"] == (Verdict.PASS, "NOT_APPLICABLE")


def test_what_is_wrong_with_one_question_keeps_no_other_from_its_answer(
    context: Context, manifest: Manifest
) -> None:
    asked = asking(
        context,
        floors={"roc_auk": 0.8, "rmse": 0.8, "accuracy": 0.6},
        slices=(
            SliceSpec(name="typo", where="devise = 'phone'"),
            SliceSpec(name="files", where="pages in (select n from read_csv('/etc/passwd'))"),
            SliceSpec(name="sound", where="pages > 1", floors={"accuracy": 0.5}),
        ),
        behaviour=(
            BehaviourSpec(name="typo", set={"page": 5}, against={"page": 2}, expect="increase"),
            BehaviourSpec(
                name="key", set={"visit_id": "a"}, against={"visit_id": "b"}, expect="same"
            ),
            BehaviourSpec(name="text", set={"pages": "5"}, against={"pages": 2}, expect="increase"),
            BehaviourSpec(name="sound", set={"pages": 5}, against={"pages": 2}, expect="increase"),
        ),
    )

    results = check(asked, manifest)

    errors = {
        "floor: roc_auk >= 0.8": "did you mean 'roc_auc'?",
        "floor: rmse <= 0.8": "there is no metric 'rmse' for binary models",
        "slice: typo": "there is no column 'devise'; did you mean 'device'?",
        "slice: files": "it holds a query of its own",
        "behaviour: typo": "the model has no input 'page'; did you mean 'pages'?",
        "behaviour: key": "the model has no input 'visit_id'",
        "behaviour: text": "pages = '5': the training data holds integer there",
    }
    for name, says in errors.items():
        assert says in results[name].reason.message
        assert results[name].verdict is Verdict.ERROR
    sound = {name: each.verdict for name, each in results.items() if name not in errors}
    assert set(sound.values()) == {Verdict.PASS}
    assert len(sound) == 5


def test_a_behaviour_that_breaks_the_model_fails_and_the_next_one_is_asked_of_a_new_worker(
    context: Context, manifest: Manifest
) -> None:
    fragile = with_features(
        context,
        manifest,
        "import os\n"
        "def pages(frame):\n"
        "    if (frame['pages'] == 66).all():\n"
        "        os._exit(3)\n"
        "    return frame['pages'].to_numpy(float) - 3.0\n",
    )
    asked = asking(
        context,
        behaviour=(
            BehaviourSpec(
                name="breaks", set={"pages": 66}, against={"pages": 2}, expect="increase"
            ),
            BehaviourSpec(name="holds", set={"pages": 6}, against={"pages": 2}, expect="increase"),
        ),
    )

    results = outcomes(check(asked, fragile))

    assert results["behaviour: breaks"] == (Verdict.FAIL, "PREDICTIONS_INVALID")
    assert results["behaviour: holds"] == (Verdict.PASS, "BEHAVIOUR_HELD")


def test_a_text_that_the_training_data_never_has_is_told_with_the_nearest(
    context: Context, manifest: Manifest
) -> None:
    spec = BehaviourSpec(
        name="device", set={"device": "fone"}, against={"device": "desktop"}, expect="same"
    )

    result = check(asking(context, behaviour=(spec,)), manifest)["behaviour: device"]

    told = "the training data never has device = 'fone'; did you mean 'phone'?"
    assert told in result.reason.message
    assert [finding.message for finding in result.findings] == [told]


def test_a_holdout_is_loaded_with_its_slices_and_compared_on_them(
    context: Context, manifest: Manifest
) -> None:
    asked = asking(context, slices=(SliceSpec(name="phones", where="device = 'phone'"),))

    holdout = load_holdout(asked, manifest)

    assert holdout.rows == ROWS
    assert holdout.groups is None
    assert holdout.slices["phones"].spec.name == "phones"
    assert holdout.slices["phones"].rows.tolist() == [n % 15 != 0 for n in range(ROWS)]


def test_a_variant_is_told_from_its_dataset_and_from_other_variants() -> None:
    dataset = DatasetRef(format="csv", digest="0" * 64)
    variants: list[dict[str, Json]] = [
        {},
        {"pages": 1},
        {"pages": 2},
        {"pages": "1"},
        {"pages": 1, "device": "phone"},
    ]

    digests = {Variant(dataset=dataset, replace=values).digest for values in variants}

    assert len(digests) == len(variants)
    assert Variant(dataset=dataset).digest == dataset.digest


def test_a_release_without_a_model_has_nothing_to_check(
    context: Context, manifest: Manifest
) -> None:
    bare = replace(manifest, model=None, signature=None)

    assert model_checks(context, bare.release_id, bare, may_look=Looks()) == ()
