"""What triune.yaml cannot say of the model: these tests ask it, in a process of its own."""

from triune.testing import Holdout, Model, assert_directional, assert_floor, for_each_slice


@for_each_slice
def test_no_slice_is_left_to_chance(candidate: Model, slice_name: str):
    assert_floor(candidate, "roc_auc", 0.6, where=slice_name)


def test_two_years_of_contract_hold_customers(candidate: Model, holdout: Holdout):
    assert_directional(
        candidate,
        holdout.features.head(200),
        set={"contract_type": "two_year"},
        against={"contract_type": "monthly"},
        expect="decrease",
        at_least=0.9,
    )
