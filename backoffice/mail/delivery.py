"""Sending what lies in the outbox, each mail at most once without a person's word.

The intent ("sending") is committed before the mail server is called, the answer after it. What
surely did not leave is tried again; where the answer is missing the mail is "unknown".
"""

import logging
import smtplib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, QuerySet
from django.template import Context, Engine, TemplateDoesNotExist
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import keyring
from backoffice.accounts import installation
from backoffice.jobs import registry as jobs
from backoffice.jobs import services as job_services
from backoffice.jobs.models import Job
from backoffice.jobs.run import JobRun
from backoffice.mail import registry
from backoffice.mail.models import Mail

logger = logging.getLogger("backoffice.mail")
SEND = "mail.send"
BATCH = 200
# A mail that did not leave is tried so often, after waits that double from the first one.
MAX_ATTEMPTS = 6
FIRST_WAIT = timedelta(seconds=30)

_S = Mail.State


class NotSentError(Exception):
    """The mail surely did not leave; `lasting` says that another try would not help."""

    def __init__(self, problem: str, *, lasting: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.lasting = lasting


def start_sending() -> None:
    """Start the sending job when something waits and none is on its way."""
    settle_lost()
    active = Job.objects.filter(kind=SEND, state__in=[Job.State.QUEUED, Job.State.RUNNING])
    if _due().exists() and not active.exists():
        job_services.start(SEND, actor=None, title=_("Send waiting mail"), params={})


jobs.every(seconds=5, name="mail.start_sending", label=gettext_lazy("Send waiting mail"))(
    start_sending
)


def settle_lost() -> int:
    """Turn what a dead worker left in "sending" into "unknown"; return how many.

    The lease is longer than the mail server's time limit, so that a slow worker is no dead one.
    """
    lease = timedelta(seconds=settings.BACKOFFICE_MAIL_TIMEOUT + settings.BACKOFFICE_JOB_LOST_AFTER)
    lost = Mail.objects.filter(state=_S.SENDING, sending_at__lt=timezone.now() - lease)
    problem = _("The worker died while it was being sent.")
    return lost.update(state=_S.UNKNOWN, problem=problem, sealed="")


def _due() -> QuerySet[Mail]:
    return Mail.objects.filter(state=_S.QUEUED, next_try_at__lte=timezone.now())


@jobs.handler(SEND)
def send_waiting(run: JobRun) -> dict[str, Any]:
    """Send what waits; return how many went out and how many did not."""
    counts = {"sent": 0, "not_sent": 0}
    total = _due().count()
    for done, mail in enumerate(_due().order_by("id").select_related("to_user")[:BATCH]):
        run.progress(done, max(total, done + 1))
        if _claim(mail):
            counts["sent" if deliver(mail) else "not_sent"] += 1
    return counts


def _claim(mail: Mail) -> bool:
    """Commit the intent: from here on the mail may have left."""
    with transaction.atomic(durable=True):
        mine = Mail.objects.filter(pk=mail.pk, state=_S.QUEUED, attempts=mail.attempts).update(
            state=_S.SENDING, attempts=F("attempts") + 1, sending_at=timezone.now(), problem=""
        )
    mail.attempts += 1
    return bool(mine)


def deliver(mail: Mail) -> bool:
    """Send one claimed mail and note what came of it; True when the server took it."""
    try:
        _hand_over(mail)
    except NotSentError as error:
        _not_sent(mail, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the mail may have left
        # The text of the error may hold the address: only its kind is kept.
        logger.warning("mail %s: fate unknown (%s)", mail.public_id, type(error).__name__)
        _note(mail, state=_S.UNKNOWN, problem=_("The mail server gave no answer."))
    else:
        return _note(mail, state=_S.SENT, sent_at=timezone.now(), problem="")
    return False


def _hand_over(mail: Mail) -> None:
    """Call the mail server. NotSentError when it surely did not take the mail."""
    message = compose(mail)
    server = mailers.default
    try:
        server.open()
    except Exception as error:
        raise NotSentError(_("The mail server cannot be reached."), lasting=False) from error
    try:
        _send(server, message)
    finally:
        _close(server)


def _send(server: BaseEmailBackend, message: EmailMessage) -> None:
    try:
        taken = server.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _text in error.recipients.values()]
        raise _refused(max(codes, default=500)) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code) from error
    if not taken:
        raise NotSentError(_("The mail server did not take it."), lasting=False)


