"""What the history costs: bulk writes of 20,000 rows with a history row each, and without.

Run by `make bench-history`. Fails when the history costs more than the plain write itself.
"""

import gc
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.audit import history
from customers.models import Customer
from sellers.models import Product
from tests.factories import make_seller

ROWS = int(os.environ.get("ROWS", "20000"))
TRIES = 3
MOST = 2.0

type Write = Callable[[list[Any]], object]


def customers(prefix: str) -> list[Customer]:
    return [
        Customer(number=f"{prefix}-{n}", name=f"Anna {n}", email=f"c{n}@example.com")
        for n in range(ROWS)
    ]


def products(prefix: str) -> list[Product]:
    seller = make_seller()
    return [
        Product(seller=seller, code=f"{prefix}-{n}", name=f"CAKE STAND {n}") for n in range(ROWS)
    ]


def best(make: Callable[[str], list[Any]], write: Write, name: str) -> float:
    """Return the seconds of the fastest of some tries, each with rows of its own."""
    times = []
    for number in range(TRIES):
        rows = make(f"{name}{number}")
        gc.collect()
        began = time.perf_counter()
        write(rows)
        times.append(time.perf_counter() - began)
    return min(times)


def stored(make: Callable[[str], list[Any]]) -> Callable[[str], list[Any]]:
    """Return a maker whose rows stand in the database already."""

    def made(prefix: str) -> list[Any]:
        rows = make(prefix)
        type(rows[0])._default_manager.bulk_create(rows, batch_size=500)
        return rows

    return made


@pytest.mark.parametrize(("make", "field"), [(customers, "country"), (products, "name")])
@pytest.mark.parametrize("kind", ["create", "update"])
def test_history_costs_at_most_as_much_again(
    make: Callable[[str], list[Any]], field: str, kind: str, eve: User
) -> None:
    def plain(rows: list[Any]) -> None:
        manager = type(rows[0])._default_manager
        if kind == "create":
            manager.bulk_create(rows, batch_size=500)
        else:
            manager.bulk_update(rows, [field], batch_size=500)

    def kept(rows: list[Any]) -> None:
        if kind == "create":
            history.bulk_create(rows, actor=eve, batch_size=500)
        else:
            history.bulk_update(rows, [field], actor=eve, batch_size=500)

    source = make if kind == "create" else stored(make)
    without, with_history = best(source, plain, "plain"), best(source, kept, "kept")
    ratio = with_history / without
    print(
        f"\n{make.__name__} {kind}: {ROWS:,} rows, {without:.2f} s without a history,"
        f" {with_history:.2f} s with ({ratio:.2f} x)"
    )
    assert ratio <= MOST
