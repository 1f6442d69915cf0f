"""What a list says about products by their code, of whichever shop."""

from collections.abc import Iterable, Sequence
from itertools import batched

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.sheets import cells, formats, problems
from backoffice.sheets.formats import CheckSum, Column, Derivation, Record, SheetRow
from backoffice.sheets.models import Status
from backoffice.sheets.problems import Problem, Text
from backoffice.sheets.resources import Coming, Plan, SheetResource
from sellers.models import Product


class ProductFacts(SheetResource):
    """What a list says about products by code alone, whichever shops sell them."""

    dataset = "products"
    label = _("Products")
    columns = {"code": "code", "name": "name", "category": "category"}
    overwrite = ("name", "category")

    class Meta:
        """By code; one record may mean the products of several shops."""

        model = Product
        import_id_fields = ("code",)
        fields = ("code", "name", "category")

    def plan(
        self, records: Sequence[Record], derivation: Derivation, coming: Coming | None = None
    ) -> Plan:
        """Change what is known; a code that nobody sells is a problem of its row."""
        codes = [record.values["code"] for record in records]
        sold: dict[str, list[Product]] = {}
        for product in Product.objects.filter(code__in=codes).order_by("pk"):
            sold.setdefault(product.code, []).append(product)
        plan = Plan(Product, fields=self.overwrite)
        for record in records:
            known = sold.get(record.values["code"], [])
            if known:
                self._tell(plan, record, known)
            else:
                plan.refuse(record, self.problem("nobody-sells", record, "code"))
        return plan

    def _tell(self, plan: Plan, record: Record, products: Sequence[Product]) -> None:
        said = {name: record.values[name] for name in self.overwrite if record.values[name]}
        other = [
            product
            for product in products
            if any(getattr(product, name) != value for name, value in said.items())
        ]
        for product in other:
            plan.sees(product)
            for name, value in said.items():
                setattr(product, name, value)
            plan.update.append((product, record))
        plan.unchanged += len(products) - len(other)
        status = Status.CHANGED if other else Status.UNCHANGED
        plan.note(record, status, (other or products)[0].pk)


problems.register(
    {
        "nobody-sells": Text(
            _("No shop has a product with this code"), _("Left out. Import the product first.")
        )
    }
)


@formats.register
class ProductDetails(formats.Format):
    """Names and categories of products that are there already, by their codes."""

    key = "product-details"
    title = _("Details of products (by code, of any shop)")
    permissions = ("sellers.change_product",)
    columns = (
        Column("code", _("Product code"), cells.code, ("ProductID", "Product", "SKU"),
               goes_to=_("Product"), how=_("Text, zeros kept"), longest=40),
        Column("name", _("Name"), cells.text, ("ProductName",), may_be_empty=True,
               goes_to=_("Product name"), how=_("Text"), longest=200, plain=True),
        Column("category", _("Category"), cells.text, ("product_category_name",),
               may_be_empty=True, goes_to=_("Category"), how=_("Text"), longest=60, plain=True),
    )  # fmt: skip
    steps = (ProductFacts,)

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return what is said about each product."""
        good: list[Record] = []
        bad: list[Problem] = []
        read = 0
        for row in rows:
            read += 1
            bad.extend(row.bad)
            if not row.bad:
                good.append(Record(row.values, row.sheet, row.number))
        sums = [CheckSum("products", gettext("Products"), read, read - len(good), len(good))]
        return Derivation({"products": good}, bad, sums, read=read, ready=len(good))

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return how many of the codes are sold."""
        codes = (one.values["code"] for one in derivation.datasets["products"])
        parts = (Product.objects.filter(code__in=part) for part in batched(codes, 300))
        return {"products": sum(part.values("code").distinct().count() for part in parts)}
