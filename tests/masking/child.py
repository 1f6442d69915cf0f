"""A process of its own on the tables of the test models.

`python -m tests.masking.child write SPELLING`: says "ready", waits for a line, writes every one of
forty values that is not taken, says how many it wrote. `… rotate SECONDS`: brings the logins to the
newest keys, two rows at a time, resting before each batch is committed. The keys come as BACKOFFICE
settings in the environment.
"""

import sys
import time

import django

django.setup()

# ruff: noqa: E402 - models need the set-up above; the parent reads what is said
from django.db import IntegrityError, transaction
from django.db.backends.utils import CursorWrapper

from backoffice.masking import rotation
from tests.masking.models import Login

VALUES = 40


def write(spelling: str) -> int:
    """Write each value in our own spelling, unless somebody has it; return how many."""
    done = 0
    for number in range(VALUES):
        address = f"person{number}@b.example"
        try:
            with transaction.atomic():
                Login.objects.create(email=getattr(address, spelling)())
        except IntegrityError:
            continue
        done += 1
    return done


def slow(rest: float) -> None:
    """Rest between writing a batch and committing it."""
    original = CursorWrapper.executemany

    def executemany(self: CursorWrapper, *args: object) -> object:
        result = original(self, *args)  # type: ignore[arg-type]
        print("batch", flush=True)
        time.sleep(rest)
        return result

    CursorWrapper.executemany = executemany  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    verb, argument = sys.argv[1:]
    if verb == "write":
        Login.objects.exists()
        print("ready", flush=True)
        sys.stdin.readline()
        print(write(argument), flush=True)
    else:
        slow(float(argument))
        rotation._models = lambda: [Login]
        print(rotation.rotate(batch=2), flush=True)
