"""Requests at the privacy desk, as its tests open them and carry them out."""

from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.jobs import run
from customers.models import Customer, PrivacyCase
from customers.services import privacy


def open_case(customer: Customer, kind: str, actor: User, note: str = "by letter") -> PrivacyCase:
    """Open a request that came today."""
    asked = privacy.Asked(PrivacyCase.Ground.ASKED, note, timezone.localdate())
    return privacy.open_case(customer, kind, asked, actor=actor)


def carried_out(case: PrivacyCase) -> PrivacyCase:
    """Run the job of a request that was approved; return the request as it is then."""
    case.refresh_from_db()
    assert case.job is not None
    run.execute(case.job.pk)
    case.refresh_from_db()
    return case


def done(case: PrivacyCase, asker: User, approver: User) -> PrivacyCase:
    """Let the one ask, the other agree, and the job run."""
    request = privacy.ask(case, actor=asker, reason="by letter")
    approvals.approve(request, actor=approver)
    return carried_out(case)
