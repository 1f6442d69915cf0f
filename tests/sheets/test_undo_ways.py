"""Undo of real imports, by each way that writes them: all back but for what was edited since."""

from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.sheets.models import ImportJob, Undo
from backoffice.sheets.undoing import undo
from customers.models import Customer
from orders.models import Order, OrderLine
from sellers.models import Seller
from tests.sheets import supplies
from tests.sheets.journal import stored, take_back
from tests.sheets.made import book, check, line, run, upload
from tests.sheets.test_engine import MODELS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("supply_tables")]
EDITED = 5
Stored = dict[Any, dict[Any, tuple[Any, ...]]]


def bring(content: bytes, key: str, way: str, oli: User) -> ImportJob:
    """Import a file from its upload on, and see that it went this way."""
    job = upload(content, oli)
    ImportJob.objects.filter(pk=job.pk).update(format=key)
    job.refresh_from_db()
    job = run(check(job))
    assert job.state == ImportJob.State.DONE, job.message
    assert {one["way"] for one in job.ways.values()} == {way}
    return job


def all_of(models: tuple[Any, ...]) -> Stored:
    return {model: stored(model) for model in models}


def edit(model: Any, column: str, value: str, oli: User) -> set[str]:
    """Let somebody edit a few rows; return their keys."""
    keys = list(model.objects.order_by("pk").values_list("pk", flat=True))
    some = keys[:: len(keys) // EDITED][:EDITED]
    history.update(model.objects.filter(pk__in=some), actor=oli, changes={column: value})
    return {str(key) for key in some}


def unlike(done: Undo, before: Stored, edited: Stored) -> list[str]:
    """Return what is not as it was before, or, where it is listed as left, as it was edited."""
    wrong, after = [], all_of(tuple(before))
    for model, rows in before.items():
        left = set(done.left.filter(model=model._meta.label).values_list("object_id", flat=True))
        keys = {*rows, *edited[model], *after[model]}
        expected = {key: (edited[model] if str(key) in left else rows).get(key) for key in keys}
        wrong += [f"{model.__name__} {k}" for k in keys if after[model].get(k) != expected[k]]
        past = model.history.filter(history_change_reason=done.change_reason)
        count, different = past.count(), past.values("id").distinct().count()
        changed = sum(edited[model].get(key) != after[model].get(key) for key in keys)
        if not count == different == changed:
            wrong.append(f"history of {model.__name__}: {count}, {different}, {changed}")
    return wrong


def sheet(heads: tuple[str, ...], count: int, name: str) -> bytes:
    rows = [[f"c{n}", f"{name} {n}", f"{n}@example.com"][: len(heads)] for n in range(count)]
    return supplies.book(rows, heads)


@pytest.mark.parametrize(
    ("key", "way", "model", "heads"),
    [
        ("sellers", "fast", Seller, ("code", "name")),
        ("customers", "bulk", Customer, ("number", "name", "email")),
    ],
)
def test_rows_that_went_in_together(
    oli: User, key: str, way: str, model: Any, heads: tuple[str, ...]
) -> None:
    count = 2000
    bring(sheet(heads, count // 2, "Old"), key, way, oli)
    before = all_of((model,))
    job = bring(sheet(heads, count, "New"), key, way, oli)
    assert (job.total("created"), job.total("updated")) == (count // 2, count // 2)
    keys = edit(model, "status" if model is Seller else "country", "closed", oli)
    edited = all_of((model,))
    done = take_back(job)
    assert unlike(done, before, edited) == []
    assert set(done.left.values_list("object_id", flat=True)) == keys
    assert sum(undo.totals(done).values()) == count


def test_rows_that_went_in_one_by_one(oli: User) -> None:
    heads, count = ("code", "name", "status"), 600
    old = [[f"c{n}", f"Shop {n}", "active"] for n in range(count // 2)]
    bring(supplies.book(old, heads), "test-rows", "rows", oli)
    before = all_of((Seller,))
    rows = [[f"c{n}", f"New {n}", "active"] for n in range(count)]
    job = bring(supplies.book(rows, heads), "test-rows", "rows", oli)
    keys = edit(Seller, "name", "Looked after", oli)
    edited = all_of((Seller,))
    done = take_back(job)
    assert unlike(done, before, edited) == []
    assert set(done.left.values_list("object_id", flat=True)) == keys
    assert sum(undo.totals(done).values()) == count


def test_rows_of_several_models(oli: User) -> None:
    """Orders that were edited stay with all their lines; what these point at stays too."""

    def lines(count: int, each: int) -> list[Any]:
        return [
            line(600001 + n // each, 10001 + n % 97, customer=1 + n // each // 10, price=each)
            for n in range(count)
        ]

    bring(book(lines(800, 4)), "online-retail", "bulk", oli)
    before = all_of(MODELS)
    job = bring(book([*lines(800, 4), *lines(2000, 8)]), "online-retail", "bulk", oli)
    keys = edit(Order, "country", "Norway", oli)
    edited = all_of(MODELS)
    done = take_back(job)
    assert unlike(done, before, edited) == []
    left = done.left.filter(model=Order._meta.label).values_list("object_id", flat=True)
    assert set(left) == keys & {str(key) for key in edited[Order]}
    assert done.left.filter(model=OrderLine._meta.label, why="with").exists()
    assert undo.totals(done)["deleted"] > 500
