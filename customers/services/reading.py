"""Customers as readers of mail: their address is read at the moment a mail leaves."""

from django.apps import apps
from django.utils.translation import gettext_lazy

from backoffice.masking import purposes
from backoffice.masking.values import clear
from customers.models import Customer

READERS = "customers.customer"
PURPOSE = purposes.register("customers.mail", gettext_lazy("Send a customer a mail about an order"))


def address(key: str) -> str:
    """Return the customer's e-mail address; "" where there is none (any more)."""
    found = Customer.objects.filter(pk=key).first()
    return str(clear(found.email, purpose=PURPOSE)) if found is not None else ""


def label(key: str) -> str:
    """Return the customer's public number."""
    number = Customer.objects.filter(pk=key).values_list("number", flat=True).first()
    return str(number or key)


def register() -> None:
    """Let mails go to customers, where mail is installed."""
    if not apps.is_installed("backoffice.mail"):
        return
    from backoffice.mail import registry  # noqa: PLC0415 - not in every installation

    registry.register_readers(READERS, address=address, label=label)
