"""Answers kept under a name: how the sheets of one supplier are read.

A profile has one layout for each kind of sheet. A layout finds columns by the texts of their
headers, wherever they stand in the next file; a column without a header of its own is kept by its
place, and then the next file must have the very same headers. It holds headers and what people
typed, never a value of a file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.sheets import formats, layouts, mapping
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping, plain
from backoffice.sheets.models import ImportJob, ImportProfile
from backoffice.sheets.reading import heads
from backoffice.sheets.reading.reader import Outline, RawRow

KEPT = verbs.register("sheets.profile_kept", gettext_lazy("Import profile kept"))
RENAMED = verbs.register("sheets.profile_renamed", gettext_lazy("Import profile renamed"))
DELETED = verbs.register("sheets.profile_deleted", gettext_lazy("Import profile deleted"))
LONGEST_NAME: Final = 80
_TRIED: Final = 200
"""So many profiles, those used last first, are compared with the headers of a new file."""
_SPACES: Final = re.compile(r"\s+")


Match = tuple[ImportProfile, dict[str, SheetMapping]]
"""A profile, and how it reads the sheets that it knows."""


class ProfileError(ValueError):
    """It cannot be kept or used; `str()` of it is for the person."""


def layout(names: Sequence[str], one: SheetMapping) -> dict[str, Any]:
    """Return a mapping by the texts of the headers `names`.

    Raises ProfileError for a header that looks like a value of data.
    """
    return {
        "headers": [mapping.harmless(name) for name in names],
        "header_rows": one.header_rows,
        "columns": {key: _named(names, place) for key, place in one.columns.items()},
        "constants": dict(one.constants),
        "transforms": {
            key: [_step_by_name(names, step) for step in steps]
            for key, steps in one.transforms.items()
        },
    }


def _step_by_name(names: Sequence[str], step: Sequence[Any]) -> list[Any]:
    return [step[0], _named(names, step[1]), *step[2:]] if step[0] == "join" else list(step)


def _named(names: Sequence[str], place: int) -> str | int:
    """Return the header of a place; the place itself where no header names it alone."""
    name = names[place] if place < len(names) else ""
    if mapping.harmless(name) != name:
        raise ProfileError(
            _("The header of column %s looks like a value. Choose the right row as the header.")
            % mapping.shown([""] * (place + 1))[place]
        )
    alone = sum(plain(other) == plain(name) for other in names) == 1
    return name if plain(name) and alone else place


def fit(kept: Mapping[str, Any], rows: Sequence[RawRow]) -> SheetMapping | None:
    """Return how a sheet with these first rows is read by a layout; None when it does not fit."""
    for row in rows[: mapping.HEADER_ROWS]:
        names = mapping.joined(rows, row.number, kept["header_rows"])
        found = _placed(kept, names)
        if found is not None:
            columns, transforms = found
            return SheetMapping(
                row.number, columns, kept["header_rows"], dict(kept["constants"]), transforms
            )
    return None


def _placed(
    kept: Mapping[str, Any], names: Sequence[str]
) -> tuple[dict[str, int], dict[str, list[list[Any]]]] | None:
    places = _Places(kept, names)
    try:
        columns = {key: places[name] for key, name in kept["columns"].items()}
        transforms = {
            key: [
                [step[0], places[step[1]], *step[2:]] if step[0] == "join" else list(step)
                for step in steps
            ]
            for key, steps in kept["transforms"].items()
        }
    except KeyError:
        return None
    return (columns, transforms) if columns else None


class _Places:
    """Header -> index in a sheet; KeyError for one that is missing or stands there twice."""

    def __init__(self, kept: Mapping[str, Any], names: Sequence[str]) -> None:
        self._texts = [plain(name) for name in names]
        self._same = same_headers(kept, names)

    def __getitem__(self, name: str | int) -> int:
        if isinstance(name, int):
            if not self._same:
                raise KeyError(name)
            return name
        if self._texts.count(plain(name)) != 1:
            raise KeyError(name)
        return self._texts.index(plain(name))


def same_headers(kept: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether a sheet has the headers of the layout, all of them, in their order."""
    before = [plain(name) for name in kept["headers"]]
    now = [plain(mapping.harmless(name)) for name in names]
    width = max(len(before), len(now))
    return before + [""] * (width - len(before)) == now + [""] * (width - len(now))


def read_by(
    profile: ImportProfile, sheets: Iterable[tuple[str, Sequence[RawRow]]]
) -> dict[str, SheetMapping]:
    """Return sheet -> how the profile reads it, for the sheets that it knows."""
    result: dict[str, SheetMapping] = {}
    for name, rows in sheets:
        found = (fit(one, rows) for one in profile.mapping.get("layouts", ()))
        best = max(
            (one for one in found if one is not None),
            key=lambda one: len(one.columns),
            default=None,
        )
        if best is not None:
            result[name] = best
    return result


def candidates(actor: User, choices: Iterable[Format], tenant: str = "") -> list[ImportProfile]:
    """Return the profiles that a file of this person may be read by, those used last first.

    The file of one shop is read by the profiles of the person who uploads it only.
    """
    rows = ImportProfile.objects.filter(format__in=[form.key for form in choices])
    if tenant:
        rows = rows.filter(owner=actor)
    return list(rows.order_by(F("used_at").desc(nulls_last=True), "name")[:_TRIED])


