from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.money import CurrencyMismatchError, Money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("22.71", "GBP", 2271), ("12000", "KRW", 12000), ("1.234", "BHD", 1234), (-3, "EUR", -300)],
)
def test_money_of_uses_the_currency_exponent(amount: str | int, currency: str, minor: int) -> None:
    assert Money.of(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize("amount", ["0.001", "NaN", "Infinity", "one"])
def test_money_of_refuses_what_would_be_lost(amount: str) -> None:
    with pytest.raises(ValueError, match=r"decimals|amount"):
        Money.of(amount, "GBP")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(2271, "GBP"), "£22.71"),
        (Money(-995, "GBP"), "\N{MINUS SIGN}£9.95"),
        (Money(1284600, "EUR"), "€12,846.00"),
        (Money(12000, "KRW"), "₩12,000"),
        (Money(1234, "BHD"), "BHD 1.234"),
    ],
)
def test_money_shows_its_currency(money: Money, text: str) -> None:
    assert str(money) == text


def test_money_rounds_half_away_from_zero() -> None:
    assert Money.rounded(Decimal("0.125"), "GBP") == Money(13, "GBP")
    assert Money.rounded(Decimal("-0.125"), "GBP") == Money(-13, "GBP")
    assert Money.rounded(Decimal("0.1249"), "GBP") == Money(12, "GBP")


def test_money_refuses_two_currencies_in_one_sum() -> None:
    with pytest.raises(CurrencyMismatchError):
        Money(1, "GBP") + Money(1, "EUR")


@pytest.mark.parametrize(("minor", "currency"), [(1.0, "GBP"), (True, "GBP"), (1, "gbp"), (1, "£")])
def test_money_refuses_floats_and_unknown_forms(minor: object, currency: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        Money(minor, currency)  # type: ignore[arg-type]


@given(
    st.integers(min_value=-(10**15), max_value=10**15),
    st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=30).filter(any),
)
def test_money_split_adds_up_and_is_fair(minor: int, weights: list[int]) -> None:
    parts = Money(minor, "GBP").split(weights)
    assert sum(part.minor for part in parts) == minor
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor - Decimal(minor) * weight / sum(weights)) < 1


def test_money_split_refuses_weights_without_a_positive_one() -> None:
    with pytest.raises(ValueError, match="weights"):
        Money(100, "GBP").split([0, 0])
