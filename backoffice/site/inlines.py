"""Rows of another model on a record page, as a plain table."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from backoffice.policy import may, scope
from backoffice.site import taken
from backoffice.site.permissions import READING
from backoffice.site.values import BadgeKind

if TYPE_CHECKING:
    from django.contrib.admin import TabularInline

    Base = TabularInline[Any, Any]
else:
    from unfold.admin import TabularInline as Base


class BackofficeInline(Base):
    """A table of related rows; `fields` are its columns, `badges` as on a page.

    Shown only: set `editable = True` to let those who may change the rows edit them in the
    parent's form. `record_links` links the first column to the row's own page.
    """

    template = "backoffice/inline_table.html"
    extra = 0
    can_delete = False
    editable: ClassVar[bool] = False
    record_links: ClassVar[bool] = False
    badges: ClassVar[dict[str, dict[str, BadgeKind]]] = {}
    numeric_columns: ClassVar[tuple[str, ...]] = ()
    note: ClassVar[Any] = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the policy lets this person see."""
        return scope(request.user, super().get_queryset(request), site=self.admin_site.name)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `view` of the model."""
        return self._may(request, "view")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `add`, only in an editable table."""
        return self._edits(request) and self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `change`, only in an editable table."""
        return self._edits(request) and self._may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for `delete`, only in an editable table."""
        return self._edits(request) and self._may(request, "delete")

    def get_formset(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> Any:
        """Let the rows tell no more of single personal values than a form of their own does."""
        formset: Any = super().get_formset(request, obj, **kwargs)
        refused = request.META.get(taken.REFUSED, "")
        formset.form = taken.guarded(formset.form, request, refused, below=True)
        return formset

    def _edits(self, request: HttpRequest) -> bool:
        return self.editable and not request.META.get(READING)

    def _may(self, request: HttpRequest, what: str) -> bool:
        return may(request.user, what, self.model, site=self.admin_site.name).allowed
