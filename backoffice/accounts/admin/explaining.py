"""The page "Why can they see this?": every rule that was looked at, and the one that decided."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import roles, tokens
from backoffice.accounts.models import User
from backoffice.policy import SELLERS, STAFF, Explanation, Finding, Pass, Target, home
from backoffice.policy.services import RIGHT, look_up
from backoffice.site import SitePage, seller_site, staff_site
from backoffice.site.masked import masked_names

API = "api"
_ACTIONS = {
    "view": gettext_lazy("see"),
    "change": gettext_lazy("change"),
    "add": gettext_lazy("add"),
    "delete": gettext_lazy("delete"),
    "export": gettext_lazy("export"),
    "reveal": gettext_lazy("reveal clear values"),
}
_WHERE = {
    "": gettext_lazy("where they work"),
    STAFF: gettext_lazy("Staff site"),
    SELLERS: gettext_lazy("Seller site"),
    API: gettext_lazy("REST API"),
}
_LISTED = 200


def _kinds() -> dict[str, type[Model]]:
    """Return label -> model of what has pages, by the name for people."""
    models = {*staff_site._registry, *seller_site._registry}  # noqa: SLF001 - our own sites
    named = sorted(models, key=lambda model: str(model._meta.verbose_name_plural).lower())
    return {model._meta.label_lower: model for model in named}


def _actions_of(model: type[Model]) -> dict[str, Any]:
    """Return what may be done with a model: the usual, and its own rights by their full names."""
    label = model._meta.app_label
    own = {f"{label}.{code}": name for code, name in model._meta.permissions}
    usual = {f"{label}.{name}_{model._meta.model_name}" for name in _ACTIONS}
    return {**_ACTIONS, **{key: name for key, name in own.items() if key not in usual}}


def _fields_of(model: type[Model]) -> dict[str, str]:
    """Return name -> words of the fields of a model, masked ones first."""
    masked = masked_names(model)
    shown = [field for field in model._meta.fields if field.editable or field.name in masked]
    shown.sort(key=lambda field: field.name not in masked)
    return {field.name: capfirst(str(field.verbose_name)) for field in shown}


class WhyForm(forms.Form):
    """Who, what, and where. Nothing personal: people by user name, records by number."""

    person = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"list": "people", "autocomplete": "off"}),
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind of record"))
    record = forms.CharField(label=gettext_lazy("Number"), max_length=100, required=False)
    field = forms.CharField(
        label=gettext_lazy("Field"), required=False, widget=forms.Select, max_length=100
    )
    action = forms.CharField(label=gettext_lazy("May they"), widget=forms.Select, max_length=200)
    where = forms.ChoiceField(
        label=gettext_lazy("Where"), choices=list(_WHERE.items()), required=False
    )
    token = forms.CharField(label=gettext_lazy("Token (its prefix)"), max_length=20, required=False)

    def __init__(self, data: Any) -> None:
        """Offer the kinds there are, and the fields and actions of the one that was chosen."""
        super().__init__(data or None, initial={"action": "view"})
        kinds = _kinds()
        self.model = kinds.get(data.get("kind", ""))
        choices: Any = self.fields
        choices["kind"].choices = [
            (key, capfirst(str(model._meta.verbose_name_plural))) for key, model in kinds.items()
        ]
        actions = _actions_of(self.model) if self.model else _ACTIONS
        fields = _fields_of(self.model) if self.model else {}
        choices["action"].widget.choices = list(actions.items())
        choices["field"].widget.choices = [("", _("the whole record")), *fields.items()]

    def clean_person(self) -> User:
        """Return the account."""
        found = User.objects.filter(username=self.cleaned_data["person"]).first()
        if found is None:
            raise ValidationError(_("Nobody has this user name."))
        return found

    def clean_field(self) -> str:
        """Refuse a field of another kind."""
        name = str(self.cleaned_data["field"])
        if name and self.model is not None and name not in _fields_of(self.model):
            raise ValidationError(_("There is no such field."))
        return name

    def clean_action(self) -> str:
        """Refuse an action of another kind."""
        name = str(self.cleaned_data["action"])
        if self.model is not None and name not in _actions_of(self.model):
            raise ValidationError(_("There is no such action."))
        return name

    def clean(self) -> dict[str, Any]:
        """Find record and token."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("record") and self.model is not None:
            data["target"] = _record(self.model, data["record"])
            if data["target"] is None:
                self.add_error("record", _("There is no record of this number."))
        if data.get("token") and data.get("person"):
            live = tokens.live().filter(user=data["person"], prefix=data["token"])
            data["pass"] = live.first()
            if data["pass"] is None:
                self.add_error("token", _("This account has no such token in use."))
        return data


