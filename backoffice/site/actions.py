"""Buttons that do something to a record.

    class OrderAdmin(BackofficeAdmin):
        @action(_("Cancel order"), permission="orders.cancel_order", form=ReasonForm, harmful=True,
                visible=lambda order: order.can_be_cancelled)
        def cancel(self, request, order, form) -> str:
            services.cancel(order, actor=request.user, reason=form.cleaned_data["reason"])
            return _("Order %s is cancelled.") % order.number

GET shows a dialog, POST acts. The record is read anew through `get_queryset` (out of scope is a
404), the policy is asked for this record (403, on the record of activity), a record that changed
since the dialog was opened is refused. What the function returns is the message of success (use
`format_html` for a link); a `ValidationError` it raises is shown in the dialog. An upper app adds
its action with `OrderAdmin.contribute(actions=[refund])`, where `refund(admin, request, obj,
form)` is a decorated function.

With `listing=True` the button stands above the list and `obj` is None.

With `bulk=True` it also stands in the bar of ticked rows: the dialog lists every line, the form is
built once (its `instance` is None), and each row is read, judged and changed by itself, so that a
line that cannot be done leaves the others alone.

With `approval="kind"` the function is called only where the approval rule of that kind asks nobody.
Else a request is made in its place: the form's `payload()` is what approvers see and what the
rule's `execute` does later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


class ActionForm(forms.Form):
    """Base of the forms of dialogs. `self.request` and `self.instance` are the request and record.

    Override `intro()` to say what will happen, in a sentence or in safe markup.
    """

    required_css_class = "required"
    recorded: Text = ""
    single_values: ClassVar[tuple[str, ...]] = ()
    """Fields with a personal value that no other record may have, beside those that are named like
    such a field of the page's model; see `taken.answering`."""

    def __init__(
        self, *args: Any, request: HttpRequest, instance: Any = None, **kwargs: Any
    ) -> None:
        """Keep request and record, for choices that depend on them."""
        self.request = request
        self.instance = instance
        super().__init__(*args, **kwargs)

    def intro(self) -> Text:
        """Return what will happen; shown above the fields."""
        return ""

    def submit_label(self) -> Text:
        """Return the word on the button, e.g. with the amount; "" keeps the action's own."""
        return ""

    def rule(self) -> Text:
        """Return the limit or rule that stands at the left of the footer."""
        return ""

    def reason_text(self) -> str:
        """Return why, in the words of the person; "" where the dialog does not ask."""
        return str(self.cleaned_data.get("reason", ""))

    def payload(self) -> dict[str, Any]:
        """Return what will be done, for a request that others approve: all but the reason."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in CONTROL_FIELDS and name not in REASON_FIELDS
        }


# What dialogs add to every form.
CONTROL_FIELDS = frozenset({"step_up_proof", "record_version", "next"})
REASON_FIELDS = frozenset({"reason", "why", "note"})


class ReasonForm(ActionForm):
    """Asks why, in a few words."""

    reason = forms.CharField(
        label=_("Why?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Kept with the record. No personal data, please."),
    )


class ReasonListForm(ActionForm):
    """Asks why from a list, with a text beside it that some reasons require.

    class BlockForm(ReasonListForm):
        reasons = (("fraud", _("Fraud")), ("asked", _("Asked for it")), ("other", _("Other")))
        text_required = frozenset({"other"})
    """

    reasons: ClassVar[Sequence[tuple[str, Text]]] = ()
    text_required: ClassVar[frozenset[str]] = frozenset()

    why = forms.ChoiceField(label=_("Reason"))
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept with the record. No personal data, please."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the reasons; none is chosen for the person."""
        super().__init__(*args, **kwargs)
        offered = [("", _("Choose a reason")), *self.reasons]
        self.fields["why"].choices = offered  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Ask for the text where the reason alone says too little."""
        data = super().clean() or {}
        if data.get("why") in self.text_required and not data.get("note", "").strip():
            self.add_error("note", _("Say more: this reason needs a note."))
        return data

    def reason_text(self) -> str:
        """Return reason and note as one text ("Fraud. Two cards refused")."""
        chosen = str(dict(self.reasons)[self.cleaned_data["why"]])
        note = self.cleaned_data["note"].strip()
        return f"{chosen}. {note}" if note else chosen


class Handler(Protocol):
    """What a decorated function looks like."""

    def __call__(self, admin: Any, request: HttpRequest, obj: Any, form: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Action:
    """An action as declared; see `action` for the meaning of the fields."""

    name: str
    label: Text
    permission: str
    handler: Handler
    form: type[ActionForm] = ActionForm
    icon: str = ""
    submit: Text = ""
    harmful: bool = False
    primary: bool = False
    quick: bool = False
    row: bool = True
    detail: bool = True
    listing: bool = False
    bulk: bool = False
    approval: str = ""
    step_up: bool = False
    factor: bool = False
    wide: bool = False
    visible: Callable[[Any], bool] | None = None
    why_not: Callable[[Any], Text] | None = None
    hint: Callable[[Any], Text] | None = None
    order: int = 50
    template: str = ""
    context: Callable[[Any, HttpRequest, Any], dict[str, Any]] | None = field(default=None)

    def shown_for(self, obj: Model | None) -> bool:
        """Say whether the record's state allows it (rights are asked elsewhere)."""
        if obj is None:
            return True
        return (self.visible is None or bool(self.visible(obj))) and not self.refusal(obj)

    def refusal(self, obj: Model | None) -> Text:
        """Return in words why the record's state does not allow it; "" where it does."""
        return "" if self.why_not is None or obj is None else self.why_not(obj)


