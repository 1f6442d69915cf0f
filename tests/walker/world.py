"""A small business in which every personal value is a canary, and every kind of row exists.

Two shops, two customers, an order and a refund of each shop, and the rows that people leave
behind: jobs, approvals, events. Whoever adds a model with pages adds a row here.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.utils import timezone

from backoffice.accounts.models import Kind, Token, User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import Delegation
from backoffice.audit import verbs
from backoffice.audit.models import SavedSearch
from backoffice.audit.services import record, save_with_history
from backoffice.browser.models import Violation
from backoffice.files import sealing
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs.models import Job
from backoffice.mail.models import Mail
from backoffice.masking.models import Alarm, Grant
from backoffice.masking.values import unseal
from backoffice.money import Money
from backoffice.sheets.kept import charting, joining
from backoffice.sheets.kept.columns import Column
from backoffice.sheets.kept.vault import Vault, pack_places, pack_texts
from backoffice.sheets.models import (
    ClearExport,
    ExportJob,
    ImportJob,
    ImportProblem,
    ImportProfile,
    KeptSheet,
)
from customers.models import Customer, CustomerMerge, PrivacyCase
from customers.services import privacy, request_merge
from orders.models import Charge, DeliveryAddress, Order, OrderLine, Return, ReturnLine
from orders.services import Asked, add_note, approve_change, ask_change, send_parcel
from payments import services as payments
from payments.models import Break, InboxEvent, Payment, ReconciledDay, RefundStop
from payments.services import evidence, splitting
from sellers.models import Membership, Product, Seller
from tests.canaries import CUSTOMER, FORMER, HOME, OF_SAM, OF_SOL, Canary

PLACED = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)


@dataclass
class World:
    """The people by name and the rows by the name of their model.

    `rows` holds what the pages are visited for; `of_sol` and `of_sam` the rows of one shop.
    `secrets` are the canaries of masked fields with their blind indexes.
    """

    people: dict[str, User]
    rows: dict[str, Model] = field(default_factory=dict)
    of_sol: dict[str, Model] = field(default_factory=dict)
    of_sam: dict[str, Model] = field(default_factory=dict)
    secrets: tuple[Canary, ...] = ()

    def pk(self, name: str) -> Any:
        """Return the key of the row of this model."""
        return self.rows[name].pk

    @property
    def customer(self) -> Customer:
        """The customer whose values are canaries."""
        found = self.rows["customer"]
        assert isinstance(found, Customer)
        return found


def build(people: dict[str, User]) -> World:
    """Return the filled world; `people` as the fixtures of tests/people.py, by user name."""
    world = World(people)
    world.rows["customer"] = customer = make_customer(people["kim"])
    world.secrets = (*CUSTOMER, *HOME, *FORMER, *_indexes(customer))
    world.of_sol = make_trade(people["sol"], OF_SOL, customer)
    world.of_sam = make_trade(people["sam"], OF_SAM, customer)
    world.rows |= world.of_sam
    _give_refund(world)
    world.rows |= make_books(world)
    world.rows["other_customer"] = make_other(people["kim"], "17851")
    world.rows["customermerge"] = make_merge(customer, people["eve"], people["kim"])
    world.rows["job"] = Job.objects.create(kind="walk", title="A walk", owner=people["oli"])
    world.rows["mail"] = Mail.objects.create(
        template="walk",
        to_user=people["max"],
        subject="A lost mail",
        reason="It is fine",
        state="unknown",
    )
    world.rows["violation"] = make_violation()
    world.rows["keptfile"] = make_file(people["kim"])
    world.rows["importjob"] = make_import(people["oli"])
    world.rows |= make_kept(people["oli"])
    world.rows["importprofile"] = ImportProfile.objects.create(
        owner=people["oli"], name="Example & Sons", format="online-retail",
        mapping={"layouts": []},
    )  # fmt: skip
    world.rows["delegation"] = make_delegation(people["max"], people["kim"])
    world.rows["user"] = people["eve"]
    world.rows["token"], world.rows["service"] = make_tokens(people["oli"])
    world.rows["grant"] = make_grant(customer, people["nia"], people["kim"])
    world.rows["clearexport"] = ClearExport.objects.create(
        owner=people["nia"], model="customers.customer", names=["phone"], rows=1,
        keys=[str(customer.pk)],
    )  # fmt: skip
    world.rows["exportjob"] = ExportJob.objects.create(
        owner=people["kim"], site="admin", model="customers.customer", kind="csv",
        names=["number", "phone"], language="en", zone="UTC", asked=6000,
    )  # fmt: skip
    world.rows["alarm"] = Alarm.objects.create(
        kind="limit", person=people["nia"], facts={"seen": 30, "asked": 1}
    )
    world.rows["privacycase"] = privacy.open_case(
        customer,
        PrivacyCase.Kind.ERASURE,
        privacy.Asked(PrivacyCase.Ground.ASKED, "a letter", timezone.localdate()),
        actor=people["kim"],
    )
    world.rows |= make_change(people["eve"], people["ann"], world.rows["order"])
    world.rows["savedsearch"] = SavedSearch.objects.create(
        owner=people["ada"], name="Reveals", query="verb=personal.revealed"
    )
    world.rows["event"] = record(
        verbs.CHANGED, actor=people["kim"], subject=customer, context={"fields": ["name"]}
    )
    return world


def make_kept(owner: User) -> dict[str, Model]:
    """Return a shared sheet that holds the customer's values, joined with itself, and a chart."""
    texts = ["first", "second"]
    columns = [Column("c0", "word"), Column("c1", "who", index=1, mask="text")]
    kept = KeptSheet(
        owner=owner, name="Words", shared=True, state=KeptSheet.State.READY, rows=2,
        file_name="words.csv", columns=[column.as_json() for column in columns],
    )  # fmt: skip
    kept.sealed_key = sealing.new_key(kept.use)
    kept.save()
    safe = Vault(kept)
    for index, cells in enumerate([texts, [CUSTOMER[0].value, CUSTOMER[1].value]]):
        safe.block(kept, "v", index, 0, pack_texts(cells)).save()
    safe.block(kept, "o", 0, 0, pack_places([0, 1])).save()
    join = joining.save(
        actor=owner, name="Twice", left=kept, left_ref="c1", right=kept, right_ref="c1",
        shared=True,
    )  # fmt: skip
    frame = joining.open_join(join, owner).frame
    chart = charting.save(
        join, frame, actor=owner, name="Words", kind="bar", group="l.c0", measure="count"
    )
    return {"keptsheet": kept, "keptjoin": join, "keptchart": chart}


