"""Who was let in to whose data."""

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
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
    fields = [
        "about",
        "user",
        "given_by",
        "reason",
        "starts_at",
        "expires_at",
        "ended_at",
        "ended_by",
    ]
    timeline = False  # the record's own stream tells it
    list_filter = ["content_type"]
    editable = False
    list_title = _("Access given")
    list_subtitle = _("One person, one record, a short time, given by somebody else.")
    empty_text = _("Nobody was given access yet. It is asked for on the page of a record.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        """Take the records along, one query a kind."""
        rows: QuerySet[Grant] = super().get_queryset(request).prefetch_related("record")
        return rows

    @staticmethod
    def about(grant: Grant) -> str:
        """Return the record by its kind and public number."""
        return f"{capfirst(grant.content_type.name)} {grant.record or grant.object_id}"

    def record_title(self, obj: Any) -> str:
        """Return for whom, and to what."""
        record = f"{obj.content_type.name} {obj.record or obj.object_id}"
        return str(_("Access of %(person)s to %(record)s") % {"person": obj.user, "record": record})

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return whether it counts now."""
        return [self.status(obj)]

    def record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Name it in the breadcrumb as in the head."""
        found = super().record_context(request, obj)
        return found if obj is None else {**found, "crumb": self.about(obj)}

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
