"""What a check of a served release comes to, from what it answered."""

from typing import Any

import pytest

from triune.domain.evidence import Judgement
from triune.domain.integration_checks import (
    MOST_FINDINGS,
    Failed,
    IntegrationReason,
    Probe,
    Replay,
    are_equal,
    find_breach,
    judge_contract,
    judge_replays,
    make_probes,
)
from triune.domain.manifest import Field, FieldType, Outputs, Signature
from triune.domain.verdict import Verdict

RELEASE = "a" * 64
PAGES = Field(name="pages", type=FieldType.INTEGER, nullable=False)
DEVICE = Field(name="device", type=FieldType.STRING, nullable=True)


def answers(*chances: float) -> list[dict[str, Any]]:
    return [{"prediction": int(chance > 0.5), "probability": chance} for chance in chances]


def a_replay(*chances: float, way: str = "one by one") -> Replay:
    return Replay(way=way, answers=dict(enumerate(answers(*chances))))


def outcome(judgement: Judgement) -> tuple[str, str]:
    return judgement.verdict, judgement.reason.code


@pytest.mark.parametrize(
    ("recorded", "answered"),
    [
        ({"probability": 0.5}, {"probability": 0.5 + 9e-7}),
        ({"prediction": 1_000_000.0}, {"prediction": 1_000_000.5}),
        ({"prediction": "no"}, {"prediction": "no"}),
        (
            {"prediction": 1, "probabilities": {"1": 1}},
            {"prediction": 1, "probabilities": {"1": 1.0}},
        ),
    ],
)
def test_answers_are_equal_but_for_rounding(recorded: Any, answered: Any) -> None:
    assert are_equal(recorded, answered)


@pytest.mark.parametrize(
    ("recorded", "answered"),
    [
        ({"probability": 0.5}, {"probability": 0.5 + 2e-6}),
        ({"prediction": 1_000_000.0}, {"prediction": 1_000_002.0}),
        ({"prediction": 0, "probability": 0.5}, {"prediction": 1, "probability": 0.5}),
        ({"prediction": 1}, {"prediction": True}),
        ({"prediction": 1}, {"prediction": "1"}),
        ({"prediction": 1}, {"prediction": 1, "probability": 0.9}),
        ({"prediction": 1, "probability": 0.9}, {"prediction": 1}),
        ({"prediction": 1}, None),
        ({"prediction": 1}, Failed(status=500, detail="no")),
    ],
)
def test_answers_that_differ_in_anything_else_are_not_equal(recorded: Any, answered: Any) -> None:
    assert not are_equal(recorded, answered)


def test_answers_as_recorded_pass() -> None:
    judgement = judge_replays(answers(0.2, 0.8), [a_replay(0.2, 0.8)], together=None)

    assert outcome(judgement) == (Verdict.PASS, IntegrationReason.ANSWERS_EQUAL)
    assert judgement.figures == {"requests": 2, "differing": 0, "largest_gap": 0}


def test_what_differs_alone_and_not_together_depends_on_the_batch() -> None:
    together = a_replay(0.2, 0.8, 0.4, way="together")

    judgement = judge_replays(answers(0.2, 0.8, 0.4), [a_replay(0.2, 0.3, 0.45)], together=together)

    assert outcome(judgement) == (Verdict.FAIL, IntegrationReason.BATCH_DEPENDENT)
    assert judgement.figures == {"requests": 3, "differing": 2, "largest_gap": 0.5}
    assert judgement.reason.message.startswith(
        "2 of 3 golden requests, sent one by one, get another answer than recorded "
        "(largest gap 0.5)"
    )
    assert judgement.findings[0].row == 1
    assert judgement.findings[0].message == (
        'golden request 1, sent one by one: recorded {"prediction": 1, "probability": 0.8}, '
        'answered {"prediction": 0, "probability": 0.3}'
    )


