"""The rows of a file as import-export sees them: one Resource over all, fed one by one."""

import copy
from collections.abc import Sequence
from typing import Any, Final

from django.core.exceptions import (
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    ValidationError,
)
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext as _
from import_export.exceptions import FieldError
from import_export.resources import ModelResource
from import_export.results import RowResult
from tablib import Dataset

from backoffice.audit import history
from backoffice.masking.fields import masked_fields
from backoffice.sheets import withheld
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.problems import Problem
from backoffice.sheets.reading.reader import CellError
from backoffice.sheets.resources import INVALID, REFUSED
from backoffice.sheets.writing import converting, singles, ways
from backoffice.sheets.writing.checking import Batch

# With one of these a Resource may want to see rows that change nothing.
_SEES_ALL: Final = frozenset(
    {
        "skip_row", "save_instance", "do_instance_save", "before_save_instance",
        "after_save_instance", "after_import_row", "import_row", "save_m2m",
    }
)  # fmt: skip
STATUSES: Final = {
    RowResult.IMPORT_TYPE_NEW: Status.NEW,
    RowResult.IMPORT_TYPE_UPDATE: Status.CHANGED,
    RowResult.IMPORT_TYPE_DELETE: Status.CHANGED,
    RowResult.IMPORT_TYPE_SKIP: Status.UNCHANGED,
    RowResult.IMPORT_TYPE_ERROR: Status.FAILED,
    RowResult.IMPORT_TYPE_INVALID: Status.FAILED,
}


def _plain(value: Any) -> Any:
    """Return a cell as import-export's own reader gives it; an error cell is its text."""
    return value.text or f"#{value.code}" if isinstance(value, CellError) else value


class Rows:
    """A Resource over a whole file, fed row by row."""

    def __init__(
        self, form: ResourceFormat, batches: Sequence[Batch], actor: Any, reason: str
    ) -> None:
        self.form, self._actor, self._reason = form, actor, reason
        found = converting.sources(form.resource())
        self.singles = singles.Asked(
            form.model, {key: one.name for key, one in found.items()}, actor
        )
        self.resource: ModelResource = form.resource()
        self._leave_unchanged()
        headers = list(dict.fromkeys(name for one in batches for name in one.cells))
        self.dataset = Dataset(headers=headers)
        self._own = [one.cells.keys() for one in batches for _row in range(one.size)]
        for one in batches:
            columns = [one.cells.get(name) or [None] * one.size for name in headers]
            for row in zip(*columns, strict=True):
                self.dataset.append([_plain(cell) for cell in row])

    def _leave_unchanged(self) -> None:
        """Skip rows that change nothing, unless a method of the Resource may want to see them."""
        # A copy: import-export notes things in the options, which all imports would share.
        self.resource._meta = copy.copy(self.resource._meta)
        if not _SEES_ALL & set(ways.overridden(self.form.resource)):
            self.resource._meta.skip_unchanged = not self.resource._meta.skip_diff
        skips = self.resource.skip_row

        def skip_row(instance: Any, original: Any, *args: Any, **kwargs: Any) -> Any:
            keep_same(instance, original)
            return skips(instance, original, *args, **kwargs)

        self.resource.skip_row = skip_row

    def begin(self, *, dry_run: bool) -> None:
        """Let the Resource look at the whole file, as it does before its own import.

        Raises ReadError when it refuses the file.
        """
        try:
            with transaction.atomic(), history.signing(self._actor, self._reason):
                self.resource.before_import(self.dataset, dry_run=dry_run, user=self._actor)
                transaction.set_rollback(dry_run)
            self.resource._check_import_id_fields(self.dataset.headers)  # noqa: SLF001 - as import_data does
        except (FieldError, ValidationError, ValueError) as error:
            raise ReadError(_("The format refuses the file.")) from error
        loader = self.resource._meta.instance_loader_class
        self.loader = loader(self.resource, self.dataset)

    def one(self, index: int, out: Status | None = None, **kwargs: Any) -> RowResult:
        """Import one row, in a savepoint; one that would become `out` is undone."""
        row = self._row(index)
        kwargs |= {"row_number": index + 1, "using_transactions": True, "user": self._actor}
        try:
            with transaction.atomic():
                result = self.resource.import_row(row, self.loader, **kwargs)
                if STATUSES[result.import_type] == out:
                    self._drop()
                    transaction.set_rollback(True)
                    return result
                if self.resource._meta.use_bulk and result.is_valid():
                    self._flush(self._actor, self._reason)
                if result.errors or result.validation_error:
                    transaction.set_rollback(True)
        except DatabaseError as error:
            result = RowResult()
            result.import_type = RowResult.IMPORT_TYPE_ERROR
            result.errors.append(self.resource.get_error_result_class()(error))
        return result

    def _row(self, index: int) -> dict[str, Any]:
        """Return a row without the columns that other sheets have and its own has not."""
        row = dict(zip(self.dataset.headers, self.dataset[index], strict=True))
        if len(self._own) != len(self.dataset):
            return row  # the Resource added or dropped rows
        return {name: cell for name, cell in row.items() if name in self._own[index] or cell}

    def masked(self, index: int) -> list[Any]:
        """Return the cells of a row that go into masked fields."""
        return self.form.masked_of(self._row(index))

    def _flush(self, actor: Any, reason: str) -> None:
        """Write what the Resource collected to write in bulk, with its history."""
        made, changed = self.resource.create_instances, self.resource.update_instances
        gone, fields = self.resource.delete_instances, self.resource.get_bulk_update_fields()
        try:
            if history.is_tracked(self.form.model):
                history.bulk_create(made, actor=actor, reason=reason)
                history.bulk_update(changed, fields, actor=actor, reason=reason)
                history.delete(gone, actor=actor, reason=reason)
            else:
                self.form.model.objects.bulk_create(made)
                self.form.model.objects.bulk_update(changed, fields)
                self.form.model.objects.filter(pk__in=[one.pk for one in gone]).delete()
        finally:
            self._drop()

    def _drop(self) -> None:
        """Forget what the Resource collected to write in bulk."""
        made = self.resource
        for waiting in (made.create_instances, made.update_instances, made.delete_instances):
            waiting.clear()

    def tells(self, index: int, result: RowResult | None) -> set[str]:
        """Return the masked fields of which a refusal may tell the person that they are taken."""
        if result is None or result.is_valid():
            return set()
        refused = any(isinstance(one.error, IntegrityError) for one in result.errors)
        return self.singles.told(self._row(index), result.validation_error, refused=refused)

    def is_closed(self, index: int) -> bool:
        """Whether a row brings such a value, and the person was told often enough."""
        known = index < len(self.dataset)
        return known and self.singles.are_closed(self._row(index))


