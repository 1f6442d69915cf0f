"""Filters of the list of customers. None asks for a masked value."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from customers.models import CustomerMerge


class MergedFilter(SimpleListFilter):
    """Leaves out who was merged into another, unless they are asked for."""

    title = _("merged")
    parameter_name = "merged"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer the merged ones alone, and all."""
        return [("only", _("Merged only")), ("all", _("With merged"))]

    def choices(self, changelist: Any) -> Any:
        """Call the usual choice by what it does."""
        usual, *others = super().choices(changelist)
        yield {**usual, "display": _("Left out")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        if self.value() == "all":
            return queryset
        return queryset.filter(merged_into__isnull=self.value() != "only")


class WaitingFilter(SimpleListFilter):
    """Who has a merge that waits for a decision."""

    title = _("merge asked for")
    parameter_name = "merging"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer those who wait."""
        return [("open", _("Waits for a decision"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list, starting from the few requests that wait."""
        if self.value() != "open":
            return queryset
        waiting = CustomerMerge.objects.filter(state=CustomerMerge.State.REQUESTED)
        pairs = waiting.values_list("kept", "gone")
        return queryset.filter(pk__in=[key for pair in pairs for key in pair])
