"""Asking for a mail, and sending one again that may not have arrived.

mail.services.queue(
    "approvals.requested", to=checker, actor=maker, reason=_("You may decide it."),
    context={"what": "Refund 12", "link": reverse("admin:approval", args=[number])},
)
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import keyring
from backoffice.accounts import sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.jobs.plain import require_plain
from backoffice.mail import registry
from backoffice.mail.models import Mail
from backoffice.mail.registry import Outside

QUEUED = verbs.register("mail.queued", gettext_lazy("Mail asked for"))
RESENT = verbs.register("mail.resent", gettext_lazy("Mail sent again"))
# The sites whose pages ask for sign-in; open pages inside them are named apart.
_SITES = {"admin", "seller"}
_OPEN_PAGES = {"login", "logout", "jsi18n"}


class LinkError(ValueError):
    """The link of a mail leads outside the pages that ask for sign-in."""


def queue(
    template: str,
    *,
    to: User | Outside,
    context: Mapping[str, Any],
    reason: str,
    actor: User | None,
    secret: str = "",
    good_until: datetime | None = None,
) -> Mail:
    """Put a mail into the outbox, in the running transaction, and return its row.

    `context` holds the fields of the template and, where the mail leads somewhere, `link`: the
    path of a page of the staff or seller site; readers outside get none. `reason` says why this
    person gets it. `secret` is what only the reader may know (a code, the path of a link that opens
    without sign-in); it is kept sealed, and not sent after `good_until`.
    Raises UnknownTemplateError, NotPlainError, LinkError, and ValueError for a wrong set of fields
    or a secret that is good for ever.
    """
    made = registry.find(template)
    _check_fields(made, context)
    if isinstance(to, Outside):
        _check_outside(to, context)
    if secret and good_until is None:
        raise ValueError(f"the secret of the mail {template} is good for ever")
    require_plain(dict(context), where=f"mail {template}")
    require_plain(reason, where=f"mail {template}: reason")
    subject = str(made.subject) % context
    with transaction.atomic():
        row = Mail.objects.create(
            template=template,
            **_reader(to),
            subject=subject[:200],
            context=dict(context),
            reason=reason[:300],
            actor=actor,
            good_until=good_until if secret else None,
        )
        if secret:
            row.sealed = keyring.seal(secret, use=row.use_of_secret)
            row.save(update_fields=["sealed"])
        told = f"{to.kind} {to.key}" if isinstance(to, Outside) else to.pk
        facts = {"template": template, "to": told}
        record(QUEUED, actor=actor, subject=row, reason=reason, context=facts)
    return row


def _check_fields(template: registry.Template, context: Mapping[str, Any]) -> None:
    given = set(context) - {"link"}
    if given != template.fields:
        wrong = ", ".join(sorted(given ^ template.fields))
        raise ValueError(f"the mail {template.name} has other fields: {wrong}")
    if "link" in context:
        _check_link(context["link"])


def _check_outside(to: Outside, context: Mapping[str, Any]) -> None:
    if registry.readers(to.kind) is None:
        raise ValueError(f"nobody registered readers of the kind {to.kind}")
    if "link" in context:
        raise LinkError("a reader without an account gets no link")


def _reader(to: User | Outside) -> dict[str, Any]:
    if isinstance(to, Outside):
        return {"to_user": None, "to_kind": to.kind, "to_key": to.key}
    return {"to_user": to}


def _check_link(link: Any) -> None:
    """Refuse what is no page of a site: nothing can be done by a link without signing in."""
    try:
        found = resolve(str(link).partition("?")[0])
    except Resolver404:
        raise LinkError("the link of a mail is no page of ours") from None
    if not _SITES.intersection(found.namespaces) or found.url_name in _OPEN_PAGES:
        raise LinkError("the link of a mail leads to a page without sign-in")


def resend(mail: Mail, *, actor: User, reason: str) -> None:
    """Send a mail again whose fate is unknown or that failed; a person decides and says why.

    The Message-ID stays, so that a mailbox that has it already can drop the second one.
    Raises PermissionDenied without the right, ValidationError in any other state.
    """
    if not actor.has_perm("mail.resend_mail"):
        raise PermissionDenied
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    with transaction.atomic():
        open_ones = Mail.objects.filter(
            pk=mail.pk,
            state__in=[Mail.State.UNKNOWN, Mail.State.FAILED],
            attempts=mail.attempts,
            good_until=None,
        )
        if not open_ones.update(state=Mail.State.QUEUED, next_try_at=timezone.now(), problem=""):
            raise ValidationError(_("This mail is not waiting for a decision any more."))
        record(RESENT, actor=actor, subject=mail, reason=reason)


def _rewrite(row: Mail, change: sealed.Change) -> dict[str, Any]:
    return {"sealed": change(row.sealed, row.use_of_secret)}


sealed.register("mails", Mail, _rewrite, lambda: ~Q(sealed=""))
