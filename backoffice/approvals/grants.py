"""Access to the masked values of one record is asked for here, and given by somebody else."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.approvals import registry, services, voters
from backoffice.approvals.models import ApprovalRequest
from backoffice.masking import grants
from backoffice.masking.services import give_grant

KIND = "masking.grant"


def ask(record: Model, permission: str, minutes: int, actor: User, reason: str) -> ApprovalRequest:
    """Put a request for access before a second person.

    Raises ValidationError while one of the same person for the same record waits.
    """
    waiting = ApprovalRequest.objects.filter(
        kind=KIND,
        state=ApprovalRequest.State.REQUESTED,
        maker=actor,
        subject_type=record._meta.label_lower,
        subject_id=str(record.pk),
    )
    if waiting.exists():
        raise ValidationError(_("You asked for this already. Somebody else has to decide."))
    payload: dict[str, Any] = {"permission": permission, "minutes": minutes}
    return services.ask(
        KIND,
        subject=record,
        payload=payload,
        summary=_summary(record, minutes),
        reason=reason,
        actor=actor,
    )


def _summary(record: Model, minutes: int) -> str:
    text = _("See personal data of %(kind)s %(record)s for %(minutes)s minutes")
    return text % {
        "kind": record._meta.verbose_name,
        "record": record,
        "minutes": minutes,
    }


def give(request: ApprovalRequest) -> None:
    """Give what was asked for; the minutes count from the approval.

    Whoever agreed has to have the right themselves, so the rule lets no stand-in decide. Raises
    ValidationError when the record is gone.
    """
    record = request.record()
    if record is None or request.decided_by is None:
        raise ValidationError(_("This record is not there any more."))
    give_grant(
        record,
        user=request.maker,
        actor=request.decided_by,
        reason=request.reason,
        minutes=int(request.payload["minutes"]),
        request_id=request.pk,
    )


def effects(request: ApprovalRequest) -> list[registry.Effect]:
    """Return what approvers see: nobody is let in by it but the maker, and not for long."""
    until = _("for %(minutes)s minutes from the approval") % request.payload
    return [
        registry.Effect(
            _("Masked values of this record"), str(_("hidden")), str(_("may be shown"))
        ),
        registry.Effect(_("To whom, how long"), "", f"{request.maker}, {until}"),
    ]


def register() -> None:
    """Put the rule in force, once."""
    registry.register(
        registry.Rule(
            kind=KIND,
            label=_("Access to personal data"),
            permission="masking.give_grant",
            execute=give,
            effects=effects,
            expires=timedelta(hours=8),
            excluded=voters.hosts,
            excluded_label=_("Who invited whoever asks"),
            delegable=False,
        )
    )
    grants.register_asking(ask)
