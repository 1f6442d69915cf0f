"""Every address of the system, as the resolver knows it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLResolver, get_resolver, reverse

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)\$?")


@dataclass(frozen=True, order=True)
class Address:
    """One URL pattern.

    `key` is its name with its namespaces ("admin:customers_customer_change"), or its route where
    it has no name. `route` is the whole route as written, `parameters` the names in it.
    """

    key: str
    route: str
    parameters: tuple[str, ...]

    def url(self, values: Mapping[str, Any], urlconf: str | None = None) -> str:
        """Return the URL with these parameters; raises KeyError for one without a value."""
        kwargs = {name: values[name] for name in self.parameters}
        if self.key != self.route:
            return reverse(self.key, kwargs=kwargs, urlconf=urlconf)
        return "/" + _PARAMETER.sub(lambda found: str(kwargs[found[1] or found[2]]), self.route)


def addresses(urlconf: str | None = None) -> list[Address]:
    """Return every URL pattern of a URLconf (None: of the project), sorted."""
    return sorted(set(_below(get_resolver(urlconf), namespaces=(), route="", parameters=())))


def _below(
    node: URLResolver, *, namespaces: tuple[str, ...], route: str, parameters: tuple[str, ...]
) -> Iterator[Address]:
    for child in node.url_patterns:
        here = route + str(child.pattern)
        names = (*parameters, *sorted(child.pattern.regex.groupindex))
        if isinstance(child, URLResolver):
            inside = (*namespaces, child.namespace) if child.namespace else namespaces
            yield from _below(child, namespaces=inside, route=here, parameters=names)
        else:
            key = ":".join((*namespaces, child.name)) if child.name else here
            yield Address(key, here, names)