def make_tokens(person: User) -> tuple[Token, User]:
    """Return a token of the person, and a service account that has one too."""
    robot = User(username="service-walk", first_name="Walk", kind=Kind.SERVICE, is_staff=True)
    robot.set_unusable_password()
    robot.save()
    facts = {"digest": "-", "scopes": ["orders:read"], "made_by": person}
    ends = timezone.now() + timedelta(days=1)
    Token.objects.create(user=robot, name="Robot's", prefix="walkbbbb", expires_at=ends, **facts)
    own = Token.objects.create(user=person, name="Own", prefix="walkaaaa", expires_at=ends, **facts)
    return own, robot


def make_customer(actor: User) -> Customer:
    """Return the customer of the canaries; his history holds the former ones."""
    old_name, old_email, old_phone = (canary.value for canary in FORMER)
    customer = Customer(number="17850", country="Iceland")
    customer.name, customer.email, customer.phone = old_name, old_email, old_phone
    save_with_history(customer, actor=actor, reason="first contact")
    customer.name, customer.email, customer.phone = (canary.value for canary in CUSTOMER)
    customer.address, customer.born, customer.bank_account = (canary.value for canary in HOME)
    save_with_history(customer, actor=actor, reason="moved")
    return Customer.objects.get(pk=customer.pk)


def make_other(actor: User, number: str) -> Customer:
    """Return a customer without personal values."""
    other = Customer(number=number, country="Iceland")
    save_with_history(other, actor=actor, reason="first contact")
    return other


