"""A process of its own that decides or executes a request, for tests that race.

`python -m tests.approvals.child approve REQUEST USER` · `… execute REQUEST`. It prints "ready",
waits for a line, acts, and prints what came of it.
"""

import sys

import django

django.setup()

# ruff: noqa: E402 - models need the set-up above
from django.core.exceptions import PermissionDenied, ValidationError

from backoffice.accounts.models import User
from backoffice.approvals import registry, services
from backoffice.approvals.models import ApprovalRequest
from tests.approvals.rules import move_rule


def act(verb: str, request: ApprovalRequest, user: str) -> str:
    """Return the state that the process saw in the end, or how it was refused."""
    try:
        if verb == "execute":
            return services.execute(request).state
        return services.approve(request, actor=User.objects.get(pk=user)).state
    except (PermissionDenied, ValidationError) as error:
        return type(error).__name__


def main() -> None:
    verb, key, *user = sys.argv[1:]
    registry.register(move_rule())
    request = ApprovalRequest.objects.get(pk=key)
    print("ready", flush=True)
    sys.stdin.readline()
    print(act(verb, request, user[0] if user else ""), flush=True)


if __name__ == "__main__":
    main()
