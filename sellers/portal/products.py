"""A shop's own products."""

from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.core import validators
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import installation
from backoffice.accounts.models import User
from backoffice.money import Money, exponent
from backoffice.site import BackofficeAdmin, navigation, register, seller_site
from sellers import queries, services
from sellers.models import Product, Seller


class ProductForm(forms.ModelForm[Product]):
    """A product as its shop enters it; the price in whole and minor units. The shop is no field."""

    price = forms.DecimalField(
        label=_("Price"),
        required=False,
        min_value=0,
        max_digits=12,
        help_text=_("In %(currency)s, for one piece. Leave empty while it is open."),
    )
    shop: ClassVar[Seller | None] = None

    class Meta:
        model = Product
        fields = ("code", "name", "category", "status")
        help_texts: ClassVar[dict[str, Any]] = {
            "code": _("Your own number of the product. Each code once."),
            "status": _("A draft is not for sale yet."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show minor units as an amount; a new product starts as a draft."""
        super().__init__(*args, **kwargs)
        product = self.instance
        self.currency = product.currency if product.pk else installation.currency()
        price: Any = self.fields["price"]
        digits = exponent(self.currency)
        price.decimal_places = digits
        price.validators.append(validators.DecimalValidator(12, digits))
        price.widget.attrs["step"] = f"{Decimal(1).scaleb(-digits):f}"
        price.help_text = str(price.help_text) % {"currency": self.currency}
        if product.pk is None:
            self.fields["status"].initial = Product.Status.DRAFT
        elif product.price is not None:
            self.fields["price"].initial = product.price.amount

    def clean_code(self) -> str:
        """Refuse a code that the shop has already."""
        code: str = self.cleaned_data["code"].strip()
        besides = self.instance if self.instance.pk else None
        if self.shop is not None and queries.code_taken(self.shop, code, besides=besides):
            raise ValidationError(gettext("Your shop has a product with this code."))
        return code

    def data_for_service(self) -> services.ProductData:
        """Return the checked values in the shape of the service."""
        values = self.cleaned_data
        price = values["price"]
        return services.ProductData(
            code=values["code"],
            name=values["name"],
            category=values["category"],
            price_minor=None if price is None else Money.of(price, self.currency).minor,
            currency=self.currency,
            status=values["status"],
        )


@register(Product, site=seller_site)
class ShopProductAdmin(BackofficeAdmin):
    """The products of the person's own shop: what others sell does not exist here."""

    form = ProductForm
    list_title = _("Products")
    list_subtitle = _("What your shop sells. Drafts are not for sale yet.")
    empty_text = _("Register your first product: it starts as a draft.")
    list_display = ("code", "name", "category", "list_price", "status")
    list_filter = ("status",)
    search_fields = ("code", "name")
    fields = ("code", "name", "category", "price", "status")
    badges: ClassVar[dict[str, Any]] = {
        "status": {"active": "quiet", "draft": "rest", "retired": "rest"}
    }
    numeric_columns: ClassVar[tuple[str, ...]] = ("list_price",)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only a shop that may sell takes new products."""
        shop = queries.shop_of(request.user)
        selling = shop is not None and shop.status == Seller.Status.ACTIVE
        return selling and super().has_add_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the price as money where it is only read."""
        if obj is not None and not self.has_change_permission(request, obj):
            return ("code", "name", "category", "list_price", "status", "created_at")
        return self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The amount and the day are never typed."""
        return ("list_price", "created_at")

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Tell the form whose products it may not repeat."""
        made = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"shop": queries.shop_of(request.user)})

    def save_model(
        self,
        request: HttpRequest,
        obj: Any,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Leave registering and editing to the services, which ask for the rights again."""
        actor = cast("User", request.user)
        data = form.data_for_service()
        if change:
            reason = request.POST.get("change_reason", "")
            services.edit_product(obj, data=data, actor=actor, reason=reason)
        else:
            obj.pk = services.register_product(form.shop, data=data, actor=actor).pk
        obj.refresh_from_db()

    @admin.display(description=_("price"), ordering="price_minor")
    def list_price(self, product: Product) -> Money | None:
        """The list price, where there is one."""
        return product.price

    def record_title(self, obj: Any) -> str:
        """The name: the code stands among the values."""
        return str(obj.name)


seller_site.set_membership(queries.is_member)
navigation.add(
    seller_site,
    group=_("Shop"),
    label=_("Products"),
    icon="inventory_2",
    url_name="sellers_product_changelist",
    permission="sellers.view_product",
    order=20,
)