def test_what_differs_together_too_does_not_depend_on_the_batch() -> None:
    together = a_replay(0.3, 0.8, way="together")

    judgement = judge_replays(answers(0.2, 0.8), [a_replay(0.3, 0.8), together], together=together)

    assert outcome(judgement) == (Verdict.FAIL, IntegrationReason.ANSWERS_DIFFER)
    assert judgement.figures["differing"] == 1


def test_a_request_that_fails_is_told_by_what_came_back() -> None:
    replay = Replay(way="one by one", answers={0: Failed(status=500, detail="no such page")})

    judgement = judge_replays(answers(0.2, 0.8), [replay], together=a_replay(0.2, 0.8))

    assert outcome(judgement) == (Verdict.FAIL, IntegrationReason.REQUEST_FAILED)
    assert "HTTP 500 (no such page)" in judgement.reason.message


def test_findings_are_cut_short_and_figures_count_them_all() -> None:
    rows = 3 * MOST_FINDINGS

    judgement = judge_replays(answers(*[0.2] * rows), [a_replay(*[0.3] * rows)], together=None)

    assert len(judgement.findings) == MOST_FINDINGS
    assert judgement.figures["differing"] == rows


def probe(sent: str) -> Probe:
    signature = Signature(inputs=(PAGES, DEVICE), outputs=Outputs())
    probes = make_probes(signature, {"pages": 3, "device": "phone"})
    return next(each for each in probes if each.sent == sent)


def test_inputs_are_left_out_where_they_are_needed_and_mistyped_always() -> None:
    signature = Signature(inputs=(PAGES, DEVICE), outputs=Outputs())

    probes = make_probes(signature, {"pages": 3, "device": "phone"})

    assert [(each.body, each.field) for each in probes if each.status == 422] == [
        ({"device": "phone"}, "pages"),
        ({"pages": "of the wrong type", "device": "phone"}, "pages"),
        ({"pages": 3, "device": 0}, "device"),
    ]


def test_without_a_golden_request_only_health_is_asked_for() -> None:
    probes = make_probes(Signature(inputs=(PAGES,), outputs=Outputs()), None)

    assert [each.sent for each in probes] == ["GET /health"]


@pytest.mark.parametrize(
    ("sent", "status", "document"),
    [
        ("GET /health", 200, {"live": True, "ready": True, "release": RELEASE}),
        ("a request", 200, {"prediction": 1}),
        ("a list of two requests", 200, [{"prediction": 1}, {"prediction": 1}]),
        ("a request without 'pages'", 422, {"errors": [{"field": "pages"}]}),
    ],
)
def test_what_the_contract_asks_for_is_no_breach(sent: str, status: int, document: Any) -> None:
    assert find_breach(probe(sent), status=status, document=document, release=RELEASE) is None


@pytest.mark.parametrize(
    ("sent", "status", "document", "breach"),
    [
        ("GET /health", 503, {}, "came to HTTP 503, instead of 200"),
        ("GET /health", 200, {"release": "b"}, "does not tell the release"),
        ("a request", 200, [], "no answer that is an object"),
        ("a list of two requests", 200, [{"prediction": 1}], "no list of as many answers"),
        ("a request without 'pages'", 200, {"prediction": 1}, "came to HTTP 200, instead of 422"),
        ("a request without 'pages'", 422, {"errors": [{"field": "device"}]}, "without naming it"),
        ("a request without 'pages'", 422, None, "without naming it"),
    ],
)
def test_anything_else_is_a_breach(sent: str, status: int, document: Any, breach: str) -> None:
    found = find_breach(probe(sent), status=status, document=document, release=RELEASE)

    assert found is not None
    assert breach in found


def test_a_breach_of_the_contract_fails() -> None:
    assert outcome(judge_contract([], probes=3)) == (Verdict.PASS, "CONTRACT_KEPT")
    assert outcome(judge_contract(["no"], probes=3)) == (Verdict.FAIL, "CONTRACT_BROKEN")