def make_merge(customer: Customer, maker: User, approver: User) -> CustomerMerge:
    """Return a merge of a further customer into this one, approved and done."""
    gone = make_other(maker, "17852")
    merge = request_merge(customer, gone, taken=[], actor=maker, reason="one person")
    assert merge.approval is not None
    approvals.approve(merge.approval, actor=approver)
    return CustomerMerge.objects.get(pk=merge.pk)


def _indexes(customer: Customer) -> tuple[Canary, ...]:
    return tuple(
        Canary(f"blind index of {name}", str(unseal(value)))
        for name in ("name", "email", "phone")
        for value in customer.history.values_list(f"{name}_index", flat=True)
    )


def make_trade(person: User, canaries: tuple[Canary, ...], customer: Customer) -> dict[str, Model]:
    """Return a paid order of one line in this person's shop, with a return, a charge, a payment."""
    name, code, number, *_rest = (canary.value for canary in canaries)
    membership = Membership.objects.select_related("seller").get(user=person)
    seller = membership.seller
    product = Product.objects.create(seller=seller, code=code, name=name, price_minor=1250)
    order = Order.objects.create(
        number=number, customer=customer, placed_at=PLACED, country="Iceland", total_minor=2800
    )
    line = make_line(order, product, seller)
    postage = Charge.objects.create(
        order=order, code="POST", quantity=1, source_price=Decimal(3), total_minor=300
    )
    payment = payments.record_capture(
        order,
        order.total,
        gateway="simulator",
        reference=f"sim-{number}",
        captured_at=PLACED,
        actor=None,
    )
    back = make_return(order, line)
    return {
        "membership": membership,
        "seller": seller,
        "product": product,
        "order": Order.objects.get(pk=order.pk),
        "orderline": line,
        "charge": postage,
        "payment": Payment.objects.get(pk=payment.pk),
        "return": back,
    }


def make_line(order: Order, product: Product, seller: Seller, quantity: int = 2) -> OrderLine:
    """Return a line of `quantity` pieces at the product's price."""
    price = product.price_minor or 0
    return OrderLine.objects.create(
        order=order,
        position=1,
        product=product,
        description=product.name,
        seller=seller,
        quantity=quantity,
        source_price=Decimal(price).scaleb(-2),
        unit_price_minor=price,
        total_minor=price * quantity,
    )


def make_return(order: Order, line: OrderLine) -> Return:
    """Return a credit note over one piece of the line."""
    back = Return.objects.create(
        number=f"C{order.number}",
        customer=order.customer,
        order=order,
        returned_at=PLACED,
        total_minor=-line.unit_price_minor,
    )
    ReturnLine.objects.create(
        parent=back,
        order_line=line,
        position=1,
        product=line.product,
        quantity=-1,
        source_price=line.source_price,
        total_minor=-line.unit_price_minor,
    )
    return back


def make_change(taker: User, decider: User, order: Model) -> dict[str, Model]:
    """Return a request that waits, an address that another one set, and a parcel on the way."""
    assert isinstance(order, Order)
    home = HOME[0].value
    asked = Asked(kind="address", why="moved", address=home, note="by phone", reference="walk-1")
    moved = ask_change(order, asked, actor=taker)
    approve_change(moved, actor=decider)
    line = order.lines.get()
    waiting = ask_change(order, Asked(kind="cancel", why="mind", pieces={line: 1}), actor=taker)
    (parcel,) = send_parcel(order, {line: 1}, actor=decider)
    add_note(order, "called twice", actor=taker)
    target = DeliveryAddress.objects.get(order=order)
    return {"changerequest": waiting, "deliveryaddress": target, "parcel": parcel}


