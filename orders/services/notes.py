"""Writing down a few words about an order."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from orders.models import Order, OrderNote
from orders.services.moves import require

NOTED = verbs.register("orders.noted", gettext_lazy("Note added"))
LONGEST = 2000


def add_note(order: Order, text: str, *, actor: User) -> OrderNote:
    """Keep the words with the order; they go when the customer is erased.

    Raises PermissionDenied, ValidationError for no words or too many.
    """
    require(actor, "orders.add_ordernote")
    words = text.strip()
    if not words or len(words) > LONGEST:
        refusal = _("Write something, %(most)s characters at most.")
        raise ValidationError({"text": refusal % {"most": LONGEST}})
    with transaction.atomic():
        note = OrderNote.objects.create(order=order, text=words, author=actor)
        record(NOTED, actor=actor, subject=order, context={"note": note.pk})
    return note
