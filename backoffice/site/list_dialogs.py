"""Dialogs about the rows of a list, as its filters stand, that act by themselves.

class AskView(ListDialogView): …                    # get() and post()
revealing.mount(lambda page: [below(page, AskView, Action(name="ask", …, handler=by_itself))])
"""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.views import View

from backoffice.site.actions import Action
from backoffice.site.dialogs import base_template
from backoffice.site.masked import masked_names


class ListDialogView(View):
    """One dialog below one list; `as_view(page=…, spec=…)`."""

    page: Any = None
    spec: Any = None  # an Action; as_view() takes only names that stand here

    def changelist(self, request: HttpRequest) -> Any:
        """Return the list with the filters of the address. Raises BadRequest for wrong ones."""
        try:
            return self.page.get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise BadRequest from None

    def frame(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the templates of dialogs need, whatever the dialog."""
        query = request.GET.urlencode()
        return {
            **self.page.admin_site.each_context(request),
            **self.page.record_context(request, None),
            "title": self.spec.label,
            "action": self.spec,
            "form_action": request.get_full_path(),
            "back_url": f"{self.page.list_url()}{'?' if query else ''}{query}",
            "dialog_base": base_template(request),
        }


def below(page: Any, view: type[ListDialogView], spec: Action) -> URLPattern:
    """Return the address below a list, by the name of the action: `<app>_<model>_<name>`."""
    wrapped = page.admin_site.admin_view(view.as_view(page=page, spec=spec))
    name = f"{page.opts.app_label}_{page.opts.model_name}_{spec.name}"
    found: URLPattern = path(f"{spec.name.replace('_', '-')}/", wrapped, name=name)
    return found


def masked_choices(model: Any) -> list[tuple[str, str]]:
    """Return (name, label) of the masked fields of a model, for a form that offers them."""
    labels = ((name, model._meta.get_field(name).verbose_name) for name in masked_names(model))
    return [(name, capfirst(str(label))) for name, label in labels]
