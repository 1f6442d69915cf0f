"""A shop's own list of products, by the rules of its pages.

* The sheet names no shop: every row is of the shop that imports it, and codes are looked up among
  its own products alone. A code that another shop has as well is a new one here, like any other.
* A new product is a draft unless the sheet says otherwise, in the currency of the company; only a
  shop that may sell takes new ones. An existing one keeps its currency.
* An empty cell, and a column that the sheet has not, leave a value as it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import batched
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import installation
from backoffice.money import Money
from backoffice.sheets import cells, formats, problems
from backoffice.sheets.formats import CheckSum, Column, Derivation, Record, SheetRow
from backoffice.sheets.problems import Problem, Text, quote
from backoffice.sheets.reading.reader import Value
from backoffice.sheets.resources import Coming, Plan, SheetResource
from sellers import services
from sellers.models import Product, Seller
from sellers.sheets.lists import Products

_A_QUERY = 300
_FIELDS = ("name", "category", "price_minor", "status")
_LARGEST = Decimal(10) ** 10
_STATES = {
    Product.Status.DRAFT.value: ("draft", "entwurf", "초안", "rascunho"),
    Product.Status.ACTIVE.value: ("active", "on sale", "aktiv", "판매중", "ativo"),
    Product.Status.RETIRED.value: ("retired", "inactive", "ausgelistet", "판매종료", "inativo"),
}
_BY_WORD = {word: state for state, words in _STATES.items() for word in words}

problems.register(
    {
        "no-product-state": Text(
            gettext_lazy("No state of a product"),
            gettext_lazy("Left out. Write draft, active or retired."),
        ),
        "no-list-price": Text(
            gettext_lazy("No price"), gettext_lazy("Left out. Write an amount such as 12.50.")
        ),
        "more-decimals-than-currency": Text(
            gettext_lazy("The price has more decimals than %(currency)s"),
            gettext_lazy("Left out. Check the price."),
        ),
        "no-name": Text(
            gettext_lazy("A new product has no name"), gettext_lazy("Left out. Give it a name.")
        ),
        "code-twice": Text(
            gettext_lazy("The code stands in the sheet before"),
            gettext_lazy("Left out. A product has one row."),
        ),
        "shop-not-selling": Text(
            gettext_lazy("The shop is paused or closed: it takes no new products"),
            gettext_lazy("Left out."),
        ),
    }
)


def _words(name: str) -> tuple[str, ...]:
    """Return what people call the column in lists of all products."""
    return Products.synonyms[name]


def price(value: Value) -> Decimal:
    """Return an amount that is not negative."""
    number = cells.decimal(value, problem="no-list-price")
    if number < 0 or number > _LARGEST:
        raise cells.CellProblemError("no-list-price")
    return number


def state(value: Value) -> str:
    """Return the state here of what people call it."""
    found = _BY_WORD.get(cells.text(value).casefold())
    if found is None:
        raise cells.CellProblemError("no-product-state")
    return found


class OwnProducts(SheetResource):
    """The products of the one shop that imports."""

    dataset = "products"
    label = gettext_lazy("Products")
    overwrite = _FIELDS
    columns = {
        "code": "code", "name": "name", "category": "category", "price_minor": "price",
        "status": "status",
    }  # fmt: skip

    class Meta:
        """By code, within the shop."""

        model = Product
        import_id_fields = ("code",)
        fields = ("code", *_FIELDS)

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Read the shop and, once a chunk, the currencies of what it has."""
        self._shop = Seller.objects.get(code=derivation.tenant)
        codes = [record.values["code"] for record in records]
        mine = self._shop.products.filter(code__in=codes).order_by()
        self._coins = dict(mine.values_list("code", "currency"))
        self._default = installation.currency()
        self._edited: dict[int, list[str]] = {}

    def candidates(self, queryset: Any) -> Any:
        """Only the shop's own products: what others sell does not exist here."""
        return queryset.filter(seller=self._shop)

    def _resolved(
        self, records: Sequence[Record], plan: Plan, coming: Coming | None = None
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Yield what is written: the shop and the currency are never those of the sheet."""
        for record in records:
            values = dict(record.values)
            coin = self._coins.get(values["code"], self._default)
            problem = self._wrong(record, coin)
            if problem is not None:
                plan.refuse(record, problem)
                continue
            amount = values.pop("price", None)
            if amount is not None:
                values["price_minor"] = Money.of(amount, coin).minor
            yield record, {**values, "seller_id": self._shop.pk, **self._made_with(values, coin)}

    def _made_with(self, values: dict[str, Any], coin: str) -> dict[str, Any]:
        if values["code"] in self._coins:
            return {}
        return {"currency": coin, "status": values.get("status") or Product.Status.DRAFT.value}

    def _wrong(self, record: Record, coin: str) -> Problem | None:
        values = record.values
        if values["code"] not in self._coins:
            if self._shop.status != Seller.Status.ACTIVE:
                return self.problem("shop-not-selling", record, "code")
            if not values.get("name"):
                return self.problem("no-name", record, "name")
        amount = values.get("price")
        if amount is not None and Money.rounded(amount, coin).amount != amount:
            problem = self.problem("more-decimals-than-currency", record, "price_minor")
            problem.params = {"currency": coin}
            return problem
        return None

    def _compare(self, plan: Plan, record: Record, values: dict[str, Any], instance: Any) -> None:
        """Remember what of a product changes: the record of activity says it."""
        before = {name: getattr(instance, name) for name in _FIELDS}
        super()._compare(plan, record, values, instance)
        changed = [name for name in _FIELDS if getattr(instance, name) != before[name]]
        self._edited[instance.pk] = changed

    def tenants_of(self, rows: Sequence[Any]) -> set[str]:
        """Return the shops of the rows as they are now, locked; of new ones the shop they get."""
        made = {row.seller_id for row in rows if row.pk is None}
        keys = [row.pk for row in rows if row.pk is not None]
        known = Product.objects.filter(pk__in=keys).select_for_update(of=("self",)).order_by("pk")
        shops = made | set(known.values_list("seller_id", flat=True))
        return set(Seller.objects.filter(pk__in=shops).values_list("code", flat=True))

    def written(self, rows: Sequence[Any], *, actor: Any) -> None:
        """Note new products as the pages of the shop do."""
        services.note_registered(rows, actor=actor)

    def changed(self, rows: Sequence[Any], *, actor: Any) -> None:
        """Note changed products as the pages of the shop do."""
        services.note_edited(rows, fields=[self._edited[row.pk] for row in rows], actor=actor)


@formats.register
class ShopProducts(formats.Format):
    """What a shop sells, as the shop itself lists it."""

    key = "shop-products"
    title = gettext_lazy("Products of the shop")
    permissions = ("sellers.add_product", "sellers.change_product")
    for_tenants = True
    columns = (
        Column("code", gettext_lazy("Code"), cells.code, _words("code"),
               goes_to=gettext_lazy("Code"), how=gettext_lazy("Text, zeros kept"), longest=40),
        Column("name", gettext_lazy("Name"), cells.text, _words("name"), may_be_empty=True,
               goes_to=gettext_lazy("Name"), how=gettext_lazy("Needed for a new product"),
               longest=200, plain=True),
        Column("category", gettext_lazy("Category"), cells.text, _words("category"),
               may_be_empty=True, goes_to=gettext_lazy("Category"), how=gettext_lazy("Text"),
               longest=60, plain=True),
        Column("price", gettext_lazy("Price"), price, _words("price"), may_be_empty=True,
               goes_to=gettext_lazy("Price"), how=gettext_lazy("In the currency of the product")),
        Column("status", gettext_lazy("State"), state, _words("status"), may_be_empty=True,
               goes_to=gettext_lazy("State"), how=gettext_lazy("A new one is a draft")),
    )  # fmt: skip
    steps = (OwnProducts,)

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return what the sheet says of each product."""
        seen: set[str] = set()
        good: list[Record] = []
        bad: list[Problem] = []
        read = 0
        for row in rows:
            read += 1
            found = row.bad or _twice(row, seen)
            bad.extend(found)
            if not found:
                said = {key: value for key, value in row.values.items() if value is not None}
                good.append(Record(said, row.sheet, row.number))
        sums = [CheckSum("products", _("Products"), read, read - len(good), len(good))]
        return Derivation({"products": good}, bad, sums, read=read, ready=len(good))

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return how many of the sheet's products the shop has."""
        mine = Product.objects.filter(seller__code=derivation.tenant).order_by()
        codes = (one.values["code"] for one in derivation.datasets["products"])
        parts = batched(codes, _A_QUERY)
        return {"products": sum(mine.filter(code__in=part).count() for part in parts)}


def _twice(row: SheetRow, seen: set[str]) -> list[Problem]:
    code = row.values["code"]
    if code in seen:
        return [Problem("code-twice", row.sheet, row.number, "code", quote(code))]
    seen.add(code)
    return []
