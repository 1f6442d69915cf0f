"""Registering and changing products: by people of the shop, or by staff with the right."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, record_each, save_with_history
from sellers import queries
from sellers.models import Product, Seller

REGISTERED = verbs.register("sellers.product_registered", _("Product registered"))
EDITED = verbs.register("sellers.product_edited", _("Product edited"))


@dataclass(frozen=True, slots=True)
class ProductData:
    """What a product is registered or edited with; `price_minor` in minor units, None if open."""

    code: str
    name: str
    category: str = ""
    price_minor: int | None = None
    currency: str = "GBP"
    status: str = Product.Status.DRAFT


def register_product(seller: Seller, *, data: ProductData, actor: User) -> Product:
    """Add a product to the shop of `seller`, with its history row and event.

    Raises PermissionDenied for people of another shop and without the right, ValidationError when
    the shop may not sell, the code is taken or a value is not valid.
    """
    _require(actor, "sellers.add_product", seller)
    if seller.status != Seller.Status.ACTIVE:
        raise ValidationError(_("This shop is paused or closed: it takes no new products."))
    product = Product(seller=seller)
    _fill(product, data)
    with transaction.atomic():
        save_with_history(product, actor=actor)
        record(REGISTERED, actor=actor, subject=product, context={"code": product.code})
    return product


def edit_product(product: Product, *, data: ProductData, actor: User, reason: str = "") -> Product:
    """Change a product; with nothing changed, nothing is written.

    The shop never changes. Raises PermissionDenied and ValidationError like `register_product`.
    """
    kept = Product.objects.select_related("seller").get(pk=product.pk)
    _require(actor, "sellers.change_product", kept.seller)
    changed = [field.name for field in fields(data) if _differs(kept, data, field.name)]
    if not changed:
        return kept
    _fill(kept, data)
    with transaction.atomic():
        save_with_history(kept, actor=actor, reason=reason)
        record(EDITED, actor=actor, subject=kept, reason=reason, context={"fields": changed})
    return kept


def note_registered(products: Sequence[Product], *, actor: User | None) -> None:
    """Write the events of products that a sheet of their shop registered, in its transaction."""
    codes = [{"code": product.code} for product in products]
    record_each(REGISTERED, actor=actor, subjects=products, context=codes)


def note_edited(
    products: Sequence[Product], *, fields: Sequence[Sequence[str]], actor: User | None
) -> None:
    """Write the events of products that a sheet of their shop changed; `fields` of each."""
    changed = [{"fields": list(names)} for names in fields]
    record_each(EDITED, actor=actor, subjects=products, context=changed)


def _require(actor: User, permission: str, seller: Seller) -> None:
    """Let staff with the right act for every shop, anybody else for their own only."""
    own = queries.shop_of(actor) == seller
    if not policy.may(actor, permission, None).allowed or not (own or actor.is_staff):
        raise PermissionDenied


def _differs(product: Product, data: ProductData, name: str) -> bool:
    return bool(getattr(product, name) != getattr(data, name))


def _fill(product: Product, data: ProductData) -> None:
    for field in fields(data):
        setattr(product, field.name, getattr(data, field.name))
    if queries.code_taken(product.seller, data.code, besides=product if product.pk else None):
        raise ValidationError({"code": _("Your shop has a product with this code.")})
    product.full_clean(exclude=["seller"], validate_unique=False)
