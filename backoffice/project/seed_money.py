"""What the demo's money has gone through: all of it by the services, as people would have done it.

Refunds in each state worth a look, a refund and a dispute that the gateway alone knew of, a day
that is closed and one with a difference, and requests of customers that wait. Refunds are sent, so
nothing of this runs inside a transaction.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, date, timedelta

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.mail import delivery
from backoffice.project.seed import at_simulator
from orders import services as orders
from orders.models import ChangeRequest, Order, OrderLine
from orders.states import ChangeKind
from payments import services
from payments.models import Payment, Refund
from payments.services import closing, external, reconciliation, settlements

SIMULATOR, MANUAL = "simulator", "manual"
CHEAP = (500, 6_000)
"""Minor units of a line that goes back: below every limit of a day."""
LOOKED_AT = 500
SEVERAL = 4
SOLD = Order.Status.DELIVERED


def everything(say: Callable[[str], object]) -> None:
    """Fill in what happened to the money. Raises CommandError without the simulator."""
    people = {person.username: person for person in User.objects.all()}
    say("refunds in every state, a dispute")
    refunds(people)
    say("requests of customers")
    changes(people)
    say("a closed day, and one with a difference")
    days(people["max"])
    send_mails()


def refunds(people: dict[str, User]) -> None:
    """Make refunds: asked for by eve, decided by max and, where people pay, by kim as well."""
    eve, max_, kim = people["eve"], people["max"], people["kim"]
    by_card, by_bank = sold(SIMULATOR), sold(MANUAL)

    def sent(reason: str, *, gateway: Iterator[Payment] = by_card, **faults: int) -> Refund:
        refund = asked(next(gateway), reason, eve)
        services.approve_refund(refund, actor=max_)
        if gateway is by_bank:
            services.approve_refund(refund, actor=kim)
        at_simulator("/switches", **faults)
        refund.refresh_from_db()
        services.execute(refund)
        return refund

    asked(next(by_card), "Arrived broken", eve)
    asked(next(by_card), "Customer received the wrong colour", eve)
    asked(next(by_bank), "Box was empty", eve)
    rejected = asked(next(by_card), "Does not like it any more", eve)
    services.reject_refund(rejected, actor=max_, comment="Sold more than a year ago")
    services.withdraw_refund(asked(next(by_card), "Typed into the wrong order", eve), actor=eve)
    for reason in ("Arrived damaged", "Two pieces were missing", "Delivered twice"):
        sent(reason)
    sent("Returned in the shop", pending=1)
    sent("Cup was chipped", refuse=1)  # the gateway says no for good
    sent("Not as described", book_less=1)  # it paid another amount: people have to look
    sent("Paid by bank transfer, sent back", gateway=by_bank)
    came_back = sent("Lid does not close")
    at_simulator(f"/refunds/{came_back.gateway_ref}/reverse")
    external.look_at(came_back.payment)
    behind_our_back(next(by_card), next(by_card))


def sold(gateway: str) -> Iterator[Payment]:
    """Return payments of delivered orders with a line that is neither cheap nor dear, newest first.

    An order of each customer at most, so that no limit of a day is reached.
    """
    seen: set[int | None] = set()
    rows = Payment.objects.filter(
        gateway=gateway, order__status=SOLD, order__customer__isnull=False
    )
    for payment in rows.select_related("order").order_by("-captured_at", "-pk")[:LOOKED_AT]:
        if payment.order.customer_id not in seen and line_of(payment.order) is not None:
            seen.add(payment.order.customer_id)
            yield payment


def line_of(order: Order) -> OrderLine | None:
    """Return the first line of the order that is worth a refund."""
    lines = order.lines.filter(total_minor__range=CHEAP, quantity__gt=0, reserved_minor=0)
    return lines.order_by("position").first()


def asked(payment: Payment, reason: str, actor: User) -> Refund:
    """Return a new request for one line of the payment's order."""
    lines = [services.Asked(line=line_of(payment.order))]
    return services.request_refund(payment.order, lines, actor=actor, reason=reason)


def behind_our_back(refunded: Payment, disputed: Payment) -> None:
    """Let the gateway's own dashboard refund one payment, and a cardholder dispute another."""
    at_simulator(f"/payments/{refunded.reference}/external", amount_minor=500)
    amount = min(disputed.captured_minor, CHEAP[1])
    body = {"amount_minor": amount, "reason": "product_not_received"}
    at_simulator(f"/payments/{disputed.reference}/disputes", **body)
    for payment in (refunded, disputed):
        external.look_at(payment)


def changes(people: dict[str, User]) -> None:
    """Take down what customers ask for: some wait, one is decided."""
    eve, oli = people["eve"], people["oli"]
    delivered = (payment.order for payment in sold(SIMULATOR))
    paid = Order.objects.filter(status=Order.Status.PAID, customer__isnull=False).order_by("pk")
    for kind, why in ((ChangeKind.RETURN, "damaged"), (ChangeKind.EXCHANGE, "wrong")):
        ask(next(delivered), kind, why, eve)
    ask(paid[0], ChangeKind.CANCEL, "late", eve)
    ask(paid[1], ChangeKind.ADDRESS, "moved", eve)
    late = ask(next(delivered), ChangeKind.RETURN, "mind", eve)
    orders.reject_change(late, actor=oli, reason="Thirty days are over")


def ask(order: Order, kind: str, why: str, actor: User) -> ChangeRequest:
    """Return a new request: a piece of the first line, a new address, or the whole order."""
    with_goods = kind in {ChangeKind.RETURN, ChangeKind.EXCHANGE}
    line = line_of(order) if with_goods else None
    wanted = orders.Asked(
        kind=kind,
        why=why,
        address="12 Mill Lane\nBristol\nUnited Kingdom" if kind == ChangeKind.ADDRESS else "",
        pieces={line: 1} if line is not None else {},
    )
    return orders.ask_change(order, wanted, actor=actor)


def days(actor: User) -> None:
    """Reconcile two busy days at the simulator: the first is closed, the second has breaks."""
    first = busy_day()
    second, third = first + timedelta(days=1), first + timedelta(days=2)
    take(first, actor)
    at_simulator("/switches", settlement_fee=1, settlement_missing=1)
    take(second, actor)
    at_simulator("/switches", settlement_fee=0, settlement_missing=0)
    take(third, actor)  # what is late by a day may stand there
    for day in (first, second):
        reconciliation.match_day(SIMULATOR, day, actor=actor)
    closing.close(SIMULATOR, first, actor=actor)


def busy_day() -> date:
    """Return the last day on which, as on the next, several payments came in."""
    moments = Payment.objects.filter(gateway=SIMULATOR).order_by("-captured_at")
    counts = Counter(
        moment.astimezone(UTC).date()
        for moment in moments.values_list("captured_at", flat=True)[:LOOKED_AT]
    )
    busy = [day for day, count in counts.items() if count >= SEVERAL]
    return max(day for day in busy if day + timedelta(days=1) in busy)


def take(day: date, actor: User) -> None:
    """Fetch the settlement of a day."""
    settlements.take_day(SIMULATOR, day, actor=actor)


def send_mails() -> None:
    """Let the mails about all this leave now: the worker would fill the terminal with them."""
    delivery.start_sending()
    for job in Job.objects.filter(kind=delivery.SEND, state=Job.State.QUEUED):
        with redirect_stdout(io.StringIO()):
            execute(job.pk)
