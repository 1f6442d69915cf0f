"""What the fault tests ask for again and again: let time pass, and compare both sides' books."""

from datetime import timedelta

from django.utils import timezone

from backoffice.audit.models import Event
from payments import services
from payments.models import LedgerEntry, Payment, Refund
from payments.states import RefundState
from tests.contracts.peers import Peer

State = RefundState


def again(refund: Refund) -> Refund:
    """Return the refund as it stands in the database."""
    return Refund.objects.select_related("payment").get(pk=refund.pk)


def reconcile(*refunds: Refund) -> list[str]:
    """Let the time of the next try come, and the machine look once; return the states."""
    keys = [refund.pk for refund in refunds]
    Refund.objects.filter(pk__in=keys).update(next_try_at=timezone.now() - timedelta(seconds=1))
    services.reconcile()
    return [again(refund).state for refund in refunds]


def sums(refund: Refund) -> tuple[int, int]:
    """Return what the payment reserved and refunded."""
    payment = Payment.objects.get(pk=refund.payment_id)
    return payment.reserved_minor, payment.refunded_minor


def balance(payment: Payment) -> tuple[int, int, int]:
    """Return what is reserved, refunded and blocked."""
    payment.refresh_from_db()
    return payment.reserved_minor, payment.refunded_minor, payment.blocked_minor


def paid_back(peer: Peer, refund: Refund) -> list[int]:
    """Return what really went back, by the peer's own books."""
    return [money.minor for money in peer.paid_back(refund.payment.reference)]


def assert_once(refund: Refund, peer: Peer) -> None:
    """The money went out once, both books say so, and the ledger too."""
    found = again(refund)
    amount = found.amount_minor
    assert (found.state, paid_back(peer, found)) == (State.SUCCEEDED, [amount])
    assert sums(found) == (amount, amount)
    assert booked(found) == amount
    assert found.gateway_ref


def assert_never(refund: Refund, peer: Peer) -> None:
    """No money went out, and it is still held."""
    assert (paid_back(peer, refund), sums(refund)) == ([], (refund.amount_minor, 0))


def booked(refund: Refund) -> int:
    """Return what the ledger says went out for the refund."""
    entries = LedgerEntry.objects.filter(transaction__refund=refund, account="sales_returns")
    return sum(entries.values_list("minor", flat=True))


def verbs(subject: object) -> list[str]:
    """Return what the record says of a refund or payment, oldest first."""
    found = Event.objects.about(subject).order_by("id").values_list("verb", flat=True)
    return [verb.removeprefix("payments.") for verb in found]
