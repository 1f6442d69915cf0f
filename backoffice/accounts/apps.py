"""People, roles and fresh proof of who somebody is."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

_OVERSIGHT = ("accounts.view_user", "accounts.view_rolechange", "accounts.explain_access")


class AccountsConfig(AppConfig):
    """Users and roles; roles are brought in line after each migrate."""

    name = "backoffice.accounts"
    verbose_name = _("People and roles")
    role_permissions = {
        "owner": (
            "accounts.view_user",
            "accounts.view_rolechange",
            "accounts.change_roles",
            "accounts.manage_people",
            "accounts.end_sessions",
            "accounts.manage_tokens",
            "accounts.explain_access",
            "accounts.approve_access",
        ),
        "support": ("accounts.act_for_seller",),
        "auditor": _OVERSIGHT,
        "privacy": (*_OVERSIGHT, "accounts.approve_access"),
    }

    people_only = ("accounts.",)

    def ready(self) -> None:
        """Connect role keeping and the record of sign-ins."""
        from allauth.account import signals as account  # noqa: PLC0415 - needs loaded apps
        from allauth.mfa import signals as factor  # noqa: PLC0415 - needs loaded apps
        from django.contrib.auth import signals  # noqa: PLC0415 - needs loaded apps
        from django.db.models.signals import m2m_changed  # noqa: PLC0415 - needs loaded apps

        from backoffice.accounts import (  # noqa: PLC0415 - needs loaded models
            devices,
            lockout,
            roles,
            sessions,
            trail,
        )
        from backoffice.accounts.models import User  # noqa: PLC0415 - needs loaded models

        for name in ("device_stage", "resets", "mfa"):  # they declare mails, and what is sealed
            import_module(f"{self.name}.{name}")
        post_migrate.connect(roles.after_migrate, dispatch_uid="backoffice.roles")
        signals.user_logged_in.connect(sessions.signed_in, dispatch_uid="backoffice.in")
        signals.user_logged_out.connect(sessions.signed_out, dispatch_uid="backoffice.out")
        signals.user_login_failed.connect(sessions.sign_in_failed, dispatch_uid="backoffice.fail")
        account.password_reset.connect(lockout.reset_done, dispatch_uid="backoffice.vouch")
        for changed in (account.password_changed, account.password_set, account.password_reset):
            changed.connect(sessions.password_changed, dispatch_uid="backoffice.password")
        account.authentication_step_completed.connect(
            sessions.note_door, dispatch_uid="backoffice.door"
        )
        factor.authenticator_removed.connect(
            sessions.factor_removed, dispatch_uid="backoffice.factor"
        )
        m2m_changed.connect(
            sessions.roles_changed, sender=User.groups.through, dispatch_uid="backoffice.roles"
        )
        lockout.recognise_by(devices.find)
        trail.follow()
