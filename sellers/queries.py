"""Shared reads about shops and their people."""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from backoffice.accounts.models import User
from sellers.models import Membership, Product, Seller

Person = User | AnonymousUser


def shop_of(user: Person) -> Seller | None:
    """Return the shop that `user` works for; None for everybody else.

    Read once for each user object: every page of the seller site asks several times.
    """
    if not isinstance(user, User):
        return None
    if not hasattr(user, "_shop"):
        shop = Seller.objects.filter(memberships__user=user).first()
        user._shop = shop  # type: ignore[attr-defined]  # noqa: SLF001 - kept with its user
    found: Seller | None = user._shop  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def tenant_of(user: Person) -> str:
    """Return the code of the shop that the person works for; "" for nobody, and a closed shop."""
    shop = shop_of(user)
    return shop.code if shop is not None and shop.status != Seller.Status.CLOSED else ""


def is_member(user: Person) -> bool:
    """Say whether `user` works for a shop that is not closed."""
    shop = shop_of(user)
    return shop is not None and shop.status != Seller.Status.CLOSED


def own(user: Person, path: str) -> Q:
    """Return the condition that the seller at `path` is the shop of `user`.

    `path` leads from a model to its seller's key ("seller_id", "lines__seller_id"). Nothing
    matches for a person without a shop.
    """
    shop = shop_of(user)
    return Q(pk__in=[]) if shop is None else Q(**{path: shop.pk})


def own_shop(user: Person, rows: QuerySet[Seller]) -> QuerySet[Seller]:
    """Narrow shops to the person's own."""
    return rows.filter(own(user, "pk"))


def own_products(user: Person, rows: QuerySet[Product]) -> QuerySet[Product]:
    """Narrow products to those of the person's shop."""
    return rows.filter(own(user, "seller"))


def code_taken(seller: Seller, code: str, *, besides: Product | None = None) -> bool:
    """Say whether a product of `seller`, other than `besides`, has this code."""
    found: QuerySet[Product] = seller.products.filter(code=code)
    if besides is not None:
        found = found.exclude(pk=besides.pk)
    return found.exists()


def owns_a_shop(user: User) -> bool:
    """Say whether the person is an owner of the shop that they work for."""
    return Membership.objects.filter(user_id=user.pk, is_owner=True).exists()
