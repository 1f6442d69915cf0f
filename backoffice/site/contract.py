"""What the parts of a page expect of each other, for the type checker only.

Each mixin of `BackofficeAdmin` holds one concern and calls the others through `self`; at run time
`PageBase` is nothing, and the real methods come from the mixins.
"""

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.contrib.admin import ModelAdmin
    from django.db.models import Model
    from django.http import HttpRequest
    from django.utils.functional import Promise

    from backoffice.policy import Decision
    from backoffice.site.columns import Offered, PageColumn
    from backoffice.site.links import ActionLink
    from backoffice.site.list_views import ListView
    from backoffice.site.panels import Panel
    from backoffice.site.revealing import ListLink, RevealLink
    from backoffice.site.tabs import Tab, TabLink
    from backoffice.site.values import Badge, BadgeKind

    class PageBase(ModelAdmin[Any]):
        """The declared options of a page, and the methods that its parts call."""

        badges: ClassVar[dict[str, dict[str, BadgeKind]]]
        exact_search: ClassVar[list[str]]
        export_fields: ClassVar[list[str]]
        export_codes: ClassVar[dict[str, str]]
        number_field: ClassVar[str]
        numeric_columns: ClassVar[tuple[str, ...]]
        page_columns: ClassVar[list[PageColumn]]
        more_columns: ClassVar[tuple[str, ...]]
        page_tabs: ClassVar[list[Tab]]
        list_views: ClassVar[list[ListView]]
        panels: ClassVar[list[Panel]]
        timeline: ClassVar[bool]
        editable: ClassVar[bool]
        list_title: ClassVar[str | Promise]
        list_subtitle: ClassVar[str | Promise]
        empty_text: ClassVar[str | Promise]
        contributed_actions: ClassVar[list[Callable[..., Any]]]
        contributed_panels: ClassVar[list[Panel]]

        def allows(self, request: HttpRequest, what: str, obj: Model | None = None) -> bool: ...
        def record_or_none(self, request: HttpRequest, object_id: str) -> Any: ...
        def record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]: ...
        def record_title(self, obj: Any) -> str: ...
        def record_badges(self, obj: Any) -> list[Badge]: ...
        def row_badges(self, obj: Any) -> list[Badge]: ...
        def list_badges(
            self, request: HttpRequest, rows: Sequence[Any]
        ) -> Mapping[Any, list[Badge]]: ...
        def record_subtitle(self, request: HttpRequest, obj: Any) -> Any: ...
        def url_of(self, view: str, *args: Any) -> str: ...
        def record_url(self, obj: Model) -> str: ...
        def list_url(self) -> str: ...
        def may_export(self, request: HttpRequest) -> bool: ...
        def offered_columns(self, request: HttpRequest) -> list[Offered]: ...
        def tab_links(self, request: HttpRequest, obj: Any, current: str = "") -> list[TabLink]: ...
        def exact_search_choices(self) -> list[tuple[str, str]]: ...
        def reveal_links(self, request: HttpRequest, obj: Any) -> dict[str, RevealLink]: ...
        def reveal_note(
            self, request: HttpRequest, obj: Any, links: dict[str, RevealLink]
        ) -> str: ...
        def clear_links(self, request: HttpRequest, *, exports: bool) -> list[ListLink]: ...
        def bulk_links(self, request: HttpRequest) -> list[ActionLink]: ...
        def action_links(
            self,
            request: HttpRequest,
            obj: Any,
            place: str,
            allowed: dict[str, dict[Any, Decision]] | None = None,
        ) -> list[ActionLink]: ...

else:
    PageBase = object
