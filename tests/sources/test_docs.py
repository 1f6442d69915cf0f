"""The example in docs/sources.md is a page that works."""

import re
from pathlib import Path

import pytest
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.sources import apps, registry
from backoffice.sources.join import run
from backoffice.sources.runtime import Wanted
from tests.backends import Backend

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def test_example_of_the_guide_shows_rows(
    eve: User,
    customer_api: Backend,
    order_api: Backend,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.CRM_URL, settings.CRM_TOKEN = customer_api.url, "demo-customer-token"
    settings.SHOP_URL, settings.SHOP_TOKEN = order_api.url, "demo-order-token"
    monkeypatch.setattr(registry, "_pages", {})
    example = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[0]
    names: dict[str, object] = {"__name__": "guide"}
    exec(example.replace("base_url", "allow_loopback=True, base_url"), names)  # noqa: S102  ours
    page = registry._pages["crm-orders"]
    assert page is names["CrmOrders"]
    joined = run(page, Wanted(), user=eve)
    assert (len(joined.lines), joined.down) == (20, [])


def test_address_that_cannot_be_used_is_an_error_at_start(settings: Settings) -> None:
    assert apps._check_addresses() == []
    settings.BACKOFFICE_ORDER_API_URL = "ftp://nowhere"
    assert [error.id for error in apps._check_addresses()] == ["sources.E001"]
