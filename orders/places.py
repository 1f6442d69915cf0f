"""Where personal data lies in orders: in few texts. Orders and amounts stay, for the books."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, Place, Rows
from orders.models import Charge, Order, OrderLine, Return, ReturnLine

CUSTOMER = "customers.customer"
# National law says for how many years; GDPR, Article 17(3)(b), lets them stay for it.
_BOOKS = _("Bookkeeping: orders, goods and amounts have to be kept; they name nobody")


def register() -> None:
    """Say what belongs to a customer, and put the places in force."""
    for label, owner, rows in (
        ("orders.order", CUSTOMER, _of(Order, "customer")),
        ("orders.return", CUSTOMER, _of(Return, "customer")),
        ("orders.orderline", "orders.order", _of(OrderLine, "order")),
        ("orders.returnline", "orders.return", _of(ReturnLine, "parent")),
        ("orders.charge", "orders.order", _of(Charge, "order")),
    ):
        subjects.belongs(label, owner, rows)
    for name, title, model, texts, kept in (
        ("orders.orders", _("Orders"), "orders.order", ("batch",),
         ("number", "country", "currency", "total_minor")),
        ("orders.returns", _("Returns"), "orders.return", ("batch",),
         ("number", "country", "currency", "total_minor")),
        ("orders.lines", _("Order lines"), "orders.orderline", ("description",),
         ("currency", "total_minor")),
        ("orders.return_lines", _("Returned lines"), "orders.returnline", ("description",),
         ("currency", "total_minor")),
        ("orders.charges", _("Charges"), "orders.charge", ("description",),
         ("code", "currency", "total_minor")),
    ):  # fmt: skip
        subjects.with_past(
            Place(
                name,
                title,
                model,
                rows=_own(model),
                fields=dict.fromkeys(texts, CLEAN),
                kept=dict.fromkeys(kept, _BOOKS),
                everywhere=True,
            )
        )


def _own(label: str) -> Any:
    return lambda group: group.rows(label)


def _of(model: Any, name: str) -> Any:
    def rows(keys: list[Any]) -> Rows:
        found: Rows = model.objects.filter(**{f"{name}__in": keys})
        return found

    return rows
