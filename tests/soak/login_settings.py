"""Settings of the soak of signing in: the project's own, with a hasher that costs nothing.

What is tried is the counting; with the real hasher a run would only take longer.
"""

import os

os.environ.setdefault("BACKOFFICE_LOG_LEVEL", "CRITICAL")

from backoffice.project.settings import *  # noqa: F403 - settings are a star import by design
from backoffice.project.settings import DATABASES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
BACKOFFICE_DEVICE_CHALLENGE = True
if "init_command" in DATABASES["default"]["OPTIONS"]:
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
