"""Where personal data of customers lies in this app, and who else is the same person."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import history
from backoffice.masking import subjects
from backoffice.masking.erasing import Erasure, Step, blank, write
from backoffice.masking.fields import masked_fields
from backoffice.masking.subjects import BLANK, Blocker, Group, Place, Rows
from backoffice.masking.values import Sealed
from customers.models import Customer, CustomerMerge, PrivacyCase

LABEL = "customers.customer"
_CASE = "customers.privacycase"
_MERGE = "customers.customermerge"
_NUMBER = gettext_lazy(
    "A public number: documents that have to be kept name it, and it tells nothing of the person. "
    "A number that is an e-mail address, a phone number or a name is replaced"
)
_WORDS = gettext_lazy("A word of ours, keys, counts or a hash")
# One that was only noted counts too: whoever asked for their data must not be erased before.
_OPEN = (PrivacyCase.State.OPEN, PrivacyCase.State.WAITING, PrivacyCase.State.RUNNING)


def person(customer: Customer) -> Group:
    """Return the customer with every row that was merged with it: the same person."""
    top = customer
    while top.merged_into is not None:
        top = top.merged_into
    keys = [top.pk]
    while more := list(
        Customer.objects.filter(merged_into__in=keys)
        .exclude(pk__in=keys)
        .values_list("pk", flat=True)
    ):
        keys += more
    return Group(LABEL, sorted(keys))


def replace_numbers(_place: Place, erasure: Erasure, _after: Any, _limit: int) -> Step:
    """Replace the numbers that tell of the person, in the row and in its history."""
    changed = 0
    for key, number in erasure.group.rows(LABEL).order_by("pk").values_list("pk", "number"):
        new = f"erased-{key}"
        past = Customer.history.filter(id=key)
        told = [old for old in {number, *past.values_list("number", flat=True)}
                if old != new and _tells(old, erasure)]  # fmt: skip
        if number in told:
            with history.recorded():
                Customer.objects.filter(pk=key).update(number=new)
                history.write(Customer, [key], "~", actor=erasure.actor, reason=erasure.reason)
        changed += past.filter(number__in=told).update(number=new) + (number in told)
    return Step(changed)


def _tells(number: str, erasure: Erasure) -> bool:
    return "@" in number or erasure.group.mentions.find(number)


def clear_taken(place: Place, erasure: Erasure, _after: Any, _limit: int) -> Step:
    """Empty what other customers' history holds of the people by a merge that was undone."""
    mine = _values(erasure.group)
    masked = {column.name for column in masked_fields(place.table())}
    changes = {}
    for other, taken in sorted(_takers(erasure.group).items()):
        names = sorted(taken & masked)
        rows = Customer.history.filter(id=other).order_by("pk")
        for key, *values in rows.values_list("pk", *names):
            held = [name for name, value in zip(names, values, strict=True) if value in mine]
            changes[key] = {name: blank(place, name) for name in held}
    return Step(write(place, changes, erasure))


def _takers(group: Group) -> dict[int, set[str]]:
    """Return customer -> fields that a merge took over from the people, and that was undone.

    One that was rejected wrote nothing. What one took another may have taken from it.
    """
    mine = set(group.keys(LABEL))
    undone = CustomerMerge.objects.filter(state=CustomerMerge.State.UNDONE)
    found: dict[int, set[str]] = {}
    sources = mine
    while sources:
        pairs = list(undone.filter(gone__in=sources).values_list("kept", "taken"))
        sources = {kept for kept, _taken in pairs} - mine - found.keys()
        for kept, taken in pairs:
            if kept not in mine:
                found.setdefault(kept, set()).update(taken)
    return found


class _Held:
    """The masked values of people; a sealed value is in it when it hides the same."""

    def __init__(self, values: list[Sealed]) -> None:
        self._values: dict[str, list[Sealed]] = {}
        for value in values:
            self._values.setdefault(str(value), []).append(value)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Sealed) and value in self._values.get(str(value), [])


def _values(group: Group) -> _Held:
    names = [column.name for column in masked_fields(Customer)]
    rows = [*group.rows(LABEL).values_list(*names), *group.past(LABEL).values_list(*names)]
    return _Held([value for row in rows for value in row if isinstance(value, Sealed)])


def open_cases(group: Group) -> Iterator[Blocker]:
    """Name what the privacy desk does with the person now."""
    text = _("The privacy desk is at work: %(case)s, %(kind)s")
    for case in PrivacyCase.objects.filter(customer__in=group.keys(LABEL), state__in=_OPEN):
        words = {"case": case, "kind": case.get_kind_display()}
        yield Blocker(text % words, _CASE, str(case.pk))


def _cases(keys: list[Any]) -> Rows:
    return PrivacyCase.objects.filter(customer__in=keys)


def _merges(keys: list[Any]) -> Rows:
    return CustomerMerge.objects.filter(Q(kept__in=keys) | Q(gone__in=keys))


def register() -> None:
    """Say that customers are people, and put the places in force."""
    subjects.announce(LABEL)
    subjects.reserve(lambda: PrivacyCase.Ground.labels)
    subjects.belongs(_CASE, LABEL, _cases)
    subjects.belongs(_MERGE, LABEL, _merges)
    subjects.register(
        Place(
            "customers.cases",
            gettext_lazy("Notes of the privacy desk"),
            _CASE,
            rows=lambda group: group.rows(_CASE),
            fields={"note": BLANK},
            kept=dict.fromkeys(("terms", "receipt", "digest"), _WORDS),
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "customers.merges",
            gettext_lazy("Merges"),
            _MERGE,
            rows=lambda group: group.rows(_MERGE),
            kept=dict.fromkeys(("taken", "moved", "stayed"), _WORDS),
        )
    )
    _register_customers()
    subjects.register_blocker(open_cases)


def _register_customers() -> None:
    past = Customer.history.model._meta.label_lower
    label = gettext_lazy("The customer")
    for name, text, model, step in (
        ("customers.taken", gettext_lazy("Values in a merged customer's history"), past,
         clear_taken),
        ("customers.numbers", gettext_lazy("Numbers that tell of the person"), LABEL,
         replace_numbers),
    ):  # fmt: skip
        subjects.register(Place(name, text, model, step=step))
    subjects.with_past(
        Place(
            "customers.customer",
            label,
            LABEL,
            rows=lambda group: group.rows(LABEL),
            fields={"country": BLANK},
            kept={"number": _NUMBER},
            source=True,
        )
    )
