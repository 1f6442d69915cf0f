"""Requests made up by chance, which must say the same whatever is hidden.

A request is a place of a list, a page or the API, and up to three questions: lookups through any
path to a masked field, orders, words of a search, columns, filters of plain fields; or a search of
the palette, an export, the history of a record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import AdminSite
from django.db import models
from django.test import Client
from hypothesis import strategies as st

from backoffice.site import seller_site, staff_site
from tests.walker.paths import FAR_LOOKUPS, LOOKUPS, masked_paths
from tests.walker.test_oracles import MODEL_OF, lists, stripped
from tests.walker.walk import read

# Words that would tell the two hidden lives apart: whole values, their beginnings, what lies
# between them, and what a database might take for a pattern, a number or a date.
WORDS = (
    "qab@hid.example", "qzb@hid.example", "qab", "qm", "Quen Arlo", "Quf", "+44 7700 900 131",
    "+44 7700 904", "0131", "131", "1990-01-02", "1995-06-15", "1995", "01",
    "1 Quay Street, Reykjavik", "1 Q", "Reykjavik", "GB33QABK20201555917364", "GB33QA",
    "GB33QM", "7364",
    "%", "_", "8", "c", "", "1", "true", "q,z", "1980-01-01,1995-01-01", ".*", "^Q", "•",
    "••••-••-••",
)  # fmt: skip
MORE_LOOKUPS = (
    "__year",
    "__month",
    "__date",
    "__length",
    "__lower",
    "__gte",
    "__iendswith",
    "__ne",
)
PLAIN = (
    "country", "number", "status", "placed_at__year", "id", "created_at__gte", "p", "all", "found",
    "e", "_popup", "_to_field", "limit", "offset", "format", "fields", "page_size",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request; `term` is posted to the palette, `form` to an export."""

    url: str
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = None

    def send(self, client: Client) -> tuple[int, str, str]:
        """Return status, where it leads, and the answer without its noise."""
        if self.form is None:
            answer = read(client.get(self.url, self.query))
        else:
            answer = read(client.post(self.url, self.form, query_params=self.query))
        return answer.status, answer.headers.get("Location", ""), stripped(answer)


def _places(site: AdminSite) -> list[tuple[str, type[models.Model]]]:
    api = [(f"/api/v1/{name}/", model) for name, model in MODEL_OF.items()]
    return [*lists(site), *api]


def questions(model: type[models.Model]) -> st.SearchStrategy[tuple[str, str]]:
    """Return a strategy of (parameter, value) to ask a list of `model`."""
    paths = masked_paths(model) or ["email"]
    word = st.sampled_from(WORDS)
    path = st.sampled_from(paths)
    near = st.sampled_from((*LOOKUPS, *MORE_LOOKUPS))
    far = st.sampled_from((*FAR_LOOKUPS, *MORE_LOOKUPS))
    lookup = path.flatmap(
        lambda name: (far if "__" in name else near).map(lambda ending: name + ending)
    )
    order = st.tuples(
        st.sampled_from(("ordering", "o", "order_by")),
        st.one_of(path, path.map("-{}".format), st.integers(-12, 12).map(str),
                  st.lists(st.integers(-9, 9).map(str), max_size=3).map(".".join)),
    )  # fmt: skip
    search = st.tuples(st.sampled_from(("q", "search", "s", "term", "_facets")), word)
    plain = st.tuples(st.sampled_from(PLAIN), word)
    return st.one_of(st.tuples(lookup, word), order, search, plain)


@st.composite
def requests(draw: st.DrawFn, rows: Sequence[Any], seller: bool = False) -> Asked:  # noqa: FBT001, FBT002
    """Return one request; `rows` are the two customers whose hidden values are swapped.

    To a `seller` the lists of their own site are open, and the API; the rest is staff's.
    """
    if seller:
        url, model = draw(st.sampled_from(_places(seller_site)))
        return Asked(url, dict(draw(st.lists(questions(model), min_size=1, max_size=3))))
    kind = draw(st.sampled_from(("list", "list", "list", "palette", "export", "record", "page")))
    if kind == "palette":
        return Asked("/admin/find/", form={"term": draw(st.sampled_from(WORDS))})
    if kind == "page":
        where = st.sampled_from(("/admin/", "/admin/jobs/", "/admin/imports/"))
        name = st.sampled_from(("period", "until", "person", "currency", "kind", "state"))
        return Asked(draw(where), {draw(name): draw(st.sampled_from(WORDS))})
    if kind == "record":
        row = draw(st.sampled_from(rows))
        ending = draw(st.sampled_from(("change/", "history/", "delete/", "change/?edit=1")))
        return Asked(f"/admin/customers/customer/{row.pk}/{ending}")
    url, model = draw(st.sampled_from(_places(staff_site)))
    query = dict(draw(st.lists(questions(model), min_size=1, max_size=3)))
    if kind == "export":
        form = {"format": draw(st.sampled_from(("csv", "xlsx", "json"))), "reason": "asked"}
        return Asked("/admin/customers/customer/export/", query, form)
    return Asked(url, query)