def _refused(code: int) -> NotSentError:
    """Return what an answer of the server means: 4xx may pass, 5xx stays (RFC 5321, 4.2.1)."""
    text = _("The mail server refused it (%(code)s).") % {"code": code}
    return NotSentError(text, lasting=code >= 500)  # noqa: PLR2004 - see above


def _close(server: BaseEmailBackend) -> None:
    try:
        server.close()
    except Exception:  # noqa: BLE001 - the mail's fate is known, the goodbye is not part of it
        logger.info("the mail server's connection did not close")


def compose(mail: Mail) -> EmailMessage:
    """Return the mail as it leaves. NotSentError when the person cannot get mail."""
    address = _address(mail)
    if not address:
        raise NotSentError(_("The person has no address, or left."), lasting=True)
    if mail.good_until is not None and mail.good_until <= timezone.now():
        raise NotSentError(_("What it says is not good any more."), lasting=True)
    try:
        zone, language = installation.zone(), installation.language()
        with timezone.override(zone), translation.override(language):
            body = _body(mail, _secret_of(mail))
    except Exception as error:
        raise NotSentError(_("The text cannot be made."), lasting=True) from error
    host = settings.BACKOFFICE_BASE_URL.partition("://")[2].partition(":")[0].strip("/")
    headers = {"Message-ID": f"<{mail.public_id}@{host}>", "Auto-Submitted": "auto-generated"}
    return EmailMessage(mail.subject, body, to=[address], headers=headers)


def _address(mail: Mail) -> str:
    """Return where it goes; "" for nobody. An address from outside lives as long as this call."""
    person = mail.to_user
    if person is not None:
        return person.email if person.is_active else ""
    readers = registry.readers(mail.to_kind)
    if readers is None:
        raise NotSentError(_("The app that knows the reader is not installed."), lasting=True)
    return readers.address(mail.to_key)


def _secret_of(mail: Mail) -> str:
    """Return code or path. UnreadableError when no key of the ring opens it."""
    return keyring.open_sealed(mail.sealed, use=mail.use_of_secret) if mail.good_until else ""


def _absolute(path: str) -> str:
    return f"{settings.BACKOFFICE_BASE_URL.rstrip('/')}{path}" if path else ""


def _body(mail: Mail, secret: str = "") -> str:
    """Return the text; whoever reads it in the outbox gets it without its secret."""
    template = Engine.get_default().get_template(registry.find(mail.template).path)
    left_out = _("(left out here)") if mail.good_until else ""
    values = {
        **mail.context,
        "url": _absolute(mail.context.get("link", "")),
        "secret": secret or left_out,
        "secret_url": _absolute(secret) if secret else left_out,
        "recipient": "" if mail.to_user is None else str(mail.to_user),
        "site_name": installation.company() or _("Backoffice"),
    }
    # Plain text: nothing is escaped.
    return template.render(Context(values, autoescape=False))


def text_of(mail: Mail) -> str:
    """Return the text as its reader gets it, but for a secret; "" where its template is gone."""
    try:
        return _body(mail)
    except (LookupError, TemplateDoesNotExist):
        return ""


def _not_sent(mail: Mail, error: NotSentError) -> None:
    if error.lasting or mail.attempts >= MAX_ATTEMPTS:
        _note(mail, state=_S.FAILED, problem=error.problem)
        return
    wait = FIRST_WAIT * (1 << (mail.attempts - 1))
    _note(mail, state=_S.QUEUED, problem=error.problem, next_try_at=timezone.now() + wait)


def _note(mail: Mail, **values: Any) -> bool:
    """Write what is known; a late answer still counts where the row became unknown meanwhile."""
    mine = Mail.objects.filter(
        pk=mail.pk, attempts=mail.attempts, state__in=[_S.SENDING, _S.UNKNOWN]
    )
    if values["state"] != _S.QUEUED:
        values["sealed"] = ""
    return bool(mine.update(**values))
