"""`BackofficeAdmin`, the base of every page about a model.

    @register(Customer, site=staff_site)
    class CustomerAdmin(BackofficeAdmin):
        list_display = ["number", "status", "name", "phone"]
        badges = {"status": {"active": "quiet", "blocked": "fail"}}
        exact_search = ["number", "email", "phone"]
        export_fields = ["number", "name", "country"]

What it brings: rows and rights from the policy, masked columns, search by whole values, masked
export, a record page that is read first and edited by choice, history in words, timeline, reveal
links, actions (see `actions.action`). Nothing on it reads `self.request`: one instance serves all
threads.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db import models
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise

from backoffice.policy import scope
from backoffice.site.columns import ColumnsMixin, PageColumn
from backoffice.site.exporting import ExportMixin
from backoffice.site.finding import FindMixin
from backoffice.site.history import HistoryMixin
from backoffice.site.list_views import ListView
from backoffice.site.lists import ListMixin
from backoffice.site.panels import Panel
from backoffice.site.permissions import PolicyMixin
from backoffice.site.records import ActionMixin, HeadMixin, RecordMixin
from backoffice.site.revealing import RevealMixin
from backoffice.site.saving import AnswerMixin, SavingMixin
from backoffice.site.tabs import Tab, TabsMixin
from backoffice.site.values import BadgeKind

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    Base = ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as Base

# The browser's own pickers: no script, and the phone's keyboard fits.
_WIDGETS: dict[type[models.Field[Any, Any]], dict[str, Any]] = {
    models.DateField: {"widget": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})},
    models.DateTimeField: {
        "form_class": forms.DateTimeField,
        "widget": forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
    },
    models.BooleanField: {"widget": forms.CheckboxInput},
}


class BackofficeAdmin(
    PolicyMixin,
    TabsMixin,
    ColumnsMixin,
    FindMixin,
    ExportMixin,
    RevealMixin,
    ActionMixin,
    ListMixin,
    HistoryMixin,
    HeadMixin,
    RecordMixin,
    AnswerMixin,
    SavingMixin,
    Base,
):
    """A page about a model; see the module for what to declare.

    `badges`          field -> {value: badge kind}; shown in list, head and values.
    `exact_search`    fields that may be searched for by a whole value (masked ones too).
    `export_fields`   what an export holds; none means no export.
    `export_codes`    relation -> its field that stands for it where values leave as stored: a key
                      of the database means nothing to who brings the file back.
    `number_field`    public number by which Ctrl K finds a record ("" for none).
    `numeric_columns` computed columns that stand at the right.
    `more_columns`    further columns that a person may choose to see.
    `page_columns`    columns computed for the rows in sight (see `columns`).
    `list_views`      tabs above the list, each a part of its rows (see `list_views`).
    `page_tabs`       further parts of a record, each at its own address (see `tabs`).
    `panels`          own cards of the record page.   `timeline` shows what happened to it.
    `editable`        False takes the Edit button away (states change by actions only).
    `list_title`, `list_subtitle`, `empty_text`  words of the list; `empty_text` says what starts
                      it when there is nothing yet.
    """

    badges: ClassVar[dict[str, dict[str, BadgeKind]]] = {}
    exact_search: ClassVar[list[str]] = []
    export_fields: ClassVar[list[str]] = []
    export_codes: ClassVar[dict[str, str]] = {}
    number_field: ClassVar[str] = ""
    numeric_columns: ClassVar[tuple[str, ...]] = ()
    more_columns: ClassVar[tuple[str, ...]] = ()
    page_columns: ClassVar[list[PageColumn]] = []
    page_tabs: ClassVar[list[Tab]] = []
    list_views: ClassVar[list[ListView]] = []
    panels: ClassVar[list[Panel]] = []
    timeline: ClassVar[bool] = True
    editable: ClassVar[bool] = True
    list_title: ClassVar[str | Promise] = ""
    list_subtitle: ClassVar[str | Promise] = ""
    empty_text: ClassVar[str | Promise] = ""

    contributed_actions: ClassVar[list[Callable[..., Any]]] = []
    contributed_panels: ClassVar[list[Panel]] = []

    formfield_overrides = _WIDGETS

    @classmethod
    def contribute(
        cls,
        *,
        inlines: Iterable[Any] = (),
        actions: Iterable[Callable[..., Any]] = (),
        panels: Iterable[Panel] = (),
        columns: Iterable[PageColumn] = (),
        filters: Iterable[Any] = (),
        tabs: Iterable[Tab] = (),
    ) -> None:
        """Let an upper app add to this page: rows, actions `(admin, request, obj, form)`, cards.

        Also columns and filters of the list, and tabs of the record. Call it at import of the
        upper app's `admin.py` or in its `AppConfig.ready`.
        """
        for column in columns:
            cls._add_column(column)
        cls.list_filter = [*cls.list_filter, *filters]
        cls.page_tabs = [*cls.page_tabs, *tabs]
        cls.inlines = [*cls.inlines, *inlines]
        cls.contributed_actions = [*cls.contributed_actions, *actions]
        cls.contributed_panels = [*cls.contributed_panels, *panels]

    @classmethod
    def _add_column(cls, column: PageColumn) -> None:
        setattr(cls, column.name, column)
        cls.page_columns = [*cls.page_columns, column]
        cls.list_display = [*cls.list_display, column.name]
        if column.numeric:
            cls.numeric_columns = (*cls.numeric_columns, column.name)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Take away the links that add or edit a related record in a window of its own."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only related rows in the person's scope."""
        if "queryset" not in kwargs:
            related: type[Model] = db_field.remote_field.model
            rows = related._default_manager.all()
            kwargs["queryset"] = scope(request.user, rows, site=self.admin_site.name)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
