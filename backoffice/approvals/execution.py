"""The job that does what was approved, for rules that take long."""

from typing import Any

from backoffice.approvals import services
from backoffice.approvals.models import ApprovalRequest
from backoffice.jobs import registry
from backoffice.jobs.run import JobError, JobRun


@registry.handler(services.EXECUTE_JOB)
def execute(run: JobRun) -> dict[str, Any]:
    """Execute the request in one transaction with the job's fence: a worker that lost it undoes.

    Raises JobError when it could not be done; the request says why.
    """
    request = ApprovalRequest.objects.get(pk=run.params["request"])
    services.execute(request, before_commit=run.fence)
    if request.state != ApprovalRequest.State.EXECUTED:
        raise JobError(request.outcome or str(request.get_state_display()))
    return {"request": request.pk}
