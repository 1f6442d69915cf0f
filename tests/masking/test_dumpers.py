"""YAML holds masks, whoever writes it."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.core import serializers
from import_export.formats.base_formats import YAML
from import_export.resources import modelresource_factory

from tests.masking.conftest import leaks
from tests.masking.models import Person

WRITERS: dict[str, Callable[[Person], Any]] = {
    "import-export": lambda _row: YAML().export_data(modelresource_factory(Person)().export()),
    "Django": lambda _row: serializers.serialize("yaml", Person.objects.all()),
    "safe": lambda row: yaml.safe_dump({"email": row.email}, allow_unicode=True),
    "full": lambda row: yaml.dump([row.email, row.born], allow_unicode=True),
    "in C": lambda row: yaml.dump([row.email], Dumper=yaml.CSafeDumper, allow_unicode=True),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_yaml_holds_the_text_of_the_mask(person: Person, write: Callable[[Person], Any]) -> None:
    text = write(person)
    assert (leaks(text), "python" in text, str(person.email) in text) == ([], False, True)
    assert str(person.email) in str(yaml.safe_load(text))