def _record(model: type[Model], text: str) -> Model | None:
    """Return the record of a public number, else of an id."""
    page = staff_site._registry.get(model) or seller_site._registry[model]  # noqa: SLF001
    number = getattr(page, "number_field", "")
    for name in (number, "pk"):
        if not name:
            continue
        try:
            found: Model | None = model._default_manager.filter(**{name: text}).first()
        except (ValueError, ValidationError, OverflowError):
            continue
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class Line:
    """One rule in words; `mark` is "yes", "no" or "silent" (says nothing here)."""

    name: str
    text: str
    mark: str
    decides: bool


def _mark(finding: Finding) -> str:
    if finding.rule.opens:
        return "yes" if finding.holds else "silent"
    return "silent" if finding.holds else "no"


def lines(found: Explanation) -> list[Line]:
    """Return the rules of an explanation in words, in the order in which they were looked at."""
    return [
        Line(
            str(_NAMES.get(one.rule.name, one.rule.name)),
            _TEXTS[one.rule.name](one, found),
            _mark(one),
            one is found.decided_by,
        )
        for one in found.findings
    ]


def _active(one: Finding, found: Explanation) -> str:
    return _("The account is active.") if one.holds else _("The account is blocked.")


def _kept(one: Finding, found: Explanation) -> str:
    if not one.holds:
        return _("Kept for people: a service account never may.")
    if not one.facts.get("kept"):
        return _("Not kept for people.")
    return _("Kept for people, and this is a person.")


def _acting(one: Finding, found: Explanation) -> str:
    if one.holds:
        return _("Nobody acts for the person, or it is nothing that is theirs alone.")
    return _("Not while somebody acts for the person.")


def _token(one: Finding, found: Explanation) -> str:
    scope = one.facts.get("needed")
    if scope is None:
        return _("The API has no such call for tokens.")
    if one.holds:
        return _("The token opens %(scope)s.") % {"scope": scope}
    return _("The token does not open %(scope)s.") % {"scope": scope}


def _role(one: Finding, found: Explanation) -> str:
    if one.facts.get("superuser"):
        return _("A superuser has every right.")
    if not one.holds:
        return _("No role of this person gives %(right)s.") % {"right": found.permission}
    known = [*roles.roles_of(list(found.roles)), *(set(found.roles) - set(roles.ROLES))]
    names = {"roles": ", ".join(known), "right": found.permission}
    if not known:
        return _("%(right)s was given to this person alone.") % names
    if found.directly:
        return _("%(right)s: by role (%(roles)s), and given to this person alone.") % names
    return _("%(right)s: by role (%(roles)s).") % names


def _grant(one: Finding, found: Explanation) -> str:
    if not one.holds:
        return _("Nobody gave access to this record that lasts now.")
    return _("%(giver)s gave access to this record.") % {"giver": one.facts["giver"]}


def _denial(one: Finding, found: Explanation) -> str:
    if one.holds:
        return _("Nothing forbids it for this record.")
    return capfirst(str(one.facts["why"]))


