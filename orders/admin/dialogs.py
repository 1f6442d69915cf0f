"""Forms of the dialogs about orders, parcels and change requests."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.site import ActionForm, ReasonForm
from orders.models import ChangeRequest, Order, OrderLine
from orders.queries import came_back
from orders.services import Asked, Carriage, limits
from orders.services.notes import LONGEST
from orders.states import NOTE_NEEDED, REASONS, ChangeKind

_ADDRESS_LENGTH = 500


class CancelForm(ReasonForm):
    """Says what cancelling does, and what it does not."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    def intro(self) -> str:
        """Return what will happen."""
        return _("The order will not be sent. Money that came in stays until a refund is approved.")


class PiecesForm(ActionForm):
    """Asks how many pieces of each of some rows; `pieces()` gives those with a number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a field for each row, named by its key."""
        super().__init__(*args, **kwargs)
        self._rows: dict[str, Any] = {}
        for row, label, most, initial in self.rows():
            name = f"pieces_{row.pk}"
            self._rows[name] = row
            self.fields[name] = forms.IntegerField(
                label=label,
                required=False,
                min_value=0,
                max_value=most,
                initial=initial,
                help_text=_("%(most)s at most") % {"most": most},
            )

    def rows(self) -> Iterator[tuple[Any, str, int, int | None]]:
        """Yield (row, label, most pieces, proposed pieces)."""
        raise NotImplementedError

    def pieces(self) -> dict[Any, int]:
        """Return row -> pieces, without rows of none."""
        found = {row: self.cleaned_data.get(name) for name, row in self._rows.items()}
        return {row: count for row, count in found.items() if count}


def _label(line: OrderLine) -> str:
    return f"{line.product.code} {line.product.name}"


def _lines(order: Order) -> list[OrderLine]:
    return list(order.lines.select_related("product", "order").order_by("position"))


class ParcelForm(PiecesForm):
    """Which pieces leave, with whom, under which number."""

    recorded = gettext_lazy("Your name, the time, the pieces, the carrier and the number.")
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=40, required=False)
    tracking = forms.CharField(label=gettext_lazy("Tracking number"), max_length=80, required=False)

    def rows(self) -> Iterator[tuple[Any, str, int, int | None]]:
        """Offer what is open, all of it."""
        for line in _lines(self.instance):
            if count := line.pieces.open:
                yield line, _label(line), count, count

    def intro(self) -> str:
        """Say what becomes of the rest."""
        return _("What is left over stays open. Lines of several sellers become several parcels.")

    def carriage(self) -> Carriage:
        """Return who carries it."""
        return Carriage(self.cleaned_data["carrier"], self.cleaned_data["tracking"])


class CarrierForm(ActionForm):
    """With whom a prepared parcel leaves, under which number."""

    recorded = gettext_lazy("Your name, the time, the carrier and the number.")
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=40, required=False)
    tracking = forms.CharField(label=gettext_lazy("Tracking number"), max_length=80, required=False)

    def carriage(self) -> Carriage:
        """Return who carries it."""
        return Carriage(self.cleaned_data["carrier"], self.cleaned_data["tracking"])


class NoteForm(ActionForm):
    """A few words about an order."""

    recorded = gettext_lazy("Your name and the time. The words go when the customer is erased.")
    text = forms.CharField(
        label=gettext_lazy("Note"), max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 4})
    )


class ChangeForm(PiecesForm):
    """What a customer asks for."""

    recorded = gettext_lazy("Your name, the time, the kind, the reason and the pieces.")
    kind = forms.ChoiceField(label=gettext_lazy("What do they ask for?"), choices=ChangeKind)
    why = forms.ChoiceField(label=gettext_lazy("Reason"))
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("It is erased with the customer."),
    )
    address = forms.CharField(
        label=gettext_lazy("New address"),
        required=False,
        max_length=_ADDRESS_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("For a new address only. It shows as a mask from then on."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the reasons; none is chosen for the person."""
        super().__init__(*args, **kwargs)
        offered = [("", _("Choose a reason")), *REASONS.items()]
        self.fields["why"].choices = offered  # type: ignore[attr-defined]

    def rows(self) -> Iterator[tuple[Any, str, int, int | None]]:
        """Offer what can be cancelled or come back."""
        back = came_back(self.instance)
        for line in _lines(self.instance):
            most = line.pieces.open + limits.returnable(line, back.get(line.pk, 0))
            if most:
                yield line, _label(line), most, None

    def intro(self) -> str:
        """Say who decides."""
        return _("To cancel the whole order, name no pieces. Somebody else decides about it.")

    def rule(self) -> str:
        """Return the rule for the foot."""
        return _("You cannot decide about a request that you took down.")

    def clean(self) -> dict[str, Any]:
        """Ask for the note where the reason says too little."""
        data = super().clean() or {}
        if data.get("why") in NOTE_NEEDED and not data.get("note", "").strip():
            self.add_error("note", _("Say more: this reason needs a note."))
        return data

    def asked(self) -> Asked:
        """Return what was filled in."""
        data = self.cleaned_data
        return Asked(
            kind=data["kind"],
            why=data["why"],
            note=data["note"],
            address=data["address"],
            pieces=self.pieces(),
        )


class ApproveForm(ActionForm):
    """Agreeing, with a few words where there is something to say."""

    recorded = gettext_lazy("Your name, the time and the comment.")
    reason = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Kept with the record. No personal data, please."),
    )

    def intro(self) -> str:
        """Return what will happen."""
        change: ChangeRequest | None = self.instance
        return str(CONSEQUENCES[ChangeKind(change.kind)]) if change else ""


class GoodsForm(PiecesForm):
    """How many pieces came in."""

    recorded = gettext_lazy("Your name, the time and the pieces. It makes a credit note.")

    def rows(self) -> Iterator[tuple[Any, str, int, int | None]]:
        """Offer what has not come in yet."""
        for row in self.instance.lines.select_related("order_line__product"):
            if left := row.quantity - row.received:
                yield row, _label(row.order_line), left, left

    def intro(self) -> str:
        """Return what will happen."""
        if self.instance.kind == ChangeKind.EXCHANGE:
            return _("New pieces for them are made ready to be sent.")
        return _("The money for them is asked back where it was paid; another person approves.")


CONSEQUENCES = {
    ChangeKind.CANCEL: gettext_lazy(
        "What is open is cancelled, and a refund is asked for what was paid for it. Somebody with "
        "the right to approve refunds decides about the money."
    ),
    ChangeKind.RETURN: gettext_lazy(
        "The customer may send the goods back. Money is asked back when they came in."
    ),
    ChangeKind.EXCHANGE: gettext_lazy(
        "The customer may send the goods back. New ones are made ready when they came in."
    ),
    ChangeKind.ADDRESS: gettext_lazy("The order goes to the new address."),
}
"""Kind -> what approving does."""
