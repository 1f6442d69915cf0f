"""People on the staff site: who there is, what they may do, and helping them back in."""

from typing import Any, ClassVar

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting, factors, guarded, people, places, roles, sessions
from backoffice.accounts.admin import acting_pages, explaining
from backoffice.accounts.models import Kind, User
from backoffice.policy.services import RIGHT
from backoffice.site import (
    ActionForm,
    BackofficeAdmin,
    Badge,
    Panel,
    ReasonForm,
    action,
    register,
    staff_site,
)
from backoffice.site.visitors import signed_in

LIST = "accounts_user_changelist"
_SITES = [("admin", gettext_lazy("Staff site")), ("seller", gettext_lazy("Seller site"))]


class InviteForm(ActionForm):
    """Who, where and as what."""

    recorded = gettext_lazy("Your name, theirs, the roles and the time.")

    name = forms.CharField(label=gettext_lazy("Name"), max_length=150)
    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
        help_text=gettext_lazy("What they type to sign in. It stays."),
    )
    email = forms.EmailField(label=gettext_lazy("Mail address"))
    site = forms.ChoiceField(label=gettext_lazy("Works on"), choices=_SITES)
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        required=False,
        choices=lambda: list(roles.ROLES.items()),
        widget=forms.CheckboxSelectMultiple,
    )

    def intro(self) -> str:
        """Say what will happen."""
        text = _("They get a link by mail, good once, and choose a password themselves.")
        return f"{text} {_two_people()}"


