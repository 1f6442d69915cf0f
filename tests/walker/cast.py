"""Who walks in the suite, and who besides when all of it is asked for: `make soak-walk`.

Roles differ by what they open. In the suite those walk alone who differ most: nobody, somebody
without a role, a seller. The others walk as a relay: each goes where those before them were
refused, so that every page is opened by somebody, and by support wherever it may.
"""

import os
from collections.abc import Sequence

WHOLE = os.environ.get("BACKOFFICE_WHOLE") == "1"
NOBODY = "nobody"
STAFF = ("ann", "eve", "max", "oli", "kim", "ada", "nia", "pia", "gus")
SELLERS = ("sol", "sam")
ALONE = (NOBODY, "gus", "sol")
# Support first, whom masks are made for; then the owner, who opens most; only ann may reveal.
RELAY = ("eve", "kim", "ann", "oli", "max", "ada", "pia", "nia")


def of_suite[T](some: Sequence[T], others: Sequence[T]) -> tuple[T, ...]:
    """Return `some`, and `others` too when the whole is asked for."""
    return (*some, *others) if WHOLE else tuple(some)
