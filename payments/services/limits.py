"""How much one person may ask for in a day, and for one customer, in each currency.

The setting names a limit per currency; a currency without one has none:

    BACKOFFICE_REFUND_LIMITS = {
        "maker": ["5000.00 GBP", "5000.00 EUR"],
        "customer": ["2000.00 GBP"],
    }

The sum of a day is raised by a conditional UPDATE, so that two requests at once cannot both pass.
A day is one of the site's zone. A refund that ends without having gone out on the day on which it
was asked for gives its part back; one that ends later changes no day that is over.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.money import Money
from payments.models import DailyTotal, Refund
from payments.services.refusals import RefundRefusedError

_Of = DailyTotal.Of


def take(amount: Money, *, maker: User, customer: int | None) -> None:
    """Count what is asked for; raise RefundRefusedError where a limit of the day is reached.

    In the transaction of the request: what is refused counts nowhere. `customer` is the key of the
    order's customer, None where it has none.
    """
    for of, who in _whose(maker.pk, customer):
        limit = _limit(of, amount.currency)
        if limit is not None:
            _raise(of, who, amount, limit)


def release(refund: Refund) -> None:
    """Give back what a refund that ends unpaid took of its day, while that day lasts."""
    day = timezone.localdate(refund.created_at)
    if day != timezone.localdate():
        return
    minor = refund.amount_minor
    for of, who in _whose(refund.requested_by_id, refund.payment.order.customer_id):
        totals = DailyTotal.objects.filter(
            day=day, of=of, who=who, currency=refund.currency, requested_minor__gte=minor
        )
        totals.update(requested_minor=F("requested_minor") - minor)


def left(of: str, who: int, currency: str) -> Money | None:
    """Return what is left of a limit today; None where there is none."""
    limit = _limit(of, currency)
    if limit is None:
        return None
    rows = DailyTotal.objects.filter(day=timezone.localdate(), of=of, who=who, currency=currency)
    taken = rows.values_list("requested_minor", flat=True).first() or 0
    return Money(max(limit.minor - taken, 0), currency)


def _whose(maker: int | None, customer: int | None) -> Iterator[tuple[str, int]]:
    """Yield whose totals count, in the one order in which the rows are written."""
    if customer is not None:
        yield _Of.CUSTOMER, customer
    if maker is not None:
        yield _Of.MAKER, maker


def _raise(of: str, who: int, amount: Money, limit: Money) -> None:
    total, _made = DailyTotal.objects.get_or_create(
        day=timezone.localdate(), of=of, who=who, currency=amount.currency
    )
    room = DailyTotal.objects.filter(pk=total.pk, requested_minor__lte=limit.minor - amount.minor)
    if room.update(requested_minor=F("requested_minor") + amount.minor):
        return
    words = {"left": left(of, who, amount.currency), "limit": limit}
    texts = {
        _Of.MAKER: _("Your limit of a day is %(limit)s; %(left)s of it is left today."),
        _Of.CUSTOMER: _("A customer's limit of a day is %(limit)s; %(left)s is left today."),
    }
    raise RefundRefusedError({"amount": texts[_Of(of)] % words})


def _limit(of: str, currency: str) -> Money | None:
    found = [money for money in _limits().get(of, ()) if money.currency == currency]
    return found[0] if found else None


def _limits() -> Mapping[str, list[Money]]:
    """Return the setting, read. Raises ValueError for one that cannot be read."""
    setting: Mapping[str, Any] = getattr(settings, "BACKOFFICE_REFUND_LIMITS", {})
    return {_Of(of).value: [_money(text) for text in texts] for of, texts in setting.items()}


def _money(text: str) -> Money:
    amount, _space, currency = str(text).partition(" ")
    return Money.of(amount, currency)


def check_limits(**kwargs: object) -> list[CheckMessage]:
    """Return what is wrong with the setting, as a system check (payments.E040)."""
    try:
        _limits()
    except ValueError as error:
        hint = 'As in {"maker": ["5000.00 GBP"], "customer": ["2000.00 GBP"]}.'
        return [Error(f"BACKOFFICE_REFUND_LIMITS: {error}", hint=hint, id="payments.E040")]
    return []
