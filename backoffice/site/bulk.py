"""An action on ticked rows: the dialog lists every line, each row is judged and done by itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import CharField, HiddenInput
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View

from backoffice.policy import may_many
from backoffice.site import dialogs, doing
from backoffice.site.actions import ActionForm
from backoffice.site.values import Badge
from backoffice.site.versions import version_of

AT_MOST = 100
KEYS, VERSION = "pk", "version-"
NOT_THERE = gettext_lazy("It is not there for you (any more).")
NO_RIGHT = gettext_lazy("You may not do this to it.")


@dataclass(frozen=True, slots=True)
class Line:
    """One ticked row; `why_not` says why it is left out, `version` what the person saw of it."""

    key: str
    title: str
    url: str = ""
    why_not: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one line."""

    line: Line
    badge: Badge
    text: Any = ""


class BulkView(View):
    """One action of one page on many rows; `as_view(page=…, spec=…)`."""

    page: Any = None
    spec: Any = None  # an Action; as_view() takes only names that stand here

    def get(self, request: HttpRequest) -> HttpResponse:
        """List the ticked rows; nothing changes."""
        self._require(request)
        return self._dialog(request, self._form(request), keys(request.GET.getlist(KEYS)))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Do it to each row; show what came of each unless all went well."""
        self._require(request)
        form, ticked = self._form(request, request.POST), keys(request.POST.getlist(KEYS))
        if not ticked:
            form.add_error(None, _("Tick at least one row."))
        if not dialogs.is_ready(form, request) or not ticked:
            return self._dialog(request, form, ticked, status=HTTPStatus.BAD_REQUEST)
        results = [self._one(request, form, key) for key in ticked]
        if all(result.badge.kind == "done" for result in results):
            text = ngettext("%(label)s: %(count)s row.", "%(label)s: %(count)s rows.", len(results))
            words = {"label": self.spec.label, "count": len(results)}
            return dialogs.finish(request, self._back(request), text % words)
        return self._render(request, {"results": results})

    def _require(self, request: HttpRequest) -> None:
        """Refuse who may not do it to any row."""
        if self.page.allows(request, self.spec.permission) or self.page.allows(request, "view"):
            return
        raise PermissionDenied

    def _one(self, request: HttpRequest, form: ActionForm, key: str) -> Result:
        obj = self.page.record_or_none(request, key)
        if obj is None:
            return _left_out(Line(key, key), NOT_THERE)
        line = self._line(obj)
        if why := self._why_not(request, obj):
            return _left_out(line, why)
        try:
            message = doing.perform(self.page, self.spec, request, obj, form)
        except ValidationError as error:
            return _left_out(line, " ".join(error.messages))
        except PermissionDenied as error:
            return _left_out(line, str(error) or NO_RIGHT)
        return Result(line, Badge("done", _("Done")), message)

    def _why_not(self, request: HttpRequest, obj: Any) -> Any:
        """Return why the posted row is left out; one without the right goes on the record."""
        if not self.page.allows(request, self.spec.permission, obj):
            doing.note_refusal(self.page, self.spec, request, obj)
            return NO_RIGHT
        if not self.spec.shown_for(obj):
            return self.spec.refusal(obj) or doing.TOO_LATE
        return "" if request.POST.get(f"{VERSION}{obj.pk}") == version_of(obj) else doing.STALE

    def _lines(self, request: HttpRequest, ticked: list[str]) -> list[Line]:
        """Return the ticked rows in their order, with those that will be left out and why."""
        rows = {str(row.pk): row for row in rows_of(self.page.get_queryset(request), ticked)}
        site = self.page.admin_site.name
        allowed = may_many(request.user, self.spec.permission, rows.values(), site=site)
        lines = []
        for key in ticked:
            if key not in rows:
                lines.append(Line(key, key, why_not=str(NOT_THERE)))
                continue
            obj = rows[key]
            right = "" if allowed[obj.pk] else str(NO_RIGHT)
            shown = self.spec.shown_for(obj)
            state = "" if shown else str(self.spec.refusal(obj) or doing.TOO_LATE)
            lines.append(self._line(obj, right or state))
        return lines

    def _line(self, obj: Any, why_not: str = "") -> Line:
        title, url = self.page.line_title(obj), self.page.record_url(obj)
        version = "" if why_not else version_of(obj)
        return Line(str(obj.pk), str(title), url, why_not, version)

    def _form(self, request: HttpRequest, data: Any = None) -> ActionForm:
        form: ActionForm = self.spec.form(data, request=request, instance=None)
        form.fields["next"] = CharField(
            required=False, widget=HiddenInput, initial=request.GET.get("next", "")
        )
        return dialogs.with_step_up(form, request, wanted=self.spec.step_up)

    def _dialog(
        self, request: HttpRequest, form: ActionForm, ticked: list[str], status: int = 200
    ) -> HttpResponse:
        lines = self._lines(request, ticked)
        ready = sum(not line.why_not for line in lines)
        context = {
            "form": form,
            "lines": lines,
            "ready": ready,
            "intro": form.intro(),
            "rule": form.rule() or doing.rule_text(self.spec),
            "submit_label": ngettext(
                "%(label)s: %(count)s row", "%(label)s: %(count)s rows", ready
            ) % {"label": self.spec.submit or self.spec.label, "count": ready},
        }  # fmt: skip
        return self._render(request, context, status)

    def _render(
        self, request: HttpRequest, values: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        context = {
            **self.page.admin_site.each_context(request),
            **self.page.record_context(request, None),
            "title": self.spec.label,
            "action": self.spec,
            "back_url": self._back(request),
            "dialog_base": dialogs.base_template(request),
            **values,
        }
        return TemplateResponse(request, "backoffice/bulk.html", context, status=status)

    def _back(self, request: HttpRequest) -> str:
        return dialogs.back_address(request, str(self.page.list_url()))


def _left_out(line: Line, why: Any) -> Result:
    return Result(line, Badge("rest", _("Left out")), why)


def keys(values: Iterable[str]) -> list[str]:
    """Return the keys once each, in their order, at most AT_MOST."""
    return list(dict.fromkeys(value for value in values if value))[:AT_MOST]


def rows_of(rows: Any, ticked: list[str]) -> list[Any]:
    """Return those of `rows` that were ticked; none for keys that are no keys."""
    try:
        return list(rows.filter(pk__in=ticked))
    except (ValueError, ValidationError):
        return []
