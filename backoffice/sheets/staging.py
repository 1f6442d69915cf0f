"""Records as the check read them: kept in parts, sealed by the key of the import's file.

A part holds some 2,000 records of one data set as columns. What becomes of each is a letter beside
the sealed body, so that counts and the place of a page need no body at all:

    totals(job)["customers"][Status.NEW]
    page(job, "customers", [Status.CHANGED], start=0, size=50)
"""

import json
import os
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from backoffice.files import sealing
from backoffice.sheets.models import ImportJob, StagedPart, Status

SIZE: Final = 2000
"""Records a part."""
_NONCE: Final = 12
_PURPOSE: Final = "staged records"

# The kinds of values that JSON does not know: how they are written, and how they are read.
_CODECS: Final[dict[type, tuple[str, Any, Any]]] = {
    Decimal: ("decimal", str, Decimal),
    datetime: ("moment", str, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    time: ("time", time.isoformat, time.fromisoformat),
    UUID: ("uuid", str, UUID),
}
_READERS: Final = {kind: read for kind, _write, read in _CODECS.values()}
_PLAIN: Final = {str, int, float, bool, type(None)}
_MIXED: Final = "mixed"


@dataclass(frozen=True, slots=True)
class Staged:
    """One record of the file, with `values` by field name of the model as the run writes them.

    `pk` is that of the row that it changes or leaves alone; None where there is none.
    """

    dataset: str
    number: int
    """Its place in the data set, from 0."""
    sheet: str
    row: int
    status: Status
    values: dict[str, Any]
    pk: int | str | None = None


@dataclass(slots=True)
class Part:
    """The records of one part as columns, each as long as `rows`.

    `raw` holds the cells by header for what is written by a Resource's own row methods.
    """

    dataset: str
    number: int
    first: int
    sheets: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    statuses: str = ""
    pks: list[Any] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    raw: dict[str, list[Any]] = field(default_factory=dict)

    def record(self, index: int) -> Staged:
        """Return one record, by its place in this part."""
        return Staged(
            self.dataset,
            self.first + index,
            self.sheets[index],
            self.rows[index],
            Status(self.statuses[index]),
            {name: values[index] for name, values in self.columns.items()},
            self.pks[index],
        )


def forget(job: ImportJob) -> None:
    """Delete what is staged: a new check begins, or the file goes."""
    job.parts.all().delete()


def put(job: ImportJob, part: Part) -> None:
    """Keep a part; a second one in its place is an error of the database."""
    StagedPart.objects.create(
        import_job=job,
        dataset=part.dataset,
        number=part.number,
        records=len(part.statuses),
        statuses=part.statuses,
        body=_sealed(job, part),
    )


def totals(job: ImportJob) -> dict[str, dict[Status, int]]:
    """Return data set -> status -> how many records, in the order in which they were staged."""
    result: dict[str, Counter[str]] = {}
    parts = job.parts.order_by("pk").values_list("dataset", "statuses")
    for dataset, statuses in parts.iterator():
        result.setdefault(dataset, Counter()).update(statuses)
    return {
        dataset: {status: counts[status.value] for status in Status}
        for dataset, counts in result.items()
    }


def page(
    job: ImportJob, dataset: str, statuses: Collection[Status], start: int, size: int
) -> list[Staged]:
    """Return `size` records of these statuses from the `start`-th of them on.

    Raises sealing.DamagedError for a body that is not as it was kept.
    """
    letters = {status.value for status in statuses}
    result: list[Staged] = []
    skip = start
    for number, stored in _of(job, dataset).values_list("number", "statuses"):
        count = sum(stored.count(letter) for letter in letters)
        if count <= skip:
            skip -= count
            continue
        part = load(job, dataset, number)
        places = [index for index, letter in enumerate(stored) if letter in letters]
        result += [part.record(index) for index in places[skip : skip + size - len(result)]]
        skip = 0
        if len(result) == size:
            break
    return result


def parts(
    job: ImportJob, dataset: str, first: int = 0, *, only: Collection[str] | None = None
) -> Iterator[Part]:
    """Yield the parts of a data set from the one numbered `first` on; `only` these columns."""
    numbers = _of(job, dataset).filter(number__gte=first).values_list("number", flat=True)
    for number in list(numbers):
        yield load(job, dataset, number, only=only)


def load(
    job: ImportJob,
    dataset: str,
    number: int,
    *,
    decoded: bool = True,
    only: Collection[str] | None = None,
) -> Part:
    """Return one part; `decoded=False` leaves what JSON does not know as it was written.

    `only` names the columns that are wanted; all of them without it.

    Raises StagedPart.DoesNotExist, sealing.DamagedError.
    """
    stored = _of(job, dataset).get(number=number)
    body = _opened(job, stored)
    read = _decoded if decoded else _texts
    return Part(
        dataset,
        number,
        body["first"],
        [body["names"][index] for index in body["sheets"]],
        body["rows"],
        stored.statuses,
        body["pks"] or [None] * stored.records,
        {
            name: read(column)
            for name, column in body["columns"].items()
            if only is None or name in only
        },
        {} if only is not None else {name: read(one) for name, one in body["raw"].items()},
    )


def _of(job: ImportJob, dataset: str) -> Any:
    return job.parts.filter(dataset=dataset).order_by("number")


def _sealed(job: ImportJob, part: Part) -> bytes:
    names = list(dict.fromkeys(part.sheets))
    places = {name: index for index, name in enumerate(names)}
    body = {
        "first": part.first,
        "names": names,
        "sheets": [places[name] for name in part.sheets],
        "rows": part.rows,
        "pks": _plain_keys(part.pks),
        "columns": {name: _encoded(values) for name, values in part.columns.items()},
        "raw": {name: _encoded(values) for name, values in part.raw.items()},
    }
    clear = zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 1)
    nonce = os.urandom(_NONCE)
    cipher = sealing.derived(job.sealed_key, job.use, _PURPOSE)
    return nonce + cipher.encrypt(nonce, clear, _bound(part.dataset, part.number))


