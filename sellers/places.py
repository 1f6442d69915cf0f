"""Shops, their people and products hold nothing of customers, but for what staff typed."""

from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import BLANK, Place

_GOODS = _("Says who sells, and what")


def register() -> None:
    """Put the places in force."""
    for name, label, kept in (
        ("seller", _("Reasons of changed shops"), ("code", "name")),
        ("membership", _("Reasons of changed shop members"), ()),
        ("product", _("Reasons of changed products"), ("code", "name", "category", "currency")),
    ):
        subjects.exempt(f"sellers.{name}", _GOODS)
        subjects.register(
            Place(
                f"sellers.{name}.past",
                label,
                f"sellers.historical{name}",
                fields={"history_change_reason": BLANK},
                kept=dict.fromkeys(kept, _GOODS),
                everywhere=True,
            )
        )
