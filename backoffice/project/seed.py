"""The demo's people, shops, customers, orders and payments: made up, and always the same.

Orders come from the first sheet of `fixtures/online_retail_II.xlsx`, imported by the same engine as
an upload. The workbook has neither personal data nor payments nor shops; those are added here.
Numbers, not chance, decide who gets what, so that two demos are equal.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management.base import CommandError
from django.db.models import Min, Q

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.audit.services import save_with_history, update_where
from backoffice.http import Client, HttpError
from backoffice.jobs.run import execute
from customers.models import Customer
from orders.models import Order, OrderLine
from orders.services import mark_shipped
from payments.services.captures import Capture, record_captures
from sellers.models import Membership, Product, Seller

PASSWORD = "backoffice-demo"  # noqa: S105 - printed by `make run`, refused in production
WORKBOOK = settings.BASE_DIR / "fixtures" / "online_retail_II.xlsx"
NAMES = settings.BASE_DIR / "fixtures" / "backends" / "data" / "customers.jsonl"
REASON = "Demo data"

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in; `rights` are permissions beyond those of the role."""

    username: str
    name: str
    role: str
    what: str
    rights: tuple[str, ...] = ()
    shop: int | None = None


PEOPLE = (
    Person("ann", "Ann Archer", "support", "support, may reveal personal data",
           rights=("customers.reveal_customer",)),
    Person("eve", "Eve Ellis", "support", "support, sees masks"),
    Person("max", "Max Miller", "finance", "finance, approves refunds"),
    Person("oli", "Oli Owens", "ops", "operations, imports sheets"),
    Person("nia", "Nia Nolan", "analyst", "analyst, dashboards"),
    Person("kim", "Kim Kerr", "owner", "owner, decides what roles may do"),
    Person("ada", "Ada Abbott", "auditor", "auditor, reads the record"),
    Person("pia", "Pia Park", "privacy", "privacy officer, asks who saw whose data"),
    Person("sol", "Sol Sutton", "seller", "seller site, first shop", shop=0),
    Person("sam", "Sam Stone", "seller", "seller site, second shop", shop=1),
)  # fmt: skip

SHOPS = (
    "Acorn & Oak", "Blue Lantern", "Cotton Row", "Daisy Lane", "Elm Street Crafts", "Fern & Fig",
    "Glasshouse", "Harbour Gifts", "Ivy Cottage", "Juniper Press", "Kite & Co", "Linden Lights",
)  # fmt: skip

# Of the newest orders so many are taken as not yet delivered: placed, paid, shipped.
OPEN_ORDERS = {"placed": 6, "paid": 18, "shipped": 12}
BULK = 10_000
"""Payments that the simulator learns at a time."""
STREETS = ("High Street", "Mill Lane", "Station Road", "Church Row", "Orchard Way")


def everything(say: Say) -> None:
    """Seed an empty database. Raises CommandError without the simulator or the workbook's rows."""
    tell_simulator([])  # without it nothing below can be finished
    say("people and shops")
    shops = make_shops()
    people = make_people(shops)
    if apps.is_installed("backoffice.sheets"):
        say("orders, from the first sheet of the workbook; profiles of suppliers")
        import_sheet(people["oli"])
        keep_profiles(people["oli"])
    say("customers, products, payments")
    name_customers(people["oli"])
    share_products(shops, people["oli"])
    reopen_newest(people["oli"])
    capture_payments()
    ship(people["oli"])


def import_sheet(actor: User) -> None:
    """Import the workbook's first sheet, step by step as the import pages do, in this process."""
    from backoffice.sheets import services  # noqa: PLC0415 - an app that may be left out

    upload = SimpleUploadedFile(WORKBOOK.name, WORKBOOK.read_bytes())
    sheet = services.take(upload, actor)
    services.choose(sheet, [sheet.sheets[0]["name"]], actor=actor)
    for verb in (services.check, services.start):
        job = verb(sheet, actor=actor)
        execute(job.pk)
        sheet.refresh_from_db()
    if sheet.state != sheet.State.DONE:
        raise CommandError(f"The workbook was not imported: {sheet.message}")


def keep_profiles(actor: User) -> None:
    """Keep the answers for the files of known suppliers."""
    from backoffice.sheets import shared_profiles  # noqa: PLC0415 - an app that may be left out

    shared_profiles.load(WORKBOOK.with_name("profiles.json"), actor=actor)


def pick[T](choices: Sequence[T], *what: str) -> T:
    """Return one of the choices, always the same for the same words."""
    digest = sha256(":".join(what).encode()).digest()
    return choices[int.from_bytes(digest[:8]) % len(choices)]


def make_shops() -> list[Seller]:
    """Return a dozen new shops."""
    shops = []
    for name in SHOPS:
        code = "-".join(word for word in name.lower().split() if word.isalpha())
        shop = Seller(code=code, name=name)
        save_with_history(shop, actor=None, reason=REASON)
        shops.append(shop)
    return shops


def make_people(shops: Sequence[Seller]) -> dict[str, User]:
    """Return username -> new user, in their role and shop."""
    return {person.username: make_person(person, shops) for person in PEOPLE}


@cache
def _password() -> str:
    """Return the password's hash, one for all: each would take half a second."""
    return make_password(PASSWORD)


