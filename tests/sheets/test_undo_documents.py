"""Undoing what belongs together: an order goes or stays with its lines and its charges."""

from typing import Any

import pytest
from django.db.models import Sum

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.audit.services import save_with_history
from backoffice.jobs.run import execute
from backoffice.sheets.models import Undo
from backoffice.sheets.undoing import backwards, undo, unwriting
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return
from tests.factories import AT, make_payment
from tests.sheets.journal import change, finished, left, make, stored, take_back
from tests.sheets.made import book, bring_in, line
from tests.sheets.test_engine import MODELS

ROWS = [
    line(),
    line(code=10002, price=4),
    line(code=10003, quantity=2),
    line(code="POST", price=18),
    line(600002, 10004),
    line(600002, 10005, price=7),
    line("C600003", 10001, -1),
]


def sums_hold() -> bool:
    """Say whether each order is the sum of its lines and charges."""
    for order in Order.objects.order_by("pk"):
        rows = [model.objects.filter(order=order) for model in (OrderLine, Charge)]
        parts = sum(one.aggregate(sum=Sum("total_minor"))["sum"] or 0 for one in rows)
        if parts != order.total_minor:
            return False
    return True


def keys_of(order: Order) -> tuple[set[Any], set[Any]]:
    """Return the keys of the order's lines and of its charges."""
    lines = order.lines.order_by().values_list("pk", flat=True)
    return set(lines), set(Charge.objects.filter(order=order).values_list("pk", flat=True))


def listed(begun: Undo, model: Any) -> dict[str, str]:
    """Return key -> why of the rows of a model that are left."""
    return dict(begun.left.filter(model=model._meta.label).values_list("object_id", "why"))


@pytest.mark.django_db
def test_order_that_somebody_paid_keeps_its_lines_and_its_total(oli: User) -> None:
    job = bring_in(book(ROWS), oli)
    paid = Order.objects.get(number="600001")
    before, total = keys_of(paid), paid.total_minor
    make_payment(paid, gateway="simulator")
    done = take_back(job)
    paid.refresh_from_db()
    assert (keys_of(paid), paid.total_minor) == (before, total)
    assert sums_hold()
    assert not Order.objects.exclude(pk=paid.pk).exists()
    assert listed(done, Order) == {str(paid.pk): "used"}
    assert listed(done, OrderLine) == {str(key): "with" for key in before[0]}
    assert listed(done, Charge) == {str(key): "with" for key in before[1]}
    assert done.left.count() == undo.totals(done)["left"]
    assert {name: of["left"] for name, of in done.counters.items()}["order_lines"] == 3


@pytest.mark.django_db
def test_order_of_which_one_line_was_edited_stays_as_a_whole(oli: User) -> None:
    job = bring_in(book(ROWS), oli)
    order = Order.objects.get(number="600001")
    row = order.lines.order_by("pk")[0]
    row.description = "Looked after"
    save_with_history(row, actor=oli)
    done = take_back(job)
    assert order.lines.count() == 3
    assert sums_hold()
    why = listed(done, OrderLine)
    assert why.pop(str(row.pk)) == "edited"
    assert set(why.values()) == {"with"}
    assert listed(done, Order) == {str(order.pk): "with"}


@pytest.mark.django_db
def test_order_from_before_keeps_its_total_with_a_line_that_stays(oli: User) -> None:
    bring_in(book(ROWS), oli)
    before = {model: stored(model) for model in MODELS}
    more = [*ROWS, line(code=10006, price=9), line(code=10007), line(600002, 10008)]
    job = bring_in(book(more), oli)
    row = OrderLine.objects.get(order__number="600001", product__code="10006")
    row.description = "Looked after"
    save_with_history(row, actor=oli)
    done = take_back(job)
    order = Order.objects.get(number="600001")
    assert order.lines.count() == 5
    assert sums_hold()
    assert listed(done, Order) == {str(order.pk): "with"}
    other = Order.objects.get(number="600002")
    assert stored(Order)[other.pk] == before[Order][other.pk]
    assert other.lines.count() == 2


@pytest.mark.django_db
def test_order_whose_state_moved_on_keeps_what_came_in_since(oli: User) -> None:
    bring_in(book(ROWS), oli)
    job = bring_in(book([*ROWS, line(code=10006, price=9)]), oli)
    order = Order.objects.get(number="600001")
    order.status = Order.Status.DELIVERED
    save_with_history(order, actor=oli)
    done = take_back(job)
    assert order.lines.count() == 4
    assert sums_hold()
    assert listed(done, Order) == {str(order.pk): "edited"}
    assert set(listed(done, OrderLine).values()) == {"with"}


