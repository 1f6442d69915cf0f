"""The examples of docs/masking.md, run as they stand there."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import migrations, models
from django.test.utils import isolate_apps
from pytest_django import Settings

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking import masks, purposes, rules, services
from backoffice.masking.fields import MaskedCharField, masked_fields
from backoffice.masking.operations import FillMasked
from customers.models import Customer
from tests import guides

GUIDE = guides.text("masking")


def test_guide_names_every_check() -> None:
    folder = Path(settings.BASE_DIR) / "backoffice" / "masking"
    code = "".join(path.read_text() for path in folder.rglob("*.py"))
    known = set(re.findall(r"\"(masking\.[EW]\d{3})\"", code))
    assert "masking.E020" in known
    assert known == set(re.findall(r"^\| (masking\.[EW]\d{3}) \|", GUIDE, re.MULTILINE))


@isolate_apps()
def test_model_of_the_guide_gets_columns_and_right() -> None:
    patient = guides.run("masking", "Mask a field", models=models)["Patient"]
    assert [field.name for field in masked_fields(patient)] == ["name", "email", "phone", "born"]
    names = [field.name for field in patient._meta.get_fields()]
    assert [name for name in names if name.endswith("_index")] == ["email_index", "phone_index"]
    assert "reveal_patient" in dict(patient._meta.permissions)


def test_encrypted_field_of_the_guide() -> None:
    known = {"masks": masks, "MaskedCharField": MaskedCharField}
    iban = guides.run("masking", "Encrypt a field", **known)["iban"]
    assert (iban.encrypted, iban.search) == (True, "exact")


def test_document_of_the_guide() -> None:
    intake = guides.run("masking", "Mask a document", masks=masks)["intake"]
    sealed = intake.seal({"status": "open", "contact": {"email": "anna@example.com"}, "x": 1})
    assert sealed == {
        "status": "open", "contact": {"email": "a•••••@e•••••.com"}, "x": "••••••••"
    }  # fmt: skip


def test_migration_of_the_guide() -> None:
    migration = guides.run("masking", "Mask a column that has rows")["Migration"]
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


def test_search_of_the_guide(kim: User) -> None:
    patient = Customer.objects.create(number="1", email="anna@example.com")
    known = {"policy": policy, "Patient": Customer, "user": kim, "typed": "Anna@Example.com"}
    assert list(guides.run("masking", "Find by a value", **known)["rows"]) == [patient]


def test_purpose_of_the_guide(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purposes, "_purposes", dict(purposes._purposes))
    patient = Customer.objects.create(number="1", email="anna@example.com")
    sent: list[str] = []

    def send_mail(to: str) -> None:
        sent.append(to)

    known = {"_": str, "patient": patient, "send_mail": send_mail}
    guides.run("masking", "Use the clear value in code", **known)
    assert sent == ["anna@example.com"]


def test_reveals_of_the_guide(ann: User, kim: User) -> None:
    patient = Customer.objects.create(number="1", phone="+44 20 7946 0001")
    guides.run("masking", "Reveal", patient=patient, page_of_patients=[patient], ann=ann, kim=kim)
    assert Event.objects.filter(verb=services.REVEALED).about(patient).count() == 2
