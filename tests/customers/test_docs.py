"""The examples of docs/customers.md and docs/privacy-desk.md, run as they stand there."""

from datetime import date
from typing import Any, ClassVar

import pytest
from pytest_django import Settings

from backoffice.jobs.checks import check_schedule
from backoffice.masking import subjects
from backoffice.site.columns import PageColumn
from backoffice.site.tabs import Tab
from customers.admin import CustomerAdmin
from customers.models import Customer
from customers.services import belongings, retention
from orders.admin.customer_parts import trade
from orders.models import Order
from payments import queries
from payments.admin.customer_parts import RefundFilter
from tests import guides


class Page(CustomerAdmin):
    """The page of a customer, with nothing of the apps above."""

    page_columns: ClassVar[list[PageColumn]] = []
    list_filter: ClassVar[Any] = ()
    page_tabs: ClassVar[list[Tab]] = []


def test_parts_of_the_page() -> None:
    matters: list[Any] = []
    guides.run(
        "customers", "The page", CustomerAdmin=Page, OPEN_MATTERS=matters, open_matters=len, _=str,
        PageColumn=PageColumn, Tab=Tab, RefundFilter=RefundFilter, trade=trade, rows=len, count=len,
    )  # fmt: skip
    assert [column.permission for column in Page.page_columns] == ["orders.view_order"]
    assert ([tab.key for tab in Page.page_tabs], Page.list_filter) == (["orders"], [RefundFilter])
    assert matters == [len]


def test_what_comes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belongings, "_belongings", {})
    monkeypatch.setattr(belongings, "_along", [])
    known = {"belongings": belongings, "Order": Order, "queries": queries, "_": str}
    guides.run("customers", "Two customers who are one", **known)
    assert [one.model for one in belongings.registered()] == [Order]
    assert belongings._along == [("Refunds", queries.refunds_count)]


def test_periods_and_schedule(settings: Settings) -> None:
    names = guides.run("privacy-desk", "Retention")
    settings.BACKOFFICE_RETENTION = names["BACKOFFICE_RETENTION"]
    settings.BACKOFFICE_SCHEDULE = names["BACKOFFICE_SCHEDULE"]
    assert retention.check_periods(None) == []
    assert set(retention.periods()) == {"without_order", "former_values"}
    assert retention.before(120, date(2026, 5, 31)) == date(2016, 5, 31)
    assert check_schedule() == []


def test_place_of_your_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_owners", "_places"):
        monkeypatch.setattr(subjects, name, {})
    guides.run("privacy-desk", "A place of your own", subjects=subjects, Parcel=Customer, _=str)
    (place,) = subjects._places.values()
    assert (place.name, place.everywhere) == ("shop.parcels", True)
    assert place.fields == {"door": subjects.BLANK, "remark": subjects.TOMBSTONE}
    assert subjects._owners["shop.parcel"][0] == "customers.customer"
