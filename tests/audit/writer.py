"""A process of its own that writes events: `python -m tests.audit.writer USER TIMES`.

It prints "ready", waits for a line, and writes that many events in transactions of one to three
events that commit after different pauses; each fifth transaction is rolled back and done again.
"""

import random
import sys
import time

import django

django.setup()

# ruff: noqa: E402 - models need the set-up above
from django.db import transaction

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record


def write(actor: User, count: int, *, fails: bool) -> None:
    """Write `count` events in one transaction, which may end in a rollback."""
    with transaction.atomic():
        for number in range(count):
            reason = "Asked" if number else ""
            record(verbs.CHANGED, actor=actor, subject=actor, also=[actor], reason=reason)
            time.sleep(random.random() / 100)
        transaction.set_rollback(fails)


def main() -> None:
    actor, left = User.objects.get(pk=int(sys.argv[1])), int(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    turn = 0
    while left:
        count = min(random.randint(1, 3), left)
        write(actor, count, fails=turn % 5 == 4)
        left -= 0 if turn % 5 == 4 else count
        turn += 1
    print("done", flush=True)


if __name__ == "__main__":
    main()
