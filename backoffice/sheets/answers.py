"""What a person says about an upload before it is checked: sheets, headers, columns, profile."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.sheets import cells, formats, layouts, mapping, profiles, tenants, transforms
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob, ImportProfile
from backoffice.sheets.problems import wrong_cell
from backoffice.sheets.reading import heads, looking
from backoffice.sheets.reading.dialects import Dialect
from backoffice.sheets.reading.reader import Outline, RawRow

LONGEST_CONSTANT: Final = 200
_READ: Final = ("sheets", "chosen", "mapping", "format", "profile", "mode", "whole")
HeaderPlace = tuple[int, int]
"""The number of the last row of a header, and how many rows make it."""


class StateError(Exception):
    """The import is not where this can be done; `str()` of it is for the person."""


def may_import(user: User, form: Format, tenant: str = "") -> bool:
    """Whether the person has the rights that the format asks for, for the rows of `tenant`."""
    if form.for_tenants != bool(tenant):
        return False
    return may_upload(user, tenant) and user.has_perms(form.permissions)


def may_upload(user: User, tenant: str = "") -> bool:
    """Whether the person may bring files in: as staff, or for the tenant that they work for."""
    if tenant:
        return tenants.of(user) == tenant
    return user.has_perm("sheets.add_importjob")


def open_formats(user: User, tenant: str = "") -> list[Format]:
    """Return the formats that the person may import."""
    return [form for form in formats.everything() if may_import(user, form, tenant)]


def owns(job: ImportJob, actor: User) -> bool:
    """Whether the import is the person's own and they may import."""
    return job.owner_id == actor.pk and may_upload(actor, job.tenant)


def must_own(job: ImportJob, actor: User) -> None:
    """Raise PermissionDenied unless the import is the person's own and they may import.

    Also while somebody acts for them: the worker writes in one name, not in two.
    """
    acting.refuse()
    if not owns(job, actor):
        raise PermissionDenied


def change(job: ImportJob, **values: Any) -> None:
    """Change what is to be imported; a check that was made before is void. Raises StateError."""
    open_states = [ImportJob.State.UPLOADED, ImportJob.State.CHECKED]
    values = {**values, "state": ImportJob.State.UPLOADED}
    if not ImportJob.objects.filter(pk=job.pk, state__in=open_states, step=0).update(**values):
        raise StateError(_("This import has been started; upload the file again."))
    job.refresh_from_db()


def choose(
    job: ImportJob,
    sheets: Sequence[str],
    *,
    actor: User,
    headers: Mapping[str, HeaderPlace] | None = None,
) -> None:
    """Choose the sheets to import, and say where their headers are.

    A sheet whose header is elsewhere than before gets a new proposal. Raises StateError, and
    ValueError for an unknown or no sheet, or a header that is not among the first rows.
    """
    must_own(job, actor)
    known = [one["name"] for one in job.sheets]
    if not sheets or not set(sheets) <= set(known):
        raise ValueError(_("Choose at least one sheet."))
    chosen = [name for name in known if name in sheets]
    described, maps = _with_headers(job, headers or {}, chosen)
    change(job, chosen=chosen, sheets=described, mapping=maps)


def say_headers(job: ImportJob, headers: Mapping[str, HeaderPlace], *, actor: User) -> None:
    """Say where headers are. Raises as `choose` does."""
    must_own(job, actor)
    described, maps = _with_headers(job, headers, headers)
    change(job, sheets=described, mapping=maps)


def use_format(job: ImportJob, form: Format, *, actor: User) -> None:
    """Read the file as another format: columns are found anew below the headers as they are.

    Raises PermissionDenied, StateError.
    """
    must_own(job, actor)
    if not may_import(actor, form, job.tenant):
        raise PermissionDenied
    first = heads.rows(job)
    maps = {
        one["name"]: _proposed(form, first.get(one["name"], []), _place(one)).as_json()
        for one in job.sheets
        if one["recognised"]
    }
    change(job, format=form.key, mapping=maps, profile=None)