def keep_same(instance: Model, original: Model | None) -> None:
    """Give masked fields whose clear value is brought again what they held.

    For import-export a value that was typed is another than one that was stored.
    """
    if original is None or original.pk is None:
        return
    for one in masked_fields(type(instance)):
        before, brought = getattr(original, one.attname), getattr(instance, one.attname)
        if one.get_prep_value(before) == one.get_prep_value(brought):
            setattr(instance, one.attname, before)


def problems_of(
    form: ResourceFormat, result: RowResult, masked: Sequence[Any], sheet: str, row: int
) -> list[Problem]:
    """Return what is wrong with a row, in words that hold none of its `masked` values."""
    found: list[Problem] = []
    if result.validation_error is not None:
        for name, errors in _by_field(result.validation_error):
            stored = withheld.field_of(form.model, name)
            said = [withheld.message(one, stored) for one in errors]
            if any(withheld.holds(one, masked) for one in said):
                said = [str(withheld.NOT_TOLD)]
            params, column = {"message": "; ".join(said)}, form.column_of(name)
            found.append(Problem(INVALID, sheet, row, column, "", params, dataset=form.dataset))
    found += [Problem(_code(one.error), sheet, row, dataset=form.dataset) for one in result.errors]
    return found


def _by_field(error: ValidationError) -> list[tuple[str, list[ValidationError]]]:
    known = getattr(error, "error_dict", None)
    return list(known.items()) if known else [("", error.error_list)]


def _code(error: Exception) -> str:
    if isinstance(error, ObjectDoesNotExist):
        return converting.NO_SUCH
    if isinstance(error, MultipleObjectsReturned):
        return converting.SEVERAL
    return REFUSED if isinstance(error, DatabaseError) else converting.UNREADABLE