def _scope(one: Finding, found: Explanation) -> str:
    site = {"site": _WHERE[found.site]}
    if one.holds:
        return _("The record exists for this person (%(site)s).") % site
    return _("For this person there is no such record (%(site)s).") % site


_NAMES = {
    "active": gettext_lazy("Account"),
    "kept": gettext_lazy("Kept for people"),
    "acting": gettext_lazy("Acting for somebody"),
    "token": gettext_lazy("Token"),
    "role": gettext_lazy("Role"),
    "grant": gettext_lazy("Access given"),
    "denial": gettext_lazy("Denied"),
    "scope": gettext_lazy("Scope of rows"),
}
_TEXTS = {
    "active": _active,
    "kept": _kept,
    "acting": _acting,
    "token": _token,
    "role": _role,
    "grant": _grant,
    "denial": _denial,
    "scope": _scope,
}


class WhyPage(SitePage):
    """Who may do what with one record, and which rule says so. Each look-up is on the record."""

    path, name = "why/", "why"
    title = gettext_lazy("Why can they see this?")
    subtitle = gettext_lazy(
        "One person, one record: every rule that is looked at, and the one that decides."
    )
    permission = RIGHT
    template_name = "accounts/why.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Answer, where everything was chosen; a link without an action is only filled in."""
        asked = "action" in request.GET
        form = WhyForm(request.GET)
        people = User.objects.filter(is_active=True).order_by("username")[:_LISTED]
        context: dict[str, Any] = {"form": form, "asked": asked, "people": people}
        if asked and form.is_valid():
            context["answer"] = _answer(request, form)
        return context


def _answer(request: HttpRequest, form: WhyForm) -> dict[str, Any]:
    """Look it up and return what the page shows of it."""
    data = form.cleaned_data
    model = form.model
    person, action = data["person"], data["action"]
    target: Target = data.get("target") or model
    where = data["where"] or home(person)
    found = look_up(
        person,
        action,
        target,
        actor=request.user,  # type: ignore[arg-type]
        field=data["field"] or None,
        site=home(person) if where == API else where,
        token=_pass(model, action, data.get("pass")) if where == API else None,
    )
    return {
        "found": found,
        "lines": lines(found),
        "person": person,
        "kind": capfirst(str(model._meta.verbose_name)) if model else "",
        "number": data["record"],
        "field": _fields_of(model).get(data["field"], "") if model else "",
        "action": _actions_of(model)[action] if model else action,
        "notes": _notes(found, action, where),
        "reveal_url": "" if action == "reveal" else _asking(request, action="reveal"),
        "until": found.decided_by.facts.get("until"),
    }


def _pass(model: type[Model] | None, action: str, token: Any) -> Pass | None:
    """Return what a token has to open; None where a session is used."""
    from backoffice.site.api import scope_for  # noqa: PLC0415 - REST framework reads the settings

    if token is None or model is None:
        return None
    return Pass(scope_for(model, action), token.scopes)


def _asking(request: HttpRequest, **changes: str) -> str:
    return f"?{urlencode({**request.GET.dict(), **changes})}"


def _notes(found: Explanation, action: str, where: str) -> list[str]:
    """Return what is asked beside the policy, in words."""
    notes = []
    if found.masked and action != "reveal":
        notes.append(_("This field is masked: whoever sees the record sees a mask."))
    if where == API:
        notes.append(_("The API answers with masks, and reveals nothing."))
    if action == "reveal":
        notes.append(
            _("A reveal also takes a reason, fresh proof and what is left of the person's limit.")
        )
    if action == "export":
        notes.append(_("An export holds masks. It takes fresh proof, and is on the record."))
    if not found.decision.allowed and found.decided_by.rule.name == "role":
        notes.append(_("The owner gives rights to roles on the page Who may do what."))
    return notes


def about_person(request: HttpRequest, person: Any) -> dict[str, Any]:
    """Return what the card on a person's page shows."""
    return {"why_url": f"{reverse('admin:why')}?{urlencode({'person': person.username})}"}
