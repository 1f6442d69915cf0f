"""Customers in sheets: a number and a country; a sheet of orders knows no more of them."""

from django.utils.translation import gettext_lazy as _

from backoffice.sheets.resources import SheetResource
from customers.models import Customer


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
