"""Requests that nobody decides or whose job died, and grants, come to an end by themselves."""

from backoffice.approvals import services
from backoffice.jobs import registry
from backoffice.masking.services import end_expired_grants

registry.every(seconds=60, name="approvals.expire")(services.expire_old)
registry.every(seconds=60, name="approvals.strand")(services.fail_stranded)
registry.every(seconds=30, name="masking.end_grants")(end_expired_grants)
