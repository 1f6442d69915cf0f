"""A process of its own that erases a customer slowly, for the test that kills it.

`python -m tests.customers.privacy_child JOB PLACE`: runs the job, and once it is about to erase
the second batch of PLACE prints "there" and waits to be killed. With "-" it runs to the end.
"""

import sys
import time

import django

django.setup()

# ruff: noqa: E402 - models need the set-up above
from backoffice.jobs import run
from backoffice.masking import erasing
from backoffice.masking.erasing import Erasure, Step
from backoffice.masking.subjects import Place

JOB, PLACE = int(sys.argv[1]), sys.argv[2]
_step = erasing.step


def slow(place: Place, erasure: Erasure, after: object = None, limit: int = 2) -> Step:
    """Erase two rows a batch; stop inside the transaction of the named place."""
    done = _step(place, erasure, after, limit)
    if place.name == PLACE:
        print("there", flush=True)
        time.sleep(120)
    return done


if __name__ == "__main__":
    erasing.step = slow
    run.execute(JOB)
    print("done", flush=True)
