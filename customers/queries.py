"""Shared reads about customers: who stands for whom."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from customers.models import Customer

# A merged one may be merged again with the one that stands for it; longer chains are cut.
_LONGEST_CHAIN = 20


def standing(customer: Customer) -> Customer:
    """Return the customer who stands for this one after merges; itself where it was not merged."""
    for _step in range(_LONGEST_CHAIN):
        if customer.merged_into is None:
            break
        customer = customer.merged_into
    return customer


def standing_keys(rows: QuerySet[Any], most: int) -> list[Any]:
    """Return the keys of who stands for these customers, each once, at most so many.

    As many queries as the longest chain of merges among them has links.
    """
    found = dict(rows.values_list("pk", "merged_into")[:most])
    return list(dict.fromkeys(_ends(found, found)))


def standing_of(keys: Mapping[str, int]) -> dict[str, int]:
    """Return the same words with the keys of who stands for these customers now."""
    rows = Customer.objects.filter(pk__in=keys.values())
    known = dict(rows.values_list("pk", "merged_into"))
    return dict(zip(keys, _ends(keys.values(), known), strict=True))


def standing_numbers(customers: Iterable[Customer]) -> dict[int, str]:
    """Return key -> the number of who stands for them, for those of them who were merged.

    As many queries as the longest chain of merges among them has links, and one.
    """
    merged = {one.pk: one.merged_into_id for one in customers if one.merged_into_id}
    if not merged:
        return {}
    ends = dict(zip(merged, _ends(merged, dict(merged)), strict=True))
    numbers = dict(Customer.objects.filter(pk__in=ends.values()).values_list("pk", "number"))
    return {key: numbers[end] for key, end in ends.items()}


def _ends(keys: Iterable[Any], known: dict[Any, Any]) -> Iterable[Any]:
    for _step in range(_LONGEST_CHAIN):
        missing = {into for into in known.values() if into and into not in known}
        if not missing:
            break
        known |= dict(Customer.objects.filter(pk__in=missing).values_list("pk", "merged_into"))
    for key in list(keys):
        end = key
        while known.get(end):
            end = known[end]
        yield end


def by_number(number: str) -> Customer | None:
    """Return the customer with exactly this number, or who stands for them now."""
    found = Customer.objects.filter(number=number).first()
    return None if found is None else standing(found)
