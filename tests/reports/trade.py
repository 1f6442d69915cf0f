"""A little trade over two years, whose sums can be done by hand."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from orders.models import Charge, Order, OrderLine, Return
from sellers.models import Product, Seller
from tests.factories import make_seller

_numbers = count(1)


def sell(
    day: str,
    *lines: tuple[str, int],
    country: str = "France",
    postage: int = 0,
    status: str = Order.Status.DELIVERED,
    currency: str = "GBP",
    seller: Seller | None = None,
) -> Order:
    """Return a new order placed at `day` ("2011-03-31T23:30", UTC).

    It has a line for each (category, minor units), and postage as a charge.
    """
    order = Order.objects.create(
        number=f"7{next(_numbers):05}",
        placed_at=datetime.fromisoformat(day).replace(tzinfo=UTC),
        country=country,
        status=status,
        currency=currency,
        total_minor=sum(minor for _category, minor in lines) + postage,
    )
    for position, (category, minor) in enumerate(lines, start=1):
        _line(order, position, category, minor, seller or make_seller())
    if postage:
        Charge.objects.create(
            order=order,
            code="POST",
            quantity=1,
            source_price=Decimal(postage) / 100,
            total_minor=postage,
            currency=currency,
        )
    return order


def _line(order: Order, position: int, category: str, minor: int, seller: Seller) -> None:
    product, _made = Product.objects.get_or_create(
        seller=seller, code=f"P-{category}", defaults={"name": "LAMP", "category": category}
    )
    OrderLine.objects.create(
        order=order,
        position=position,
        occurrence=position,
        product=product,
        seller=seller,
        quantity=1,
        source_price=Decimal(minor) / 100,
        unit_price_minor=minor,
        total_minor=minor,
        currency=order.currency,
    )


def take_back(day: str, minor: int, currency: str = "GBP") -> Return:
    """Return a new credit note over `minor` (given as a positive number)."""
    return Return.objects.create(
        number=f"C7{next(_numbers):05}",
        returned_at=datetime.fromisoformat(day).replace(tzinfo=UTC),
        currency=currency,
        total_minor=-minor,
    )


def two_years() -> None:
    """Sell from December 2009 to the ninth of December 2011."""
    sell("2009-12-06T10:30", ("Kitchen", 1000), country="Spain")
    sell("2010-11-20T10:00", ("Kitchen", 3000), ("Bags", 500), country="Spain", postage=100)
    sell("2010-12-01T00:00", ("Lights", 700))
    # Half past midnight of the first of April in London.
    sell("2011-03-31T23:30", ("Lights", 1100), ("", 50), country="")
    sell("2011-10-02T12:00", ("Kitchen", 2000), ("Bags", 300), ("Garden", 200), postage=250)
    sell("2011-10-03T12:00", ("Toys", 100), ("Paper", 90), ("Odd, ends", 80), country="Spain")
    sell("2011-10-04T12:00", ("Kitchen", 9999), status=Order.Status.CANCELLED, postage=1)
    sell("2011-11-30T23:59", ("Kitchen", 4000), currency="KRW", country="South Korea")
    sell("2011-12-09T12:50", ("Kitchen", 77))
