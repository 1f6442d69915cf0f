"""What was shown goes back unchanged, on every way in, and the rows stay as they were.

They are read by cursor, past every field of ours.

The models come from the project itself: a new one with masked fields has to stand in the world.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Model
from django.forms.models import inlineformset_factory, model_to_dict, modelform_factory
from import_export.formats import base_formats
from import_export.resources import modelresource_factory
from openpyxl import load_workbook
from rest_framework import serializers

from backoffice.masking.fields import masked_fields
from backoffice.masking.values import unseal
from backoffice.site import staff_site, writers
from tests.leaks.stage import FORBIDDEN, OK, Stage, raw
from tests.walker.walk import read

# Masked models whose pages are looked at alone: their rows change by actions.
_LOOKED_AT = {"orders.ChangeRequest", "orders.DeliveryAddress"}


def stamps(model: type[Model]) -> list[str]:
    """Return the times, which a save sets and a form or file cuts to seconds; none is masked."""
    masked = {field.name for field in masked_fields(model)}
    times = [field for field in model._meta.concrete_fields if isinstance(field, DateTimeField)]
    return [field.attname for field in times if field.name not in masked]


def masked_models() -> list[type[Model]]:
    """Return the models with masked fields; a history is written by its model alone."""
    return [
        model
        for model in apps.get_models()
        if masked_fields(model) and not hasattr(model, "instance_type")
    ]


MODELS = pytest.mark.parametrize("model", masked_models(), ids=lambda model: model._meta.label)


def row_of(stage: Stage, model: type[Model]) -> Any:
    """Return the row of the world that has a value in each masked field, freshly read."""
    rows = [row for row in model._default_manager.all() if _is_full(row)]
    assert rows, f"the world has no {model._meta.label} with a value in every masked field"
    return rows[0]


def _is_full(row: Model) -> bool:
    return all(getattr(row, field.name) for field in masked_fields(type(row)))


@MODELS
def test_each_masked_field_of_the_world_hides_a_canary(model: type[Model], stage: Stage) -> None:
    """The next field that somebody masks is noticed here, until a canary is planted in it."""
    rows = list(model._default_manager.all())
    secrets = stage.world.secrets
    without = [
        field.name
        for field in masked_fields(model)
        if not any(
            secret.find(str(unseal(value)))
            for row in rows
            if (value := getattr(row, field.name))
            for secret in secrets
        )
    ]
    assert without == []


@MODELS
def test_plain_form(model: type[Model], stage: Stage) -> None:
    row, before = row_of(stage, model), raw(model, *stamps(model))
    form_class = modelform_factory(model, fields="__all__")
    shown = form_class(instance=row)
    form = form_class(_posted(shown), instance=row_of(stage, model))
    assert (form.is_valid(), form.changed_data) == (True, [])
    form.save()
    assert raw(model, *stamps(model)) == before


def _posted(form: Any) -> dict[str, Any]:
    """Return what a browser sends back of a form that nobody touched."""
    values = {form.add_prefix(name): form[name].value() for name in form.fields}
    return {name: "" if value is None else value for name, value in values.items()}


@MODELS
def test_inline_form(model: type[Model], stage: Stage) -> None:
    """Rows in the page of another record: through each foreign key of the model."""
    for field in model._meta.concrete_fields:
        parent_model: Any = getattr(field, "related_model", None)
        if not field.is_relation or parent_model is None:
            continue
        row = row_of(stage, model)
        parent = _parent(row, field.name, parent_model)
        model._default_manager.filter(pk=row.pk).update(**{field.name: parent})
        before = raw(model, *stamps(model))
        made: Any = inlineformset_factory(
            parent_model, model, fk_name=field.name, fields="__all__", extra=0
        )
        shown = made(instance=parent)
        data: dict[str, Any] = {}
        for form in (shown.management_form, *shown.forms):
            data |= _posted(form)
        back = made(data, instance=parent)
        assert back.is_valid(), back.errors
        back.save()
        assert raw(model, *stamps(model)) == before


def _parent(row: Model, name: str, parent_model: Any) -> Model:
    """Return the first record that the row may hang on by this key, as its checks have it."""
    for parent in parent_model._default_manager.exclude(pk=row.pk).order_by("pk"):
        setattr(row, name, parent)
        try:
            row.full_clean()
        except ValidationError:
            continue
        assert isinstance(parent, Model)
        return parent
    raise AssertionError(f"{row._meta.label}.{name} has no record to hang on")


@MODELS
def test_our_own_form(model: type[Model], stage: Stage) -> None:
    page = staff_site._registry.get(model)
    if page is None:
        assert not [one for one in admin.sites.all_sites if model in one._registry]
        return
    row, before = row_of(stage, model), raw(model, *stamps(model))
    url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/change/"
    answer = stage.client(stage.root).get(f"{url}?edit=1")
    data = _posted(answer.context["adminform"].form)
    if model._meta.label in _LOOKED_AT:
        assert (answer.status_code, data) == (OK, {})
        _takes_nothing(stage, model, url)
        return
    assert set(data) & {field.name for field in masked_fields(model)}
    assert stage.send(url, {**data, "change_reason": "looked"}, stage.root).status == OK
    assert raw(model, *stamps(model)) == before


def _takes_nothing(stage: Stage, model: type[Model], url: str) -> None:
    """See that a page without form has no field to type into, and refuses what is sent anyway."""
    before = raw(model)
    names = [field.name for field in masked_fields(model)]
    for way in (url, f"{url}?edit=1"):
        shown = stage.ask(way, stage.root)
        assert [name for name in names if f'name="{name}"' in shown.text] == []
        sent = {**dict.fromkeys(names, "1 Elsewhere Street"), "change_reason": "moved"}
        assert stage.send(way, sent, stage.root).status == FORBIDDEN
    assert raw(model) == before


@MODELS
@pytest.mark.parametrize("partial", [False, True], ids=["PUT", "PATCH"])
def test_plain_serializer(model: type[Model], stage: Stage, partial: bool) -> None:  # noqa: FBT001
    row, before = row_of(stage, model), raw(model, *stamps(model))
    meta = type("Meta", (), {"model": model, "fields": "__all__"})
    made: Any = type("PlainSerializer", (serializers.ModelSerializer,), {"Meta": meta})
    given = json.loads(json.dumps(made(row).data))
    back = made(row_of(stage, model), data=given, partial=partial)
    assert back.is_valid(), back.errors
    back.save()
    assert raw(model, *stamps(model)) == before


@pytest.mark.parametrize("method", ["put", "patch"])
def test_our_own_api(stage: Stage, method: str) -> None:
    client, url = stage.client(), f"/api/v1/customers/{stage.customer.number}/"
    before = stage.raw()
    given = client.get(url)
    call = getattr(client, method)
    headers = {"If-Match": given.headers["ETag"]}
    answer = call(url, given.json(), content_type="application/json", headers=headers)
    assert (answer.status_code, stage.raw()) == (OK, before)


def formats() -> Iterator[type[base_formats.Format]]:
    """Return the formats of files that import-export both writes and reads here."""
    for kind in base_formats.DEFAULT_FORMATS:
        able = kind.is_available() and kind().can_import() and kind().can_export()
        if able:
            yield kind


@MODELS
@pytest.mark.parametrize("kind", formats(), ids=lambda kind: kind.__name__)
def test_plain_export_and_import(
    model: type[Model], kind: type[base_formats.Format], stage: Stage
) -> None:
    before = raw(model, *stamps(model))
    full = [row.pk for row in model._default_manager.all() if _is_full(row)]
    assert full
    rows = model._default_manager.filter(pk__in=full)
    content = kind().export_data(modelresource_factory(model)().export(queryset=rows))
    stage.tells_nothing(content)
    dataset = kind().create_dataset(content)
    done = modelresource_factory(model)().import_data(dataset, raise_errors=False)
    assert [row.errors for row in done.rows if row.errors] == []
    assert raw(model, *stamps(model)) == before


def _read_csv(content: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def _read_xlsx(content: bytes) -> list[dict[str, Any]]:
    head, *rows = load_workbook(io.BytesIO(content)).worksheets[0].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def _read_json(content: bytes) -> list[dict[str, Any]]:
    return list(json.loads(content))


READERS: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "csv": _read_csv,
    "xlsx": _read_xlsx,
    "json": _read_json,
}


@pytest.mark.parametrize("kind", READERS)
def test_our_own_export_typed_in_again(stage: Stage, kind: str) -> None:
    """What our exports hold is put back into the rows, column by column."""
    assert set(READERS) == set(writers.kinds())
    url = "/admin/customers/customer/export/"
    model = type(stage.customer)
    page = staff_site._registry[model]
    asked = {"format": kind, "reason": "asked", "column": page.export_fields}
    answer = read(stage.client().post(url, asked))
    before = stage.raw(*stamps(model))
    heads = {
        str(model._meta.get_field(name).verbose_name).capitalize(): name  # type: ignore[union-attr]
        for name in page.export_fields
    } | {name: name for name in page.export_fields if kind == "json"}
    put = 0
    for given in READERS[kind](answer.content):
        number = given["number" if kind == "json" else "Number"]
        row = model._default_manager.get(number=str(number).lstrip("'"))
        for head, name in heads.items():
            if head in given and name in {field.name for field in masked_fields(model)}:
                setattr(row, name, given[head] or getattr(row, name))
                put += 1
        row.full_clean()
        row.save()
    assert put > len(before)
    assert stage.raw(*stamps(model)) == before


@MODELS
def test_dictionary_of_a_row(model: type[Model], stage: Stage) -> None:
    """As code that copies forms by hand would do."""
    row, before = row_of(stage, model), raw(model, *stamps(model))
    for name, value in model_to_dict(row).items():
        if name in {field.name for field in masked_fields(model)}:
            setattr(row, name, str(value))
    row.full_clean()
    row.save()
    assert raw(model, *stamps(model)) == before
