"""The dialog in which a refund is asked for: every line and charge with what can still go back.

The names of its fields are `line-7-pieces`, `line-7-amount`, `charge-3-all`, `charge-3-amount` and
`amount` (for no single line). `newest` is the newest refund of the order when it was opened: a
second click, another tab and another person all post an older one, and are told so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.approvals import registry as rules
from backoffice.money import Money, exponent
from backoffice.site import ActionForm
from orders.models import Order, OrderLine
from payments import queries
from payments.gateways import gateways
from payments.services import Asked, splitting
from payments.services.requests import BY_HAND_APPROVERS, REFUND_RULE
from payments.services.splitting import Left

REASONS = (
    ("damaged", gettext_lazy("Arrived damaged")),
    ("missing", gettext_lazy("Did not arrive")),
    ("wrong", gettext_lazy("Wrong or not as described")),
    ("returned", gettext_lazy("Sent back")),
    ("twice", gettext_lazy("Charged twice")),
    ("other", gettext_lazy("Other, see the note")),
)
# A script sums no more rows than a person reads; those of larger orders are asked for by amount.
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One line or charge in the dialog: what is left of it, and its two boxes.

    `pieces` is a number box for lines, a check box ("all of it") for charges, None where no piece
    is left to choose.
    """

    left: Left
    code: str
    name: str
    seller: str
    pieces: Any
    amount: Any

    @property
    def is_line(self) -> bool:
        """Whether it is a line of goods."""
        return isinstance(self.left.thing, OrderLine)


