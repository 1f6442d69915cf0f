"""Rows for tests, without surprises: every value is given or plain to see here."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from backoffice.money import Money
from customers.models import Customer
from orders.models import Charge, Order, OrderLine
from payments.models import Payment
from sellers.models import Product, Seller

AT = datetime(2011, 11, 30, 16, 47, tzinfo=UTC)
_numbers = count(1)


def make_seller(code: str = "hearth-home") -> Seller:
    """Return the seller of this code, new or made before."""
    name = code.replace("-", " ").title()
    return Seller.objects.get_or_create(code=code, defaults={"name": name})[0]


def make_customer(**values: object) -> Customer:
    """Return a new customer with a number of its own."""
    return Customer.objects.create(**{"number": f"C{next(_numbers)}", **values})


def make_order(
    *line_totals: int,
    status: str = Order.Status.PAID,
    customer: Customer | None = None,
    seller: Seller | None = None,
) -> Order:
    """Return a new GBP order with one line of one piece for each total in pence."""
    order = Order.objects.create(
        number=f"5{next(_numbers):05}",
        customer=customer,
        placed_at=AT,
        country="France",
        status=status,
        total_minor=sum(line_totals),
    )
    for position, total in enumerate(line_totals, start=1):
        make_line(order, total, position=position, seller=seller)
    return order


def make_line(
    order: Order,
    total: int,
    *,
    position: int = 1,
    quantity: int = 1,
    seller: Seller | None = None,
) -> OrderLine:
    """Return a new line of `quantity` pieces that cost `total` pence together."""
    seller = seller or make_seller()
    product = Product.objects.create(seller=seller, code=f"P{next(_numbers)}", name="CAKE STAND")
    price = Decimal(total) / 100 / quantity
    return OrderLine.objects.create(
        order=order,
        position=position,
        product=product,
        seller=seller,
        quantity=quantity,
        source_price=price,
        unit_price_minor=Money.rounded(price, "GBP").minor,
        total_minor=total,
    )


def make_charge(order: Order, total: int, *, code: str = "POST", tax: int = 0) -> Charge:
    """Return a new charge of the order, once, of so many pence."""
    return Charge.objects.create(
        order=order,
        code=code,
        quantity=1,
        source_price=Decimal(total) / 100,
        total_minor=total,
        tax_minor=tax,
        currency=order.currency,
    )


def make_payment(order: Order, *, captured: int | None = None, **values: str) -> Payment:
    """Return a new payment of the order by the simulator; the whole total if not told else."""
    return Payment.objects.create(
        order=order,
        captured_minor=order.total_minor if captured is None else captured,
        captured_at=AT,
        **{
            "gateway": "simulator",
            "reference": f"pay_{order.number}_{next(_numbers)}",
            "currency": "GBP",
            **values,
        },
    )
