"""Where personal data lies in approvals: reasons, comments, and what was asked for and seen."""

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals.models import ApprovalRequest, Vote
from backoffice.masking import subjects
from backoffice.masking.subjects import BLANK, CLEAN, TOMBSTONE, Blocker, Group, Place, Rows

_OPEN = (ApprovalRequest.State.REQUESTED, ApprovalRequest.State.APPROVED)
LABEL = "approvals.approvalrequest"


def requests_about(group: Group) -> Rows:
    """Return the requests about the people and about what belongs to them."""
    named = Q(pk__in=[])
    for label, keys in group.own_records().items():
        named |= Q(subject_type=label, subject_id__in=keys)
    return ApprovalRequest.objects.filter(named)


def votes_about(group: Group) -> Rows:
    """Return the votes on those requests."""
    return Vote.objects.filter(request__in=requests_about(group).values("pk"))


def open_requests(group: Group) -> list[Blocker]:
    """Name the requests about the people that wait or are about to be done."""
    text = _("An approval is open: %(summary)s")
    return [
        Blocker(text % {"summary": one.summary}, LABEL, str(one.pk))
        for one in requests_about(group).filter(state__in=_OPEN)
    ]


def register() -> None:
    """Put the places in force."""
    ours = gettext_lazy("A word of ours, a key or a hash")
    subjects.about(LABEL, requests_about)
    subjects.register(
        Place(
            "approvals.requests",
            gettext_lazy("Requests for approval"),
            LABEL,
            rows=requests_about,
            fields={
                "reason": TOMBSTONE,
                "comment": BLANK,
                "summary": CLEAN,
                "outcome": CLEAN,
                "payload": CLEAN,
                "snapshot": CLEAN,
            },
            kept=dict.fromkeys(
                ("kind", "subject_type", "subject_id", "payload_hash", "snapshot_hash",
                 "permission"), ours,
            ),
            everywhere=True,
            private=("permission", "payload_hash", "snapshot_hash"),
        )
    )  # fmt: skip
    subjects.register(
        Place(
            "approvals.votes",
            gettext_lazy("Comments of approvers"),
            "approvals.vote",
            rows=votes_about,
            fields={"comment": BLANK},
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "approvals.delegations",
            gettext_lazy("Reasons of standing in"),
            "approvals.delegation",
            fields={"reason": CLEAN},
            everywhere=True,
        )
    )
    subjects.register_blocker(open_requests)
