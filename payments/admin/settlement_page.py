"""What a settlement file holds, before anything of it is stored; then taking it in."""

import io
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest, ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.files.models import KeptFile
from backoffice.money import Money
from backoffice.site import staff_site
from backoffice.site.dialog_pages import DialogPage
from backoffice.site.visitors import signed_in
from payments.admin.break_forms import TakeForm
from payments.gateways.base import BadSettlementError, NotOfferedError
from payments.services import desk, settlements
from payments.services.settlements import Checked


class SettlementCheckPage(DialogPage):
    """Row by row: what is in the file, or where it is wrong. The button takes it in."""

    path, name = "payments/settlement/<uuid:number>/", "payments_settlement_check"
    title = gettext_lazy("Take in a settlement file")
    permission = "payments.match_day"
    template_name = "payments/settlement_check.html"
    form = TakeForm
    submit = gettext_lazy("Take it in")
    icon = "upload_file"
    wide = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> KeptFile:
        """Return the person's own file; Http404 once it expired."""
        number: UUID = kwargs["number"]
        return get_object_or_404(
            KeptFile, public_id=number, owner=signed_in(request), purpose=desk.FILES
        )

    def why_not(self, request: HttpRequest, subject: KeptFile) -> str:
        """Return what is wrong with the file, by row and column."""
        gateway, _day = _asked(request)
        try:
            self.checked(gateway, subject)
        except (BadSettlementError, NotOfferedError) as error:
            return _("Nothing was stored. %(why)s") % {"why": error}
        except ValidationError as error:
            return _("Nothing was stored. %(why)s") % {"why": " ".join(error.messages)}
        return ""

    @staticmethod
    def checked(gateway: str, kept: KeptFile) -> Checked:
        """Read the file to its end."""
        return settlements.check_file(gateway, io.BytesIO(b"".join(kept.chunks())))

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return what the file holds."""
        kept = self.subject(request, **kwargs)
        gateway, day = _asked(request)
        checked = self.checked(gateway, kept)
        return {
            "kept": kept,
            "gateway": gateway,
            "day": day,
            "checked": checked,
            "days": sorted(checked.days),
            "form_action": request.get_full_path(),
            "sums": [
                (kind, rows, Money(minor, currency), Money(fee, currency))
                for (kind, currency), (rows, minor, fee) in sorted(checked.sums.items())
            ],
        }

    def act(self, request: HttpRequest, subject: KeptFile, form: Any) -> SafeString:
        """Queue taking it in."""
        gateway, day = _asked(request)
        job = desk.start_file(subject, gateway, day, actor=signed_in(request))
        url = reverse("admin:job", args=[job.public_id])
        text = _("The file is being taken in.")
        return format_html('{} <a href="{}">{}</a>', text, url, _("See the job"))

    def back(self, request: HttpRequest, subject: KeptFile) -> str:
        """Return to the days."""
        return reverse("admin:payments_reconciledday_changelist")


def _asked(request: HttpRequest) -> tuple[str, Any]:
    """Return gateway and day of the address; Http404 for a gateway that reads no files."""
    gateway = request.GET.get("gateway", "")
    try:
        day = parse_date(request.GET.get("day", ""))
    except ValueError:
        day = None
    if day is None:
        raise BadRequest
    if gateway not in settlements.reading_files():
        raise Http404
    return gateway, day


staff_site.add_page(SettlementCheckPage)
