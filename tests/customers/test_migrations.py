"""What the migrations of customers do with rows that are there already."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from backoffice.audit import history
from backoffice.masking import whole
from customers.models import Customer
from tests.factories import make_customer

fill_name_index = import_module("customers.migrations.0004_fill_name_index")


@pytest.mark.django_db
def test_names_from_before_get_their_index_in_rows_and_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fill_name_index, "BATCH", 2)
    known = [make_customer(name=f"Anna Almeida {n}").pk for n in range(5)]
    nameless = make_customer().pk
    with connection.cursor() as cursor:
        for table in ("customers_customer", "customers_historicalcustomer"):
            cursor.execute(f"UPDATE {table} SET name_index = NULL")  # noqa: S608 - our own
    with history.recorded():
        fill_name_index.fill(apps, connection)
    names = [whole(f"anna almeida  {n}") for n in range(5)]
    assert list(Customer.objects.filter(name__in=names).values_list("pk", flat=True)) == known
    past = Customer.history.filter(name__in=names).order_by("history_id")
    assert list(past.values_list("id", flat=True)) == known
    with connection.cursor() as cursor:
        cursor.execute("SELECT name_index FROM customers_customer WHERE id = %s", [nameless])
        assert cursor.fetchone() == ("",)
