"""Settings of the reference business: development by default, production by one variable."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from backoffice.project import env, providers
from backoffice.site import theme

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(env.text("BACKOFFICE_VAR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

PROFILE = env.choice("BACKOFFICE_PROFILE", "development", {"development", "production"})
PRODUCTION = PROFILE == "production"
DEBUG = env.flag("BACKOFFICE_DEBUG", default=False)
if PRODUCTION and DEBUG:
    msg = "BACKOFFICE_DEBUG must be false in production."
    raise ImproperlyConfigured(msg)

_DEVELOPMENT_KEY = "development-only-key-never-use-it-for-real-data-0123456789"
_default_key = None if PRODUCTION else _DEVELOPMENT_KEY
SECRET_KEY = env.text("BACKOFFICE_SECRET_KEY", _default_key)
# Former ones, while what they signed may still come back: an open session, a link to a file.
SECRET_KEY_FALLBACKS = env.words("BACKOFFICE_SECRET_KEYS_OLD")
# Key of the blind indexes by which masked fields are searched: kept apart from SECRET_KEY, since
# changing it means that every index has to be computed anew: meanwhile the list with both keys, as
# id:secret, the newest first. A key from before may be shorter than we ask of one today.
BACKOFFICE_MASKING_INDEX_KEYS = (
    env.keys("BACKOFFICE_MASKING_INDEX_KEYS", least=1)
    if env.text("BACKOFFICE_MASKING_INDEX_KEYS", "")
    else []
)
BACKOFFICE_MASKING_INDEX_KEY = env.text(
    "BACKOFFICE_MASKING_INDEX_KEY", "" if BACKOFFICE_MASKING_INDEX_KEYS else _default_key
)
if PRODUCTION and _DEVELOPMENT_KEY in {
    SECRET_KEY,
    BACKOFFICE_MASKING_INDEX_KEY,
    *dict(BACKOFFICE_MASKING_INDEX_KEYS).values(),
}:
    msg = "The development keys must not be used in production."
    raise ImproperlyConfigured(msg)

# What of a value its mask shows, by kind, e.g. name:kr,card:bin (docs/masking.md); and the country
# of phone numbers that are written without one, e.g. 82.
BACKOFFICE_MASKS = dict(part.partition(":")[::2] for part in env.words("BACKOFFICE_MASKS"))
BACKOFFICE_PHONE_COUNTRY = env.text("BACKOFFICE_PHONE_COUNTRY", "")

# Keys that seal secrets which lie in the database (those of second factors, say): the newest first,
# each as id:secret. See docs/operations.md for how one is changed.
BACKOFFICE_KEYS = env.keys(
    "BACKOFFICE_KEYS", None if PRODUCTION else f"development:{_DEVELOPMENT_KEY}"
)
if PRODUCTION and any(secret == _DEVELOPMENT_KEY for _id, secret in BACKOFFICE_KEYS):
    msg = "The development keys must not be used in production."
    raise ImproperlyConfigured(msg)

ALLOWED_HOSTS = env.words(
    "BACKOFFICE_HOSTS", "" if PRODUCTION else "127.0.0.1,localhost,[::1],testserver"
)
if PRODUCTION and not ALLOWED_HOSTS:
    msg = "BACKOFFICE_HOSTS must name the hosts of this site in production."
    raise ImproperlyConfigured(msg)
CSRF_TRUSTED_ORIGINS = env.words("BACKOFFICE_ORIGINS")
# Proxies of ours, whose X-Forwarded-For is believed: networks, and "unix" for a socket file.
BACKOFFICE_PROXIES = env.networks("BACKOFFICE_PROXIES", also={"unix"})

# Leave out one of the optional apps by name, e.g. BACKOFFICE_WITHOUT=sheets,sources
OPTIONAL_APPS = {
    "sheets": "backoffice.sheets",
    "sources": "backoffice.sources",
    "reports": "reports",
}
WITHOUT = env.words("BACKOFFICE_WITHOUT")
if unknown := set(WITHOUT) - set(OPTIONAL_APPS):
    msg = f"BACKOFFICE_WITHOUT names no optional app: {', '.join(sorted(unknown))}."
    raise ImproperlyConfigured(msg)

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "backoffice.site",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "backoffice.accounts",  # before allauth: its templates stand in for allauth's
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "guardian",
    "simple_history",
    "import_export",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks_db",
    "backoffice.audit",
    "backoffice.masking",
    "backoffice.jobs",
    "backoffice.mail",
    "backoffice.browser",
    "backoffice.files",
    "backoffice.approvals",
    "backoffice.sheets",
    "backoffice.sources",
    "backoffice.charts",
    "customers",
    "sellers",
    "orders",
    "payments",
    "reports",
    "backoffice.project",
]
INSTALLED_APPS = [
    app for app in INSTALLED_APPS if app not in {OPTIONAL_APPS[name] for name in WITHOUT}
]

MIDDLEWARE = [
    "backoffice.browser.middleware.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backoffice.audit.middleware.RequestContextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "backoffice.accounts.setup_view.SetupMiddleware",
    "backoffice.audit.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "backoffice.accounts.middleware.SessionMiddleware",
    "backoffice.accounts.middleware.ActingMiddleware",
    "backoffice.accounts.enrolment.EnrolmentMiddleware",
    "backoffice.site.throttling.TooManyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

ROOT_URLCONF = "backoffice.project.urls"
WSGI_APPLICATION = "backoffice.project.wsgi.application"
ASGI_APPLICATION = "backoffice.project.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.csp",
                "backoffice.site.surroundings.surroundings",
            ],
        },
    }
]

DATABASES = {"default": env.database("DATABASE_URL", VAR_DIR / "backoffice.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "backoffice.accounts.passwords.BreachedPasswordValidator"},
]
# The list of leaked passwords of haveibeenpwned.com, once downloaded: a sorted file, or a folder.
BACKOFFICE_BREACHED_PASSWORDS = env.path("BACKOFFICE_BREACHED_PASSWORDS")
LOGIN_URL = "/account/login/"
LOGIN_REDIRECT_URL = "/"

# Signing in, by allauth; see docs/signing-in.md. The limits on tries are our own, in the database,
# where they hold under any number of processes.
ACCOUNT_ADAPTER = "backoffice.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False
ACCOUNT_FORMS = {
    "login": "backoffice.accounts.forms.SignInForm",
    "reset_password": "backoffice.accounts.forms.AskResetForm",
    "reset_password_from_key": "backoffice.accounts.forms.NewPasswordForm",
    "change_password": "backoffice.accounts.forms.ChangePasswordForm",
    "user_token": "backoffice.accounts.forms.LinkForm",
}
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "backoffice.accounts.resets.LinkGenerator"  # noqa: S105
ACCOUNT_EMAIL_NOTIFICATIONS = False  # our own mails tell more, and go by the outbox
PASSWORD_RESET_TIMEOUT = 60 * 60
MFA_ADAPTER = "backoffice.accounts.mfa.MfaAdapter"
MFA_FORMS = {
    "authenticate": "backoffice.accounts.forms.FactorForm",
    "reauthenticate": "backoffice.accounts.forms.FactorAgainForm",
    "activate_totp": "backoffice.accounts.forms.AppForm",
    "add_webauthn": "backoffice.accounts.forms.PasskeyForm",
}
MFA_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1
# Of which roles a second factor is due ("staff" stands for every role of the staff), and for how
# many days after it was first asked for one may still do without ("never" ends: development only).
# Providers of single sign-on, as JSON; docs/signing-in.md says what each may hold.
BACKOFFICE_SSO = providers.read("BACKOFFICE_SSO", production=PRODUCTION)
SOCIALACCOUNT_PROVIDERS = providers.for_allauth(BACKOFFICE_SSO)
SOCIALACCOUNT_ADAPTER = "backoffice.accounts.sso.SocialAdapter"
# By a link, since a form may be sent to this site only (CSP). It starts nothing but a sign-in.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_STORE_TOKENS = False
# A sign-in from an unknown device asks for a mailed code (or the second factor).
BACKOFFICE_DEVICE_CHALLENGE = env.flag("BACKOFFICE_DEVICE_CHALLENGE", default=PRODUCTION)
BACKOFFICE_SECOND_FACTOR_ROLES = env.words("BACKOFFICE_SECOND_FACTOR_ROLES", "staff")
BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = (
    env.number("BACKOFFICE_SECOND_FACTOR_GRACE_DAYS", 7)
    if PRODUCTION
    else env.number_or("BACKOFFICE_SECOND_FACTOR_GRACE_DAYS", "never")
)
# Clear values are shown, and files with them handed out, after a second factor only: the password
# alone is never enough. Off in development, where the demo's people have none.
BACKOFFICE_REVEAL_FACTOR = env.flag("BACKOFFICE_REVEAL_FACTOR", default=PRODUCTION)
# Whether an empty database asks whose it is (docs/people.md); the demo fills one in development.
BACKOFFICE_SETUP = env.flag("BACKOFFICE_SETUP", default=PRODUCTION)
# Currency of new prices where no set-up decided one.
BACKOFFICE_CURRENCY = env.text("BACKOFFICE_CURRENCY", "GBP")
# role -> (minutes without use, hours in all) after which a session ends; "" is for everybody, and
# of somebody's roles the strictest counts. See docs/people.md.
BACKOFFICE_SESSION_LIMITS: dict[str, tuple[int, int]] = {
    "": (60, 12),
    "finance": (30, 10),
    "owner": (30, 10),
}
# What is tried to sign in -> whose tries are counted -> steps of (tries, seconds); see
# docs/operations.md. No pause is longer than its step.
_PAIR, _ADDRESS = [(5, 60), (10, 15 * 60), (20, 3 * 60 * 60)], [(60, 15 * 60), (300, 3 * 60 * 60)]
BACKOFFICE_LOCKOUT: dict[str, dict[str, list[tuple[int, int]]]] = {
    "password": {
        "pair": _PAIR,
        "address": _ADDRESS,
        "account": [(30, 15 * 60), (60, 3 * 60 * 60)],
    },
    "code": {
        "pair": [(5, 60), (10, 15 * 60), (15, 3 * 60 * 60)],
        "address": _ADDRESS,
        "account": [(15, 15 * 60), (30, 3 * 60 * 60)],
    },
    "reset": {
        "pair": [(3, 15 * 60), (6, 3 * 60 * 60)],
        "address": [(20, 15 * 60), (60, 3 * 60 * 60)],
        "account": [(6, 60 * 60)],
    },
}
# Longest life of a token of the API, in days; rights that service accounts have although they are
# kept for people (see docs/api.md).
BACKOFFICE_TOKEN_DAYS = env.number("BACKOFFICE_TOKEN_DAYS", 365)
BACKOFFICE_SERVICE_MAY = env.words("BACKOFFICE_SERVICE_MAY")
# How often one person, token or address may do what costs or tells much; 0 is no limit.
BACKOFFICE_SEARCHES_PER_MINUTE = env.number("BACKOFFICE_SEARCHES_PER_MINUTE", 20)
BACKOFFICE_SEARCHES_PER_DAY = env.number("BACKOFFICE_SEARCHES_PER_DAY", 500)
# How often a day somebody is told that a personal value is taken already (docs/privacy.md).
BACKOFFICE_TAKEN_PER_DAY = env.number("BACKOFFICE_TAKEN_PER_DAY", 10)
BACKOFFICE_PALETTE_PER_MINUTE = env.number("BACKOFFICE_PALETTE_PER_MINUTE", 120)
BACKOFFICE_EXPORTS_PER_HOUR = env.number("BACKOFFICE_EXPORTS_PER_HOUR", 30)
# Files for an import or a kept sheet, by page or API; those of a watched folder are not counted.
BACKOFFICE_UPLOADS_PER_HOUR = env.number("BACKOFFICE_UPLOADS_PER_HOUR", 120)
# Rows of a list that are written while the person waits; more are written by a job.
BACKOFFICE_EXPORT_AT_ONCE = env.number("BACKOFFICE_EXPORT_AT_ONCE", 5000)
BACKOFFICE_API_PER_MINUTE = env.number("BACKOFFICE_API_PER_MINUTE", 300)
BACKOFFICE_API_ADDRESS_PER_MINUTE = env.number("BACKOFFICE_API_ADDRESS_PER_MINUTE", 1200)
# A function that says in words where an address lies: "package.module.function"; "" for none.
BACKOFFICE_PLACES = ""
SESSION_COOKIE_AGE = max(hours for _minutes, hours in BACKOFFICE_SESSION_LIMITS.values()) * 60 * 60
SESSION_SERIALIZER = "backoffice.accounts.sealing.SealedSerializer"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("BACKOFFICE_TIME_ZONE", "Europe/London")

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "backoffice.files.storage.PrivateStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if PRODUCTION
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
# Uploaded sheets and made workbooks: private, served only by views that ask the policy.
MEDIA_ROOT = VAR_DIR / "files"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "backoffice.files.uploads.SealedUploadHandler",
]
# A virus scanner for what people upload, as the dotted path of a Scanner; empty for none. The one
# that is there asks ClamAV's daemon at host:port or at the path of its socket.
BACKOFFICE_SCANNER = env.text("BACKOFFICE_SCANNER", "")
BACKOFFICE_CLAMD = env.text("BACKOFFICE_CLAMD", "127.0.0.1:3310")
BACKOFFICE_SCANNER_SECONDS = env.number("BACKOFFICE_SCANNER_SECONDS", 30)

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}

IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "backoffice.site.bearer.Bearer",
        "backoffice.site.bearer.SiteSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backoffice.site.bearer.PlainJson"],
    "EXCEPTION_HANDLER": "backoffice.site.api_errors.answer",
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "DEFAULT_SCHEMA_CLASS": "backoffice.site.api_schema.ScopedSchema",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Backoffice API",
    "VERSION": "1",
    "DESCRIPTION": "The same rights, scopes and masks as the pages.",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "backoffice.site.api_schema.complete",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

UNFOLD = theme.unfold()
UNFOLD_SELLER = theme.unfold_seller()

# alias -> adapter; see docs/gateways.md
GATEWAYS: dict[str, dict[str, Any]] = {
    "simulator": {
        "BACKEND": "payments.gateways.simulator.Simulator",
        "OPTIONS": {
            "base_url": env.text("BACKOFFICE_SIMULATOR_URL", "http://127.0.0.1:8101"),
            # Signs its events: "whsec_" and base64. In production one has to be given.
            "webhook_secret": env.text(
                "BACKOFFICE_SIMULATOR_SECRET",
                "" if PRODUCTION else "whsec_ZGVtbyBldmVudHMgb2YgdGhlIHNpbXVsYXRvcg==",
            ),
        },
        "SETTLING": {
            "FEES": {"capture": {"GBP": {"percent": "1.4", "fixed": "0.20"}}},
        },
    },
    "manual": {"BACKEND": "payments.gateways.manual.Manual"},
}
if _stripe_key := env.text("BACKOFFICE_STRIPE_KEY", ""):
    _stripe_url = env.text("BACKOFFICE_STRIPE_URL", "")
    GATEWAYS["stripe"] = {
        "BACKEND": "payments.gateways.stripe.Stripe",
        "OPTIONS": {
            "api_key": _stripe_key,
            "webhook_secret": env.text("BACKOFFICE_STRIPE_WEBHOOK_SECRET", ""),
            # A program on this machine that plays Stripe; the check refuses it for live keys.
            **({"base_url": _stripe_url, "allow_loopback": True} if _stripe_url else {}),
        },
    }
if _toss_key := env.text("BACKOFFICE_TOSS_KEY", ""):
    _toss_url = env.text("BACKOFFICE_TOSS_URL", "")
    GATEWAYS["toss"] = {
        "BACKEND": "payments.gateways.toss.Toss",
        "OPTIONS": {"secret_key": _toss_key, **({"base_url": _toss_url} if _toss_url else {})},
    }
if _adyen_key := env.text("BACKOFFICE_ADYEN_KEY", ""):
    GATEWAYS["adyen"] = {
        "BACKEND": "payments.gateways.adyen.Adyen",
        "OPTIONS": {
            "api_key": _adyen_key,
            "merchant_account": env.text("BACKOFFICE_ADYEN_ACCOUNT", ""),
            # The newest first; two while they change.
            "hmac_keys": env.words("BACKOFFICE_ADYEN_HMAC_KEYS"),
            "live_prefix": env.text("BACKOFFICE_ADYEN_LIVE_PREFIX", ""),
            "base_url": env.text("BACKOFFICE_ADYEN_URL", ""),
        },
    }
# Gateways whose live keys may refund although nobody has verified their adapter at the vendor.
BACKOFFICE_UNVERIFIED_GATEWAYS = env.words("BACKOFFICE_UNVERIFIED_GATEWAYS")
# Refunds above these amounts need two approvers beside whoever asks; so do those in a currency that
# is not named here. (The numbers of every rule of approvals can be set: docs/approvals.md.)
BACKOFFICE_APPROVALS: dict[str, dict[str, Any]] = {
    "payments.refund": {
        "bands": [
            {"above": amount, "approvers": 2}
            for amount in ("500.00 GBP", "500.00 EUR", "500.00 USD", "800000 KRW", "80000 JPY")
        ],
    },
}
# Imports that change more rows than this, or that are of these formats, need somebody's approval.
BACKOFFICE_IMPORT_APPROVAL: dict[str, Any] = {
    "changed": env.number("BACKOFFICE_IMPORT_APPROVAL_ROWS", 50_000),
    "formats": env.words("BACKOFFICE_IMPORT_APPROVAL_FORMATS"),
}
# What one person may ask to refund in a day, and for one customer; a currency without one has none.
BACKOFFICE_REFUND_LIMITS: dict[str, list[str]] = {
    "maker": ["10000.00 GBP", "10000.00 EUR", "10000.00 USD", "16000000 KRW", "1600000 JPY"],
    "customer": ["5000.00 GBP", "5000.00 EUR", "5000.00 USD", "8000000 KRW", "800000 JPY"],
}
BACKOFFICE_CUSTOMER_API_URL = env.text("BACKOFFICE_CUSTOMER_API_URL", "http://127.0.0.1:8102")
BACKOFFICE_ORDER_API_URL = env.text("BACKOFFICE_ORDER_API_URL", "http://127.0.0.1:8103")
# What the demo's two systems want to hear; in production a token has to be given.
_demo = not PRODUCTION
BACKOFFICE_CUSTOMER_API_TOKEN = env.text(
    "BACKOFFICE_CUSTOMER_API_TOKEN", "demo-customer-token" if _demo else ""
)
BACKOFFICE_ORDER_API_TOKEN = env.text(
    "BACKOFFICE_ORDER_API_TOKEN", "demo-order-token" if _demo else ""
)

# Distinct records of which one person may see clear values, an hour and a day.
BACKOFFICE_REVEALS_PER_HOUR = env.number("BACKOFFICE_REVEALS_PER_HOUR", 30)
BACKOFFICE_REVEALS_PER_DAY = env.number("BACKOFFICE_REVEALS_PER_DAY", 120)
# Edits of one customer by one person: the history tells them whether what they typed differs.
BACKOFFICE_PERSONAL_EDITS_PER_HOUR = env.number("BACKOFFICE_PERSONAL_EDITS_PER_HOUR", 10)
# Rows of one file with clear values.
BACKOFFICE_CLEAR_EXPORT_ROWS = env.number("BACKOFFICE_CLEAR_EXPORT_ROWS", 10_000)
# Events of the record are kept so many years at least (see docs/audit.md). Its head is written to
# this file every hour; put it where who can write to the database cannot write.
BACKOFFICE_AUDIT_YEARS = env.number("BACKOFFICE_AUDIT_YEARS", 1)
BACKOFFICE_AUDIT_ANCHORS = env.text(
    "BACKOFFICE_AUDIT_ANCHORS", str(VAR_DIR / "audit-anchors.jsonl")
)
# An event older than its neighbours by more seconds is not linked without a person's word.
BACKOFFICE_AUDIT_LATE_SECONDS = env.number("BACKOFFICE_AUDIT_LATE_SECONDS", 3600)
# Who was erased, for databases that are restored: keep it apart from their backups.
BACKOFFICE_ERASED_LIST = env.text("BACKOFFICE_ERASED_LIST", str(VAR_DIR / "erased.jsonl"))
# Months after which personal data of customers falls due (docs/privacy-desk.md): none by default,
# but in development, so that the page of the demo shows what it is for.
BACKOFFICE_RETENTION = env.numbers(
    "BACKOFFICE_RETENTION", "" if PRODUCTION else "without_order:120"
)
# Whether a job of BACKOFFICE_SCHEDULE may clear what fell due without asking a second person.
BACKOFFICE_RETENTION_UNATTENDED = env.flag("BACKOFFICE_RETENTION_UNATTENDED", default=False)
# A job whose worker gave no sign of life for so many seconds is taken up by another worker.
BACKOFFICE_JOB_LOST_AFTER = env.number("BACKOFFICE_JOB_LOST_AFTER", 15)

# Finished jobs and their logs are kept so many days.
BACKOFFICE_JOBS_KEPT_DAYS = env.number("BACKOFFICE_JOBS_KEPT_DAYS", 90)
# name -> {"kind", "cron" of five fields in TIME_ZONE, "params"}; see docs/jobs.md
BACKOFFICE_SCHEDULE: dict[str, dict[str, Any]] = {}
# name -> {"path", "profile", "actor"}: folders whose files come in by themselves; docs/sheets.md
BACKOFFICE_SHEET_FOLDERS: dict[str, dict[str, Any]] = {}
# Where mails lead, and how they leave: to the terminal in development.
BACKOFFICE_BASE_URL = env.text(
    "BACKOFFICE_BASE_URL",
    f"https://{ALLOWED_HOSTS[0].lstrip('.*')}" if PRODUCTION else "http://127.0.0.1:8000",
)
# Seconds that one step of talking to the mail server may take.
BACKOFFICE_MAIL_TIMEOUT = env.number("BACKOFFICE_MAIL_TIMEOUT", 10)
DEFAULT_FROM_EMAIL = env.text("BACKOFFICE_MAIL_FROM", "backoffice@localhost")
MAILERS: dict[str, dict[str, Any]] = {
    "default": env.mailer(
        "BACKOFFICE_MAIL_SERVER",
        "smtp://localhost:25" if PRODUCTION else "",
        timeout=BACKOFFICE_MAIL_TIMEOUT,
    )
}

# Reports of errors hold places and names, no values: see the module.
DEFAULT_EXCEPTION_REPORTER = "backoffice.audit.reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "backoffice.audit.reports.ReportFilter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "backoffice.audit.logs.RequestFilter"}},
    "formatters": {"json": {"()": "backoffice.audit.logs.JsonFormatter"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["request"],
            "formatter": "json",
        }
    },
    "root": {"handlers": ["console"], "level": env.text("BACKOFFICE_LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # It tells of each start and end; the job's row does too.
        "django.tasks": {"level": "WARNING"},
    },
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# No script and no style inside a page, nothing from another host. The nonce is for the one empty
# style element that plotly writes its rules into.
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    # Read at /admin/violations/.
    "report-uri": ["/browser-reports/"],
}
if PRODUCTION:
    # Browsers that know it report to this one alone, and over https alone.
    SECURE_CSP["report-to"] = ["csp"]
    SECURE_SSL_REDIRECT = env.flag("BACKOFFICE_SSL_REDIRECT", default=True)
    # A program that calls the API in the clear is refused instead, see HeadersMiddleware.
    SECURE_REDIRECT_EXEMPT = [r"^api/"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    # By these names a browser takes them from this host alone, over https alone.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    # Sub-domains and the browsers' preload list bind more than this site; its owner decides that.
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("BACKOFFICE_HSTS_SUBDOMAINS", default=False)
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
