"""Masked personal data: fields, revealing, grants."""

from typing import ClassVar

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class MaskingConfig(AppConfig):
    """The app of masked fields."""

    name = "backoffice.masking"
    verbose_name = _("Personal data")
    role_permissions: ClassVar[dict[str, tuple[str, ...]]] = {
        "finance": ("masking.view_grant", "masking.give_grant"),
        "owner": (
            "masking.view_grant",
            "masking.give_grant",
            "masking.view_alarm",
            "masking.view_purposeuse",
        ),
        "auditor": ("masking.view_grant", "masking.view_alarm", "masking.view_purposeuse"),
        "privacy": (
            "masking.view_grant",
            "masking.view_alarm",
            "masking.settle_alarm",
            "masking.view_purposeuse",
        ),
    }
    people_only = ("masking.",)

    def ready(self) -> None:
        """Guard the queries, teach the API its field, tell the policy where grants stand."""
        from backoffice import policy  # noqa: PLC0415 - needs loaded models
        from backoffice.accounts import guarded  # noqa: PLC0415
        from backoffice.masking import (  # noqa: PLC0415
            alarms,
            api_checks,
            checks,
            compiling,
            copying,
            dumpers,
            filters,
            grants,
            guards,
            places,
            purposes,
            rotation,
            serializers,
            subjects,
            uniqueness,
            uses,
        )

        guarded.guard("masking.give_grant")
        guarded.listen(alarms.right_given)
        guards.install()
        compiling.install()
        copying.install()
        dumpers.install()
        filters.install()
        purposes.count_by(uses.count)
        uniqueness.install()
        rotation.register()
        serializers.register()
        policy.register_grants(grants.granted)
        policy.register_masks(grants.is_masked)
        register(checks.check_pages)
        register(checks.check_models)
        register(checks.check_computed)
        register(checks.check_setting)
        register(checks.check_masks)
        register(checks.check_keys)
        register(api_checks.check_api)
        places.register()
        register(subjects.check_places)
