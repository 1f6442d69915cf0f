"""Which fields of a model are masked, as far as a page has to know."""

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, Model
from django.db.models.constants import LOOKUP_SEP

from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.indexes import BlindIndexField


def masked_names(model: type[Model]) -> list[str]:
    """Return the names of the masked fields of a model, in the order of the model."""
    return [field.name for field in masked_fields(model)]


def is_masked(model: type[Model], name: str) -> bool:
    """Say whether `name` is a masked field of the model itself."""
    return name in masked_names(model)


def passes_masked(model: type[Model], lookup: str) -> bool:
    """Say whether a lookup path ("customer__email__startswith") touches a masked field.

    Its blind index counts too: whoever may compare digests finds out who shares a value.
    """
    current: Any = model
    for part in lookup.split(LOOKUP_SEP):
        field = _field(current, part)
        if field is None:
            return False
        if isinstance(field, MaskedMixin | BlindIndexField):
            return True
        current = getattr(field, "related_model", None)
        if current is None:
            return False
    return False


def _field(model: type[Model], name: str) -> Field[Any, Any] | None:
    try:
        return model._meta.get_field(name)  # type: ignore[return-value]
    except FieldDoesNotExist:
        return None
