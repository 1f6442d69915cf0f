"""A list that holds less than all says so, whatever its address narrows it by."""

from typing import Any

from django.test import Client

from backoffice.accounts.models import User

PERIOD = "placed_at__gte=2010-12-01T00%3A00%3A00%2B00%3A00&placed_at__lt=2011-06-30T23%3A00%3A00Z"


def narrowed(client: Client, query: str) -> list[tuple[str, str, str]]:
    response: Any = client.get(f"/admin/orders/order/?{query}")
    assert response.status_code == 200
    return [(one.label, one.text, one.query_string) for one in response.context["narrowings"]]


def test_a_period_is_told_in_local_time(kim: User, client: Client) -> None:
    client.force_login(kim)
    assert narrowed(client, PERIOD) == [
        ("Placed", "from 1 Dec 2010 00:00, before 1 Jul 2011 00:00", "?")
    ]


def test_states_and_currency_are_told_in_words(kim: User, client: Client) -> None:
    client.force_login(kim)
    assert narrowed(client, "status__in=placed,paid&currency__exact=GBP") == [
        ("State", "Placed, Paid", "?currency__exact=GBP"),
        ("Currency", "GBP", "?status__in=placed%2Cpaid"),
    ]


def test_the_choice_of_a_filter_is_told_by_its_own_chip(kim: User, client: Client) -> None:
    client.force_login(kim)
    assert narrowed(client, "status__exact=paid") == []
    assert narrowed(client, "") == []


def test_a_list_without_a_condition_holds_more(kim: User, client: Client) -> None:
    client.force_login(kim)
    response = client.get("/admin/orders/order/?currency__exact=EUR")
    assert 'href="?"' in response.content.decode()
