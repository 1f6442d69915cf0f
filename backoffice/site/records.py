"""Record pages: head with number, state and buttons, values, panels, timeline."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import capfirst

from backoffice.policy import Decision, may_many
from backoffice.site import actions as declared_actions
from backoffice.site import panels, timeline
from backoffice.site.contract import PageBase
from backoffice.site.links import ActionLink, buttons, why_url
from backoffice.site.masked import masked_names
from backoffice.site.permissions import READING
from backoffice.site.values import Badge, choice_badge
from backoffice.site.versions import version_of

Decisions = dict[str, dict[Any, Decision]]


class RecordMixin(PageBase):
    """The record page. It is read first; `?edit=1` opens the form."""

    change_form_template = "backoffice/change_form.html"
    add_form_template = "backoffice/change_form.html"
    delete_confirmation_template = "backoffice/delete_confirmation.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Show the record; GET without `edit` only reads."""
        if request.method in {"GET", "HEAD"} and "edit" not in request.GET:
            request.META[READING] = True
        elif request.method == "POST" and not self.editable:
            if self.record_or_none(request, object_id) is None:
                raise Http404  # what is not there for a person comes before what they may not do
            raise PermissionDenied  # states change by actions only, whatever right somebody has
        return super().change_view(request, object_id, form_url, extra_context)

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: Any = None,
    ) -> HttpResponse:
        """Answer 404 for a record out of scope, before any right is looked at."""
        if self.record_or_none(request, object_id) is None:
            raise Http404
        return super().delete_view(request, object_id, extra_context)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> Any:
        """Answer 404 for a record that is not there for this person."""
        raise Http404

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Add head, buttons and panels to Django's context."""
        options = {"add": add, "change": change, "form_url": form_url, "obj": obj}
        context.update(self.record_context(request, obj), list_url=self.list_url())
        if obj is None:
            return super().render_change_form(request, context, **options)
        # Who asked for the form and may not change the record only reads it.
        reading = bool(request.META.get(READING)) or not self.may_edit(request, obj)
        reveals = self.reveal_links(request, obj) if reading else {}
        context.update(
            reading=reading,
            reason_required=bool(masked_names(self.model)),
            change_reason=request.POST.get("change_reason", ""),
            may_edit=self.editable and self.may_edit(request, obj),
            has_history=hasattr(obj, "history"),
            why_url=why_url(request, obj, self.number_field),
            record_version="" if reading else version_of(obj),
            delete_url=self.url_of("delete", obj.pk),
            **buttons(self.action_links(request, obj, "detail")),
            main_panels=panels.rendered(self.all_panels(), "main", request, obj) if reading else [],
            side_panels=panels.rendered(self.all_panels(), "side", request, obj),
            reveals=reveals,
            reveal_note=self.reveal_note(request, obj, reveals),
            tabs=self.tab_links(request, obj) if reading else [],
        )
        return super().render_change_form(request, context, **options)

    def record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return what the head of a page about `obj` (or the list, when None) shows."""
        if obj is None:
            title = capfirst(str(self.opts.verbose_name_plural))
            return {"breadcrumbs": [(title, self.list_url())]}
        return {
            "record_title": self.record_title(obj),
            "record_badges": self.record_badges(obj),
            "page_subtitle": self.record_subtitle(request, obj),
            "record_url": self.record_url(obj),
            "history_url": self.url_of("history", obj.pk),
            "breadcrumbs": [(capfirst(str(self.opts.verbose_name_plural)), self.list_url())],
            "crumb": str(obj),
        }

    def may_edit(self, request: HttpRequest, obj: Model) -> bool:
        """Say whether the person may open the form (also while the page is only read)."""
        return self.allows(request, "change", obj)

    def all_panels(self) -> list[panels.Panel]:
        """Return own and contributed panels, and the timeline."""
        own = [*self.panels, *type(self).contributed_panels]
        return [*own, timeline.PANEL] if self.timeline else own


class HeadMixin(PageBase):
    """Words and addresses of a record; override what a model says better."""

    def record_title(self, obj: Model) -> str:
        """Return the thing and its public number ("Order 579870")."""
        return f"{capfirst(str(self.opts.verbose_name))} {obj}"

    def line_title(self, obj: Model) -> str:
        """Return what the dialog for ticked rows says of one of them: enough to decide by."""
        return str(self.record_title(obj))

    def record_badges(self, obj: Model) -> list[Badge]:
        """Return at most two states; by default those fields that `badges` names."""
        return [choice_badge(obj, name, kinds) for name, kinds in self.badges.items()][:2]

    def row_badges(self, obj: Model) -> list[Badge]:
        """Return states that stand beside a record's number in a list, without a query each.

        For what few records are, so that a column of its own would be empty.
        """
        return []

    def list_badges(self, request: HttpRequest, rows: Sequence[Any]) -> Mapping[Any, list[Badge]]:
        """Return primary key -> the states beside each number of a page, in few queries."""
        return {row.pk: self.row_badges(row) for row in rows}

    def record_subtitle(self, request: HttpRequest, obj: Any) -> Any:
        """Return one line that says when, who or what; text or safe markup."""
        return ""

    def url_of(self, view: str, *args: Any) -> str:
        """Return the address of one of the page's views ("history", "changelist", "do_cancel")."""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{view}"
        return reverse(name, args=args)

    def record_url(self, obj: Model) -> str:
        """Return the address of the record's page."""
        return self.url_of("change", obj.pk)

    def list_url(self) -> str:
        """Return the address of the list."""
        return self.url_of("changelist")