class RefundForm(ActionForm):
    """Which lines and charges, how much of each, and why."""

    recorded = gettext_lazy("Your name, the time, the lines, the amounts, the reason and the note.")

    amount = forms.DecimalField(
        label=gettext_lazy("Amount for no single line"),
        required=False,
        min_value=Decimal(0),
        help_text=gettext_lazy("It is shared out over all that is left."),
    )
    why = forms.ChoiceField(label=gettext_lazy("Reason"), choices=REASONS)
    note = forms.CharField(
        label=gettext_lazy("Note for the approver"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("No personal data, please."),
    )
    newest = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the lines and charges of the order of which something is left."""
        super().__init__(*args, **kwargs)
        order: Order = self.instance
        self.lefts = splitting.left_of(order)
        self.open_lefts = [left for left in self.lefts if left.minor > 0][:MOST_ROWS]
        for left in self.open_lefts:
            self._add_fields(left)
        self.fields["newest"].initial = queries.newest_refund(order)
        self.fields["amount"].widget.attrs |= self._money_box(_("Amount for no single line"))

    def _add_fields(self, left: Left) -> None:
        name, code = _prefix(left), _code(left)
        words = {"code": code}
        if isinstance(left.thing, OrderLine):
            if left.pieces:
                chosen = self.request.GET.get("line") == str(left.thing.pk)
                self.fields[f"{name}-pieces"] = forms.IntegerField(
                    label=_("Pieces of %(code)s") % words,
                    required=False,
                    min_value=0,
                    max_value=left.pieces,
                    initial=left.pieces if chosen else None,
                    widget=forms.NumberInput(
                        attrs={
                            "aria-label": _("Pieces of %(code)s") % words,
                            "data-refund-pieces": left.pieces,
                        }
                    ),
                )
        else:
            self.fields[f"{name}-all"] = forms.BooleanField(
                label=_("All of %(code)s") % words,
                required=False,
                widget=forms.CheckboxInput(
                    attrs={"aria-label": _("All of %(code)s") % words, "data-refund-all": ""}
                ),
            )
        label = _("Amount of %(code)s") % words
        self.fields[f"{name}-amount"] = forms.DecimalField(
            label=label,
            required=False,
            min_value=Decimal(0),
            widget=forms.NumberInput(attrs=self._money_box(label)),
        )

    def _money_box(self, label: str) -> dict[str, str]:
        step = str(Decimal(1).scaleb(-exponent(self.instance.currency)))
        return {"step": step, "aria-label": label, "data-refund-amount": "", "inputmode": "decimal"}

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the table; what nothing is left of stands there too, and says so."""
        for left in self.lefts[:MOST_ROWS]:
            name, is_line = _prefix(left), isinstance(left.thing, OrderLine)
            box = f"{name}-pieces" if is_line else f"{name}-all"
            yield Row(
                left,
                _code(left),
                left.thing.product.name if isinstance(left.thing, OrderLine) else _charge(left),
                left.thing.seller.name if isinstance(left.thing, OrderLine) else "",
                self[box] if box in self.fields else None,
                self[f"{name}-amount"] if f"{name}-amount" in self.fields else None,
            )

    def intro(self) -> str:
        """Return how much may still go back, and where it goes."""
        words = {"left": queries.refundable(self.instance), "where": self._where()}
        return _("Up to %(left)s can be refunded. It goes back the way it was paid: %(where)s.") % (
            words
        )

    def _where(self) -> str:
        aliases = self.instance.payments.order_by("captured_at").values_list("gateway", flat=True)
        labels = [str(gateways[one].label) if one in gateways else one for one in aliases]
        return ", ".join(dict.fromkeys(labels)) or _("nowhere")

    def rule(self) -> str:
        """Return who must approve."""
        aliases = set(self.instance.payments.values_list("gateway", flat=True))
        if any(one in gateways and gateways[one].caps.by_hand for one in aliases):
            text = _("People move this money, so %(count)s other people approve. You cannot.")
            return text % {"count": BY_HAND_APPROVERS}
        rule = rules.rule(REFUND_RULE.kind)
        least = rule.needs_for(Money(1, self.instance.currency)).approvers
        text = ngettext(
            "%(count)s other person with the right to approve refunds decides. You cannot.",
            "%(count)s other people with the right to approve refunds decide. You cannot.",
            least,
        ) % {"count": least}
        bands = [one for one in rule.bands if one.above.currency == self.instance.currency]
        more = [
            _("Above %(amount)s: %(count)s.") % {"amount": one.above, "count": one.approvers}
            for one in sorted(bands, key=lambda one: one.above.minor)
            if one.approvers > least
        ]
        return " ".join([text, *more])

    def clean(self) -> dict[str, Any]:
        """Put what is asked for into `asked`, a list of Asked."""
        data = super().clean() or {}
        if self.errors:
            return data
        asked = [one for left in self.open_lefts if (one := self._asked(left, data)) is not None]
        if data.get("amount"):
            amount = self._money("amount", data["amount"])
            asked += [Asked(amount=amount)] if amount is not None else []
        if not asked and not self.errors:
            self.add_error(None, _("Choose pieces or give an amount."))
        data["asked"] = asked
        return data

    def _asked(self, left: Left, data: dict[str, Any]) -> Asked | None:
        """Return what is asked for of one line or charge; None where nothing is."""
        name = _prefix(left)
        pieces, typed = data.get(f"{name}-pieces"), data.get(f"{name}-amount")
        whole = data.get(f"{name}-all")
        if typed and (pieces or whole):
            self.add_error(f"{name}-amount", _("Give pieces or an amount, not both."))
        if typed:
            amount = self._money(f"{name}-amount", typed)
            return None if amount is None else _about(left, amount=amount)
        if pieces:
            return _about(left, quantity=pieces)
        return _about(left) if whole else None

    def _money(self, name: str, typed: Decimal) -> Money | None:
        try:
            return Money.of(typed, self.instance.currency)
        except ValueError:
            self.add_error(name, _("This currency has no such small parts."))
            return None

    def reason_text(self) -> str:
        """Return reason and note as one text."""
        chosen = str(dict(REASONS)[self.cleaned_data["why"]])
        note = self.cleaned_data["note"]
        return f"{chosen}. {note}" if note else chosen


def _prefix(left: Left) -> str:
    kind = "line" if isinstance(left.thing, OrderLine) else "charge"
    return f"{kind}-{left.thing.pk}"


def _code(left: Left) -> str:
    thing = left.thing
    return thing.product.code if isinstance(thing, OrderLine) else thing.code


def _charge(left: Left) -> str:
    return "" if isinstance(left.thing, OrderLine) else left.thing.description


def _about(left: Left, **what: Any) -> Asked:
    if isinstance(left.thing, OrderLine):
        return Asked(line=left.thing, **what)
    return Asked(charge=left.thing, **what)
