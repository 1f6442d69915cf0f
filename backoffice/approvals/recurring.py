"""Requests that nobody decides run out by themselves."""

from backoffice.approvals import services
from backoffice.jobs import registry

registry.every(seconds=60, name="approvals.expire")(services.expire_old)
