"""Requests that nobody decides or whose job died, and grants, come to an end by themselves."""

from django.utils.translation import gettext_lazy

from backoffice.approvals import services
from backoffice.jobs import registry
from backoffice.masking.services import end_expired_grants

registry.every(seconds=60, name="approvals.expire", label=gettext_lazy("Let old requests run out"))(
    services.expire_old
)
registry.every(
    seconds=60, name="approvals.strand", label=gettext_lazy("Find executions that broke off")
)(services.fail_stranded)
registry.every(
    seconds=30, name="masking.end_grants", label=gettext_lazy("End grants that ran out")
)(end_expired_grants)
