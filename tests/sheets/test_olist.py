"""Olist through the pages of imports, by saved profiles, against an independent count.

Some hundred orders, and all that are odd; `make soak-sheets` brings in the whole.
"""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import F, Sum
from django.test import Client

from backoffice.accounts.models import User
from backoffice.sheets.models import ImportJob
from orders.models import Order
from payments.models import Account, LedgerEntry
from payments.services import checking
from tests.clients import signed_in
from tests.sheets import made, olist, suppliers
from tests.sheets.shared_data import shared

pytestmark = pytest.mark.django_db
PLAIN, NOTHING_PAID = 150, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = shared(olist.PLACE)
    return olist.cut(whole, tmp_path_factory.mktemp("olist"), olist.telling(whole, PLAIN))


@pytest.fixture
def client(oli: User) -> Client:
    return signed_in(suppliers.keep_profiles(oli))


def import_all(client: Client, folder: Path) -> dict[str, ImportJob]:
    return {
        name: suppliers.import_by_pages(client, folder / name, profile)
        for name, profile in olist.PROFILES.items()
    }


def counts() -> list[tuple[int, int]]:
    return [(model.objects.count(), model.history.count()) for model in olist.MODELS]


def test_all_files_come_in_and_equal_an_independent_count(client: Client, folder: Path) -> None:
    done = import_all(client, folder)
    wanted = olist.expected(folder)
    assert olist.differences(wanted) == []
    for name, job in done.items():
        left_out = NOTHING_PAID if name == olist.PAYMENTS else 0
        assert job.summary["read"] == len(list(suppliers.rows(folder / name))), name
        assert job.summary["failed"] + job.summary["skipped"] == left_out, name
        assert all(one["system"] == one["ready"] for one in job.sums), (name, job.sums)
    said = made.said(done[olist.PAYMENTS])
    assert [code for code, *_place in said] == ["nothing-paid"] * NOTHING_PAID
    assert_books(wanted)
    before = counts()
    for job in import_all(client, folder).values():
        assert (job.created, job.total("updated"), job.total("failed")) == (0, 0, 0)
    assert counts() == before
    assert olist.differences(wanted) == []
    Order.objects.filter(pk=Order.objects.latest("pk").pk).update(total_minor=F("total_minor") + 1)
    (one,) = olist.differences(wanted)
    assert one.startswith("totals")


def assert_books(wanted: olist.Facts) -> None:
    assert list(checking.books()) == []
    bank = LedgerEntry.objects.filter(account=Account.BANK).aggregate(sum=Sum("minor"))["sum"]
    assert Decimal(bank) / 100 == sum(amount for *_more, amount in wanted.payments.values())


def test_what_is_odd_is_among_the_orders(folder: Path) -> None:
    facts = olist.expected(folder)
    of_orders = Counter(order for order, *_more in facts.lines)
    paid: dict[str, Decimal] = {}
    for order, _method, amount in facts.payments.values():
        paid[order] = paid.get(order, Decimal(0)) + amount
    assert any(number not in of_orders for number in facts.orders)
    assert any(facts.totals[order] != amount for order, amount in paid.items())
    assert {method for _order, method, _amount in facts.payments.values()} >= {
        "boleto",
        "credit_card",
        "voucher",
    }
    shops = {(order, seller) for order, seller, *_more in facts.lines}
    assert max(Counter(order for order, _seller in shops).values()) > 1
    assert max(facts.lines.values()) > 1
    assert "" in facts.products.values()


def test_the_independent_count_knows_the_published_rows() -> None:
    facts = olist.expected(shared(olist.PLACE))
    assert (len(facts.orders), sum(facts.lines.values()), len(facts.payments)) == (
        8_135, 8_365, 8_924 - NOTHING_PAID,
    )  # fmt: skip
    assert (len(facts.sellers), len(facts.customers)) == (1_610, 8_135)
    assert len(set(facts.orders) - {order for order, *_more in facts.lines}) == 775
