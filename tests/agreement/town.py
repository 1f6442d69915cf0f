"""A small town of people with rights drawn by lot, and what each of them may do, by plain sets.

The answers here are worked out from what was planted, without the policy, a queryset or a grant
being asked: that is what makes them worth comparing with.
"""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from backoffice.accounts import roles, tokens
from backoffice.accounts.models import Kind, User
from backoffice.accounts.tokens import Wish
from backoffice.masking.models import Grant
from backoffice.policy import SELLERS, STAFF, registry
from customers.models import Customer
from orders.models import Order
from sellers.models import Membership, Product, Seller
from tests.factories import make_line, make_order, make_seller
from tests.people import make_person

COUNTRIES = ("France", "Spain")
ROLES = ("support", "finance", "ops", "analyst", "owner", "auditor", "privacy", "")
EXTRA = (
    "customers.reveal_customer",
    "customers.change_customer",
    "customers.export_customer",
    "orders.export_order",
    "orders.view_order",
    "reports.view_dashboard",
)
MASKED = ("name", "email", "phone", "address")
SCOPES = ("customers:read", "customers:write", "orders:read", "products:read", "products:write")


@dataclass
class Somebody:
    """A person as planted. `territory`: the one country whose rows exist for them, "" for all."""

    user: User
    rights: set[str]
    territory: str = ""
    shop: Seller | None = None
    superuser: bool = False
    blocked: bool = False
    program: bool = False
    client: Client = field(default_factory=Client)
    token: str = ""
    opens: tuple[str, ...] = ()

    @property
    def site(self) -> str:
        """Where they work."""
        return SELLERS if self.shop is not None else STAFF

    @property
    def signs_in(self) -> bool:
        """Whether they get into pages at all."""
        return not self.blocked and not self.program

    def __str__(self) -> str:
        return self.user.username


@dataclass
class Town:
    """Everything that was planted; `granted` and `denied` hold (user name, right, record's key)."""

    seed: int
    people: list[Somebody] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    sold: dict[int, set[int]] = field(default_factory=dict)
    granted: set[tuple[str, str, int]] = field(default_factory=set)
    denied: set[tuple[str, str, int]] = field(default_factory=set)

    def exists_for(self, who: Somebody, record: Model) -> bool:
        """Say whether the record is there for them, where they work."""
        if who.blocked:
            return False
        if who.site == SELLERS:
            if isinstance(record, Order):
                return who.shop is not None and who.shop.pk in self.sold[record.pk]
            return isinstance(record, Product) and record.seller_id == getattr(who.shop, "pk", 0)
        if isinstance(record, Customer | Order):
            return who.territory in {"", record.country}
        return True

    def has_right(self, who: Somebody, right: str) -> bool:
        """Say whether a role or an own right gives it to an account that may have it."""
        if who.blocked or (who.program and ".reveal_" in right):
            return False
        return who.superuser or right in who.rights

    def may(self, who: Somebody, right: str, record: Model) -> bool:
        """Say whether they may do it with this record, where they work."""
        lot = (who.user.username, right, record.pk)
        let_in = lot in self.granted and not who.blocked and not who.program
        if lot in self.denied or not (self.has_right(who, right) or let_in):
            return False
        return self.exists_for(who, record)

    def seen(self, who: Somebody, records: Sequence[Any]) -> list[Any]:
        """Return those of the records that a list of theirs holds."""
        return [record for record in records if self.exists_for(who, record)]


@contextmanager
def planted(seed: int) -> Iterator[Town]:
    """Make a town of this seed; its scopes and denials are in force inside."""
    lot = random.Random(seed)
    town = Town(seed)
    _trade(town, lot)
    _people(town, lot)
    _grants(town, lot)
    _denials(town, lot)
    before, denials = dict(registry.scopes), list(registry.denials)
    homes = {one.user.pk: one.territory for one in town.people}

    def narrow(user: Any, rows: Any) -> Any:
        country = homes.get(user.pk, "")
        return rows.filter(country=country) if country else rows

    def refuse(user: Any, right: str, rows: Sequence[Model]) -> dict[Any, str]:
        return {
            row.pk: "drawn by lot" for row in rows if (user.username, right, row.pk) in town.denied
        }

    registry.scopes |= {(Customer, STAFF): narrow, (Order, STAFF): narrow}
    registry.denials.append(refuse)
    try:
        yield town
    finally:
        registry.scopes.clear()
        registry.scopes.update(before)
        registry.denials[:] = denials