class RolesForm(ReasonForm):
    """The roles that the person has from now on, and why."""

    recorded = gettext_lazy("Both names, the roles before and after, and the reason.")

    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"), required=False, widget=forms.CheckboxSelectMultiple
    )
    field_order = ("roles", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the roles of the person's site; those they have are ticked."""
        super().__init__(*args, **kwargs)
        field: Any = self.fields["roles"]
        field.choices = [
            (role, text)
            for role, text in roles.ROLES.items()
            if (role != people.SELLER) == self.instance.is_staff
        ]
        field.initial = list(self.instance.groups.values_list("name", flat=True))

    def intro(self) -> str:
        """Say what will happen."""
        text = _("The person is signed out everywhere and signs in anew.")
        return f"{text} {_two_people()}"


def _two_people() -> str:
    """Say which roles take another person's consent, before anybody asks for one."""
    names = ", ".join(roles.roles_of(sorted(guarded.guarded_roles())))
    return _("Open clear values, so that another person has to agree: %(roles)s.") % {
        "roles": names
    }


def _is_person(person: User) -> bool:
    return person.kind == Kind.PERSON


def _is_in(person: User) -> bool:
    return _is_person(person) and person.is_active


def _has_come_in(person: User) -> bool:
    return _is_in(person) and not people.is_invited(person)


def _can_be_invited_again(person: User) -> bool:
    return person.is_active and people.is_invited(person)


def _has_factors(person: User) -> bool:
    return _is_person(person) and bool(getattr(person, "has_factor", False))  # of `get_queryset`


def _of_sessions(request: HttpRequest, person: Any) -> dict[str, Any]:
    key = request.session.session_key
    return {"rows": [places.shown(row, key) for row in sessions.of(person)]}


@register(User, site=staff_site)
class PersonAdmin(BackofficeAdmin):
    """Everybody who signs in. Changed by actions only, each on the record."""

    list_title = gettext_lazy("People")
    list_subtitle = gettext_lazy("Who signs in here, in which role, and whether they are let in.")
    list_display = ("full_name", "username", "roles", "site", "state", "factor", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("username", "first_name", "last_name")
    fields = ("username", "email", "roles", "site", "factor", "date_joined", "last_login")
    readonly_fields = fields
    panels: ClassVar[list[Panel]] = [
        Panel(gettext_lazy("Sessions"), "accounts/sessions_panel.html", _of_sessions, order=50),
        Panel(
            gettext_lazy("Rights"),
            "accounts/why_panel.html",
            explaining.about_person,
            permission=RIGHT,
            order=60,
        ),
    ]
    editable = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Fetch roles and factors with the rows; programs have pages of their own."""
        has = Authenticator.objects.filter(user=OuterRef("pk"), type__in=factors.KINDS)
        rows: QuerySet[User] = super().get_queryset(request).filter(kind=Kind.PERSON)
        return rows.annotate(has_factor=Exists(has)).prefetch_related("groups")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """People are invited."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """People are changed by actions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """People stay: what they did names them."""
        return False

    @admin.display(description=gettext_lazy("name"), ordering="first_name")
    def full_name(self, person: User) -> str:
        """First and last name, else the user name."""
        return str(person)

    @admin.display(description=gettext_lazy("roles"))
    def roles(self, person: User) -> str:
        """The roles in words."""
        return ", ".join(roles.roles_of([group.name for group in person.groups.all()]))

    @admin.display(description=gettext_lazy("works on"), ordering="is_staff")
    def site(self, person: User) -> str:
        """The site."""
        return str(dict(_SITES)["admin" if person.is_staff else "seller"])

    @admin.display(description=gettext_lazy("state"), ordering="is_active")
    def state(self, person: User) -> Badge:
        """Whether they are let in."""
        if not person.is_active:
            return Badge("fail", _("Blocked"))
        if people.is_invited(person):
            return Badge("wait", _("Invited"))
        return Badge("quiet", _("Active"))

    @admin.display(description=gettext_lazy("second factor"), boolean=False)
    def factor(self, person: Any) -> str:
        """Whether they have one."""
        return _("Yes") if person.has_factor else _("No")

    def record_title(self, obj: Any) -> str:
        """The name."""
        return str(obj)

    def record_badges(self, obj: Any) -> list[Badge]:
        """The state."""
        return [self.state(obj)]

    def record_subtitle(self, request: HttpRequest, obj: Any) -> str:
        """The roles."""
        return self.roles(obj) or _("no role")

    @action(
        gettext_lazy("Invite"),
        permission=people.MANAGE,
        form=InviteForm,
        icon="person_add",
        listing=True,
        primary=True,
        step_up=True,
    )
    def invite(self, request: HttpRequest, nobody: None, form: InviteForm) -> str:
        """Make the account and mail the link."""
        data = form.cleaned_data
        person = people.invite(
            username=data["username"],
            name=data["name"],
            email=data["email"],
            role_names=data["roles"],
            staff=data["site"] == "admin",
            actor=signed_in(request),
        )
        if set(data["roles"]) - set(person.groups.values_list("name", flat=True)):
            return _("%(who)s is invited. Another person has to agree to the roles.") % {
                "who": person
            }
        return _("%(who)s is invited.") % {"who": person}

    @action(
        gettext_lazy("Invite again"),
        permission=people.MANAGE,
        icon="forward_to_inbox",
        step_up=True,
        visible=_can_be_invited_again,
    )
    def invite_again(self, request: HttpRequest, person: User, form: Any) -> str:
        """Mail a new link."""
        people.invite_again(person, actor=signed_in(request))
        return _("%(who)s is invited again.") % {"who": person}

    @action(
        gettext_lazy("Change roles"),
        permission=people.MANAGE,
        form=RolesForm,
        icon="shield_person",
        step_up=True,
        visible=_is_person,
    )
    def change_roles(self, request: HttpRequest, person: User, form: RolesForm) -> str:
        """Give other roles."""
        data = form.cleaned_data
        people.set_roles(person, data["roles"], actor=signed_in(request), reason=data["reason"])
        if set(data["roles"]) - set(person.groups.values_list("name", flat=True)):
            return _("Asked. Another person has to agree that %(who)s gets this role.") % {
                "who": person
            }
        return _("The roles of %(who)s are changed.") % {"who": person}

    @action(
        gettext_lazy("Start a password reset"),
        permission=people.MANAGE,
        form=ReasonForm,
        icon="key",
        step_up=True,
        visible=_has_come_in,
    )
    def reset(self, request: HttpRequest, person: User, form: ReasonForm) -> str:
        """Mail the link; nobody else chooses the password."""
        people.start_reset(person, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("%(who)s gets a link by mail.") % {"who": person}

    @action(
        gettext_lazy("Take away a lost second factor"),
        permission=people.MANAGE,
        form=ReasonForm,
        icon="phonelink_erase",
        harmful=True,
        step_up=True,
        visible=_has_factors,
    )
    def take_factors(self, request: HttpRequest, person: User, form: ReasonForm) -> str:
        """Take all of them away; the person is told."""
        people.take_factors(person, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("%(who)s sets up a new second factor at the next sign-in.") % {"who": person}

    @action(
        gettext_lazy("End all sessions"),
        permission=people.END_SESSIONS,
        form=ReasonForm,
        icon="logout",
        harmful=True,
        step_up=True,
        visible=_is_in,
    )
    def end_sessions(self, request: HttpRequest, person: User, form: ReasonForm) -> str:
        """Sign the person out everywhere."""
        people.end_sessions(person, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("%(who)s is signed out everywhere.") % {"who": person}

    @action(
        gettext_lazy("Block"),
        permission=people.MANAGE,
        form=ReasonForm,
        icon="block",
        harmful=True,
        step_up=True,
        visible=_is_in,
    )
    def block(self, request: HttpRequest, person: User, form: ReasonForm) -> str:
        """Let them in no more."""
        people.block(person, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("%(who)s is blocked.") % {"who": person}

    @action(
        gettext_lazy("Unblock"),
        permission=people.MANAGE,
        form=ReasonForm,
        icon="lock_open",
        step_up=True,
        visible=lambda person: _is_person(person) and not person.is_active,
    )
    def unblock(self, request: HttpRequest, person: User, form: ReasonForm) -> str:
        """Let them in again."""
        people.unblock(person, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("%(who)s may sign in again.") % {"who": person}

    @action(
        gettext_lazy("Act for this person"),
        permission=acting.RIGHT,
        form=acting_pages.ActForm,
        icon="supervisor_account",
        step_up=True,
        row=False,
        visible=acting.may_be_acted_for,
    )
    def act_for(self, request: HttpRequest, person: User, form: Any) -> Any:
        """Begin to act for them."""
        return acting_pages.begin(request, person, form.cleaned_data["reason"])
