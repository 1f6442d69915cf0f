"""Profiles from a file: a project brings the answers for the sheets of its suppliers along.

The file is a JSON list of profiles as they are kept (`profiles`): name, supplier, format, mapping
by headers, dialect, mode and whole. It holds headers and typed words, never rows.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.audit.services import record
from backoffice.sheets import formats, transforms
from backoffice.sheets.formats import Format
from backoffice.sheets.models import ImportProfile
from backoffice.sheets.profiles import KEPT, ProfileError
from backoffice.sheets.reading.dialects import Dialect

_NEEDED = ("name", "format", "mapping")


def load(path: Path, *, actor: User) -> int:
    """Keep the profiles of the file, all or none; return how many are new or changed.

    One of the same name is overwritten. Raises PermissionDenied, and ProfileError, which names
    the profile that is wrong.
    """
    if not actor.has_perms(("sheets.add_importprofile", "sheets.change_importprofile")):
        raise PermissionDenied
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProfileError(_("The file of profiles cannot be read: %s") % error) from None
    with transaction.atomic():
        return sum(_keep(_checked(entry), actor) for entry in entries)


def _checked(entry: Mapping[str, Any]) -> dict[str, Any]:
    name = str(entry.get("name", ""))
    try:
        missing = [key for key in _NEEDED if not entry.get(key)]
        if missing:
            raise ProfileError(_("%s is missing") % ", ".join(missing))
        form = formats.get(entry["format"])
        for layout in entry["mapping"]["layouts"]:
            _check_layout(form, layout)
        dialect = entry.get("dialect") or {}
        dialect = Dialect.from_json(dialect).as_json() if dialect else {}
    except (KeyError, TypeError, ValueError) as error:
        raise ProfileError(f"{name}: {error}") from None
    return {
        "name": name,
        "supplier": entry.get("supplier", ""),
        "format": entry["format"],
        "mapping": entry["mapping"],
        "dialect": dialect,
        "mode": entry.get("mode", "both"),
        "whole": bool(entry.get("whole", False)),
    }


def _check_layout(form: Format, layout: Mapping[str, Any]) -> None:
    """Raise ValueError where a layout names what the format or the headers do not have."""
    known, headers = {column.key for column in form.columns}, layout["headers"]
    used = [*layout["columns"], *layout["constants"], *layout["transforms"]]
    if unknown := sorted(set(used) - known):
        raise ProfileError(_("the format has no column %s") % ", ".join(unknown))
    if absent := [one for one in layout["columns"].values() if _is_absent(one, headers)]:
        raise ProfileError(_("no header is called %s") % ", ".join(map(str, absent)))
    for steps in layout["transforms"].values():
        transforms.checked([_placed(step, headers) for step in steps], len(headers))


def _is_absent(name: str | int, headers: list[str]) -> bool:
    return name not in headers if isinstance(name, str) else not 0 <= name < len(headers)


def _placed(step: list[Any], headers: list[str]) -> list[Any]:
    """Return a step whose other column is named by its place."""
    if step[0] != "join" or isinstance(step[1], int):
        return step
    return [step[0], headers.index(step[1]), *step[2:]]


def _keep(values: dict[str, Any], actor: User) -> bool:
    """Write a profile; return whether anything of it is new."""
    name = values.pop("name")
    present = ImportProfile.objects.filter(name=name).first()
    if present is not None and all(getattr(present, key) == values[key] for key in values):
        return False
    profile = present or ImportProfile(name=name, owner=actor)
    for key, value in values.items():
        setattr(profile, key, value)
    profile.save()
    context = {"format": profile.format, "layouts": len(profile.mapping["layouts"])}
    record(KEPT, actor=actor, subject=profile, context=context)
    return True
