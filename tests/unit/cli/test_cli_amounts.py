import pytest
import typer

from combine.cli.options import usd_amount, usd_cost


@pytest.mark.parametrize(
    ("text", "kept"),
    [("2.50", "2.5"), ("$3", "3"), (" 1e2 ", "100"), ("0.000001", "0.000001"), ("9999999.0000000", "9999999")],
)
def test_an_amount_is_kept_as_the_database_writes_it(text, kept):
    assert str(usd_amount(text)) == kept


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "nan", "inf", "1,5", "0.0000001", "1.0000001", "10000000", "1e-999999", "1e999999"]
)
def test_what_cannot_be_a_budget(text):
    with pytest.raises(typer.BadParameter):
        usd_amount(text)


@pytest.mark.parametrize(("text", "kept"), [("0", "0"), ("-0", "0"), ("0.00", "0"), ("$0.12", "0.12"), ("1e2", "100")])
def test_a_call_may_have_cost_nothing(text, kept):
    assert str(usd_cost(text)) == kept


@pytest.mark.parametrize("text", ["", "-0.01", "nan", "inf", "1,5", "0.0000001", "10000000", "1e-999999"])
def test_what_no_call_can_have_cost(text):
    with pytest.raises(typer.BadParameter):
        usd_cost(text)
