"""Limits on searching, exporting and the API: 429 with how long to wait, a page for people."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from backoffice.accounts.models import Counter, User
from backoffice.audit.models import Event
from tests.clients import version_in
from tests.factories import make_customer

FIND = "/admin/customers/customer/find/"
EXPORT = "/admin/customers/customer/export/"
ACTIVITY = "/admin/activity/export/"
PALETTE = "/admin/find/"
API = "/api/v1/customers/"


@pytest.fixture(autouse=True)
def _small(settings: Settings) -> None:
    settings.BACKOFFICE_SEARCHES_PER_MINUTE = 2
    settings.BACKOFFICE_SEARCHES_PER_DAY = 3
    settings.BACKOFFICE_EXPORTS_PER_HOUR = 1
    settings.BACKOFFICE_PALETTE_PER_MINUTE = 2
    settings.BACKOFFICE_API_PER_MINUTE = 2
    settings.BACKOFFICE_API_ADDRESS_PER_MINUTE = 5


def search(client: Client) -> Any:
    return client.post(FIND, {"kind": "email", "value": "anna@example.com"})


def test_exact_search_has_a_limit_and_a_page_says_so(client: Client, eve: User, ann: User) -> None:
    make_customer(number="7", email="anna@example.com")
    client.force_login(eve)
    assert [search(client).status_code for _ in range(2)] == [302, 302]
    answer = search(client)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert "Too many tries" in answer.content.decode()
    assert "The limit is 2." in answer.content.decode()
    assert Event.objects.filter(verb="record.searched").count() == 2
    client.force_login(ann)
    assert search(client).status_code == 302


def test_number_looked_up_for_a_merge_counts_as_a_search(client: Client, eve: User) -> None:
    left, right = make_customer(number="7"), make_customer(number="8")
    client.force_login(eve)
    url = reverse("admin:customers_customer_do_merge", args=[left.pk])
    data = {"number": right.number, "record_version": version_in(client, url)}
    assert [client.post(url, data).status_code for _ in range(3)] == [302, 302, 429]


def test_day_has_a_limit_beside_the_minute(client: Client, eve: User) -> None:
    client.force_login(eve)
    for _ in range(3):
        search(client)
        Counter.objects.filter(bucket="rate.search.60").delete()
    answer = search(client)
    assert (answer.status_code, int(answer["Retry-After"]) > 60) == (429, True)


def test_limit_that_was_met_is_on_the_record_once(client: Client, eve: User) -> None:
    client.force_login(eve)
    for _ in range(6):
        search(client)
    event = Event.objects.get(verb="limits.reached")
    assert (event.actor, event.outcome) == (eve, "refused")
    assert event.context == {"of": "search", "most": 2, "within_seconds": 60}


@pytest.mark.parametrize("where", [EXPORT, ACTIVITY])
def test_export_has_a_limit(client: Client, kim: User, where: str) -> None:
    client.force_login(kim)
    first, second = (client.post(where, {"format": "csv"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert "Retry-After" in second
    assert Event.objects.filter(verb="record.exported").count() == 1


def test_palette_has_a_limit_and_stays_json(client: Client, eve: User) -> None:
    client.force_login(eve)
    answers = [client.post(PALETTE, {"term": "a"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].json(), "Retry-After" in answers[2]) == ({"results": []}, True)


def test_api_has_a_limit_a_person_and_tells_what_is_left(
    client: Client, eve: User, ann: User
) -> None:
    client.force_login(eve)
    answers = [client.get(API) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers[:2]] == ["1", "0"]
    assert (answers[0]["X-RateLimit-Limit"], 1 <= int(answers[2]["Retry-After"]) <= 60) == (
        "2",
        True,
    )
    client.force_login(ann)
    assert client.get(API).status_code == 200


def test_api_has_a_limit_an_address_also_for_wrong_tokens(client: Client, db: None) -> None:
    headers = {"Authorization": "Bearer bo_wrong"}
    statuses = [client.get(API, headers=headers).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    away = client.get(API, headers=headers, REMOTE_ADDR="198.51.100.7")
    assert away.status_code == 401


def test_nought_is_no_limit(client: Client, eve: User, settings: Settings) -> None:
    settings.BACKOFFICE_API_PER_MINUTE = settings.BACKOFFICE_API_ADDRESS_PER_MINUTE = 0
    client.force_login(eve)
    answers = [client.get(API) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[0]
