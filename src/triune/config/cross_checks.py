"""Checks how the keys of ``triune.yaml`` bear on each other, as far as each is there to be seen.

It reads the plain document, so that one wrong value elsewhere hides no problem here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from triune.config.document import Document, Location, as_lists
from triune.config.model import StepSettings
from triune.config.values import METRIC_SHAPE
from triune.domain.canonical import Json
from triune.domain.errors import Problem, nearest
from triune.domain.expectations.catalogue import (
    find_contradiction,
    find_problem,
    find_signature,
)
from triune.domain.expectations.suite import Expectation
from triune.stats.metric_names import METRIC_NAMES, refuse_metric

NEEDED_DATASETS = ("train", "holdout")
AT_ONCE = ("blue_green", "instant")
# Of a rate of failures: five times as many must be fewer than all.
MOST_ERRORS = 0.2


def cross_check(document: Document) -> list[Problem]:
    """List what contradicts something else in the file."""
    return [
        document.problem(place, message)
        for check in (
            _datasets_of_the_model,
            _dataset_names,
            _skew,
            _expectations,
            _distinct_columns,
            _behaviours,
            _unique_names,
            _environment_order,
            _distinct_addresses,
            _steps_at_once,
            _deadlines,
            _error_rates,
            _gated_model,
            _coverage_of_tests,
            _metrics,
        )
        for place, message in check(document)
    ]


_Findings = Iterator[tuple[Location, str]]


def _coverage_of_tests(document: Document) -> _Findings:
    checks = document.at(("code", "checks"))
    is_measured = isinstance(checks, Sequence) and "tests" in checks
    if document.at(("code", "coverage_min")) is not None and not is_measured:
        yield ("code", "coverage_min"), "is measured by the check `tests`; add it to code.checks"


def _datasets_of_the_model(document: Document) -> _Findings:
    if not isinstance(document.at(("model",)), dict):
        return
    datasets = _mapping(document, ("data", "datasets"))
    for name in NEEDED_DATASETS:
        if name not in datasets:
            yield ("data", "datasets", name), "missing; a model needs it"
    train, holdout = (datasets.get(name) for name in NEEDED_DATASETS)
    if train is not None and train == holdout:
        yield ("data", "datasets", "holdout"), "is the training data; a holdout is never trained on"


def _dataset_names(document: Document) -> _Findings:
    datasets = _mapping(document, ("data", "datasets"))
    against: Location = ("data", "skew", "against")
    uses: dict[Location, Json] = {
        **{("data", "suites", name): name for name in _mapping(document, ("data", "suites"))},
        ("data", "skew", "reference"): document.at(("data", "skew", "reference")),
        **{(*against, at): name for at, name in enumerate(_list(document, against))},
    }
    for place, name in uses.items():
        if isinstance(name, str) and name not in datasets:
            yield place, _unknown("dataset", name, datasets)


def _skew(document: Document) -> _Findings:
    reference = document.at(("data", "skew", "reference"))
    against: Location = ("data", "skew", "against")
    seen: set[str] = set()
    for at, name in enumerate(_list(document, against)):
        if isinstance(name, str) and name == reference:
            yield (*against, at), "is the reference itself; name another dataset"
        elif isinstance(name, str) and name in seen:
            yield (*against, at), f"{name!r} is there already; keep one"
        if isinstance(name, str):
            seen.add(name)


def _expectations(document: Document) -> _Findings:
    for name in _mapping(document, ("data", "suites")):
        place: Location = ("data", "suites", name)
        for at, held in enumerate(_list(document, place)):
            if problem := _expectation_problem(held):
                yield (*place, at), problem


def _expectation_problem(held: Json) -> str | None:
    given = as_lists(held)
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        return None
    kwargs = given.get("kwargs", {})
    # One that is not known may be the project's own; parameters have values only in a run.
    if not isinstance(kwargs, dict) or find_signature(given["type"]) is None:
        return None
    if "$PARAMETER" in str(kwargs):
        return None
    expectation = Expectation(type=given["type"], kwargs=kwargs)
    return find_problem(expectation, kwargs) or find_contradiction(kwargs)


def _distinct_columns(document: Document) -> _Findings:
    seen: dict[str, str] = {}
    for role in ("target", "key", "time"):
        column = document.at(("model", role))
        if not isinstance(column, str):
            continue
        if column in seen:
            yield ("model", role), f"{column!r} is the model's {seen[column]} already"
        seen.setdefault(column, role)


def _behaviours(document: Document) -> _Findings:
    for at in range(len(_list(document, ("model", "behaviour")))):
        place: Location = ("model", "behaviour", at)
        behaviour = _mapping(document, place)
        values, against = (_mapping(document, (*place, key)) for key in ("set", "against"))
        if values and against and values.keys() != against.keys():
            yield (*place, "against"), "names other columns than `set`; name the same"
        is_same = behaviour.get("expect") == "same"
        if is_same and "tolerance" not in behaviour:
            yield (*place, "tolerance"), "missing; `expect: same` needs it"
        if not is_same and "tolerance" in behaviour and "expect" in behaviour:
            yield (*place, "tolerance"), "goes with `expect: same` only"


def _unique_names(document: Document) -> _Findings:
    lists: Sequence[Location] = (("model", "slices"), ("model", "behaviour"), ("code", "checks"))
    for place in lists:
        seen: set[str] = set()
        for at, item in enumerate(_list(document, place)):
            name = item.get("name") if isinstance(item, dict) else item
            if isinstance(name, str) and name in seen:
                yield (*place, at), f"{name!r} is there already; give each a name of its own"
            if isinstance(name, str):
                seen.add(name)


def _environment_order(document: Document) -> _Findings:
    environments = _mapping(document, ("environments",))
    for name in environments:
        place = ("environments", name, "after")
        after = document.at(place)
        if isinstance(after, str) and after not in environments:
            yield place, _unknown("environment", after, environments)
        elif _leads_back(document, name):
            yield place, f"{name!r} would have to come after itself; one has to be first"


def _leads_back(document: Document, start: str) -> bool:
    seen: set[str] = set()
    name = document.at(("environments", start, "after"))
    while isinstance(name, str) and name not in seen:
        if name == start:
            return True
        seen.add(name)
        name = document.at(("environments", name, "after"))
    return False


def _distinct_addresses(document: Document) -> _Findings:
    seen: dict[str, str] = {}
    for name in _mapping(document, ("environments",)):
        place = ("environments", name, "listen")
        address = document.at(place)
        if not isinstance(address, str):
            continue
        if address in seen:
            yield place, f"{address} is where {seen[address]!r} listens already"
        seen.setdefault(address, name)


def _steps_at_once(document: Document) -> _Findings:
    for name in _mapping(document, ("environments",)):
        environment = _mapping(document, ("environments", name))
        strategy = environment.get("strategy")
        if strategy in AT_ONCE and environment.get("steps") is not None:
            yield (
                ("environments", name, "steps"),
                f"{strategy} takes all traffic at once; remove them, or use canary",
            )


def _deadlines(document: Document) -> _Findings:
    usual = StepSettings()
    for name in _mapping(document, ("environments",)):
        place: Location = ("environments", name, "step")
        step = _mapping(document, place)
        deadline = _number(step.get("deadline_seconds", usual.deadline_seconds))
        for key in ("min_seconds", "bake_seconds"):
            least = _number(step.get(key, getattr(usual, key)))
            if deadline is None or least is None or least < deadline:
                continue
            # Where the deadline is the usual one, what was set is too long for it.
            at = "deadline_seconds" if "deadline_seconds" in step else key
            message = (
                f"a step lasts {least:g} s at least ({key}), and its deadline is {deadline:g} s "
                "(deadline_seconds); set the deadline above it"
            )
            yield (*place, at), message


def _error_rates(document: Document) -> _Findings:
    for name in _mapping(document, ("environments",)):
        place: Location = ("environments", name, "analysis", "slo", "error_rate")
        rate = _number(document.at(place))
        if rate is not None and not 0 < rate < MOST_ERRORS:
            message = (
                f"{rate:g} is no objective that a rollout can be held to: its first step asks "
                f"for at most 5 times that; set more than 0 and less than {MOST_ERRORS:g}"
            )
            yield place, message


def _gated_model(document: Document) -> _Findings:
    if "gate" in document.value and "model" not in document.value:
        yield ("gate",), "there is no `model:` to be gated; add one, or remove the gate"


def _metrics(document: Document) -> _Findings:
    task = document.at(("model", "task"))
    if not isinstance(task, str) or task not in METRIC_NAMES:
        return
    floors: list[Location] = [
        ("model", "floors"),
        *(
            ("model", "slices", at, "floors")
            for at in range(len(_list(document, ("model", "slices"))))
        ),
    ]
    named: list[tuple[Location, Json]] = [
        (("gate", "metric"), document.at(("gate", "metric"))),
        *(((*place, name), name) for place in floors for name in _mapping(document, place)),
    ]
    for place, name in named:
        # What could not be any metric's name is told where its shape is.
        is_name = isinstance(name, str) and re.fullmatch(METRIC_SHAPE, name)
        if is_name and (refused := refuse_metric(name, task=task)):
            yield place, refused


def _unknown(what: str, name: str, valid: Mapping[str, Json]) -> str:
    known = f"; there are {', '.join(valid)}" if valid else ""
    return f"there is no {what} {name!r}{nearest(name, valid) or known}"


def _number(value: Json) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _mapping(document: Document, place: Location) -> Mapping[str, Json]:
    value = document.at(place)
    return value if isinstance(value, dict) else {}


def _list(document: Document, place: Location) -> Sequence[Json]:
    value = document.at(place)
    return value if isinstance(value, tuple) else ()
