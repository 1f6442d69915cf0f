"""A worker's process for one job of an import of `supplies`, that may be killed on its way.

    python -m tests.sheets.crew <job> [before|after <chunk> | anywhere <statement>]

With a moment it kills itself (-9) inside the transaction of that chunk, right after its commit, or
before the given statement that it asks the database for.
"""

import os
import signal
import sys
from itertools import count
from typing import Any

import django


def main() -> None:
    """Run the job."""
    django.setup()
    from backoffice.jobs.run import execute  # noqa: PLC0415 - after django.setup()
    from tests.sheets import supplies  # noqa: PLC0415

    supplies.register()
    job, *moment = sys.argv[1:]
    if moment:
        _die(moment[0], int(moment[1]))
    execute(int(job), worker=f"crew-{os.getpid()}")


def _die(moment: str, chunk: int) -> None:
    if moment == "anywhere":
        _die_before(chunk)
        return
    from backoffice.sheets.writing.engine import Writer  # noqa: PLC0415 - after django.setup()

    name = {"before": "_checkpoint", "after": "_advance"}[moment]
    original = getattr(Writer, name)

    def method(self: Any, *args: Any) -> Any:
        result = original(self, *args)
        if self.job.step >= chunk - (moment == "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(Writer, name, method)


def _die_before(statement: int) -> None:
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    left = count(statement, -1)

    def watched(execute: Any, *args: Any) -> Any:
        if next(left) <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*args)

    connection.execute_wrappers.append(watched)


if __name__ == "__main__":
    main()
