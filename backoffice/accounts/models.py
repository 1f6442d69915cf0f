"""People who sign in, and changes to what their roles may do."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import machines


class Kind(models.TextChoices):
    """Who is behind an account."""

    PERSON = "person", _("Person")
    SERVICE = "service", _("Service account")


class User(AbstractUser):
    """A person who signs in: staff on the staff site, members of a shop on the seller site.

    A service account is a program: it has tokens, no password, and signs in nowhere.
    `factor_due_since` is when a second factor was first asked of this person; the grace period
    counts from there. A new `stamp` ends every session of the person (see `sessions`).
    """

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.PERSON)
    factor_due_since = models.DateTimeField(_("second factor due since"), null=True, blank=True)
    stamp = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        """Rights beside the usual ones: over roles, people, sessions and tokens."""

        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = (
            ("change_roles", _("Can change what roles may do")),
            ("manage_people", _("Can invite people, give roles, block, and start a reset")),
            ("end_sessions", _("Can end other people's sessions")),
            ("manage_tokens", _("Can make service accounts and end anybody's tokens")),
            ("act_for_seller", _("Can act for a seller")),
            ("explain_access", _("Can ask why somebody may see something")),
            ("approve_access", _("Can agree that others get access to personal data")),
        )

    def __str__(self) -> str:
        return self.get_full_name() or self.get_username()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether the person has the right; a service account never has people's own."""
        if self.kind == Kind.SERVICE and machines.is_for_people(perm):
            return False
        return super().has_perm(perm, obj)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Bind sessions to the password, as Django does, and to the stamp."""
        value = f"{self.password}:{self.stamp}"
        salt = "backoffice.accounts.session"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()


class RoleChange(models.Model):
    """A deviation from the roles as declared: the newest row of a pair wins.

    Kept apart from the groups, so that a later release can add permissions to a role without
    undoing what the owner decided.
    """

    role = models.CharField(_("role"), max_length=40)
    permission = models.CharField(_("permission"), max_length=200)
    granted = models.BooleanField(_("granted"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("who")
    )
    reason = models.TextField(_("why"))
    at = models.DateTimeField(_("when"), auto_now_add=True)

    objects: ClassVar[models.Manager["RoleChange"]] = models.Manager()

    class Meta:
        """Newest last: the last row of a pair is in force."""

        verbose_name = _("role change")
        verbose_name_plural = _("role changes")
        ordering = ["id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.role} {'+' if self.granted else '-'} {self.permission}"


class Counter(models.Model):
    """How often something was tried in one window of time; only `limits` writes it."""

    bucket = models.CharField(max_length=40)
    key = models.CharField(max_length=64)  # a digest: names and addresses are not kept
    window = models.BigIntegerField()  # seconds since the epoch at which the window began
    hits = models.PositiveIntegerField(default=0)

    objects: ClassVar[models.Manager["Counter"]] = models.Manager()

    class Meta:
        """One row a bucket, key and window."""

        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["bucket", "key", "window"], name="counter_once"),
        ]
        indexes = [models.Index(fields=["window"], name="counter_window")]

    def __str__(self) -> str:
        return f"{self.bucket} {self.window}: {self.hits}"


class Device(models.Model):
    """A browser that a person has used; its cookie holds a secret, this row the digest."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="devices",
        verbose_name=_("person"),
    )
    digest = models.CharField(max_length=64)
    label = models.CharField(_("device"), max_length=120)
    address = models.GenericIPAddressField(_("address"), null=True)
    first_seen = models.DateTimeField(_("first seen"), auto_now_add=True)
    last_seen = models.DateTimeField(_("last seen"), auto_now=True)

    objects: ClassVar[models.Manager["Device"]] = models.Manager()

    class Meta:
        """A device is known once a person."""

        verbose_name = _("device")
        verbose_name_plural = _("devices")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="device_once_a_person"),
        ]

    def __str__(self) -> str:
        return self.label


class Acting(models.Model):
    """A time in which one person acted for another, and why."""

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("who")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("for")
    )
    reason = models.TextField(_("why"))
    began_at = models.DateTimeField(_("began"), auto_now_add=True)
    ends_at = models.DateTimeField(_("ends"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects: ClassVar[models.Manager["Acting"]] = models.Manager()

    class Meta:
        """Newest first; nobody acts for themselves."""

        verbose_name = _("acting for somebody")
        verbose_name_plural = _("acting for somebody")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(actor=models.F("person")), name="acting_for_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor} \N{RIGHTWARDS ARROW} {self.person}"


class Token(models.Model):
    """A key to the API: of a person, or of a service account. Only the digest is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="tokens",
        verbose_name=_("account"),
    )
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("begins with"), max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(_("scopes"), default=list)
    addresses = models.JSONField(_("allowed addresses"), default=list, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("made by"),
    )
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("ended by"),
    )

    objects: ClassVar[models.Manager["Token"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        ordering = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}\N{HORIZONTAL ELLIPSIS})"


class Installation(models.Model):
    """What the set-up decided, once: whose backoffice this is. There is one row at most."""

    only = models.BooleanField(default=True, unique=True, editable=False)
    company = models.CharField(_("company"), max_length=120)
    currency = models.CharField(_("currency"), max_length=3)
    time_zone = models.CharField(_("time zone"), max_length=64)
    language = models.CharField(_("language"), max_length=10)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("owner"),
    )
    at = models.DateTimeField(_("set up"), auto_now_add=True)

    objects: ClassVar[models.Manager["Installation"]] = models.Manager()

    class Meta:
        """One row."""

        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(only=True), name="installation_is_one"),
        ]

    def __str__(self) -> str:
        return self.company
