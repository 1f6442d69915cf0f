"""What is wrong with the settings of a gateway is told at start, by an id, and no key with it."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from payments.gateways import check_gateways
from payments.gateways.adyen import Adyen
from payments.gateways.settling import check_settling
from payments.gateways.stripe import Stripe
from payments.gateways.toss import Toss

HMAC = "0" * 64
LONG = "a" * 24


def told(found: list[CheckMessage]) -> list[str | None]:
    """Return the ids; each says what to do, and shows nothing secret."""
    assert all(one.hint for one in found)
    assert not any(secret in str(found) for secret in ("nokey", HMAC, "nosecret"))
    return [one.id for one in found]


@pytest.mark.parametrize(
    "entry", [{"ZONE": "Nowhere/Land"}, {"LAG_DAYS": "soon"}, {"SPEED": 1}, {"FEES": 3}]
)
def test_settling_that_means_nothing(entry: Mapping[str, Any], settings: Settings) -> None:
    settings.GATEWAYS = {"simulator": {"SETTLING": entry}}
    assert told(check_settling()) == ["payments.E001"]


def test_settling_that_means_something(settings: Settings) -> None:
    settings.GATEWAYS = {"simulator": {"SETTLING": {"ZONE": "Asia/Seoul", "LAG_DAYS": 2}}}
    assert told(check_settling()) == []


def test_gateway_named_as_sheets_are(settings: Settings) -> None:
    settings.GATEWAYS = {**settings.GATEWAYS, "sheet": settings.GATEWAYS["manual"]}
    assert told(check_gateways()) == ["payments.E002"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"secret_key": "test_sk_1"}, []),
        ({"secret_key": "nokey"}, ["payments.E020"]),
        ({"secret_key": "live_sk_1", "base_url": "https://example.org"}, ["payments.E020"]),
    ],
)
def test_toss(options: Mapping[str, Any], wrong: list[str]) -> None:
    assert told(Toss(**options).check()) == wrong


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (("key", "Shop", [HMAC]), []),
        (("", "Shop", [HMAC]), ["payments.E021"]),
        (("key", "", [HMAC]), ["payments.E021"]),
        (("key", "Shop", []), ["payments.E021"]),
        (("key", "Shop", ["nosecret"]), ["payments.E021"]),
    ],
)
def test_adyen(options: tuple[Any, ...], wrong: list[str]) -> None:
    assert told(Adyen(*options).check()) == wrong


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"api_key": f"sk_test_{LONG}", "webhook_secret": "whsec_1"}, []),
        ({"api_key": f"sk_test_{LONG}"}, ["stripe.W002"]),
        ({"api_key": "nokey", "webhook_secret": "whsec_1"}, ["stripe.E001"]),
        ({"api_key": f"sk_test_{LONG}", "webhook_secret": "nosecret"}, ["stripe.E002"]),
        (
            {
                "api_key": f"sk_live_{LONG}",
                "webhook_secret": "whsec_1",
                "base_url": "https://example.org",
            },
            ["stripe.E003"],
        ),
    ],
)
def test_stripe(options: Mapping[str, Any], wrong: list[str]) -> None:
    assert told(Stripe(**options).check()) == wrong