def action(label: Text, *, permission: str, **options: Any) -> Callable[[Handler], Any]:
    """Declare a method (or function) as an action.

    `permission`  full codename ("orders.cancel_order"), asked of the policy for the record.
    `form`        an ActionForm class; none gives a dialog that only asks "are you sure".
    `harmful`     red, last in menus.  `primary`  the one filled button of the page head.
    `row`, `detail`, `listing`, `bulk`  where it stands: row menu, page head, above the list, in the
                  bar of ticked rows.
    `approval`    kind of an approval rule: where it asks somebody, a request is made instead.
    `quick`       stands in the row itself too, filled when it is `primary`.
    `visible`     test of the record; False hides the button and refuses the POST.
    `why_not`     the same in words: says why the record's state does not allow it, "" when it does.
    `hint`        a few words of the record, beside the label in a card of what may be done.
    `step_up`     asks for fresh proof of who the person is, unless given in the last ten minutes.
    `factor`      the same by a second factor: for what shows clear values or leads to them.
    `submit`      word on the button (default: the label).  `icon`  a Material Symbols name.
    `template`, `context`  own body of the dialog (extends backoffice/dialog.html) and
                  `context(admin, request, obj)` for it.  `wide`  820 px instead of 520.
    """

    def decorate(handler: Handler) -> Handler:
        name = getattr(handler, "__name__", "action")
        settings = {"row": False, "detail": False, **options} if options.get("listing") else options
        spec = Action(name=name, label=label, permission=permission, handler=handler, **settings)
        handler.backoffice_action = spec  # type: ignore[attr-defined]
        return handler

    return decorate


def declared(admin: Any) -> list[Action]:
    """Return the actions of a page: its own methods, then what other apps contributed."""
    own: dict[str, Action] = {}
    for cls in reversed(type(admin).__mro__):
        for value in vars(cls).values():
            spec = getattr(value, "backoffice_action", None)
            if spec is not None:
                own[spec.name] = spec
    for function in type(admin).contributed_actions:
        spec = function.backoffice_action
        own[spec.name] = spec
    return sorted(own.values(), key=lambda spec: (spec.harmful, spec.order))