def an_order(job: Any, number: str, lines: int, source: OrderLine) -> tuple[Order, list[OrderLine]]:
    """Let an import of the journal make an order with so many lines like `source`."""
    order = Order(
        number=number, placed_at=AT, country="France", status="paid", currency="GBP",
        total_minor=lines * source.total_minor,
    )  # fmt: skip
    (order,) = make(job, [order], "orders")
    rows = [
        OrderLine(
            order=order, product=source.product, seller=source.seller, position=n + 1,
            description="", quantity=source.quantity, source_price=source.source_price,
            unit_price_minor=source.unit_price_minor, total_minor=source.total_minor,
            currency="GBP", occurrence=n,
        )
        for n in range(lines)
    ]  # fmt: skip
    return order, make(job, rows, "order_lines")


@pytest.fixture
def source(oli: User) -> OrderLine:
    """Return a line of an order that stands there."""
    bring_in(book([line()]), oli)
    return OrderLine.objects.get()


@pytest.mark.django_db
def test_what_stayed_for_another_row_goes_with_it_in_the_end(oli: User, source: OrderLine) -> None:
    job = finished(oli)
    back = Return(number="C1", returned_at=AT, country="France", currency="GBP", total_minor=0)
    (back,) = make(job, [back], "returns")
    order, _lines = an_order(job, "700001", 2, source)
    # Made before what it points at: the order is met first, and used still.
    change(job, [back], order=order)
    done = take_back(job)
    assert not done.left.exists()
    assert undo.totals(done) == {"back": 0, "deleted": 4, "left": 0}
    assert Order.objects.get() == source.order


@pytest.mark.django_db
def test_order_that_the_database_refuses_stays_as_a_whole_and_others_go(
    oli: User, source: OrderLine
) -> None:
    job = finished(oli)
    _order, _lines = an_order(job, "700001", 2, source)
    change(job, [source.order], "orders", number="700002")
    change(job, [source], "order_lines", description="NEW")
    taken = Order.objects.create(
        number="600001", placed_at=AT, country="France", status="paid", currency="GBP"
    )
    done = take_back(job)
    assert left(done) == {(str(source.order_id), "refused"), (str(source.pk), "refused")}
    assert undo.totals(done) == {"back": 0, "deleted": 3, "left": 2}
    assert set(Order.objects.values_list("pk", flat=True)) == {source.order_id, taken.pk}
    assert OrderLine.objects.get().description == "NEW"


@pytest.mark.django_db
def test_what_an_erasure_emptied_keeps_what_belongs_to_it(oli: User) -> None:
    job = bring_in(book(ROWS), oli)
    order = Order.objects.get(number="600001")
    Order.history.filter(id=order.pk).update(history_change_reason=None)
    done = take_back(job)
    assert order.lines.count() == 3
    assert sums_hold()
    assert listed(done, Order) == {str(order.pk): "unknown"}
    assert undo.totals(done)["left"] == done.left.count()


@pytest.mark.django_db
def test_stopped_undo_left_no_document_torn_and_goes_on(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwriting, "CHUNK", 2)
    rows = [line(600001 + n // 3, 10001 + n) for n in range(30)]
    job = bring_in(book(rows), oli)
    kept = Order.objects.get(number="600005")
    kept.country = "Norway"
    save_with_history(kept, actor=oli)
    begun = undo.begin(job, actor=oli)
    carry_out, calls = backwards.carry_out, []

    def stopped(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) % 5 == 0:
            raise TimeoutError
        carry_out(*args, **kwargs)

    monkeypatch.setattr(backwards, "carry_out", stopped)
    for _try in range(100):
        execute(begun.job_id or 0)
        begun.refresh_from_db()
        assert sums_hold()
        if begun.state == Undo.State.DONE:
            break
        begun = undo.begin(job, actor=oli)
    assert begun.state == Undo.State.DONE
    assert Order.objects.get() == kept
    assert kept.lines.count() == OrderLine.objects.count() == 3
    assert undo.totals(begun)["left"] == begun.left.count()
    past = OrderLine.history.filter(history_change_reason=begun.change_reason)
    assert (past.count(), past.values("id").distinct().count()) == (27, 27)


@pytest.mark.django_db
def test_products_and_customers_of_what_stays_are_left_and_no_more(oli: User) -> None:
    job = bring_in(book(ROWS), oli)
    buyer = Customer.objects.get()
    history.update(Customer.objects.filter(pk=buyer.pk), actor=oli, changes={"country": "Norway"})
    done = take_back(job)
    assert left(done) == {(str(buyer.pk), "edited")}
    assert not Order.objects.exists()
