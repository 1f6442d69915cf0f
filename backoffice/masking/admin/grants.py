"""Who was let in to whose data."""

from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.masking import services
from backoffice.masking.models import Grant
from backoffice.site import (
    BackofficeAdmin,
    Badge,
    ReasonForm,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.visitors import signed_in


@register(Grant, site=staff_site)
class GrantAdmin(BackofficeAdmin):
    """Who was let in to whose data, by whom, why and until when."""

    list_display = ["about", "user", "given_by", "expires_at", "status"]
    list_select_related = ["user", "given_by", "content_type"]
    list_filter = ["content_type"]
    editable = False
    list_title = _("Access given")
    list_subtitle = _("One person, one record, a short time, given by somebody else.")
    empty_text = _("Nobody was given access yet. It is asked for on the page of a record.")

    @staticmethod
    def about(grant: Grant) -> str:
        """Return the record in words."""
        return f"{grant.content_type.name} {grant.object_id}"

    @staticmethod
    def status(grant: Grant) -> Badge:
        """Return whether it counts now."""
        return Badge("wait", _("Open")) if grant.is_live else Badge("rest", _("Over"))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Access is given by approving a request."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Keep grants: they are part of the record."""
        return False

    @action(
        _("End access"),
        permission="masking.give_grant",
        form=ReasonForm,
        icon="block",
        harmful=True,
        visible=lambda grant: grant.is_live,
    )
    def end(self, request: HttpRequest, grant: Grant, form: ReasonForm) -> str:
        """End it now."""
        services.end_grant(grant, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return str(_("The access is over."))


navigation.add(
    staff_site,
    group=_("Oversight"),
    label=_("Access given"),
    icon="key",
    url_name="masking_grant_changelist",
    permission="masking.view_grant",
    order=85,
)
