"""How the list of refunds is narrowed: by age, by amount, to what waits for somebody."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from backoffice.approvals import services as approvals
from backoffice.site.list_views import AT_MOST, counted
from backoffice.site.visitors import signed_in
from orders.admin.order_list import AmountFilter as OrderAmountFilter
from payments.gateways import gateways
from payments.models import Refund
from payments.services import reviews
from payments.services.requests import REFUND_RULE
from payments.services.reviews import REVIEW_RULE
from payments.states import OPEN, RefundState

_DAYS = (1, 3, 7, 30)


class AgeFilter(SimpleListFilter):
    """Open refunds that were asked for more than so many days ago."""

    title = gettext_lazy("open for")
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer some lengths."""
        text = "over %(count)s day", "over %(count)s days"
        return [(str(days), ngettext(*text, days) % {"count": days}) for days in _DAYS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        if self.value() not in {str(days) for days in _DAYS}:
            return queryset
        border = timezone.now() - timedelta(days=int(self.value() or 0))
        return queryset.filter(state__in=OPEN, created_at__lt=border)


class AmountFilter(OrderAmountFilter):
    """Refunds of one currency between two amounts."""

    title = gettext_lazy("amount")
    column = "amount_minor"


def waiting(request: HttpRequest, rows: QuerySet[Refund]) -> QuerySet[Refund]:
    """Narrow to what this person may decide now: refunds, and what others say became of one.

    Who asked, and who has voted already, decides no more. The oldest AT_MOST + 1 are read.
    """
    mine = approvals.waiting_for(signed_in(request))
    kinds = mine.filter(kind__in=(REFUND_RULE.kind, REVIEW_RULE.kind)).order_by("pk")
    keys = [int(key) for key in kinds.values_list("subject_id", flat=True)[: AT_MOST + 1]]
    return rows.filter(pk__in=keys)


def waiting_count(request: HttpRequest) -> int:
    """Return how many."""
    return counted(waiting(request, Refund.objects.all()))


def for_people(request: HttpRequest, rows: QuerySet[Refund]) -> QuerySet[Refund]:
    """Narrow to refunds that only people can end."""
    by_hand = [alias for alias in gateways if gateways[alias].caps.by_hand]
    silent = Q(sent_at__lte=reviews.pending_since())
    pending = Q(state=RefundState.PENDING) & (Q(gateway__in=by_hand) | silent)
    return rows.filter(Q(state=RefundState.NEEDS_REVIEW) | pending)
