"""The page of gateways: health, gates, proofs and counts, without asking a gateway."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from backoffice.accounts.models import User
from backoffice.money import Money
from payments.models import GatewayState, GatewayVerification, Refund, RefundStop
from payments.services import verification
from tests.factories import make_order, make_payment

pytestmark = pytest.mark.django_db
BACKEND = "tests.payments.vendor.Vendor"


def entry(**options: Any) -> dict[str, Any]:
    return {"BACKEND": BACKEND, "OPTIONS": options}


def page(user: User) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(reverse("admin:gateways"))
    assert response.status_code == 200
    return unescape(response.content.decode())


def card(user: User, alias: str) -> str:
    """Return the card of one gateway."""
    _before, _, rest = page(user).partition(f'aria-labelledby="gateway-{alias}"')
    return rest.partition("</section>")[0]


def noted(**values: Any) -> GatewayState:
    given = {"healthy": True, "checked_at": timezone.now(), **values}
    return GatewayState.objects.create(gateway="acme", **given)


@pytest.fixture(autouse=True)
def table(settings: Settings) -> None:
    settings.BACKOFFICE_UNVERIFIED_GATEWAYS = []
    settings.GATEWAYS = {
        "acme": entry(),
        "manual": {"BACKEND": "payments.gateways.manual.Manual"},
        "toss": {
            "BACKEND": "payments.gateways.toss.Toss",
            "OPTIONS": {"secret_key": "live_sk_x"},
        },
    }


@pytest.mark.parametrize("name", ["max_", "oli", "kim"])
def test_finance_ops_and_owner_see_the_page(name: str, request: pytest.FixtureRequest) -> None:
    assert "Toss Payments" in page(request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["eve", "nia", "gus"])
def test_others_do_not(name: str, request: pytest.FixtureRequest) -> None:
    client = Client()
    client.force_login(request.getfixturevalue(name))
    assert client.get(reverse("admin:gateways")).status_code == 403


def test_nobody_is_asked_while_the_page_is_shown(max_: User, settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(fault="down")}
    assert "Not looked at yet" in card(max_, "acme")
    assert not GatewayState.objects.exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "Up"),
        ({"healthy": False, "message": "It is down"}, "It is down"),
        ({"checked_at": None}, "Not looked at yet"),
    ],
)
def test_health_is_that_of_the_last_look(max_: User, values: dict[str, Any], told: str) -> None:
    noted(**values)
    assert told in card(max_, "acme")


def test_old_look_says_nothing_about_now(max_: User) -> None:
    noted(checked_at=timezone.now() - timedelta(hours=1))
    text = card(max_, "acme")
    assert "Not looked at lately" in text
    assert 'bo-badge--quiet">Up' not in text


def test_breaker_and_stop_are_told(max_: User, kim: User) -> None:
    noted(failures=5, open_until=timezone.now() + timedelta(seconds=20))
    RefundStop.objects.create(gateway="acme", reason="They pay twice", stopped_by=kim)
    text = card(max_, "acme")
    assert "Requests pause" in text
    assert "after 5 failures in a row" in text
    assert "They pay twice" in text
    assert "They pay twice" not in card(max_, "toss")


def test_stop_of_all_stands_above_and_an_ended_one_nowhere(max_: User, kim: User) -> None:
    RefundStop.objects.create(reason="Everything stops", stopped_by=kim)
    ended = {"ended_by": max_, "ended_at": timezone.now()}
    RefundStop.objects.create(gateway="acme", reason="Long over", stopped_by=kim, **ended)
    text = page(max_)
    assert "Everything stops" in text
    assert "Long over" not in text


def test_stops_are_a_click_away_for_who_may_see_them(max_: User) -> None:
    assert reverse("admin:payments_refundstop_changelist") in page(max_)


def test_adapter_that_never_met_its_vendor_says_so(max_: User) -> None:
    text = card(max_, "toss")
    assert "Not verified live" in text
    assert "API 2022-11-16" in text
    assert "https://docs.tosspayments.com/reference" in text
    assert "Live keys" in text
    assert "Nothing is refunded here" in text


def test_proof_is_told_and_lets_live_keys_go(max_: User) -> None:
    GatewayVerification.objects.create(
        gateway="toss-test",
        backend="payments.gateways.toss.Toss",
        vendor="Toss Payments",
        mode="test",
        ok=True,
        by="kim",
    )
    text = card(max_, "toss")
    assert "Verified" in text
    assert "by kim" in text
    assert "Not verified live" not in text
    assert "Nothing is refunded here" not in text


def test_failed_run_names_its_step_and_an_older_proof_stays(max_: User, settings: Settings) -> None:
    verification.verify("acme", Money(100, "GBP"), pause=timedelta(0))
    settings.GATEWAYS = {"acme": entry(fault="pays_twice")}
    verification.verify("acme", Money(100, "GBP"), pause=timedelta(0))
    text = card(max_, "acme")
    assert "Verified" in text
    assert "failed at “Sent the same key again”" in text


def test_unverified_that_is_accepted_says_so(max_: User, settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(keys="live") | {"ACCEPT_UNVERIFIED": True}}
    text = card(max_, "acme")
    assert "The settings accept that." in text
    assert "Nothing is refunded here" not in text


def test_abilities_are_told_in_words(max_: User) -> None:
    toss, manual = card(max_, "toss"), card(max_, "manual")
    assert "Knows a key for 15 days" in toss
    assert "Does not sign events: hints only" in toss
    assert "At least 1 s between two refunds" in toss
    assert "Not offered: refunds of virtual account" in toss
    assert "People move the money" in manual
    assert "At the vendor" not in manual


def test_simulator_is_for_practice_and_has_no_vendor(max_: User, settings: Settings) -> None:
    backend = "payments.gateways.simulator.Simulator"
    options = {"base_url": "http://127.0.0.1:9"}
    settings.GATEWAYS = {"simulator": {"BACKEND": backend, "OPTIONS": options}}
    text = card(max_, "simulator")
    assert "For practice" in text
    assert "Not verified live" not in text


def test_counts_lead_to_the_refunds(max_: User, eve: User) -> None:
    payment = make_payment(make_order(1_000), gateway="acme")
    for state in (Refund.State.UNKNOWN, Refund.State.UNKNOWN, Refund.State.FAILED):
        Refund.objects.create(
            payment=payment,
            gateway="acme",
            amount_minor=100,
            currency="GBP",
            reason="x",
            state=state,
            requested_by=eve,
        )
    text = card(max_, "acme")
    url = f"{reverse('admin:payments_refund_changelist')}?state__exact=unknown&gateway=acme"
    assert f'<a href="{url}">2</a>' in text
    client = Client()
    client.force_login(max_)
    listed = client.get(url).content.decode()
    assert listed.count("bo-link-cell") == 2
    assert "none yet" in card(max_, "toss")


def test_gateway_that_is_gone_from_the_settings_is_named(max_: User, eve: User) -> None:
    payment = make_payment(make_order(1_000), gateway="oldpay")
    Refund.objects.create(
        payment=payment,
        gateway="oldpay",
        amount_minor=100,
        currency="GBP",
        reason="x",
        requested_by=eve,
    )
    assert "not set up any more: oldpay" in page(max_)


def test_wrong_settings_of_one_do_not_hide_the_others(max_: User, settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(nothing="such"), "manual": settings.GATEWAYS["manual"]}
    assert "its settings are wrong" in card(max_, "acme")
    assert "People move the money" in card(max_, "manual")


def test_queries_do_not_grow_with_gateways(
    max_: User, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.GATEWAYS = {"acme": entry()}
    page(max_)
    with CaptureQueriesContext(connection) as one:
        page(max_)
    settings.GATEWAYS = {f"acme{number}": entry() for number in range(3)}
    with django_assert_num_queries(len(one)):
        page(max_)
