"""A list matched with masked values of records tells who has which: it takes what a reveal takes.

The right, a reason and fresh proof before anything is looked up; then every record that was found
counts as one that was looked into, on the record before the rows leave. Whoever is over the caps
learns that something was found: that is counted too (`existence`), and ends after a few times.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, Final

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record, record_each
from backoffice.masking import alarms, allowances, existence
from backoffice.masking.services import (
    OVER_LIMIT,
    REVEALED,
    Reason,
    RevealRefusedError,
    is_over,
)
from backoffice.policy import codename, may, may_many

MATCHED = verbs.register(
    "sheets.matched",
    gettext_lazy("List matched with masked values"),
    personal="searched",
)
_KEYS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody matches a list with a masked field of a model; `facts` say by which join."""

    user: User
    model: type[Model]
    field: str
    reason: Reason
    facts: dict[str, Any]

    def begin(self, *, fresh: bool) -> None:
        """Raise unless they may reveal such a value, say why, and proved lately who they are.

        Raises RevealRefusedError (on the record), ValidationError without a reason.
        """
        self.go_on()
        self.reason.clean()
        if not fresh:
            raise self._refused("not fresh", _("Enter your password first."))

    def go_on(self) -> None:
        """Raise RevealRefusedError unless they may (still) match at all, themselves."""
        decision = may(self.user, codename("reveal", self.model), None)
        if not decision:
            raise self._refused(decision.rule, _("You may not see this."))
        if existence.is_over(self.user):
            raise self._refused(OVER_LIMIT, existence.TOO_OFTEN)

    def spend(self, rows: QuerySet[Any], keys: Sequence[Any]) -> None:
        """Commit an event for each record that was found, if the allowance covers all of them.

        Raises RevealRefusedError (on the record), and RuntimeError inside an open transaction.
        """
        most = allowances.caps()
        if len(keys) > min(most.hour, most.day):
            raise self._over(len(keys))
        parts = batched(keys, _KEYS_AT_ONCE)
        found = [row for part in parts for row in rows.filter(pk__in=part)]
        denied = [one.rule for one in may_many(self.user, "reveal", found).values() if not one]
        if denied:
            self.told()
            raise self._refused(denied[0], _("You may not see this."))
        facts = {**self.facts, "field": self.field, "purpose": self.reason.chosen}
        with transaction.atomic(durable=True):
            allowances.hold(self.user)
            over = is_over(self.user, found)
            if not over:
                record_each(REVEALED, actor=self.user, subjects=found, reason=str(self.reason),
                            context=facts)  # fmt: skip
                alarms.watch(self.user)
        if over:
            raise self._over(len(found))

    def told(self) -> None:
        """Count and record that a refusal tells that there is something."""
        existence.note(self.user, self.model, [self.field])

    def _over(self, found: int) -> RevealRefusedError:
        with transaction.atomic(durable=True):
            allowances.hold(self.user)
            alarms.over_cap(self.user, found)
        self.told()
        text = _("More records were found than your limit of reveals allows. Nothing is shown.")
        return self._refused(OVER_LIMIT, text)

    def _refused(self, rule: str, text: object) -> RevealRefusedError:
        with transaction.atomic(durable=True):
            facts = {**self.facts, "field": self.field, "rule": rule}
            record(MATCHED, actor=self.user, subject=self.model, reason=str(self.reason),
                   outcome=Outcome.REFUSED, context=facts)  # fmt: skip
        return RevealRefusedError(rule, text)


def digest(keys: Sequence[Any]) -> str:
    """Return what tells whether other records are found than before."""
    return hashlib.sha256(" ".join(map(str, keys)).encode()).hexdigest()