def matching(profiles: Iterable[ImportProfile], sheets: Sequence[Outline]) -> list[Match]:
    """Return the profiles that fit the visible sheets best: more than one are equally good."""
    visible = [(sheet.name, sheet.head) for sheet in sheets if not sheet.hidden]
    rated = []
    for profile in profiles:
        found = read_by(profile, visible)
        if found:
            rated.append((_rate(profile, found, visible), profile, found))
    best = max((rate for rate, _profile, _found in rated), default=None)
    return [(profile, found) for rate, profile, found in rated if rate == best]


def _rate(
    profile: ImportProfile,
    found: dict[str, SheetMapping],
    visible: Sequence[tuple[str, Sequence[RawRow]]],
) -> tuple[int, int, int]:
    """Rate by sheets with the very same headers, sheets that are read, and columns."""
    kept = profile.mapping["layouts"]
    exact = sum(
        any(same_headers(one, _names(rows, found[name])) for one in kept)
        for name, rows in visible
        if name in found
    )
    return exact, len(found), sum(len(one.columns) for one in found.values())


def _names(rows: Sequence[RawRow], one: SheetMapping) -> list[str]:
    return mapping.joined(rows, one.header_row, one.header_rows)


def lay(job: ImportJob, profile: ImportProfile, sheets: Sequence[Outline]) -> None:
    """Read the sheets of an import by a profile. Raises ProfileError when it fits none of them."""
    found = read_by(profile, [(sheet.name, sheet.head) for sheet in sheets])
    if not any(sheet.name in found and not sheet.hidden for sheet in sheets):
        raise ProfileError(
            _("The profile “%s” does not fit: the file lacks headers that it needs.") % profile
        )
    layouts.note(job, sheets, found)
    job.profile, job.format = profile, profile.format
    job.mode, job.whole = profile.mode, profile.whole


def used(profile: ImportProfile) -> None:
    """Note that a file was read by it."""
    ImportProfile.objects.filter(pk=profile.pk).update(used_at=timezone.now())


def keep(
    job: ImportJob, name: str, *, actor: User, supplier: str = "", replace: bool = False
) -> ImportProfile:
    """Keep the answers of an import under a name; it is read by the new profile from now on.

    Raises PermissionDenied and ProfileError. `replace` overwrites a profile of that name.
    """
    acting.refuse()
    if job.owner_id != actor.pk or not actor.has_perm("sheets.add_importprofile"):
        raise PermissionDenied
    values = {
        "supplier": _cleaned(supplier, needed=False),
        "format": job.format,
        "mapping": {"layouts": _layouts(job)},
        "dialect": job.dialect,
        "mode": job.mode,
        "whole": job.whole,
    }
    with transaction.atomic():
        profile = _write(_cleaned(name), values, actor, replace=replace)
        ImportJob.objects.filter(pk=job.pk).update(profile=profile)
        context = {"format": profile.format, "layouts": len(profile.mapping["layouts"])}
        record(KEPT, actor=actor, subject=profile, context=context)
    job.profile = profile
    return profile


def _write(name: str, values: dict[str, Any], actor: User, *, replace: bool) -> ImportProfile:
    present = ImportProfile.objects.filter(name=name).first()
    if present is None:
        return _created(name, values, actor)
    if not replace:
        raise ProfileError(_("There is a profile of this name. Choose another, or replace it."))
    if not actor.has_perm("sheets.change_importprofile"):
        raise PermissionDenied
    for key, value in values.items():
        setattr(present, key, value)
    present.save()
    return present


def _created(name: str, values: dict[str, Any], actor: User) -> ImportProfile:
    try:
        with transaction.atomic():
            return ImportProfile.objects.create(name=name, owner=actor, **values)
    except IntegrityError:
        raise ProfileError(_("There is a profile of this name. Choose another.")) from None


def _layouts(job: ImportJob) -> list[dict[str, Any]]:
    first = heads.rows(job)
    made: list[dict[str, Any]] = []
    for name in job.chosen:
        if name not in job.mapping:
            continue
        one = SheetMapping.from_json(job.mapping[name])
        kept = layout(_names(first.get(name, []), one), one)
        if kept not in made:
            made.append(kept)
    if not made:
        raise ProfileError(_("Map the columns of a sheet first."))
    return made


def rename(profile: ImportProfile, name: str, *, actor: User, supplier: str = "") -> None:
    """Give it another name. Raises PermissionDenied, ProfileError."""
    acting.refuse()
    if not actor.has_perm("sheets.change_importprofile"):
        raise PermissionDenied
    name, supplier = _cleaned(name), _cleaned(supplier, needed=False)
    if ImportProfile.objects.exclude(pk=profile.pk).filter(name=name).exists():
        raise ProfileError(_("There is a profile of this name. Choose another."))
    with transaction.atomic():
        profile.name, profile.supplier = name, supplier
        profile.save(update_fields=["name", "supplier", "changed_at"])
        record(RENAMED, actor=actor, subject=profile)


def delete(profile: ImportProfile, *, actor: User) -> None:
    """Delete it; imports that were read by it stay as they are. Raises PermissionDenied."""
    acting.refuse()
    if not actor.has_perm("sheets.delete_importprofile"):
        raise PermissionDenied
    with transaction.atomic():
        record(DELETED, actor=actor, subject=profile, context={"format": profile.format})
        profile.delete()


def _cleaned(text: str, *, needed: bool = True) -> str:
    plain_text = _SPACES.sub(" ", text.strip())
    if needed and not plain_text:
        raise ProfileError(_("Give the profile a name."))
    if len(plain_text) > LONGEST_NAME:
        raise ProfileError(_("At most %s characters.") % LONGEST_NAME)
    return plain_text


def form_of(profile: ImportProfile) -> Format | None:
    """Return the format; None when its app is left out."""
    try:
        return formats.get(profile.format)
    except KeyError:
        return None
