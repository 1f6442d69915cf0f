"""Settings of the soak of refunds: the project's own, quiet, without limits of a day.

The addresses of the peers come by the environment (`tests/soak/soak_refunds.py` starts them).
"""

import json
import os

os.environ.setdefault("BACKOFFICE_LOG_LEVEL", "CRITICAL")
os.environ.setdefault("BACKOFFICE_JOB_LOST_AFTER", "3")

from backoffice.project.settings import *  # noqa: F403 - settings are a star import by design
from backoffice.project.settings import DATABASES, STATIC_ROOT

GATEWAYS = json.loads(os.environ.get("SOAK_GATEWAYS", "{}"))
BACKOFFICE_REFUND_LIMITS = dict[str, list[str]]()
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES["default"]["CONN_MAX_AGE"] = 0
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