def _with_headers(
    job: ImportJob, headers: Mapping[str, HeaderPlace], said: Container[str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    first = heads.rows(job)
    described, maps = [], dict(job.mapping)
    for one in job.sheets:
        place = headers.get(one["name"])
        settled = place == _place(one) and one["recognised"]
        if place is None or settled or one["name"] not in said:
            described.append(one)
            continue
        rows = first.get(one["name"], [])
        _check_place(place, rows)
        described.append(_headed(one, rows, place))
        maps[one["name"]] = _proposed(form_of(job), rows, place).as_json()
    return described, maps


def _place(described: Mapping[str, Any]) -> HeaderPlace:
    return described["header_row"], described.get("header_rows", 1)


def _check_place(place: HeaderPlace, rows: Sequence[RawRow]) -> None:
    number, count = place
    if not 1 <= count <= mapping.MOST_JOINED or count > number:
        raise ValueError(_("A header has one to %s rows.") % mapping.MOST_JOINED)
    if number not in {row.number for row in rows}:
        raise ValueError(_("The header is one of the first filled rows of the sheet."))


def _headed(one: Mapping[str, Any], rows: Sequence[RawRow], place: HeaderPlace) -> dict[str, Any]:
    filled = one.get("filled", one["rows"])
    columns = one.get("columns", len(one["headers"]))
    said = layouts.headed(rows, *place, filled, columns, sure=True)
    return {**one, **said, "recognised": True}


def _proposed(form: Format | None, rows: Sequence[RawRow], place: HeaderPlace) -> SheetMapping:
    number, count = place
    found = mapping.match(mapping.joined(rows, number, count), form) if form else {}
    return SheetMapping(number, found, count)


def form_of(job: ImportJob) -> Format | None:
    """Return the format; None when its app is left out or nothing was recognised."""
    try:
        return formats.get(job.format)
    except KeyError:
        return None


def is_ready(job: ImportJob) -> bool:
    """Whether nothing is left to be said before the check."""
    form = form_of(job)
    maps = [job.mapping.get(name) for name in job.chosen]
    return bool(
        form
        and maps
        and not must_say_dialect(job)
        and all(one and not SheetMapping.from_json(one).missing(form) for one in maps)
    )


def map_columns(
    job: ImportJob,
    form: Format,
    mappings: Mapping[str, SheetMapping],
    *,
    actor: User,
    twice: bool = False,
) -> None:
    """Set which column is which. Raises StateError, ValueError when a needed one is missing.

    `twice` says that one column of the sheet may be meant for two columns of the format.
    """
    must_own(job, actor)
    if not may_import(actor, form, job.tenant):
        raise PermissionDenied
    must_know_dialect(job)
    stored = {name: checked(job, form, name, mappings[name], twice=twice) for name in job.chosen}
    change(job, mapping={**job.mapping, **stored}, format=form.key)


def checked(
    job: ImportJob, form: Format, name: str, one: SheetMapping, *, twice: bool
) -> dict[str, Any]:
    """Return the mapping of a sheet as it is stored. Raises ValueError in words."""
    missing = one.missing(form)
    if missing:
        labels = ", ".join(str(column.label) for column in missing)
        raise ValueError(_("Say which column holds: %s.") % labels)
    places = list(one.columns.values())
    if len(set(places)) != len(places) and not twice:
        raise ValueError(
            _("One column of the sheet is chosen twice. Say below the table that this is meant.")
        )
    described = next(sheet for sheet in job.sheets if sheet["name"] == name)
    width = len(described["headers"])
    if not all(0 <= place < width for place in places):
        raise ValueError(_("Choose one of the columns of the sheet."))
    for key, text in one.constants.items():
        _check_constant(form, key, text)
    steps = {key: transforms.checked(made, width) for key, made in one.transforms.items() if made}
    return {**one.as_json(), "transforms": steps}


def _check_constant(form: Format, key: str, text: str) -> None:
    column = form.column(key)
    if len(text) > LONGEST_CONSTANT:
        raise ValueError(_("%s: the fixed value is too long.") % column.label)
    try:
        formats.read(column, text)
    except cells.CellProblemError as error:
        why = wrong_cell(error.code, {"limit": column.longest})
        raise ValueError(
            _("%(column)s: the fixed value does not fit. %(why)s.")
            % {"column": column.label, "why": why}
        ) from None


def use_profile(job: ImportJob, profile: ImportProfile | None, *, actor: User) -> None:
    """Read the file by a profile; None: by what the headers say, as if there were no profiles.

    Raises PermissionDenied, StateError, profiles.ProfileError when it does not fit.
    """
    must_own(job, actor)
    sheets = outlines(job)
    if profile is None:
        job.profile = None
        layouts.propose(job, sheets, open_formats(actor, job.tenant))
    elif profile in profiles.candidates(actor, open_formats(actor, job.tenant), job.tenant):
        profiles.lay(job, profile, sheets)
    else:
        raise PermissionDenied
    with transaction.atomic():
        change(job, **{name: getattr(job, name) for name in _READ})
        if profile is not None:
            profiles.used(profile)


def read_as(job: ImportJob, dialect: Dialect, *, actor: User) -> None:
    """Say how the text of a csv file is written; sheets and columns are found anew.

    Raises StateError, and ReadError when the file cannot be read so.
    """
    must_own(job, actor)
    if job.kind != "csv":
        raise StateError(_("Only a csv file is asked about how it is written."))
    sheets = looking.again(job, dialect, actor, open_formats(actor, job.tenant))
    with transaction.atomic():
        change(job, **{name: getattr(job, name) for name in (*_READ, "dialect")})
        heads.keep(job, sheets)


def must_know_dialect(job: ImportJob) -> None:
    """Raise StateError while somebody has to say how the text of a csv file is written."""
    if must_say_dialect(job):
        raise StateError(_("Say first how the text of the file is written."))


def must_say_dialect(job: ImportJob) -> bool:
    """Whether somebody has to say first how the text of a csv file is written."""
    return job.kind == "csv" and not job.dialect


def fitting_profiles(job: ImportJob, actor: User) -> list[ImportProfile]:
    """Return the profiles that could read the file."""
    first = list(heads.rows(job).items())
    known = profiles.candidates(actor, open_formats(actor, job.tenant), job.tenant)
    return [profile for profile in known if profiles.read_by(profile, first)]


def outlines(job: ImportJob) -> list[Outline]:
    """Return the sheets with their first rows, without reading the file again."""
    first = heads.rows(job)
    return [
        Outline(
            one["name"],
            one["hidden"],
            one.get("filled", one["rows"]),
            one.get("columns", len(one["headers"])),
            first.get(one["name"], []),
        )
        for one in job.sheets
    ]
