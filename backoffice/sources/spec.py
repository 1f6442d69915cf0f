"""What is declared: sources, queries, and pages that join them.

    customer_api = RestSource("customer-api", _("Customer API"), base_url=setting("CUSTOMER_API"))

    class Customers(Query):
        source, path, paginate = customer_api, "/customers", LinkHeader("page", "limit")
        id = Text(key=True, filter="id")
        name = Text(mask=masks.name)

    class CustomerOrders(SourcePage):
        rows = Customers
        lookups = {"orders": Lookup(Orders, on=("id", "customer_id"))}
        columns = [Column("id"), Column("name"), Count("orders"), Sum("orders.total")]

A wrong declaration raises SpecError when its module is imported, so that the system does not
start with a page that cannot work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.conf import settings
from django.utils.functional import Promise

from backoffice.http import Bearer, Client, Secret
from backoffice.sources.columns import Column, Shape
from backoffice.sources.fields import Field, SpecError

type Words = str | Promise

MAX_KEYS: Final = 100


def setting(name: str) -> Callable[[], str]:
    """Return a reader of a Django setting, read at each use."""
    return lambda: str(getattr(settings, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingToken:
    """A bearer token that stands in a Django setting."""

    name: str

    def __call__(self) -> Bearer:
        """Return the authorisation with the token's present value."""
        return Bearer(Secret(str(getattr(settings, self.name))))


@dataclass(frozen=True, slots=True)
class RestSource:
    """Another system behind a REST API.

    `name` is its public slug. `timeout` is (connect, read) in seconds, `deadline` the seconds for
    one call with everything. Above `slow_after` milliseconds its state is "slow".
    """

    name: str
    label: Words
    base_url: Callable[[], str]
    auth: Callable[[], Bearer] | None = None
    health_path: str = "/health"
    timeout: tuple[float, float] = (2, 4)
    deadline: float = 4
    max_bytes: int = 4 * 1024 * 1024
    slow_after: int = 1000
    icon: str = "dns"
    allow_loopback: bool = False

    def client(self) -> Client:
        """Return a client with this source's bounds; ValueError for a wrong address."""
        return Client(
            self.base_url(),
            timeout=self.timeout,
            deadline=self.deadline,
            max_bytes=self.max_bytes,
            auth=self.auth() if self.auth else None,
            allow_loopback=self.allow_loopback,
        )


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """Pages by number and size; the next one stands in the Link header (RFC 8288).

    `total` names a header with the count of all rows, where the backend sends one: it is checked
    against what came, since a proxy that drops the Link header would otherwise cut the answer.
    """

    page: str
    size: str
    per_page: int = 100
    total: str = ""


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Pages by number and size; the one that is not full is the last."""

    page: str
    size: str
    per_page: int = 100
    total: str = ""


@dataclass(frozen=True, slots=True)
class SinglePage:
    """No pages: one answer has everything, unless it is full with `per_page` rows."""

    per_page: int = 100


type Paging = LinkHeader | PageNumber | SinglePage


class Query:
    """Rows of one path of one source; the fields are class attributes.

    `rows` is the name under which the list stands in the answer ("" when the answer is the list).
    """

    source: ClassVar[RestSource]
    path: ClassVar[str]
    paginate: ClassVar[Paging]
    rows: ClassVar[str] = ""
    sort_param: ClassVar[str] = ""
    fields: ClassVar[Mapping[str, Field]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        found = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        cls.fields = {name: value.named(name) for name, value in found.items()}
        for name, value in cls.fields.items():
            _check_field(f"{cls.__name__}.{name}", value, cls.sort_param)

    @classmethod
    def key(cls) -> Field:
        """Return the field that names a row; SpecError unless there is exactly one."""
        keys = [value for value in cls.fields.values() if value.key]
        if len(keys) != 1:
            raise SpecError(f"{cls.__name__} needs one field with key=True, and has {len(keys)}")
        return keys[0]

    @classmethod
    def field(cls, name: str) -> Field:
        """Return a field by name; SpecError when there is none."""
        if name not in cls.fields:
            raise SpecError(f"{cls.__name__} has no field {name}")
        return cls.fields[name]


def _check_field(where: str, value: Field, sort_param: str) -> None:
    if value.mask and (value.filter or value.batch or value.sort or value.key):
        raise SpecError(f"{where} is masked: to filter, sort or join by it would tell its value")
    if value.sort and not sort_param:
        raise SpecError(f"{where} sorts, but its query names no sort_param")


@dataclass(frozen=True, slots=True)
class Lookup:
    """Rows of another query that belong to a row of the page: `on` is (ours, theirs)."""

    query: type[Query]
    on: tuple[str, str]
    max_keys: int = MAX_KEYS

    def check(self, rows: type[Query]) -> None:
        """Raise SpecError unless the lookup can be asked for many keys in one call."""
        rows.field(self.on[0])
        if not self.query.field(self.on[1]).batch:
            raise SpecError(f"{self.query.__name__}.{self.on[1]} takes no batch of keys")
        if not 0 < self.max_keys <= MAX_KEYS:
            raise SpecError(f"a lookup asks for 1 to {MAX_KEYS} keys at once")


class SourcePage:
    """A staff page: rows of one query, joined with lookups.

    `budget` is the number of seconds after which the page is shown with what has come.
    """

    slug: ClassVar[str]
    title: ClassVar[Words]
    subtitle: ClassVar[Words] = ""
    label: ClassVar[Words]
    icon: ClassVar[str] = "hub"
    permission: ClassVar[str]
    rows: ClassVar[type[Query]]
    noun: ClassVar[Words] = ""
    lookups: ClassVar[Mapping[str, Lookup]] = {}
    columns: ClassVar[Sequence[Column]]
    per_page: ClassVar[int] = 20
    budget: ClassVar[float] = 6
    order: ClassVar[int] = 60

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.rows.key()
        for lookup in cls.lookups.values():
            lookup.check(cls.rows)
        related = {name: lookup.query.fields for name, lookup in cls.lookups.items()}
        shape = Shape(cls.rows.fields, related)
        for column in cls.columns:
            column.check(shape)

    @classmethod
    def sources(cls) -> list[RestSource]:
        """Return the sources of the page, the one of its rows first."""
        wanted = [cls.rows.source, *(lookup.query.source for lookup in cls.lookups.values())]
        return list(dict.fromkeys(wanted))
