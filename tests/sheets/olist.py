"""Olist by its saved profiles, and an independent count of its files by the csv module alone.

The files may be read and never copied into the repository. What must be so, in words: an order has
the state that ours calls so; a line is one piece; what a line pays for its freight becomes a
charge of its order; a payment of nothing is none; a product is what one shop sells by one code.
"""

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db.models import Count, Sum

from backoffice.money import Money
from customers.models import Customer
from orders.models import Charge, Order, OrderLine
from payments.models import Payment
from sellers.models import Product, Seller
from tests.sheets.suppliers import rows

PLACE = "local-only/olist"
SELLERS, CUSTOMERS, ORDERS, LINES, PRODUCTS, PAYMENTS = (
    f"olist_{name}_dataset.csv"
    for name in ("sellers", "customers", "orders", "order_items", "products", "order_payments")
)
PROFILES = {
    SELLERS: "Olist sellers",
    CUSTOMERS: "Olist customers",
    ORDERS: "Olist orders",
    LINES: "Olist order items",
    PRODUCTS: "Olist products",
    PAYMENTS: "Olist payments",
}
MODELS: tuple[Any, ...] = (Seller, Customer, Order, OrderLine, Charge, Product, Payment)
_STATES = {
    "created": "placed", "approved": "paid", "invoiced": "paid", "processing": "paid",
    "shipped": "shipped", "delivered": "delivered", "canceled": "cancelled",
    "unavailable": "cancelled",
}  # fmt: skip


@dataclass
class Facts:
    """What is known of the business, by natural keys; amounts in reais."""

    sellers: dict[str, str] = field(default_factory=dict)
    customers: set[str] = field(default_factory=set)
    orders: dict[str, tuple[str, str]] = field(default_factory=dict)
    """number -> (customer, state)"""
    totals: dict[str, Decimal] = field(default_factory=dict)
    lines: dict[tuple[str, str, str, Decimal], int] = field(default_factory=dict)
    """(order, seller, product, price) -> how many"""
    freight: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    """order -> charges and their sum"""
    products: dict[tuple[str, str], str] = field(default_factory=dict)
    """(seller, code) -> category"""
    payments: dict[str, tuple[str, str, Decimal]] = field(default_factory=dict)
    """reference -> (order, method, amount)"""


def expected(folder: Path) -> Facts:
    """Return what the files say."""
    facts = Facts()
    for one in rows(folder / SELLERS):
        facts.sellers[one["seller_id"]] = f"{one['seller_city']}, {one['seller_state']}"
    facts.customers = {one["customer_id"] for one in rows(folder / CUSTOMERS)}
    for one in rows(folder / ORDERS):
        facts.orders[one["order_id"]] = (one["customer_id"], _STATES[one["order_status"]])
    _lines(facts, folder)
    for one in rows(folder / PAYMENTS):
        if amount := Decimal(one["payment_value"]):
            reference = f"{one['order_id']}-{one['payment_sequential']}"
            facts.payments[reference] = (one["order_id"], one["payment_type"], amount)
    return facts


def _lines(facts: Facts, folder: Path) -> None:
    codes = {one["product_id"]: one["product_category_name"] for one in rows(folder / PRODUCTS)}
    facts.totals = dict.fromkeys(facts.orders, Decimal(0))
    lines: Counter[tuple[str, str, str, Decimal]] = Counter()
    freight: defaultdict[str, list[Decimal]] = defaultdict(list)
    for one in rows(folder / LINES):
        price, postage = Decimal(one["price"]), Decimal(one["freight_value"])
        lines[one["order_id"], one["seller_id"], one["product_id"], price] += 1
        facts.products[one["seller_id"], one["product_id"]] = codes.get(one["product_id"], "")
        facts.totals[one["order_id"]] += price + postage
        if postage:
            freight[one["order_id"]].append(postage)
    facts.lines = dict(lines)
    facts.freight = {
        order: (len(found), sum(found, Decimal(0))) for order, found in freight.items()
    }


def stored() -> Facts:
    """Return what the database holds, in the same words."""
    lines = OrderLine.objects.order_by().values_list(
        "order__number", "seller__code", "product__code", "source_price"
    )
    charges = Charge.objects.order_by().values_list("order__number")
    freight = charges.annotate(Count("pk"), Sum("total_minor"))
    payments = Payment.objects.order_by().values_list(
        "reference", "order__number", "method", "captured_minor"
    )
    products = Product.objects.order_by().values_list("seller__code", "code", "category")
    orders = Order.objects.order_by().values_list("number", "customer__number", "status")
    return Facts(
        sellers=dict(Seller.objects.order_by().values_list("code", "name")),
        customers=set(Customer.objects.order_by().values_list("number", flat=True)),
        orders={number: (customer or "", status) for number, customer, status in orders},
        totals=_reais(Order.objects.order_by().values_list("number", "total_minor")),
        lines=dict(Counter(lines)),
        freight={number: (count, _real(minor)) for number, count, minor in freight},
        products={(shop, code): category for shop, code, category in products},
        payments={name: (order, method, _real(minor)) for name, order, method, minor in payments},
    )


def _reais(found: Any) -> dict[str, Decimal]:
    return {number: _real(minor) for number, minor in found}


def _real(minor: int) -> Decimal:
    return Money(minor, "BRL").amount


def telling(folder: Path, plain: int) -> set[str]:
    """Return the numbers of some plain orders and of all that are odd in one way or another."""
    orders = list(rows(folder / ORDERS))
    odd = {one["order_id"] for one in orders[:plain]}
    odd |= {
        one["order_id"]
        for one in orders
        if one["order_status"] == "canceled" and one["order_delivered_customer_date"]
    }
    shops: defaultdict[str, set[str]] = defaultdict(set)
    for one in rows(folder / LINES):
        shops[one["order_id"]].add(one["seller_id"])
        if not Decimal(one["freight_value"]):
            odd.add(one["order_id"])
    odd |= {order for order, found in shops.items() if len(found) > 1}
    for one in rows(folder / PAYMENTS):
        if one["payment_type"] == "not_defined" or not Decimal(one["payment_value"]):
            odd.add(one["order_id"])
    return odd


def cut(folder: Path, target: Path, numbers: set[str]) -> Path:
    """Write the files with what belongs to these orders alone; return their folder."""
    kept = {"order_id": numbers}
    for name, takes in (
        (ORDERS, "order_id"), (LINES, "order_id"), (PAYMENTS, "order_id"),
        (CUSTOMERS, "customer_id"), (SELLERS, "seller_id"), (PRODUCTS, "product_id"),
    ):  # fmt: skip
        found = [one for one in rows(folder / name) if one[takes] in kept[takes]]
        with (target / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
        for key in ("customer_id", "seller_id", "product_id"):
            if key in found[0] and key != takes:
                kept[key] = {one[key] for one in found}
    return target


def differences(wanted: Facts) -> list[str]:
    """Return which facts the database holds otherwise, with how many and the first of them."""
    held, found = stored(), []
    for name in Facts.__dataclass_fields__:
        one, other = getattr(held, name), getattr(wanted, name)
        if one != other:
            first = sorted(map(str, _items(one) ^ _items(other)))[:2]
            found.append(f"{name}: {len(one)} for {len(other)}; {first}")
    return found


def _items(facts: dict[Any, Any] | set[str]) -> set[Any]:
    return facts if isinstance(facts, set) else set(facts.items())
