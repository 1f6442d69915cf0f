"""The monthly access review: who saw how much personal data and why, looked through and signed.

Korea's standard of measures for the safety of personal data (article 8) asks for a look at the
record of access once a month, and for the reason of every download; article 32 of the GDPR asks to
test regularly whether measures work. The figures come from the record of activity alone. Which
verbs touch personal data, the verbs say themselves (`verbs.register(…, personal=…)`).
"""

import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.audit import verbs
from backoffice.audit.models import AccessReview, Event, Outcome
from backoffice.audit.services import record

# A month is an outlier from this multiple of the person's own median on.
OUTLIER = 2
# Months before the reviewed one that the median is taken over.
BEFORE = 6
_REASONS_SHOWN = 5
# What somebody did, once an event; the records of a file stand beside its own event.
_DEEDS = ("revealed", "searched", "exported", "granted")


@dataclass(slots=True)
class Line:
    """What one person did with personal data in the month; `usual` is None without a past.

    `records` counts distinct records that values were revealed of, `rows` those in files, `in_file`
    those whose clear values left in a file.
    """

    person: int | None
    revealed: int = 0
    records: int = 0
    searched: int = 0
    exported: int = 0
    rows: int = 0
    in_file: int = 0
    granted: int = 0
    refused: int = 0
    usual: float | None = None
    reasons: list[tuple[str, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How often the person looked, searched, exported or gave access."""
        return self.revealed + self.searched + self.exported + self.granted

    @property
    def is_outlier(self) -> bool:
        """Whether it is at least twice what is usual for this very person."""
        return self.usual is not None and self.total >= OUTLIER * self.usual


def month_of(day: dt.date) -> dt.date:
    """Return the first day of the month."""
    return day.replace(day=1)


def following(month: dt.date) -> dt.date:
    """Return the first day of the next month."""
    return month_of(month + dt.timedelta(days=31))


def earlier(month: dt.date, count: int) -> dt.date:
    """Return the first day of the month that lies `count` months before."""
    for _step in range(count):
        month = month_of(month - dt.timedelta(days=1))
    return month


def span(month: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the beginning of the month and of the next one, in the zone in force."""
    ends = (month, following(month))
    first, end = (timezone.make_aware(dt.datetime.combine(day, dt.time())) for day in ends)
    return first, end


def lines(month: dt.date) -> list[Line]:
    """Return a line for each person with personal data in the month, the largest number first.

    Five queries, whatever the number of events.
    """
    found: dict[int | None, Line] = {}
    for person, verb, outcome, count in _counts(*span(month)):
        line = found.setdefault(person, Line(person))
        if outcome != Outcome.DONE:
            line.refused += count
        else:
            name = verbs.personal_kind(verb)
            setattr(line, name, getattr(line, name) + count)
    _add_records(found, month)
    _add_rows(found, month)
    _add_usual(found, month)
    _add_reasons(found, month)
    return sorted(found.values(), key=lambda line: (-line.total, -line.refused, line.person or 0))


def _events(first: dt.datetime, end: dt.datetime, kinds: Iterable[str] = ()) -> Any:
    wanted = verbs.personal(*kinds)
    return Event.objects.filter(verb__in=wanted, at__gte=first, at__lt=end).order_by()


def _counts(first: dt.datetime, end: dt.datetime) -> Any:
    groups = _events(first, end).values_list("actor", "verb", "outcome")
    return groups.annotate(count=Count("pk")).values_list("actor", "verb", "outcome", "count")


def _add_records(found: dict[int | None, Line], month: dt.date) -> None:
    seen = _events(*span(month), ["revealed"]).filter(outcome=Outcome.DONE)
    pairs = seen.values_list("actor", "subject_type", "subject_id").distinct()
    for person, count in Counter(person for person, _kind, _key in pairs).items():
        found[person].records = count


def _add_rows(found: dict[int | None, Line], month: dt.date) -> None:
    files = _events(*span(month), ["exported"]).filter(outcome=Outcome.DONE)
    for person, facts in files.values_list("actor", "context"):
        rows = facts.get("rows", 0)
        found[person].rows += rows if isinstance(rows, int) else 0


def _add_usual(found: dict[int | None, Line], month: dt.date) -> None:
    """Note the median of the months before, from the first one in which the person did anything."""
    begin, end = span(earlier(month, BEFORE))[0], span(month)[0]
    people = [key for key in found if key]
    done = _events(begin, end, _DEEDS).filter(outcome=Outcome.DONE, actor__in=people)
    counts = done.annotate(month=TruncMonth("at")).values_list("actor", "month")
    past: dict[int | None, dict[dt.date, int]] = defaultdict(dict)
    for person, moment, count in counts.annotate(count=Count("pk")):
        past[person][timezone.localtime(moment).date()] = count
    for person, months in past.items():
        first, totals = min(months), []
        while first < month:
            totals.append(months.get(first, 0))
            first = following(first)
        found[person].usual = float(median(totals))


def _add_reasons(found: dict[int | None, Line], month: dt.date) -> None:
    given: dict[int | None, Counter[str]] = defaultdict(Counter)
    typed = _events(*span(month)).exclude(reason_hash="").filter(typed__erased_in=None)
    for person, text, count in typed.values_list("actor", "typed__text").annotate(
        count=Count("pk")
    ):
        given[person][text] += count
    for person, reasons in given.items():
        found[person].reasons = reasons.most_common(_REASONS_SHOWN)


def figures_of(found: Iterable[Line]) -> list[dict[str, Any]]:
    """Return what is signed: the numbers of each person, without the words of reasons.

    Reasons can be erased by right; the signature has to hold all the same. So do those from before
    clear files were counted: no such file, no such figure.
    """
    return [
        {
            key: value
            for key, value in asdict(line).items()
            if key != "reasons" and (key != "in_file" or value)
        }
        for line in sorted(found, key=lambda line: line.person or 0)
    ]


def digest(month: dt.date, numbers: list[dict[str, Any]]) -> str:
    """Return the SHA-256 of the month's figures in hexadecimal."""
    text = json.dumps([month.isoformat(), numbers], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def why_not(month: dt.date, user: Any, people: Iterable[int | None]) -> str:
    """Return why this person cannot sign the month now; "" when they can.

    Nobody signs for themselves alone: where the signer is the only person with figures, somebody
    else has to sign. Where others have figures too, the signer's own line is signed with the rest,
    named in the event and there for everybody to see.
    """
    if not user.has_perm("audit.sign_accessreview"):
        return _("You may not sign access reviews.")
    if following(month) > timezone.localdate():
        return _("The month is not over yet.")
    if AccessReview.objects.filter(month=month).exists():
        return _("This month is signed already.")
    if set(people) == {user.pk}:
        return _("You are the only person in these figures: somebody else has to sign.")
    return ""


def sign(month: dt.date, *, actor: Any, comment: str, seen: str) -> AccessReview:
    """Sign the month's figures, whose hash the person saw as `seen`; return the signature.

    Raises PermissionDenied without "audit.sign_accessreview", ValidationError for a month that is
    not over, signed already or only about the signer, without a comment, and when the figures are
    no longer those that were shown.
    """
    if not actor.has_perm("audit.sign_accessreview"):
        raise PermissionDenied
    if not comment.strip():
        raise ValidationError({"comment": _("Say what you found.")})
    numbers = figures_of(lines(month))
    if reason := why_not(month, actor, (line["person"] for line in numbers)):
        raise ValidationError(reason)
    snapshot = digest(month, numbers)
    if seen != snapshot:
        raise ValidationError(_("The figures changed since you opened this page. Look again."))
    return _signed(month, numbers, snapshot, actor, comment.strip())


def _signed(
    month: dt.date, numbers: list[dict[str, Any]], snapshot: str, actor: Any, comment: str
) -> AccessReview:
    facts = {
        "month": f"{month:%Y-%m}",
        "snapshot": snapshot,
        "people": len(numbers),
        "own_line": any(line["person"] == actor.pk for line in numbers),
    }
    try:
        with transaction.atomic():
            review = AccessReview.objects.create(
                month=month, signed_by=actor, comment=comment, figures=numbers, snapshot=snapshot
            )
            record(verbs.REVIEW_SIGNED, actor=actor, subject=review, reason=comment, context=facts)
    except IntegrityError:
        raise ValidationError(_("This month is signed already.")) from None
    return review


def names(found: Iterable[Line]) -> dict[int, str]:
    """Return key of person -> name."""
    keys = [line.person for line in found if line.person]
    people = get_user_model()._default_manager.in_bulk(keys)
    return {key: str(person) for key, person in people.items()}
