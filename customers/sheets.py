"""Customers in sheets: as their own list, and as a number and a country in a sheet of orders."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from backoffice.sheets import formats
from backoffice.sheets.resources import Field, ModelResource, SheetResource, widgets
from customers.models import Customer

_TEXT = widgets.CharWidget(coerce_to_string=True, allow_blank=True)


class CustomerSheet(SheetResource):
    """Customers by number. One who is known already is left as people keep them."""

    dataset = "customers"
    label = _("Customers")
    columns = {"number": "customer", "country": "country"}

    class Meta:
        """By number."""

        model = Customer
        import_id_fields = ("number",)
        fields = ("number", "country")


@formats.register
class Customers(ModelResource):  # type: ignore[misc]
    """A list of customers: who they are and how they are reached.

    Whoever imports it needs a right of its own: the list overwrites what people are called.
    """

    key: ClassVar[str] = "customers"
    title = _("Customers")
    permissions: ClassVar[tuple[str, ...]] = (
        "customers.view_customer",
        "customers.import_customer",
    )
    # English, German, Korean, Portuguese; Northwind and Olist.
    synonyms: ClassVar[dict[str, tuple[str, ...]]] = {
        "number": (
            "CustomerID", "Customer number", "Customer no", "Customer", "Kundennummer", "Kunden-Nr",
            "고객번호", "Número do cliente", "Cliente",
        ),
        "name": (
            "ContactName", "Contact", "Customer name", "Full name", "Kunde", "Kundenname",
            "Ansprechpartner", "고객명", "이름", "성명", "Nome", "Nome do cliente",
        ),
        "email": ("E-mail", "E-mail address", "Mail", "E-Mail-Adresse", "이메일", "전자우편"),
        "phone": (
            "Phone number", "Telephone", "Tel", "Mobile", "Telefon", "Telefonnummer", "전화",
            "전화번호", "휴대폰", "Telefone", "Celular",
        ),
        "address": (
            "Street", "Street address", "Adresse", "Anschrift", "Straße", "주소", "Endereço",
            "customer_city",
        ),
        "country": ("Country or region", "Land", "국가", "나라", "País"),
    }  # fmt: skip

    address = Field(attribute="address", column_name="address", widget=_TEXT)

    class Meta:
        """By number; validated by the model."""

        model = Customer
        import_id_fields = ("number",)
        fields = ("number", "name", "email", "phone", "address", "country")
        clean_model_instances = True
        skip_unchanged = True