def make_person(person: Person, shops: Sequence[Seller]) -> User:
    """Return a new user."""
    first, last = person.name.split()
    user = User.objects.create_user(
        person.username,
        email=f"{person.username}@example.com",
        password=None,
        first_name=first,
        last_name=last,
        is_staff=person.shop is None,
    )
    user.password = _password()
    user.save(update_fields=["password"])
    user.groups.set([Group.objects.get(name=person.role)])
    for right in person.rights:
        app, codename = right.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    if person.shop is not None:
        membership = Membership(user=user, seller=shops[person.shop])
        save_with_history(membership, actor=None, reason=REASON)
    return user


def name_customers(actor: User) -> None:
    """Give each customer a name, an e-mail at example.com, a phone number, a home and a birthday.

    A customer whom the demo's customer API knows has the same name there. The numbers are those
    that Ofcom keeps free for drama: 07700 900000 to 900999.
    """
    rows = [json.loads(line) for line in NAMES.read_text(encoding="utf-8").splitlines()]
    known = {row["id"]: row["name"] for row in rows}
    firsts, lasts = zip(*(name.split(" ", 1) for name in known.values()), strict=True)
    customers = Customer.objects.annotate(first_order=Min("orders__placed_at")).order_by("number")
    for place, customer in enumerate(customers):
        number = customer.number
        made_up = f"{pick(firsts, 'first', number)} {pick(lasts, 'last', number)}"
        customer.name = known.get(number, made_up)
        customer.email = f"customer{number}@example.com"
        customer.phone = f"+44 7700 {900_000 + place % 1000:06d}"
        customer.address = home_of(customer)
        customer.born = birthday_of(number)
        customer.created_at = customer.first_order or customer.created_at  # not that of the import
        if place % 10 == 0:  # those who were paid back by bank transfer once
            customer.bank_account = f"GB00 DEMO 0000 {place:06d}"
        save_with_history(customer, actor=actor, reason=REASON)


def home_of(customer: Customer) -> str:
    """Return a made-up address of two lines."""
    house = 1 + pick(range(120), "house", customer.number)
    return f"{house} {pick(STREETS, 'street', customer.number)}\n{customer.country}".strip()


def birthday_of(number: str) -> str:
    """Return a made-up date of birth of a grown-up of 2011, as year-month-day."""
    return str(date(1935, 1, 1) + timedelta(days=pick(range(20_000), "born", number)))


def share_products(shops: Sequence[Seller], actor: User) -> None:
    """Hand each imported product, and with it the lines that sold it, to one of the shops."""
    products = list(Product.objects.order_by("code"))
    for product in products:
        product.seller = pick(shops, "shop", product.code)
    history.bulk_update(products, ["seller"], actor=actor, reason=REASON)
    for shop in shops:
        lines = OrderLine.objects.filter(product__seller=shop)
        history.update(lines, actor=actor, changes={"seller": shop}, reason=REASON)


def reopen_newest(actor: User) -> None:
    """Take the newest orders as just placed, so that there is something to do."""
    newest = Order.objects.filter(total_minor__gt=0).order_by("-placed_at", "-id")
    for order in newest[: sum(OPEN_ORDERS.values())]:
        changes = {"status": Order.Status.PLACED}
        update_where(order, Q(), actor=actor, reason=REASON, changes=changes)


def capture_payments() -> None:
    """Let the simulator know a captured payment for each order but the very newest; note each.

    Some were paid by bank transfer instead, of which no machine knows.
    """
    orders = list(Order.objects.filter(total_minor__gt=0).order_by("-placed_at", "-id"))
    captures = [capture_of(order) for order in orders[OPEN_ORDERS["placed"] :]]
    tell_simulator([payment_of(one) for one in captures if one.gateway == "simulator"])
    record_captures(captures, actor=None)


def capture_of(order: Order) -> Capture:
    """Return how an order was paid: one of forty by bank transfer."""
    by_bank = pick(range(40), "paid", order.number) == 0
    gateway, prefix = ("manual", "bank") if by_bank else ("simulator", "pay")
    reference = f"{prefix}_{order.number}"
    return Capture(order, order.total, gateway, reference, order.placed_at)


def payment_of(capture: Capture) -> dict[str, Any]:
    """Return a payment as the simulator wants it; its days are those of UTC."""
    return {
        "reference": capture.reference,
        "amount_minor": capture.amount.minor,
        "currency": capture.amount.currency,
        "captured_on": capture.captured_at.astimezone(UTC).date().isoformat(),
    }


def tell_simulator(payments: list[dict[str, Any]]) -> None:
    """Make payments known to the gateway simulator, which must be running."""
    for start in range(0, max(len(payments), 1), BULK):
        at_simulator("/payments/bulk", payments=payments[start : start + BULK])


def at_simulator(path: str, **body: Any) -> dict[str, Any]:
    """Write to the gateway simulator, as its page does; raise CommandError where it is not."""
    url = settings.GATEWAYS["simulator"]["OPTIONS"]["base_url"]
    try:
        found: dict[str, Any] = Client(url, allow_loopback=True).post(path, json=body).json()
    except HttpError as error:
        raise CommandError(f"The gateway simulator must run (`make backends`): {error}") from error
    return found


def ship(actor: User) -> None:
    """Send the oldest of the open orders on their way."""
    paid = Order.objects.filter(status=Order.Status.PAID).order_by("placed_at", "id")
    for order in paid[: OPEN_ORDERS["shipped"]]:
        mark_shipped(order, actor=actor, reason=REASON)
