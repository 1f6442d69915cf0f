"""The examples of docs/masking.md that declare things, run as they stand there."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import migrations, models
from django.test.utils import isolate_apps
from pytest_django import Settings

from backoffice.masking import masks, rules
from backoffice.masking.fields import MaskedCharField, masked_fields
from backoffice.masking.operations import FillMasked

GUIDE = (Path(settings.BASE_DIR) / "docs" / "masking.md").read_text()


def example(heading: str, **known: Any) -> dict[str, Any]:
    """Run the first block of a section and return its names."""
    section = GUIDE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    block = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    space: dict[str, Any] = {"__name__": "customers.guide", "models": models, **known}
    exec(compile(block, heading, "exec"), space)  # noqa: S102 - our own text
    return space


def test_guide_names_every_check() -> None:
    folder = Path(settings.BASE_DIR) / "backoffice" / "masking"
    code = "".join(path.read_text() for path in folder.rglob("*.py"))
    known = set(re.findall(r"\"(masking\.[EW]\d{3})\"", code))
    assert "masking.E020" in known
    assert known == set(re.findall(r"^\| (masking\.[EW]\d{3}) \|", GUIDE, re.MULTILINE))


@isolate_apps()
def test_model_of_the_guide_gets_columns_and_right() -> None:
    patient = example("Mask a field")["Patient"]
    assert [field.name for field in masked_fields(patient)] == ["name", "email", "phone", "born"]
    names = [field.name for field in patient._meta.get_fields()]
    assert [name for name in names if name.endswith("_index")] == ["email_index", "phone_index"]
    assert "reveal_patient" in dict(patient._meta.permissions)


def test_encrypted_field_of_the_guide() -> None:
    iban = example("Encrypt a field", masks=masks, MaskedCharField=MaskedCharField)["iban"]
    assert (iban.encrypted, iban.search) == (True, "exact")


def test_document_of_the_guide() -> None:
    intake = example("Mask a document", masks=masks)["intake"]
    sealed = intake.seal({"status": "open", "contact": {"email": "anna@example.com"}, "x": 1})
    assert sealed == {
        "status": "open", "contact": {"email": "a•••••@e•••••.com"}, "x": "••••••••"
    }  # fmt: skip


def test_migration_of_the_guide() -> None:
    migration = example("Mask a column that has rows")["Migration"]
    assert issubclass(migration, migrations.Migration)
    assert [type(operation) for operation in migration.operations] == [FillMasked] * 2
    assert [operation.fields for operation in migration.operations] == [("phone", "iban")] * 2


# What stands in the table of kinds, and a value that shows so.
SAMPLES = {
    "name": ("Anna Lindqvist", "김철수"),
    "email": ("anna@example.com", "anna@example.com"),
    "phone": ("+82 10-5550-0199", "+82 10-5550-0199"),
    "address": ("5 Rue Pasteur, 69007, Lyon", "서울특별시 강남구 테헤란로 123"),
    "birth_date": ("1990-05-14", "1990-05-14"),
    "bank_account": ("DE89 3704 0044 0532 0130 00", "110-234-567890"),
    "card": ("4111 1111 1111 1234", "4111 1111 1111 1234"),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_table_of_kinds_is_true(settings: Settings, kind: str) -> None:
    (row,) = re.findall(rf"^\| `masks\.{kind}` \| (.*?) \| (.*?) \|$", GUIDE, re.MULTILINE)
    for rule, cell, value in zip(("eu", "kr"), row, SAMPLES[kind], strict=True):
        settings.BACKOFFICE_MASKS = {kind: rule}
        assert rules.by_setting(kind)(value) in re.findall("`(.*?)`", cell)


def test_every_check_stands_in_a_guide() -> None:
    folder = Path(settings.BASE_DIR) / "backoffice" / "masking"
    texts = [path.read_text() for path in folder.rglob("*.py")]
    used = {found for text in texts for found in re.findall(r'id="(masking\.[EW]\d+)"', text)}
    guides = (Path(settings.BASE_DIR) / "docs").glob("*.md")
    told = {one for guide in guides for one in re.findall(r"masking\.[EW]\d+", guide.read_text())}
    assert used - told == set()
