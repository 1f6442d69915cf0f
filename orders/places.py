"""Where personal data lies in orders: in few texts. Orders and amounts stay, for the books."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import BLANK, CLEAN, TOMBSTONE, Blocker, Group, Place, Rows
from orders.models import (
    ChangeLine,
    ChangeRequest,
    Charge,
    DeliveryAddress,
    Order,
    OrderLine,
    OrderNote,
    Parcel,
    Return,
    ReturnLine,
)
from orders.states import CHANGE_OPEN, REASONS

CUSTOMER = "customers.customer"
# National law says for how many years; GDPR, Article 17(3)(b), lets them stay for it.
_BOOKS = _("Bookkeeping: orders, goods and amounts have to be kept; they name nobody")
_WORDS = _("Words of ours")


def register() -> None:
    """Say what belongs to a customer, and put the places in force."""
    for label, owner, rows in (
        ("orders.order", CUSTOMER, _of(Order, "customer")),
        ("orders.return", CUSTOMER, _of(Return, "customer")),
        ("orders.orderline", "orders.order", _of(OrderLine, "order")),
        ("orders.returnline", "orders.return", _of(ReturnLine, "parent")),
        ("orders.charge", "orders.order", _of(Charge, "order")),
        ("orders.parcel", "orders.order", _of(Parcel, "order")),
        ("orders.changerequest", "orders.order", _of(ChangeRequest, "order")),
        ("orders.changeline", "orders.changerequest", _of(ChangeLine, "change")),
        ("orders.deliveryaddress", "orders.order", _of(DeliveryAddress, "order")),
        ("orders.ordernote", "orders.order", _of(OrderNote, "order")),
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
    _register_words()
    subjects.reserve(REASONS.values)
    subjects.register_blocker(open_changes)


def _register_words() -> None:
    """Say what of customers' and agents' words goes, and what stays."""
    for name, title, model, fields, kept in (
        ("orders.parcels", _("Parcels"), "orders.parcel", {"carrier": CLEAN},
         {"tracking": _("The carrier's name of a parcel, which proves that goods left")}),
        ("orders.changes", _("Change requests"), "orders.changerequest",
         {"note": BLANK, "address": BLANK, "reference": BLANK}, {"outcome": _WORDS}),
        ("orders.change_lines", _("Lines of change requests"), "orders.changeline", {}, {}),
        ("orders.addresses", _("Delivery addresses"), "orders.deliveryaddress",
         {"address": BLANK}, {}),
    ):  # fmt: skip
        own = _own(model)
        place = Place(name, title, model, rows=own, fields=fields, kept=kept, everywhere=True)
        subjects.with_past(place)
    subjects.register(
        Place(
            "orders.notes",
            _("Notes on orders"),
            "orders.ordernote",
            rows=_own("orders.ordernote"),
            fields={"text": TOMBSTONE},
            everywhere=True,
        )
    )


def open_changes(group: Group) -> Iterator[Blocker]:
    """Name the change requests of the people that somebody has to work on still."""
    text = gettext("A change request is open: %(change)s, order %(order)s")
    rows = group.rows("orders.changerequest").filter(state__in=CHANGE_OPEN)
    for change in rows.select_related("order"):
        words = {"change": change, "order": change.order}
        yield Blocker(text % words, "orders.changerequest", str(change.pk))


def _own(label: str) -> Any:
    return lambda group: group.rows(label)


def _of(model: Any, name: str) -> Any:
    def rows(keys: list[Any]) -> Rows:
        found: Rows = model.objects.filter(**{f"{name}__in": keys})
        return found

    return rows