class ActionMixin(PageBase):
    """Addresses and buttons of declared actions."""

    def get_urls(self) -> list[Any]:
        """Give each action its address."""
        from django.urls import path  # noqa: PLC0415 - `path` is a common local name

        from backoffice.site.bulk import BulkView  # noqa: PLC0415 - needs loaded models
        from backoffice.site.dialogs import ActionView  # noqa: PLC0415

        opts, wrap = self.opts, self.admin_site.admin_view
        urls = []
        for spec in declared_actions.declared(self):
            where = f"do/{spec.name}/" if spec.listing else f"<path:object_id>/do/{spec.name}/"
            name = f"{opts.app_label}_{opts.model_name}_do_{spec.name}"
            view = wrap(ActionView.as_view(page=self, spec=spec))
            urls.append(path(where, view, name=name))
            if spec.bulk:
                several = wrap(BulkView.as_view(page=self, spec=spec))
                urls.insert(0, path(f"do/{spec.name}/several/", several, name=f"{name}_several"))
        return [*urls, *super().get_urls()]

    def action_links(
        self,
        request: HttpRequest,
        obj: Any,
        place: str,
        allowed: Decisions | None = None,
    ) -> list[ActionLink]:
        """Return the buttons of `place` ("row", "detail", "listing") this person may use now.

        `allowed` is what `action_decisions` found for a whole list.
        """
        return [
            ActionLink(
                spec.label,
                self._action_url(spec, obj),
                spec.icon,
                spec.harmful,
                spec.primary,
                spec.quick,
            )
            for spec in declared_actions.declared(self)
            if getattr(spec, place)
            and spec.shown_for(obj)
            and (
                self.allows(request, spec.permission, obj)
                if allowed is None
                else allowed[spec.name][obj.pk].allowed
            )
        ]

    def bulk_links(self, request: HttpRequest) -> list[ActionLink]:
        """Return the buttons of the bar of ticked rows."""
        return [
            ActionLink(
                spec.label,
                self.url_of(f"do_{spec.name}_several"),
                spec.icon,
                spec.harmful,
                spec.primary,
            )
            for spec in declared_actions.declared(self)
            if spec.bulk and self.allows(request, spec.permission)
        ]

    def action_decisions(self, request: HttpRequest, rows: list[Any]) -> Decisions:
        """Return action name -> primary key -> decision; a constant number of queries."""
        return {
            spec.name: may_many(request.user, spec.permission, rows, site=self.admin_site.name)
            for spec in declared_actions.declared(self)
            if spec.row
        }

    def _action_url(self, spec: declared_actions.Action, obj: Any) -> str:
        return self.url_of(f"do_{spec.name}", *([] if obj is None else [obj.pk]))
