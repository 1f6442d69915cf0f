"""Staff pages of shops and their products."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import acting
from backoffice.accounts.admin import acting_pages
from backoffice.money import Money
from backoffice.site import (
    BackofficeAdmin,
    BackofficeInline,
    action,
    navigation,
    register,
    staff_site,
)
from sellers.models import Membership, Product, Seller

SHOP_STATES: dict[str, Any] = {"active": "quiet", "paused": "wait", "closed": "rest"}
PRODUCT_STATES: dict[str, Any] = {"active": "quiet", "draft": "rest", "retired": "rest"}


class MembershipInline(BackofficeInline):
    """Who works for the shop."""

    model = Membership
    fields = ("user", "is_owner")
    verbose_name_plural = _("people of the shop")


class MemberForm(acting_pages.ActForm):
    """Which of the shop's people, and why."""

    member = forms.ModelChoiceField(label=_("Person"), queryset=Membership.objects.none())

    field_order = ("member", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the people of this shop by their names."""
        super().__init__(*args, **kwargs)
        members = Membership.objects.filter(seller=self.instance, user__is_active=True)
        field: Any = self.fields["member"]
        field.queryset = members.select_related("user").order_by("user__username")
        field.label_from_instance = lambda membership: str(membership.user)


@register(Seller, site=staff_site)
class SellerAdmin(BackofficeAdmin):
    """Shops on the marketplace."""

    list_subtitle = _("Shops that sell here. A paused shop takes no new products.")
    list_display = ("name", "code", "status", "products_on_sale", "created_at")
    list_filter = ("status",)
    search_fields = ("name", "code")
    fields = ("code", "name", "status")
    inlines = (MembershipInline,)
    badges: ClassVar[dict[str, Any]] = {"status": SHOP_STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("products_on_sale",)
    export_fields: ClassVar[list[str]] = ["code", "name", "status"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seller]:
        """Count what is on sale in the same query."""
        on_sale = Count("products", filter=Q(products__status=Product.Status.ACTIVE))
        rows: QuerySet[Seller] = super().get_queryset(request).annotate(on_sale=on_sale)
        return rows

    @action(
        _("Act for a member"),
        permission=acting.RIGHT,
        form=MemberForm,
        icon="supervisor_account",
        submit=_("Act for them"),
        step_up=True,
        row=False,
        visible=lambda seller: seller.status != Seller.Status.CLOSED,
    )
    def act_for(self, request: HttpRequest, seller: Seller, form: MemberForm) -> HttpResponse:
        """Begin to act for one of the shop's people."""
        person = form.cleaned_data["member"].user
        return acting_pages.begin(request, person, form.cleaned_data["reason"])

    @admin.display(description=_("products on sale"), ordering="on_sale")
    def products_on_sale(self, seller: Any) -> int:
        """How many products are active."""
        return int(seller.on_sale)

    def record_title(self, obj: Model) -> str:
        """The name alone: shops are known by it."""
        return str(obj)


@register(Product, site=staff_site)
class ProductAdmin(BackofficeAdmin):
    """Everything that shops sell. The price is the shop's own decision, so it is only shown."""

    list_subtitle = _("What shops sell. Shops register products and set prices themselves.")
    list_display = ("code", "name", "seller", "category", "list_price", "status")
    list_filter = ("status", "category", "seller")
    list_select_related = ("seller",)
    search_fields = ("code", "name")
    fields = ("seller", "code", "name", "category", "list_price", "status")
    readonly_fields = ("seller", "code", "list_price")
    badges: ClassVar[dict[str, Any]] = {"status": PRODUCT_STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("list_price",)
    export_fields: ClassVar[list[str]] = [
        "seller",
        "code",
        "name",
        "category",
        "list_price",
        "currency",
        "status",
    ]
    export_codes: ClassVar[dict[str, str]] = {"seller": "code"}

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Products come from their shop or from a sheet."""
        return False

    @admin.display(description=_("price"), ordering="price_minor")
    def list_price(self, product: Product) -> Money | None:
        """The list price, where there is one."""
        return product.price

    def record_title(self, obj: Any) -> str:
        """The name: the code stands below it."""
        return str(obj.name)

    def record_subtitle(self, request: HttpRequest, obj: Any) -> str:
        """Code and shop."""
        return f"{obj.code} · {obj.seller}"


navigation.add(
    staff_site,
    group=_("Business"),
    label=_("Sellers"),
    icon="storefront",
    url_name="sellers_seller_changelist",
    permission="sellers.view_seller",
    order=140,
)
navigation.add(
    staff_site,
    group=_("Business"),
    label=_("Products"),
    icon="inventory_2",
    url_name="sellers_product_changelist",
    permission="sellers.view_product",
    order=150,
)