def make_import(owner: User) -> ImportJob:
    """Return an import that is over, one row of which failed; its file is not kept any more."""
    now = timezone.now()
    imported = ImportJob.objects.create(
        owner=owner,
        original_name="orders.xlsx",
        kind="xlsx",
        size=9000,
        sha256="0" * 64,
        format="online-retail",
        sheets=[{"name": "A", "hidden": False, "rows": 2, "header_row": 1, "headers": ["Invoice"],
                 "recognised": True}],
        chosen=["A"],
        mapping={"A": {"header_row": 1, "columns": {"invoice": 0}}},
        state=ImportJob.State.DONE,
        summary={"read": 2, "ready": 1, "failed": 1, "skipped": 0, "repeated": 0, "sums": []},
        counters={"orders": {"created": 1, "updated": 0, "unchanged": 0}},
        started_at=now,
        finished_at=now,
    )  # fmt: skip
    ImportProblem.objects.create(
        import_job=imported, code="whole", sheet="A", row=2, column="quantity", severity="failed"
    )
    return imported


def make_file(owner: User) -> KeptFile:
    """Return a file that was made for this person."""
    return files.keep(b"a,b", name="made.csv", kind="csv", purpose="walk", owner=owner)


def make_violation() -> Violation:
    """Return what a browser would not load."""
    values = {"directive": "script-src-elem", "blocked": "https://example.com", "page": "admin/"}
    return Violation.objects.create(key="0" * 64, count=3, last_at=timezone.now(), **values)


def make_delegation(giver: User, stand_in: User) -> Delegation:
    """Return a period in which the one decides for the other."""
    now = timezone.now()
    made: Delegation = Delegation.objects.create(
        giver=giver,
        stand_in=stand_in,
        reason="on holiday",
        starts_at=now - timedelta(hours=1),
        until=now + timedelta(days=2),
    )
    return made


def make_grant(customer: Customer, user: User, giver: User) -> Grant:
    """Return a grant that ran out: it must open nothing."""
    now = timezone.now()
    grant: Grant = Grant.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(customer),
        object_id=str(customer.pk),
        permission="customers.reveal_customer",
        given_by=giver,
        reason="a call",
        starts_at=now - timedelta(hours=2),
        expires_at=now - timedelta(hours=1),
    )
    return grant


def make_books(world: World) -> dict[str, Model]:
    """Return a booking of the payment, its day, a difference of it, and an event about it."""
    payment = world.rows["payment"]
    assert isinstance(payment, Payment)
    booking = payment.bookings.get()
    day = ReconciledDay.objects.create(gateway=payment.gateway, day=booking.day)
    found = Break.objects.create(
        key=f"booked:{booking.pk}:{Break.Kind.MISSING_THERE}",
        gateway=payment.gateway,
        day=booking.day,
        kind=Break.Kind.MISSING_THERE,
        payment=payment,
        ours_minor=payment.captured_minor,
        currency=payment.currency,
    )
    event = InboxEvent.objects.create(
        gateway=payment.gateway,
        event_id="evt_walked",
        kind="refund",
        payment_reference=payment.reference,
        state=InboxEvent.State.FAILED,
    )
    return {"ledgertransaction": booking, "reconciledday": day, "break": found, "inboxevent": event}


def make_stop_and_evidence(world: World) -> dict[str, Model]:
    """Return a stop of a gateway that is not set up, and a file that proves something."""
    kim = world.people["kim"]
    stopped = RefundStop.objects.create(gateway="elsewhere", reason="a fault", stopped_by=kim)
    seen = evidence.inspect(SimpleUploadedFile("proof.csv", b"a,b\n"), actor=kim)
    return {"refundstop": stopped, "evidence": evidence.keep(seen, name="proof", actor=kim)}


def _give_refund(world: World) -> None:
    order, line = world.rows["order"], world.rows["orderline"]
    assert isinstance(order, Order)
    assert isinstance(line, OrderLine)
    refund = payments.request_refund(
        order,
        [splitting.Asked(line=line, amount=Money(500, "GBP"))],
        actor=world.people["ann"],
        reason="arrived broken",
    )
    world.rows["refund"] = refund
    world.rows |= make_stop_and_evidence(world)
    assert refund.approval is not None
    world.rows["approvalrequest"] = refund.approval