def _trade(town: Town, lot: random.Random) -> None:
    shops = [make_seller("first-shop"), make_seller("second-shop")]
    for number in range(8):
        secret = f"hidden{lot.randrange(10**8):08d}"
        customer = Customer(number=f"7{town.seed % 1000:03}{number}", country=COUNTRIES[number % 2])
        customer.name, customer.email = f"Zz {secret}", f"{secret}@example.com"
        customer.phone, customer.address = f"+44 7700 {lot.randrange(10**6):06d}", f"{secret} Road"
        customer.save()
        town.customers.append(Customer.objects.get(pk=customer.pk))
    for number, customer in enumerate(town.customers):
        order = make_order(customer=customer)
        order.country, order.total_minor = customer.country, lot.randrange(100, 10**6)
        order.save()
        sold = {shop for shop in shops if lot.random() < 0.5}
        for place, shop in enumerate(sorted(sold, key=lambda one: one.code), start=1):
            make_line(order, 100 + number, position=place, seller=shop)
        town.orders.append(order)
        town.sold[order.pk] = {shop.pk for shop in sold}
    town.products = list(Product.objects.order_by("pk")) or [_product(shops[0])]


def _product(shop: Seller) -> Product:
    return Product.objects.create(seller=shop, code="LONE", name="LONE CUP")


def _people(town: Town, lot: random.Random) -> None:
    declared = roles.declared()
    for number in range(10):
        role = ROLES[number % len(ROLES)]
        user = make_person(f"staff{number}", *([role] if role else []))
        one = Somebody(user, set(declared.get(role, ())), lot.choice(["", *COUNTRIES]))
        one.blocked, one.superuser = number == 8, number == 9
        one.program = number == 1
        for right in lot.sample(EXTRA, k=lot.randrange(3)):
            _allow(one, right)
        town.people.append(one)
    for code in ("first-shop", "second-shop"):
        user = make_person(f"of-{code}", "seller", staff=False)
        shop = Seller.objects.get(code=code)
        Membership.objects.create(seller=shop, user=user)
        town.people.append(Somebody(user, set(declared["seller"]), shop=shop))
    for one in town.people:
        _settle(one, lot)


def _allow(one: Somebody, right: str) -> None:
    app, codename = right.split(".")
    permission = Permission.objects.get(content_type__app_label=app, codename=codename)
    one.user.user_permissions.add(permission)
    one.rights.add(right)


def _settle(one: Somebody, lot: random.Random) -> None:
    """Give a token with scopes by lot, then the flags, then sign in who can."""
    one.opens = tuple(sorted(lot.sample(SCOPES, k=lot.randrange(1, len(SCOPES)))))
    one.token = tokens.make(one.user, Wish("own", one.opens, 1), actor=one.user, reason="x").text
    User.objects.filter(pk=one.user.pk).update(
        is_active=not one.blocked,
        is_superuser=one.superuser,
        kind=Kind.SERVICE if one.program else Kind.PERSON,
    )
    one.user = User.objects.get(pk=one.user.pk)
    if one.signs_in:
        one.client.force_login(one.user)


def _grants(town: Town, lot: random.Random) -> None:
    """Plant grants that last, that ran out, that were ended, and one half each without guardian."""
    now, hour = timezone.now(), dt.timedelta(hours=1)
    right = "customers.reveal_customer"
    giver = town.people[4].user
    kind = ContentType.objects.get_for_model(Customer)
    for who in town.people[:10]:
        for customer in lot.sample(town.customers, k=3):
            state, held = lot.choice(["live", "live", "over", "ended"]), lot.random() < 0.8
            if who.user.pk == giver.pk:
                continue
            Grant.objects.create(
                user=who.user,
                content_type=kind,
                object_id=str(customer.pk),
                permission=right,
                given_by=giver,
                reason="drawn by lot",
                starts_at=now - 2 * hour,
                expires_at=now - hour if state == "over" else now + hour,
                ended_at=now - hour if state == "ended" else None,
            )
            if held:
                assign_perm(right, who.user, customer)
            if held and state == "live":
                town.granted.add((who.user.username, right, customer.pk))
    # guardian's permission alone opens nothing.
    assign_perm(right, town.people[0].user, town.customers[0])


def _denials(town: Town, lot: random.Random) -> None:
    for who in town.people:
        for customer in lot.sample(town.customers, k=2):
            right = lot.choice(["customers.reveal_customer", "customers.change_customer"])
            town.denied.add((who.user.username, right, customer.pk))
