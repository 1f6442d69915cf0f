"""The job of the soak: steps of some milliseconds, each a row, a tally and a checkpoint."""

import random
import time
from typing import Any

from django.db.models import F

from backoffice.jobs import registry
from backoffice.jobs.run import JobRun
from tests.soak.models import Effect, Tally

KIND = "soak.count"
_LONGEST_STEP = 0.04


@registry.handler(KIND)
def count(run: JobRun) -> dict[str, Any]:
    """Do the steps that no try before did."""
    steps = run.params["steps"]
    for step in range(run.checkpoint.get("next", 0), steps):
        with run.effect() as checkpoint:
            Effect.objects.create(job_id=run.job.pk, step=step, attempt=run.job.attempt)
            Tally.objects.filter(pk=1).update(value=F("value") + 1)
            checkpoint["next"] = step + 1
        run.progress(step + 1, steps)
        time.sleep(random.random() * _LONGEST_STEP)
    return {"steps": steps}
