"""The staff pages: what a person sees when all is well, and when a system is down."""

import re

import pytest
from django.test import Client
from django.utils.html import strip_tags

from backoffice.accounts.models import User
from backoffice.sources.models import SourceState
from backoffice.sources.services import check_all
from fixtures.backends.rest import read
from tests.backends import Backend

PAGE = "/admin/sources/customer-orders/"
HEALTH = "/admin/sources/"
CANARIES = {row["name"] for row in read("customers.jsonl")} | {"customer1", "@example"}


def visit(client: Client, user: User, address: str = PAGE, status: int = 200) -> str:
    client.force_login(user)
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", strip_tags(html.replace("<", " <")))


def row_of(html: str, customer: str) -> str:
    return next(words(row) for row in html.split("<tr>") if f">{customer}<" in row)


def test_page_shows_customers_with_their_orders(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    html = visit(client, eve)
    assert "12349 C••••• F••••• c•••••@e•••••.com Italy Silver" in row_of(html, "12349")
    assert "1 to 20 of 260 · 2 calls for this page" in html
    assert "unavailable" not in words(html)


def test_page_holds_no_clear_value(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    html = visit(client, eve)
    assert [canary for canary in CANARIES if canary in html] == []


def test_stopped_order_system_leaves_gaps_in_words(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    order_api.stop()
    html = visit(client, eve)
    text = words(html)
    assert text.count("unavailable") == 20 * 4 + 1  # and once in the message
    assert text.count("not shown") == 2
    assert "Order API does not answer." in text


def test_stopped_customer_system_is_a_503_with_the_reason(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    customer_api.stop()
    text = words(visit(client, eve, status=503))
    assert "Customer API does not answer. The rows of this page come from there" in text


def test_filter_keeps_its_value_and_finds_whole_values(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    html = visit(client, eve, f"{PAGE}?country=Lebanon")
    assert 'name="country" value="Lebanon"' in html
    assert html.count('<td data-label="Customer"') == 1


def test_filter_without_a_match_says_so(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    text = words(visit(client, eve, f"{PAGE}?id=1"))
    assert "Customer API has no row with exactly these values" in text


def test_filter_is_written_out_as_text(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    html = visit(client, eve, f'{PAGE}?country="><script>x</script>')
    assert "<script>x" not in html


@pytest.mark.parametrize(
    "query",
    [
        "sort=name",
        "sort=email",
        "sort=level",
        "sort=%2Did%20",
        "page=0",
        "page=x",
        "page=99999",
        "country=" + "x" * 101,
    ],
)
def test_address_that_no_link_leads_to_is_refused(
    client: Client, eve: User, customer_api: Backend, query: str
) -> None:
    visit(client, eve, f"{PAGE}?{query}", status=400)
    assert customer_api.calls("/customers") == 0


def test_masked_field_is_no_filter(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    plain = words(visit(client, eve))
    searched = words(visit(client, eve, f"{PAGE}?email=customer12349@example.com&name=x"))
    assert re.findall(r"\b12\d{3}\b", plain) == re.findall(r"\b12\d{3}\b", searched)


def test_links_sort_and_turn_pages(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    html = visit(client, eve, f"{PAGE}?sort=-id&page=2")
    assert 'aria-sort="descending"' in html
    assert 'rel="prev" href="?sort=-id&amp;page=1"' in html
    assert 'rel="next" href="?sort=-id&amp;page=3"' in html


@pytest.mark.parametrize(
    ("person", "page", "health"),
    [
        ("eve", 200, 403),
        ("oli", 200, 200),
        ("kim", 200, 200),
        ("max_", 403, 403),
        ("nia", 403, 403),
        ("ada", 403, 403),
        ("gus", 403, 403),
    ],
)
def test_pages_open_by_role(
    client: Client,
    request: pytest.FixtureRequest,
    customer_api: Backend,
    order_api: Backend,
    person: str,
    page: int,
    health: int,
) -> None:
    client.force_login(request.getfixturevalue(person))
    codes = (client.get(PAGE).status_code, client.get(HEALTH).status_code)
    assert codes == (page, health)


def test_seller_is_kept_out(client: Client, sol: User) -> None:
    visit(client, sol, status=302)


def test_link_to_the_health_page_shows_by_right(
    client: Client, eve: User, oli: User, customer_api: Backend, order_api: Backend
) -> None:
    assert "Source health" not in visit(client, eve)
    assert "Source health" in visit(client, oli)


def test_health_page_tells_what_the_worker_found(
    client: Client, oli: User, customer_api: Backend, order_api: Backend
) -> None:
    assert "Not asked yet" in visit(client, oli, HEALTH)
    order_api.stop()
    check_all()
    text = words(visit(client, oli, HEALTH))
    assert re.search(r"Customer API (Up|Slow) \d+ \w+ \d{4}", text)
    assert re.search(r"Order API Down .* does not answer Customer orders across systems", text)


def test_state_keeps_since_when_it_is_so(
    oli: User, customer_api: Backend, order_api: Backend
) -> None:
    check_all()
    first = SourceState.objects.get(name="order-api")
    check_all()
    again = SourceState.objects.get(name="order-api")
    order_api.stop()
    check_all()
    down = SourceState.objects.get(name="order-api")
    assert (again.since, again.checked_at > first.checked_at) == (first.since, True)
    assert (down.state, down.since > first.since, down.answered_at) == (
        SourceState.State.DOWN,
        True,
        again.answered_at,
    )


def test_page_tells_since_when_a_source_is_down(
    client: Client, eve: User, customer_api: Backend, order_api: Backend
) -> None:
    order_api.stop()
    check_all()
    assert re.search(r"does not answer, since \d+ \w+ \d{4} \d\d:\d\d", words(visit(client, eve)))
