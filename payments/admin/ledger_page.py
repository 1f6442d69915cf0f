"""The ledger: every booking with both sides, what stands on each account, and the way back."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import F, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.money import Money
from backoffice.policy import may
from backoffice.site import BackofficeAdmin, Panel, navigation, register, staff_site
from payments.admin.break_page import links
from payments.admin.payment_page import PaymentAdmin
from payments.admin.refund_page import RefundAdmin
from payments.models import Account, LedgerEntry, LedgerTransaction, Payment, Refund

DEBIT_SIDE = 0
MOST_DIGITS = 18


class AccountFilter(SimpleListFilter):
    """Bookings that touch an account."""

    title = gettext_lazy("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Offer the accounts."""
        return Account.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        if self.value() not in Account.values:
            return queryset
        touching = LedgerEntry.objects.filter(account=self.value(), transaction=OuterRef("pk"))
        return queryset.filter(pk__in=Subquery(touching.values("transaction")))


@register(LedgerTransaction, site=staff_site)
class LedgerAdmin(BackofficeAdmin):
    """Bookings: never changed, never deleted."""

    change_list_template = "payments/ledger.html"
    list_title = gettext_lazy("Ledger")
    list_subtitle = gettext_lazy(
        "Every booking with both sides, in the order in which they were made. Rows are never "
        "changed; what was wrong is booked the other way round."
    )
    empty_text = gettext_lazy("Nothing was booked yet. Payments and refunds book themselves.")
    list_display = ("about", "kind", "gateway", "day", "debit", "credit", "amount", "at")
    list_filter = (AccountFilter, "kind", "gateway", "currency", "day")
    date_hierarchy = "day"
    search_fields = (
        "=key",
        "=payment__reference",
        "=refund__gateway_ref",
        "=dispute__reference",
    )
    search_help_text = gettext_lazy(
        "A refund's number, a gateway's reference, or the key of a booking (refund:2:done)"
    )
    export_fields: ClassVar[list[str]] = ["key", "kind", "gateway", "day", "currency", "at"]
    numeric_columns: ClassVar[tuple[str, ...]] = ("amount",)
    number_field = "key"
    editable = False
    timeline = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerTransaction]:
        """Fetch both sides along."""
        related = ("payment__order", "refund__payment", "dispute")
        rows = super().get_queryset(request).select_related(*related)
        return rows.prefetch_related("entries")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find "RF-2" as well."""
        number = search_term.strip().upper().removeprefix("RF-")
        if number.isdecimal() and number != search_term.strip() and len(number) < MOST_DIGITS:
            return queryset.filter(refund=int(number)), False
        return super().get_search_results(request, queryset, search_term)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return none: the card says all of it."""
        return []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Money books itself."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes the books."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nor takes them away."""
        return False

    @admin.display(description=gettext_lazy("about"), ordering="key")
    def about(self, booking: LedgerTransaction) -> str:
        """Return "Refund RF-2", by the name that people know; the kind where it is about none."""
        if booking.refund is not None:
            return _("Refund %(refund)s") % {"refund": booking.refund.code}
        if booking.dispute is not None:
            return _("Dispute %(dispute)s") % {"dispute": booking.dispute.reference}
        if booking.payment is not None:
            return _("Payment %(payment)s") % {"payment": booking.payment.reference}
        return str(booking.get_kind_display())

    @admin.display(description=gettext_lazy("debit"))
    def debit(self, booking: LedgerTransaction) -> str:
        """Return the account that receives."""
        return _account(booking, 1)

    @admin.display(description=gettext_lazy("credit"))
    def credit(self, booking: LedgerTransaction) -> str:
        """Return the account that gives."""
        return _account(booking, -1)

    @admin.display(description=gettext_lazy("amount"))
    def amount(self, booking: LedgerTransaction) -> Money:
        """Return the sum of the debit side."""
        minor = sum(entry.minor for entry in booking.entries.all() if entry.minor > DEBIT_SIDE)
        return Money(minor, booking.currency)

    def record_title(self, obj: Any) -> str:
        """Return "Refund £7.00"."""
        return f"{obj.get_kind_display()} {self.amount(obj)}"

    def list_context(self, request: HttpRequest, changelist: Any) -> dict[str, Any]:
        """Add what stands on each account over the rows of the list, in one query."""
        balance = trial_balance(changelist.queryset)
        return super().list_context(request, changelist) | {"balance": balance}


def _account(booking: LedgerTransaction, sign: int) -> str:
    names = [
        str(Account(entry.account).label)
        for entry in booking.entries.all()
        if entry.minor * sign > 0
    ]
    return ", ".join(names)


def trial_balance(bookings: QuerySet[LedgerTransaction]) -> list[dict[str, Any]]:
    """Return of each currency its accounts with their balance, and their sum, which is nothing."""
    keys = bookings.order_by().values("pk")
    rows = (
        LedgerEntry.objects.filter(transaction__in=keys)
        .order_by("currency", "account")
        .values("currency", "account")
        .annotate(sum=Sum("minor"))
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        currency = row["currency"]
        of = found.setdefault(currency, {"currency": currency, "rows": [], "total": 0})
        of["rows"].append((Account(row["account"]).label, Money(row["sum"], currency)))
        of["total"] += row["sum"]
    return [of | {"total": Money(of["total"], of["currency"])} for of in found.values()]


def _sides(request: HttpRequest, booking: LedgerTransaction) -> dict[str, Any]:
    return {
        "entries": [
            (Account(entry.account).label, entry.amount) for entry in booking.entries.all()
        ],
        "links": links(request, booking),
        "reverses": booking.reverses,
    }


def bookings_of(request: HttpRequest, row: Payment | Refund) -> dict[str, Any] | None:
    """Return the bookings about a payment or refund, for those who may see the ledger."""
    if not may(request.user, "payments.view_ledgertransaction", None):
        return None
    found = row.bookings.annotate(minor=F("entries__minor")).filter(
        entries__account=Account.CLEARING
    )
    return {
        "bookings": [
            (
                reverse("admin:payments_ledgertransaction_change", args=[one.pk]),
                one,
                Money(one.minor, one.currency),
            )
            for one in found.order_by("pk")[:50]
        ]
    }


LedgerAdmin.panels = [
    Panel(gettext_lazy("Both sides"), "payments/entries.html", _sides, column="main", order=10),
]
for page in (PaymentAdmin, RefundAdmin):
    page.contribute(
        panels=[
            Panel(gettext_lazy("Bookings"), "payments/bookings.html", bookings_of, order=60),
        ]
    )
navigation.add(
    staff_site,
    group=gettext_lazy("Money"),
    label=gettext_lazy("Ledger"),
    icon="menu_book",
    url_name="payments_ledgertransaction_changelist",
    permission="payments.view_ledgertransaction",
    order=48,
)
