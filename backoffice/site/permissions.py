"""Who may do what on a page: every answer comes from the policy."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from backoffice.policy import may, scope
from backoffice.site.contract import PageBase

# Set on a request that only reads a record page: the form is then shown as plain values.
READING = "backoffice.reading"


class PolicyMixin(PageBase):
    """Rights of a page: `allows` asks the policy, `has_*` are what Django's views ask.

    A record page is read first and edited by choice (`?edit=1`): while reading, Django is told
    that nothing may be changed, so that it renders values and no fields.
    """

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `view` of the record, or of the model."""
        return may(request.user, "view", obj or self.model, site=self.admin_site.name).allowed

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `add` of the model."""
        return may(request.user, "add", self.model, site=self.admin_site.name).allowed

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `change`, except while the record is only read."""
        if obj is not None and request.META.get(READING):
            return False
        return may(request.user, "change", obj or self.model, site=self.admin_site.name).allowed

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `delete`."""
        return may(request.user, "delete", obj or self.model, site=self.admin_site.name).allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the policy lets this person see."""
        return scope(request.user, super().get_queryset(request), site=self.admin_site.name)

    def allows(self, request: HttpRequest, what: str, obj: Model | None = None) -> bool:
        """Ask the policy about the record, or about the model."""
        target = self.model if obj is None else obj
        return may(request.user, what, target, site=self.admin_site.name).allowed

    def record_or_none(self, request: HttpRequest, object_id: str) -> Any:
        """Return the record of an address if it is in the person's scope, else None."""
        return self.get_object(request, unquote(object_id))