def _opened(job: ImportJob, stored: StagedPart) -> dict[str, Any]:
    cipher = sealing.derived(job.sealed_key, job.use, _PURPOSE)
    data = bytes(stored.body)
    try:
        bound = _bound(stored.dataset, stored.number)
        clear = cipher.decrypt(data[:_NONCE], data[_NONCE:], bound)
    except InvalidTag:
        raise sealing.DamagedError from None
    body: dict[str, Any] = json.loads(zlib.decompress(clear))
    return body


def _bound(dataset: str, number: int) -> bytes:
    return f"{dataset}:{number}".encode()


def _plain_keys(pks: Sequence[Any]) -> list[Any]:
    """Return the keys as JSON takes them; an empty list where all are None."""
    if all(pk is None for pk in pks):
        return []
    return [pk if isinstance(pk, int | str | None) else str(pk) for pk in pks]


def _encoded(values: list[Any]) -> list[Any]:
    """Return [kind, values]; the kind says how all of them are read back."""
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return ["", values]
    (*others,) = kinds - {type(None)}
    if len(others) == 1 and others[0] in _CODECS:
        kind, write, _read = _CODECS[others[0]]
        return [kind, [None if value is None else write(value) for value in values]]
    return [_MIXED, [_one(value) for value in values]]


def _one(value: Any) -> Any:
    """Return a value of a column that holds several kinds: plain, or [kind, text]."""
    if type(value) in _PLAIN:
        return value
    if type(value) in _CODECS:
        kind, write, _read = _CODECS[type(value)]
        return [kind, write(value)]
    if isinstance(value, list | dict):
        return ["json", value]
    return ["", str(value)]


def _decoded(column: list[Any]) -> list[Any]:
    kind, values = column
    if kind == _MIXED:
        return [_back(value) for value in values]
    read = _READERS.get(kind)
    return [None if one is None else read(one) for one in values] if read else values


def _back(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, text = value
    return _READERS[kind](text) if kind in _READERS else text


def _texts(column: list[Any]) -> list[Any]:
    return _decoded(column) if column[0] == _MIXED else list(column[1])
