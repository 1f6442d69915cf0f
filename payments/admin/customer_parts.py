"""What payments add to customers: a filter of the list, what is open, a tab of the page."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.policy import may
from backoffice.site.tabs import Tab
from customers.admin import OPEN_MATTERS, CustomerAdmin, Matter
from customers.models import Customer
from payments import queries
from payments.admin.cards import refund_badge
from payments.models import Refund
from payments.states import OPEN

_MAY = "payments.view_refund"
_MOST_SHOWN = 5


class RefundFilter(SimpleListFilter):
    """Who has a refund that is asked for or under way."""

    title = gettext_lazy("refund")
    parameter_name = "refund"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer it to whoever may see refunds."""
        if not may(request.user, _MAY, None):
            return []
        return [("open", gettext_lazy("Under way"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list, starting from the few refunds that are open."""
        if self.value() != "open":
            return queryset
        open_ones = queries.open_refunds().order_by()
        return queryset.filter(pk__in=open_ones.values("payment__order__customer"))


def _refunds(request: HttpRequest, customer: Customer) -> QuerySet[Refund]:
    return queries.refunds_of_customer(customer)


def _with_states(request: HttpRequest, customer: Customer, rows: list[Refund]) -> list[Any]:
    return [(refund, refund_badge(refund)) for refund in rows]


def _count(request: HttpRequest, customer: Customer) -> int:
    return queries.refunds_count(customer)


def _open_matters(request: HttpRequest, customer: Customer) -> list[Matter]:
    if not may(request.user, _MAY, None):
        return []
    mine = queries.refunds_of_customer(customer).filter(state__in=OPEN)
    return [_matter(refund) for refund in mine[:_MOST_SHOWN]]


def _matter(refund: Refund) -> Matter:
    words = {"amount": refund.amount, "order": refund.payment.order.number}
    return Matter(
        text=_("Refund %(amount)s, order %(order)s") % words,
        url=reverse("admin:payments_refund_change", args=[refund.pk]),
        badge=refund_badge(refund),
        note=_("Asked for by %(person)s") % {"person": refund.requested_by},
        icon="undo",
    )


OPEN_MATTERS.append(_open_matters)
CustomerAdmin.contribute(
    filters=[RefundFilter],
    tabs=[
        Tab(
            "refunds",
            gettext_lazy("Refunds"),
            "payments/refunds_of_customer.html",
            _refunds,
            prepare=_with_states,
            count=_count,
            permission=_MAY,
            order=20,
            empty=gettext_lazy("A refund is asked for on the page of an order."),
        )
    ],
)
