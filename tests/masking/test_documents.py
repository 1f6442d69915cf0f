"""Masked JSON: what is declared open is seen, everything else is a mask, and types survive."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.forms import modelform_factory
from pytest_django import Settings
from rest_framework.serializers import ModelSerializer

from backoffice.masking.values import MaskedQueryError, MaskWriteError, is_lost
from tests.masking.conftest import leaks
from tests.masking.models import Folder

DATA: dict[str, Any] = {
    "status": "open",
    "contact": {"email": "qzx1anna@qzhost.example", "age": 41, "vip": True, "note": None},
    "items": [{"sku": "A-1", "for": "Qzanna"}, {"sku": "B-2", "for": "Qzlindqvist"}],
    "unknown": "qznotes",
}
SHOWN: dict[str, Any] = {
    "status": "open",
    "contact": {"email": "q•••••@q•••••.•••", "age": "•" * 8, "vip": "•" * 8, "note": None},
    "items": [{"sku": "A-1", "for": "•" * 8}, {"sku": "B-2", "for": "•" * 8}],
    "unknown": "•" * 8,
}


@pytest.fixture
def folder(tables: None, db: None) -> Folder:
    return Folder.objects.get(pk=Folder.objects.create(data=DATA, secret=DATA).pk)


def stored(column: str = "data") -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM masking_tests_folder")  # noqa: S608
        return cursor.fetchone()[0]


def as_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def test_undeclared_leaves_are_hidden(folder: Folder) -> None:
    assert folder.data == SHOWN
    assert json.loads(json.dumps(folder.data)) == SHOWN
    assert leaks([vars(folder), str(folder.data), list(Folder.objects.values())]) == []
    assert leaks(serializers.serialize("json", [folder])) == []
    assert leaks(stored("secret")) == []
    assert as_json(stored()) == DATA


def save(folder: Folder) -> None:
    folder.full_clean()
    folder.save()


def save_shown(folder: Folder) -> None:
    folder.data = json.loads(json.dumps(folder.data))
    folder.secret = json.dumps(folder.secret)
    save(folder)


def update(folder: Folder) -> None:
    Folder.objects.update(data=folder.data, secret=folder.secret)


def bulk_update(folder: Folder) -> None:
    Folder.objects.bulk_update([folder], ["data", "secret"])


@pytest.mark.parametrize("write", [save, save_shown, update, bulk_update])
def test_unchanged_document_keeps_values_and_types(
    folder: Folder, write: Callable[[Folder], None]
) -> None:
    write(folder)
    assert as_json(stored()) == DATA
    assert Folder.objects.get().secret == SHOWN
    assert leaks(stored("secret")) == []


def test_one_leaf_changes_and_the_others_stay(folder: Folder) -> None:
    folder.data["contact"]["email"] = "new@other.example"
    save(folder)
    expected = {**DATA, "contact": {**DATA["contact"], "email": "new@other.example"}}
    assert as_json(stored()) == expected
    assert Folder.objects.get().data["contact"]["email"] == "n•••••@o•••••.•••"


@pytest.mark.parametrize("foreign", ["z••••", "••••", "••••••••x"])
def test_altered_mask_is_refused(folder: Folder, foreign: str) -> None:
    folder.data = {**SHOWN, "unknown": foreign}
    with pytest.raises(ValidationError):
        folder.full_clean()
    with pytest.raises(MaskWriteError), transaction.atomic():
        folder.save()
    with pytest.raises(MaskWriteError), transaction.atomic():
        Folder.objects.update(data={"x": foreign})
    assert as_json(stored()) == DATA


FIRST, SECOND = SHOWN["items"]


@pytest.mark.parametrize(
    "items",
    [
        [SECOND],
        [FIRST],
        [SECOND, FIRST],
        [FIRST, FIRST, SECOND],
        [{**FIRST, "sku": "C-3"}, SECOND],
    ],
    ids=["first removed", "second removed", "swapped", "one added", "another item"],
)
def test_mask_in_a_list_stands_for_no_other_items_value(folder: Folder, items: list[Any]) -> None:
    folder.data = {**SHOWN, "items": items}
    with pytest.raises(ValidationError):
        folder.full_clean()
    with pytest.raises(MaskWriteError), transaction.atomic():
        folder.save()
    assert as_json(stored()) == DATA


def test_lists_change_with_values_in_place_of_masks(folder: Folder) -> None:
    folder.data = {**SHOWN, "items": [{**FIRST, "for": "Qznew"}, SECOND]}
    save(folder)
    assert as_json(stored())["items"] == [{"sku": "A-1", "for": "Qznew"}, DATA["items"][1]]
    row = Folder.objects.get()
    row.data["items"].reverse()  # what was read knows what it hides
    save(row)
    assert as_json(stored())["items"] == [DATA["items"][1], {"sku": "A-1", "for": "Qznew"}]


@pytest.mark.parametrize("lookup", ["data", "data__contains", "data__status", "data__has_key"])
def test_document_is_found_by_nothing(folder: Folder, lookup: str) -> None:
    with pytest.raises(MaskedQueryError):
        Folder.objects.filter(**{lookup: "open"})
    assert Folder.objects.filter(data__isnull=False).count() == 1


def test_form_shows_masks_and_keeps_what_is_not_touched(folder: Folder) -> None:
    form_class = modelform_factory(Folder, fields=["data"])
    page = form_class(instance=folder).as_p()
    assert (leaks(page), "A-1" in page) == ([], True)
    shown = form_class(instance=folder)["data"].value()
    untouched = form_class({"data": shown.replace("\n", "\r\n")}, instance=folder)
    assert (untouched.has_changed(), untouched.is_valid()) == (False, True)
    untouched.save()
    assert as_json(stored()) == DATA
    changed = form_class({"data": shown.replace('"open"', '"closed"')}, instance=folder)
    assert (changed.has_changed(), changed.errors) == (True, {})
    changed.save()
    assert as_json(stored()) == {**DATA, "status": "closed"}


@pytest.mark.parametrize("typed", ['{"a": ', '{"unknown": "••••"}'])
def test_form_refuses_what_is_no_document(folder: Folder, typed: str) -> None:
    form = modelform_factory(Folder, fields=["data"])({"data": typed}, instance=folder)
    assert list(form.errors) == ["data"]


def test_document_that_no_key_opens_is_a_mask_and_stays(folder: Folder, settings: Settings) -> None:
    before = stored("secret")
    settings.BACKOFFICE_KEYS = [("other", "x" * 40)]
    row = Folder.objects.get()
    assert is_lost(row.secret)
    row.save()
    assert stored("secret") == before


def test_null_stays_null(tables: None, db: None) -> None:
    Folder.objects.create()
    assert (stored(), Folder.objects.get().data) == (None, None)


class FolderSerializer(ModelSerializer[Folder]):
    class Meta:
        model = Folder
        fields = ("data",)


def put(folder: Folder, data: Any) -> FolderSerializer:
    serializer = FolderSerializer(folder, data={"data": data})
    if serializer.is_valid():
        serializer.save()
    return serializer


def test_api_gives_masks_and_takes_them_back(folder: Folder) -> None:
    given = json.loads(json.dumps(FolderSerializer(folder).data))["data"]
    assert given == SHOWN
    assert put(folder, given).errors == {}
    assert as_json(stored()) == DATA
    put(folder, {**given, "unknown": "new"})
    assert as_json(stored()) == {**DATA, "unknown": "new"}


def test_api_refuses_an_altered_mask(folder: Folder) -> None:
    assert list(put(folder, {**SHOWN, "unknown": "a•••"}).errors) == ["data"]
    assert as_json(stored()) == DATA
