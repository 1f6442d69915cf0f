"""What a chunk of values would change: found by one look at the database, nothing is written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets import withheld
from backoffice.sheets.models import Status
from backoffice.sheets.resources import INVALID
from backoffice.sheets.writing import closed, ways
from backoffice.sheets.writing.converting import UNREADABLE, Bad

if TYPE_CHECKING:
    from backoffice.sheets.writing.checking import Batch, Check

_STUMBLES: Final = (
    ArithmeticError, AttributeError, LookupError, ObjectDoesNotExist, TypeError, ValueError,
)  # fmt: skip

type Found = dict[int, tuple[Status, Any]]
type Key = tuple[Any, ...]


def is_closed(stored: Any) -> bool:
    """Whether the field's values are kept from whoever imports."""
    return isinstance(stored, MaskedMixin)


def compare(check: "Check", batch: "Batch") -> Found:
    """Return index -> what becomes of it, and the key of its row, for the rows without a problem.

    What the model refuses of a whole record is noted in the batch.
    """
    columns = stored_columns(check, batch)
    if check.form.verdict.way == ways.Way.FAST:
        found = _by_values(check, batch, columns)
    else:
        found = _by_objects(check, batch, columns)
    _require(check, batch, found)
    return found


def stored_columns(check: "Check", batch: "Batch") -> dict[str, list[Any]]:
    """Return attribute of the model -> what its column would hold; references are resolved."""
    result: dict[str, list[Any]] = {}
    for source in check.sources.values():
        if source.name not in batch.values:
            continue
        values = batch.values[source.name]
        if source.is_reference:
            known = source.resolve(values)
            values = [None if isinstance(known[one], Bad) else known[one] for one in values]
        result[source.stored.attname] = values
    return result


def _keys(check: "Check", columns: dict[str, list[Any]]) -> list[Key]:
    names = [one.attname for one in check.keys]
    return list(zip(*(columns[name] for name in names), strict=True))


def _by_values(check: "Check", batch: "Batch", columns: dict[str, list[Any]]) -> Found:
    good = batch.good()
    if not check.has_rows:
        return dict.fromkeys(good, (Status.NEW, None))
    keys = _keys(check, columns)
    own = [one.attname for one in check.keys]
    names = [name for name in columns if name not in own]
    wanted = {keys[index][0] for index in good}
    rows = check.resource.get_queryset().filter(**{f"{own[0]}__in": wanted}).order_by()
    split = len(own) + 1
    present = {row[1:split]: row for row in rows.values_list("pk", *own, *names)}
    found: Found = {}
    for index in good:
        row = present.get(keys[index])
        if row is None:
            found[index] = Status.NEW, None
            continue
        new = tuple(columns[name][index] for name in names)
        found[index] = (Status.UNCHANGED if row[split:] == new else Status.CHANGED), row[0]
    return found


def _by_objects(check: "Check", batch: "Batch", columns: dict[str, list[Any]]) -> Found:
    good, keys = batch.good(), _keys(check, columns)
    present = objects(check.resource, check.keys, [keys[index] for index in good])
    found: Found = {}
    for index in good:
        values = {name: column[index] for name, column in columns.items()}
        rows = present.get(keys[index], [])
        if len(rows) > 1:
            check.refuse_row(batch, index, Bad("several-records"), check.keys[0].name)
            continue
        instance = rows[0] if rows else check.form.model()
        changed, bad = assign(instance, values, is_new=not rows)
        hidden = closed.brought(check.closed, values) if rows else set()
        lacking = next(iter(check.lacking(batch).items()), None) if not rows else None
        # Refused or not, whether a hidden value is another one: so the answer tells nothing of it.
        bad = bad or lacking
        if bad is None and (changed or hidden or not rows):
            bad = refused(instance)
        if bad is not None:
            check.refuse_row(batch, index, bad[1], bad[0])
        elif not rows:
            found[index] = Status.NEW, None
        else:
            found[index] = closed.status(changed, hidden), rows[0].pk
    return found


def objects(resource: Any, keys: Sequence[Any], wanted: Sequence[Key]) -> dict[Key, list[Model]]:
    """Return natural key -> the rows that have it."""
    names = [one.attname for one in keys]
    first = {key[0] for key in wanted if key[0] is not None}
    result: dict[Key, list[Model]] = {}
    if first:
        for row in resource.get_queryset().filter(**{f"{names[0]}__in": first}):
            result.setdefault(tuple(getattr(row, name) for name in names), []).append(row)
    return result


def assign(
    instance: Model, values: dict[str, Any], *, is_new: bool
) -> tuple[list[str], tuple[str, Bad] | None]:
    """Set the values; return the attributes that changed, or the field and what is wrong.

    A mask that comes back where it was shown changes nothing; another one is refused.
    """
    changed: list[str] = []
    for name, value in values.items():
        if is_new and value is None and name == instance._meta.pk.attname:
            continue
        before = getattr(instance, name)
        stored = instance._meta.get_field(name)
        if isinstance(stored, MaskedMixin) and stored.is_mask(value):
            if str(before) != value:
                message = str(stored.error_messages["masked"])
                return changed, (stored.name, Bad(INVALID, (("message", message),)))
            continue
        setattr(instance, name, value)
        if _is_other(stored, before, getattr(instance, name)):
            changed.append(name)
    return changed, None


def _is_other(stored: Any, before: Any, now: Any) -> bool:
    """Whether another value would be stored; of masked fields the clear values decide.

    Behind the mask a typed value never equals a stored one, and then the same file would change
    every row again.
    """
    if isinstance(stored, MaskedMixin):
        return bool(stored.get_prep_value(before) != stored.get_prep_value(now))
    return bool(before != now)


def refused(instance: Model) -> tuple[str, Bad] | None:
    """Return the field and what the model's own `clean` says of the whole record."""
    own = type(instance)
    try:
        if own.clean_fields is not Model.clean_fields:
            instance.clean_fields(exclude={one.name for one in own._meta.fields if one.is_relation})
        instance.clean()
    except ValidationError as error:
        name, message = withheld.first_error(error, own)
        return name, Bad(INVALID, (("message", message),))
    except _STUMBLES:
        # As in import-export: of a record that lacks what `clean` looks at, this row alone is out.
        return own._meta.pk.name, Bad(UNREADABLE)
    return None


def _require(check: "Check", batch: "Batch", found: Found) -> None:
    """Refuse new records that lack what the model needs and no column brings."""
    lacking = check.lacking(batch)
    if not lacking:
        return
    name, bad = next(iter(lacking.items()))
    for index, (status, _pk) in list(found.items()):
        if status == Status.NEW:
            check.refuse_row(batch, index, bad, name)
            del found[index]


def lacking(model: type[Model], brought: set[str]) -> dict[str, Bad]:
    """Return field -> what is wrong with its default, for what a new record needs beside these."""
    made, found = model(), dict[str, Bad]()
    for one in model._meta.concrete_fields:
        if one.name in brought or one.primary_key or one.blank or one.has_db_default():
            continue
        if getattr(one, "auto_now", False) or getattr(one, "auto_now_add", False):
            continue
        try:
            one.clean(getattr(made, one.attname), made)
        except ValidationError as error:
            text = f"{one.verbose_name}: {withheld.message(error, one)}"
            found[one.name] = Bad(INVALID, (("message", text),))
    return found
