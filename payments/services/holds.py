"""Why an approved refund is not sent now. None of it lets go of its money but what voids it.

Asked right before sending, since the world may have changed since the approval. Each reason is
said on the refund; the machine asks again, or the refund becomes void and can be asked for anew.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from payments.gateways import gateways
from payments.gateways.base import Gateway
from payments.models import Payment, Refund
from payments.services import breakers, disputes, requests, stops, verification

LATER = timedelta(minutes=5)
SOON = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why not now: a `code` for the record, words for the refund's page.

    `wait` until it is asked again, None where that is no use. (The words may hold what somebody
    typed, so they stay off the record of activity.)
    """

    code: str
    why: str
    wait: timedelta | None = LATER


def why_not(refund: Refund) -> Hold | None:
    """Return what keeps this approved refund from being sent; None when it may go.

    The breaker comes last: it hands out the one try after a pause.
    """
    if refund.gateway not in gateways:
        return Hold("not_set_up", _("The gateway of this payment is not set up."))
    gateway = gateways[refund.gateway]
    return (
        _not_approved(refund)
        or _too_old(refund, gateway)
        or _stopped(refund)
        or _unproven(refund)
        or _disputed(refund)
        or _paused(refund, gateway)
    )


def too_soon(refund: Refund, gateway: Gateway) -> Hold | None:
    """Return whether another refund of the payment was sent a moment ago.

    Inside the transaction that marks this one as sent: of two at once the second waits for the
    payment's row, and then sees the first.
    """
    interval = gateway.caps.min_interval
    if not interval:
        return None
    Payment.objects.select_for_update().get(pk=refund.payment_id)
    others = Refund.objects.filter(payment=refund.payment_id).exclude(pk=refund.pk)
    last = others.aggregate(last=Max("sent_at"))["last"]
    left = interval - (timezone.now() - last) if last else timedelta(0)
    if left <= timedelta(0):
        return None
    why = _("The gateway wants time between two refunds of one payment.")
    return Hold("too_soon", why, min(left, interval))


def forbids_sending(refund: Refund) -> bool:
    """Say whether a repeat of an unknown refund must wait: it could be the one that pays."""
    return disputes.short(refund.payment) is not None or bool(stops.held(refund.gateway))


def stopped() -> set[str]:
    """Return the gateways of which people let nothing go out."""
    names = {one.gateway for one in stops.running()}
    return set(gateways) if "" in names else names


def _not_approved(refund: Refund) -> Hold | None:
    why = requests.still_approved(refund)
    return Hold("not_approved", why, wait=None) if why else None


def _stopped(refund: Refund) -> Hold | None:
    why = stops.held(refund.gateway)
    return Hold("stopped", why, SOON) if why else None


def _too_old(refund: Refund, gateway: Gateway) -> Hold | None:
    age = gateway.caps.max_age
    if age is None or timezone.now() < refund.payment.captured_at + age:
        return None
    why = _("This gateway refunds payments of the last %(days)s days only.")
    return Hold("too_old", why % {"days": age.days}, wait=None)


def _unproven(refund: Refund) -> Hold | None:
    why = verification.why_not_usable(refund.gateway)
    return None if why is None else Hold("unproven", why)


def _disputed(refund: Refund) -> Hold | None:
    state = disputes.short(refund.payment)
    if state == "lost":
        why = _("A lost dispute took this money: the customer has it already.")
        return Hold("dispute_lost", why, wait=None)
    if state == "open":
        why = _("A dispute about this money is open. It is sent when that is decided.")
        return Hold("disputed", why)
    return None


def _paused(refund: Refund, gateway: Gateway) -> Hold | None:
    if breakers.allow(refund.gateway, lease=2 * gateway.timeout):
        return None
    return Hold("paused", _("The gateway does not answer. Requests to it pause."), SOON)
