"""The page of purposes: what code uses clear values for, and how often."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.masking import purposes, uses
from backoffice.site import SitePage, navigation, staff_site


class PurposesPage(SitePage):
    """Each purpose with the code that registered it and its uses of late."""

    path, name = "purposes/", "purposes"
    title = _("Clear-value purposes")
    subtitle = _("What the system itself uses clear personal values for. People reveal instead.")
    permission = "masking.view_purposeuse"
    template_name = "masking/purposes.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return a line for each purpose, and for those used whose code is gone."""
        late, known = uses.of_late(), purposes.registered()
        lines = [
            {
                "name": one.name,
                "text": one.text,
                "module": one.module,
                "uses": late.get(one.name, (0, None))[0],
                "last": late.get(one.name, (0, None))[1],
            }
            for one in known
        ]
        gone = sorted(late.keys() - {one.name for one in known})
        lines += [{"name": name, "uses": late[name][0], "last": late[name][1]} for name in gone]
        return {"lines": lines, "days": uses.DAYS}


staff_site.add_page(PurposesPage)
navigation.add(
    staff_site,
    group=_("Oversight"),
    label=_("Clear-value purposes"),
    icon="rule",
    url_name="purposes",
    permission="masking.view_purposeuse",
    order=86,
)
