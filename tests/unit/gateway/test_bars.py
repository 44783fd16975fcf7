"""Cost by customer, as bars."""

import pytest
from daylily.workset.v1 import customer_pb2

from daylily_gateway.pages.bars import SHOWN, WIDTH, of_customers


def customer(name, spent, reserved=0.0, budget=0.0):
    return customer_pb2.Customer(
        customer_id=name, spent_usd=spent, reserved_usd=reserved, budget_usd=budget
    )


def test_the_dearest_is_on_top_and_the_longest_fills_the_drawing():
    bars = of_customers([customer("a", 10), customer("b", 30, reserved=10, budget=80)]).bars

    assert [bar.name for bar in bars] == ["b", "a"]
    assert (bars[0].spent, bars[0].reserved) == pytest.approx((30 / 80 * WIDTH, 60), rel=0.01)
    assert bars[0].budget == pytest.approx(WIDTH, abs=2)
    assert bars[1].budget is None


def test_the_story_says_what_the_bars_show():
    found = of_customers([customer("a", 30, reserved=10, budget=80)])

    assert found.story == "Cost by customer: a $30.00 + $10.00 reserved of $80.00."


def test_of_many_customers_the_last_share_a_bar_and_no_dollar_is_lost():
    found = of_customers(customer(f"c{number}", number + 1) for number in range(SHOWN + 5))

    assert len(found.bars) == SHOWN + 1
    assert (found.bars[-1].name, found.bars[-1].label) == ("5 others", "$15.00")


def test_who_has_cost_nothing_has_no_bar():
    assert of_customers([customer("a", 0, budget=100)]).bars == ()
    assert of_customers([]).bars == ()
